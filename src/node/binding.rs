//! What this binary is, for the loader: see `lib/load.js`.

use super::error::{Failure, guarded};
use napi_derive::napi;

/// What the loader compares before anything else crosses.
#[napi(object)]
pub struct BindingInfo {
    /// The package's version.
    pub version: String,
}

#[napi]
pub fn binding_info() -> Result<BindingInfo, Failure> {
    guarded(|| {
        Ok(BindingInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    })
}
