//! The state of a reader as text, for the next process.

use super::event::{Captured, PromptEvent};
use super::ledger::{Chain, Ledger, SavedLedger};
use super::source::Position;
use crate::wire::PromptEventValues;
use crate::wire::decode::{Limits, decode_batch};
use crate::wire::encode::BatchWriter;
use crate::wire::event::{Consumer, Event};
use crate::wire::table::Record;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Increase this when states of earlier versions can't be read any more.
const VERSION: u32 = 3;

/// Why a state can't be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// Not a state that this version wrote.
    Malformed,
    /// The state of another session, which the caller has mixed up.
    OtherSession,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StateError::Malformed => "expected a state as an earlier call returned it",
            StateError::OtherSession => "expected a state of this session, found one of another",
        })
    }
}

impl std::error::Error for StateError {}

/// A session in a state.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved<'a> {
    version: u32,
    #[serde(borrow)]
    prompt_id: Cow<'a, str>,
    pub file: SavedFile<'a>,
    /// The subagents' files, by the subagent's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<(Cow<'a, str>, SavedFile<'a>)>,
    /// How many bytes were read more than once, to give late facts to old calls.
    pub read_again: u64,
    pub ledger: SavedLedger<'a>,
}

/// One file of a session in a state.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedFile<'a> {
    #[serde(borrow)]
    pub position: Cow<'a, Position>,
    pub chain: Cow<'a, Chain>,
    pub dialect: Cow<'a, RawValue>,
}

pub(super) fn save<'a>(
    file: SavedFile<'a>,
    companions: Vec<(Cow<'a, str>, SavedFile<'a>)>,
    read_again: u64,
    ledger: &'a Ledger,
) -> String {
    let saved = Saved {
        version: VERSION,
        prompt_id: Cow::Borrowed(&ledger.session().prompt_id),
        file,
        companions,
        read_again,
        ledger: ledger.save(),
    };
    serde_json::to_string(&saved).expect("a state holds nothing that JSON can't")
}

/// Reads a state of the session `prompt_id`.
pub(super) fn read<'a>(state: &'a str, prompt_id: &str) -> Result<Saved<'a>, StateError> {
    let saved: Saved<'_> = serde_json::from_str(state).map_err(|_| StateError::Malformed)?;
    if saved.version != VERSION {
        return Err(StateError::Malformed);
    }
    if saved.prompt_id != prompt_id {
        return Err(StateError::OtherSession);
    }
    Ok(saved)
}

/// Writes events in the wire's form, so that fields are defined only in their table.
pub(super) fn write_events(events: Vec<PromptEvent>) -> Box<RawValue> {
    struct Write(BatchWriter);
    impl<'a> Consumer<'a> for Write {
        fn event(&mut self, event: Event<'_, 'a>) {
            self.0.event(event);
        }
        fn restart(&mut self) {}
    }
    let captured = Captured {
        events,
        ..Captured::default()
    };
    let arena = Bump::new();
    let mut write = Write(BatchWriter::begin(Vec::new()));
    captured.send(&arena, &mut write);
    let json = String::from_utf8_lossy(&write.0.finish()).into_owned();
    RawValue::from_string(json).expect("an upload is JSON")
}

/// The inverse. `None` for anything that `write_events` can't have written.
pub(super) fn read_events(upload: &[u8]) -> Option<Vec<PromptEvent>> {
    struct Read {
        events: Vec<PromptEvent>,
        /// Whether each is a prompt event with the fields that every call's event has.
        are_calls: bool,
    }
    impl<'a> Consumer<'a> for Read {
        fn event(&mut self, event: Event<'_, 'a>) {
            let is_prompt_event = event
                .metric
                .is_some_and(|metric| metric.table.name == PromptEventValues::TABLE.name);
            let values = PromptEventValues::from_slots(&event.values.slots);
            self.are_calls &= is_prompt_event
                && values.kind.as_ref().is_some_and(Option::is_some)
                && values.event_id.as_ref().is_some_and(Option::is_some);
            self.events.push(PromptEvent {
                timestamp: event.timestamp,
                values,
                source: None,
            });
        }
        fn restart(&mut self) {
            self.events.clear();
            self.are_calls = true;
        }
    }
    let limits = Limits {
        max_events: usize::MAX,
        max_bytes: usize::MAX,
    };
    let arena = Bump::new();
    let mut read = Read {
        events: Vec::new(),
        are_calls: true,
    };
    let errors = decode_batch(upload, &limits, &arena, &mut read).ok()?;
    (errors.is_empty() && read.are_calls).then_some(read.events)
}
