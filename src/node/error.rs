//! Errors and panics on their way to JavaScript.

use crate::capture::hook::HookError;
use crate::capture::store::StoreError;
use crate::wire::error::BatchError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The stable `code` of a JavaScript error.
pub struct Code(&'static str);

impl Code {
    pub const INTERNAL: Code = Code("ERR_INTERNAL");
    pub const BODY_TOO_LARGE: Code = Code("ERR_BODY_TOO_LARGE");
    pub const INVALID_ARGUMENT: Code = Code("ERR_INVALID_ARGUMENT");
    pub const INVALID_JSON: Code = Code("ERR_INVALID_JSON");
    pub const IO: Code = Code("ERR_IO");
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

pub type Failure = napi::Error<Code>;

pub fn failure(code: Code, message: String) -> Failure {
    Failure::new(code, message)
}

/// A call into Node that did not work, for want of stack or memory.
pub fn node_failure(error: napi::Error) -> Failure {
    failure(Code::INTERNAL, format!("Node refused a call: {}", error.reason))
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Failure {
        failure(Code(error.code()), error.to_string())
    }
}

/// What the system said of the file or folder at `path`.
pub fn io_failure(path: &Path, error: &io::Error) -> Failure {
    let message = match system_code(error) {
        Some(code) => format!("{}: {code}: {error}", path.display()),
        None => format!("{}: {error}", path.display()),
    };
    failure(Code::IO, message)
}

impl From<StoreError> for Failure {
    fn from(StoreError { path, error }: StoreError) -> Failure {
        io_failure(&path, &error)
    }
}

/// The name that Node gives to an error of the system.
fn system_code(error: &io::Error) -> Option<&'static str> {
    #[cfg(unix)]
    if let Some(errno) = rustix::io::Errno::from_io_error(error) {
        use rustix::io::Errno;
        match errno {
            Errno::PERM => return Some("EPERM"),
            Errno::LOOP => return Some("ELOOP"),
            Errno::NAMETOOLONG => return Some("ENAMETOOLONG"),
            Errno::MFILE => return Some("EMFILE"),
            Errno::NFILE => return Some("ENFILE"),
            Errno::IO => return Some("EIO"),
            Errno::NXIO => return Some("ENXIO"),
            Errno::EXIST => return Some("EEXIST"),
            Errno::DQUOT => return Some("EDQUOT"),
            Errno::STALE => return Some("ESTALE"),
            _ => {}
        }
    }
    Some(match error.kind() {
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::NotADirectory => "ENOTDIR",
        io::ErrorKind::InvalidInput => "EINVAL",
        io::ErrorKind::ReadOnlyFilesystem => "EROFS",
        io::ErrorKind::StorageFull => "ENOSPC",
        io::ErrorKind::ResourceBusy => "EBUSY",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        _ => return None,
    })
}

impl From<HookError> for Failure {
    fn from(error: HookError) -> Failure {
        let code = match error {
            HookError::Json { .. } => Code::INVALID_JSON,
            HookError::NotAnObject | HookError::NoSession | HookError::State(_) => Code::INVALID_ARGUMENT,
        };
        failure(code, error.to_string())
    }
}

/// Runs `body`; a panic in it becomes an error, so that the process goes on.
pub fn guarded<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // What a panic leaves half done is only ever local to the call: buffers that outlive it are taken and given back.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let cause = panic.downcast_ref::<&str>().copied();
        let cause = cause
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Err(failure(Code::INTERNAL, format!("a bug in git-ai-metrics: {cause}")))
    })
}

/// Panics, so that a test can see what becomes of a panic.
#[cfg(debug_assertions)]
#[napi_derive::napi(skip_typescript)]
pub fn provoke_panic() -> Result<(), Failure> {
    guarded(|| panic!("provoked"))
}
