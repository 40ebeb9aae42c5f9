//! A file lock for the command `watch`. It isn't part of the public API.

use super::error::{Failure, guarded};
use crate::capture::FileError;
use crate::lock;
use napi_derive::napi;
use std::path::Path;

#[napi]
pub struct FileLock(Option<lock::FileLock>);

#[napi]
impl FileLock {
    /// Takes the lock unless another process holds it. Check `is_held` afterwards.
    #[napi(factory)]
    pub fn take(path: String) -> Result<FileLock, Failure> {
        guarded(|| {
            let path = Path::new(&path);
            let lock = lock::FileLock::try_lock(path).map_err(|error| FileError {
                path: path.to_owned(),
                syscall: "flock",
                error,
            })?;
            Ok(FileLock(lock))
        })
    }

    /// Whether this process holds the lock.
    #[napi(getter)]
    pub fn is_held(&self) -> Result<bool, Failure> {
        guarded(|| Ok(self.0.is_some()))
    }

    /// Releases the lock if this process holds it.
    #[napi]
    pub fn release(&mut self) -> Result<(), Failure> {
        guarded(|| {
            self.0 = None;
            Ok(())
        })
    }
}
