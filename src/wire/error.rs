//! What can be wrong with an upload: all of it, or one of its events.

use super::WIRE_VERSION;
use std::fmt;

/// What is wrong with a whole batch: none of it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Not JSON, or not UTF-8. Send JSON; the place is counted in lines and characters from 1.
    Json {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What was met or expected there.
        problem: &'static str,
    },
    /// JSON, but not `{"v":…,"events":[…]}`.
    Shape(String),
    /// A wire version other than `WIRE_VERSION`.
    Version(String),
    /// More events than the limit: split the batch, or raise the limit.
    TooManyEvents {
        /// Events in the body.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// More bytes than the limit: split the batch, or raise the limit.
    TooLarge {
        /// Bytes of the body.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

impl BatchError {
    /// The stable code that users switch on.
    pub fn code(&self) -> &'static str {
        match self {
            BatchError::Json { .. } => "ERR_INVALID_JSON",
            BatchError::Shape(_) => "ERR_INVALID_BATCH",
            BatchError::Version(_) => "ERR_UNSUPPORTED_VERSION",
            BatchError::TooManyEvents { .. } => "ERR_TOO_MANY_EVENTS",
            BatchError::TooLarge { .. } => "ERR_BODY_TOO_LARGE",
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Json { line, column, problem } => {
                write!(f, "the body is not JSON: {problem} at line {line} column {column}")
            }
            BatchError::Shape(found) => write!(f, "expected {{\"v\":{WIRE_VERSION},\"events\":[…]}}, {found}"),
            BatchError::Version(found) => write!(f, "expected wire version {WIRE_VERSION}, found {found}"),
            BatchError::TooManyEvents { count, max } => {
                write!(
                    f,
                    "the body holds {count} event{}, at most {max} are taken",
                    if *count == 1 { "" } else { "s" }
                )
            }
            BatchError::TooLarge { bytes, max } => write!(f, "the body has {bytes} bytes, at most {max} are taken"),
        }
    }
}

impl std::error::Error for BatchError {}

/// What is wrong with one event of a batch; the others were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    /// From 0, in the upload's order.
    pub index: usize,
    /// The stable code that users switch on.
    pub code: EventErrorCode,
    /// What was expected, what was found and where, in one line.
    pub error: String,
}

/// What can be wrong with one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventErrorCode {
    /// `t`, `e`, `v` or `a` is missing.
    MissingKey,
    /// One of them is of another type, or the event isn't an object.
    WrongType,
    /// `t` or `e` is an integer that doesn't fit.
    OutOfRange,
    /// It holds more unknown fields than `MAX_UNKNOWN_FIELDS`.
    TooManyFields,
}

impl EventErrorCode {
    /// As users see it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventErrorCode::MissingKey => "ERR_MISSING_KEY",
            EventErrorCode::WrongType => "ERR_WRONG_TYPE",
            EventErrorCode::OutOfRange => "ERR_OUT_OF_RANGE",
            EventErrorCode::TooManyFields => "ERR_TOO_MANY_FIELDS",
        }
    }
}

/// The start of a value's text, short enough for a message, on one line and in one direction.
pub fn excerpt(raw: &[u8]) -> String {
    const LONGEST: usize = 40;
    // Cut by bytes first, since the value may be all of the body: no character has more than four.
    let text = String::from_utf8_lossy(&raw[..raw.len().min(LONGEST * 4 + 4)]);
    let shown = |c: char| if breaks_the_line(c) { ' ' } else { c };
    let mut excerpt: String = text.chars().take(LONGEST).map(shown).collect();
    if text.chars().nth(LONGEST).is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// Whether a character ends a line, or turns the direction of what follows it.
fn breaks_the_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{61C}')
}
