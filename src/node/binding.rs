//! The binary's version, for the loader in `lib/load.js`.

use super::error::{Failure, guarded};
use crate::protocol::layout;
use napi_derive::napi;

/// The loader compares this before it uses anything else.
#[napi(object)]
pub struct BindingInfo {
    /// The package's version.
    pub version: String,
    /// A hash of the numbers that define how events cross; see `protocol`.
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
