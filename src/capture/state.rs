//! The state that goes from process to process, as text.

use super::calls::{Call, Facts};
use super::event::{Captured, PromptEvent};
use super::reader::{Position, TranscriptReader};
use crate::wire::PromptEventValues;
use crate::wire::decode::{Limits, decode_batch};
use crate::wire::encode::BatchWriter;
use crate::wire::event::{Consumer, Event};
use crate::wire::table::{MAX_SAFE_INTEGER, Record};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Goes up when a state of an earlier version can't be read any more.
const VERSION: u32 = 2;

/// Why a state can't be gone on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// Not a state that this version gave out.
    Malformed,
    /// A state of another session: the caller has mixed up two.
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

#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    version: u32,
    #[serde(borrow)]
    prompt_id: Cow<'a, str>,
    position: Cow<'a, Position>,
    next_index: u64,
    last_event: Option<String>,
    time: Option<i64>,
    cwd: Option<String>,
    first_cwd: Option<String>,
    last_emitted: Option<String>,
    /// Seven bytes each: six of the id, one of what the event said.
    emitted: String,
    /// Seven bytes each.
    met: String,
    calls: Vec<(Cow<'a, str>, Facts)>,
    /// The calls' events, as an upload would hold them.
    events: Cow<'a, RawValue>,
    early: Vec<(Cow<'a, str>, Facts)>,
}

pub(super) fn save(reader: &TranscriptReader) -> String {
    let transcript = &reader.transcript;
    let calls = &transcript.calls;
    let kept = || {
        let closed = calls.closed.iter().map(|(id, call)| (id, call));
        calls.open.iter().chain(closed)
    };
    let mut emitted = Vec::with_capacity(7 * calls.emitted.len());
    for (id, known) in calls.emitted.entries() {
        emitted.extend_from_slice(&id.to_be_bytes()[2..]);
        emitted.push(known);
    }
    let mut met = Vec::with_capacity(7 * calls.met.len());
    for (call, _) in calls.met.entries() {
        met.extend_from_slice(&call.to_be_bytes()[1..]);
    }
    let saved = Saved {
        version: VERSION,
        prompt_id: Cow::Borrowed(&transcript.session.prompt_id),
        position: Cow::Borrowed(&reader.position),
        next_index: transcript.next_index,
        last_event: transcript.last_event.clone(),
        time: transcript.time,
        cwd: transcript.cwd.clone(),
        first_cwd: transcript.first_cwd.clone(),
        last_emitted: calls.last_emitted.clone(),
        emitted: BASE64.encode(emitted),
        met: BASE64.encode(met),
        calls: kept()
            .map(|(id, call)| (Cow::Borrowed(id.as_str()), call.facts))
            .collect(),
        events: Cow::Owned(upload(kept().map(|(_, call)| call.event.clone()).collect())),
        early: calls
            .early
            .iter()
            .map(|(id, facts)| (Cow::Borrowed(id.as_str()), *facts))
            .collect(),
    };
    serde_json::to_string(&saved).expect("a state holds nothing that JSON can't")
}

pub(super) fn restore(reader: &mut TranscriptReader, state: &str) -> Result<(), StateError> {
    let malformed = |_| StateError::Malformed;
    let saved: Saved<'_> = serde_json::from_str(state).map_err(|_| StateError::Malformed)?;
    if saved.version != VERSION {
        return Err(StateError::Malformed);
    }
    if saved.prompt_id != reader.transcript.session.prompt_id {
        return Err(StateError::OtherSession);
    }
    let events = events_of(saved.events.get().as_bytes()).ok_or(StateError::Malformed)?;
    let emitted = BASE64.decode(&saved.emitted).map_err(malformed)?;
    let met = BASE64.decode(&saved.met).map_err(malformed)?;
    let (emitted, emitted_rest) = emitted.as_chunks::<7>();
    let (met, met_rest) = met.as_chunks::<7>();
    let has_odd_ends = !emitted_rest.is_empty() || !met_rest.is_empty() || saved.next_index > MAX_SAFE_INTEGER;
    if events.len() != saved.calls.len() || has_odd_ends || !saved.position.is_sound() {
        return Err(StateError::Malformed);
    }
    let transcript = &mut reader.transcript;
    let calls = &mut transcript.calls;
    for ((id, facts), event) in saved.calls.into_iter().zip(events) {
        calls.keep(id.into_owned(), Call::new(event, facts));
    }
    calls.early = saved
        .early
        .into_iter()
        .map(|(id, facts)| (id.into_owned(), facts))
        .collect();
    calls.met = met
        .iter()
        .map(|&[a, b, c, d, e, f, g]| (u64::from_be_bytes([0, a, b, c, d, e, f, g]), 0))
        .collect();
    calls.emitted = emitted
        .iter()
        .map(|&[a, b, c, d, e, f, known]| (u64::from_be_bytes([0, 0, a, b, c, d, e, f]), known))
        .collect();
    calls.last_emitted = saved.last_emitted;
    transcript.next_index = saved.next_index;
    transcript.last_event = saved.last_event;
    transcript.time = saved.time;
    transcript.cwd = saved.cwd;
    transcript.first_cwd = saved.first_cwd;
    reader.position = saved.position.into_owned();
    Ok(())
}

/// Events in the wire's form, so that the table of fields alone says what a field is.
fn upload(events: Vec<PromptEvent>) -> Box<RawValue> {
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

/// The inverse; `None` for what `upload` can't have written.
fn events_of(upload: &[u8]) -> Option<Vec<PromptEvent>> {
    struct Read {
        events: Vec<PromptEvent>,
        /// Whether each is a prompt event with what every call's has.
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
