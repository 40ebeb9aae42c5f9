//! Errors and panics on their way to JavaScript.

use crate::wire::error::BatchError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The stable `code` of a JavaScript error.
pub struct Code(&'static str);

impl Code {
    pub const INTERNAL: Code = Code("ERR_INTERNAL");
    pub const INVALID_ARGUMENT: Code = Code("ERR_INVALID_ARGUMENT");
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

/// A call into Node that did not work: nothing a user could have caused.
pub fn node_failure(error: napi::Error) -> Failure {
    failure(Code::INTERNAL, format!("Node refused a call: {}", error.reason))
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Failure {
        failure(Code(error.code()), error.to_string())
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
