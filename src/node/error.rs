//! Turns errors and panics into JavaScript errors. `lib/errors.js` does the second half.

use crate::capture::FileError;
use crate::capture::hook::HookError;
use crate::wire::error::{BatchError, ErrorCode};
use serde::Serialize;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The stable `code` of a JavaScript error.
#[derive(Clone, Copy)]
pub struct Code(&'static str);

impl Code {
    pub const INTERNAL: Code = Code(ErrorCode::Internal.as_str());
    pub const BODY_TOO_LARGE: Code = Code(ErrorCode::BodyTooLarge.as_str());
    pub const INVALID_ARGUMENT: Code = Code(ErrorCode::InvalidArgument.as_str());
    pub const INVALID_JSON: Code = Code(ErrorCode::InvalidJson.as_str());
    pub const IO: Code = Code(ErrorCode::Io.as_str());
}

/// The properties of a JavaScript error besides its message.
///
/// napi-rs throws an error with two strings, `code` and `message`. The details cross as JSON in `code`, and
/// `lib/errors.js` turns them into properties.
#[derive(Default, Serialize)]
struct Details<'a> {
    code: &'static str,
    /// The path of an argument, such as `events[3].timestamp`, or of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syscall: Option<&'static str>,
    /// Node's name for an error of the system, such as `ENOENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'static str>,
}

/// `Details` as JSON.
pub struct Status(String);

impl AsRef<str> for Status {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

pub type Failure = napi::Error<Status>;

fn failure_with(details: &Details<'_>, message: String) -> Failure {
    let json = serde_json::to_string(details).expect("strings always serialise");
    Failure::new(Status(json), message)
}

pub fn failure(Code(code): Code, message: String) -> Failure {
    let details = Details {
        code,
        ..Details::default()
    };
    failure_with(&details, message)
}

/// Makes an `ERR_INVALID_ARGUMENT` for the argument at `path`.
pub fn argument_failure(path: &str, problem: impl Display) -> Failure {
    let details = Details {
        code: Code::INVALID_ARGUMENT.0,
        path: Some(path),
        ..Details::default()
    };
    failure_with(&details, format!("{path}: {problem}"))
}

/// Makes an error for a call into Node that failed, which happens only without stack or memory.
pub fn node_failure(error: napi::Error) -> Failure {
    failure(Code::INTERNAL, format!("Node refused a call: {}", error.reason))
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Failure {
        failure(Code(error.code().as_str()), error.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(FileError { path, syscall, error }: FileError) -> Failure {
        let path = path.to_string_lossy();
        let system = system_code(&error);
        let message = match system {
            Some(code) => format!("{path}: {code}: {error}"),
            None => format!("{path}: {error}"),
        };
        let details = Details {
            code: Code::IO.0,
            path: Some(&path),
            syscall: Some(syscall),
            system,
        };
        failure_with(&details, message)
    }
}

/// Returns Node's name for an error of the system.
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
        match error {
            HookError::Json { .. } => failure(Code::INVALID_JSON, error.to_string()),
            HookError::NotAnObject | HookError::NoSession => argument_failure("hookInput", error),
            HookError::State(_) => argument_failure("state", error),
        }
    }
}

/// Runs `body` and turns a panic into an error. Without this, a panic would abort the process.
pub fn guarded<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // Unwind-safe, because a panic leaves only values of this call incomplete. Buffers that outlive the call are taken
    // out first and put back at its end.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let cause = panic.downcast_ref::<&str>().copied();
        let cause = cause
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Err(failure(Code::INTERNAL, format!("a bug in git-ai-metrics: {cause}")))
    })
}

/// Panics. Only debug builds have this function, for the test of panics.
#[cfg(debug_assertions)]
#[napi_derive::napi(skip_typescript)]
pub fn provoke_panic() -> Result<(), Failure> {
    guarded(|| panic!("provoked"))
}
