//! What this binary is, for the loader: see `lib/load.js`.

use super::error::{Failure, guarded};
use crate::protocol::layout;
use napi_derive::napi;

/// What the loader compares before anything else crosses.
#[napi(object)]
pub struct BindingInfo {
    /// The package's version.
    pub version: String,
    /// The hash of how events cross between the addon and its JavaScript.
    pub layout: String,
}

#[napi]
pub fn binding_info() -> Result<BindingInfo, Failure> {
    guarded(|| {
        Ok(BindingInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            layout: layout(),
        })
    })
}
