//! Errors of an upload: of the whole batch, or of one of its events.

use super::WIRE_VERSION;
use std::fmt;

/// Defines an enum of stable codes, each with its text and documentation.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $code_doc:literal])+ $code:ident = $text:literal,)+ })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum $name {
                $($(#[doc = $code_doc])+ $code,)+
            }

            impl $name {
                /// Every code, with its documentation.
                pub const ALL: &[($name, &str)] = &[$(($name::$code, concat!($($code_doc, "\n"),+)),)+];

                /// The enum's own documentation.
                pub const DOC: &str = concat!($($doc, "\n"),+);

                /// The code that users see.
                pub const fn as_str(self) -> &'static str {
                    match self { $($name::$code => $text,)+ }
                }
            }
        )+
    };
}

codes! {
    /// The `code` of a `GitAiMetricsError`.
    ErrorCode {
        /// The text isn't JSON or isn't UTF-8. The message says where.
        InvalidJson = "ERR_INVALID_JSON",
        /// JSON, but not `{"v":…,"events":[…]}`.
        InvalidBatch = "ERR_INVALID_BATCH",
        /// A wire version other than 1.
        UnsupportedVersion = "ERR_UNSUPPORTED_VERSION",
        /// More events than `maxEvents`. The message has both numbers.
        TooManyEvents = "ERR_TOO_MANY_EVENTS",
        /// More bytes than `maxBytes`. The message has both numbers.
        BodyTooLarge = "ERR_BODY_TOO_LARGE",
        /// An argument doesn't have the documented type. The message and `path` say which.
        InvalidArgument = "ERR_INVALID_ARGUMENT",
        /// A file or folder can't be read or written. `path` says which one, `syscall` and `errno` say why.
        Io = "ERR_IO",
        /// The addon's binary was not built together with the JavaScript beside it. The message names both versions.
        BindingMismatch = "ERR_BINDING_MISMATCH",
        /// No binary could be loaded. The message says why.
        BindingMissing = "ERR_BINDING_MISSING",
        /// A bug in this package.
        Internal = "ERR_INTERNAL",
    }

    /// The `code` of an error in one event. The other events of the batch are decoded.
    EventErrorCode {
        /// `t`, `e`, `v` or `a` is missing.
        MissingKey = "ERR_MISSING_KEY",
        /// `t`, `e`, `v` or `a` has the wrong type, or the event isn't an object.
        WrongType = "ERR_WRONG_TYPE",
        /// `t` or `e` is an integer outside of its range.
        OutOfRange = "ERR_OUT_OF_RANGE",
        /// The event has more than 1,024 unknown fields, counting values and attributes. A duplicate key counts once.
        TooManyFields = "ERR_TOO_MANY_FIELDS",
    }
}

/// An error of a whole batch. None of its events counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The body isn't JSON, or isn't UTF-8.
    Json {
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// What was found or expected there.
        problem: &'static str,
    },
    /// JSON, but not `{"v":…,"events":[…]}`.
    Shape(String),
    /// A wire version other than `WIRE_VERSION`.
    Version(String),
    /// More events than the limit. Split the batch or raise the limit.
    TooManyEvents {
        /// Events in the body.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// More bytes than the limit. Split the batch or raise the limit.
    TooLarge {
        /// Bytes of the body.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

impl BatchError {
    /// The stable code that users switch on.
    pub fn code(&self) -> ErrorCode {
        match self {
            BatchError::Json { .. } => ErrorCode::InvalidJson,
            BatchError::Shape(_) => ErrorCode::InvalidBatch,
            BatchError::Version(_) => ErrorCode::UnsupportedVersion,
            BatchError::TooManyEvents { .. } => ErrorCode::TooManyEvents,
            BatchError::TooLarge { .. } => ErrorCode::BodyTooLarge,
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

/// An error of one event. The other events of the batch are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    /// The event's index in the upload, counted from 0.
    pub index: usize,
    /// The stable code that users switch on.
    pub code: EventErrorCode,
    /// What was expected, what was found and where, in one line.
    pub error: String,
}

/// The most characters of a value that a message shows.
pub const LONGEST_EXCERPT: usize = 40;

/// Characters that a message shows as spaces, as ranges: control and format characters and line separators (Cc, Cf, Zl
/// and Zp of Unicode 17). They break lines, reverse the direction of text, or are invisible.
pub const HIDDEN: &[(char, char)] = &[
    ('\0', '\u{1F}'),
    ('\u{7F}', '\u{9F}'),
    ('\u{AD}', '\u{AD}'),
    ('\u{600}', '\u{605}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{6DD}', '\u{6DD}'),
    ('\u{70F}', '\u{70F}'),
    ('\u{890}', '\u{891}'),
    ('\u{8E2}', '\u{8E2}'),
    ('\u{180E}', '\u{180E}'),
    ('\u{200B}', '\u{200F}'),
    ('\u{2028}', '\u{202E}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFF9}', '\u{FFFB}'),
    ('\u{110BD}', '\u{110BD}'),
    ('\u{110CD}', '\u{110CD}'),
    ('\u{13430}', '\u{1343F}'),
    ('\u{1BCA0}', '\u{1BCA3}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0001}', '\u{E0001}'),
    ('\u{E0020}', '\u{E007F}'),
];

/// Shortens a value's text for a message, to one line of visible characters.
pub fn excerpt(raw: &[u8]) -> String {
    // The value may be the whole body, so cut its bytes first. A character has at most four.
    let text = String::from_utf8_lossy(&raw[..raw.len().min(LONGEST_EXCERPT * 4 + 4)]);
    let shown = |c: char| if is_hidden(c) { ' ' } else { c };
    let mut excerpt: String = text.chars().take(LONGEST_EXCERPT).map(shown).collect();
    if text.chars().nth(LONGEST_EXCERPT).is_some() {
        excerpt.push('…');
    }
    excerpt
}

fn is_hidden(c: char) -> bool {
    HIDDEN.iter().any(|&(first, last)| (first..=last).contains(&c))
}
