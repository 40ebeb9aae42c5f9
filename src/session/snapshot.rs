//! Saves a tracker as text for the next process. The text is stored in a file, so reading it back checks everything.

use super::tracker::{LONGEST_ATTRIBUTES_BYTES, LONGEST_ID_BYTES, MOST_SESSIONS, Session, SessionTracker};
use crate::wire::EventAttributes;
use crate::wire::decode::{Limits, decode_batch};
use crate::wire::event::{Consumer, Event};
use crate::wire::table::{MAX_SAFE_INTEGER, Record};
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Increase this when states of earlier versions can't be read any more.
const VERSION: u32 = 1;

/// The largest possible state: the most sessions, each with its longest texts.
const LONGEST_STATE_BYTES: usize = 64 << 20;

/// The text isn't a state of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateError;

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a state as a SessionTracker returned it")
    }
}

impl std::error::Error for StateError {}

#[derive(Serialize)]
struct Saving<'a> {
    version: u32,
    /// Sorted by prompt id, so that equal trackers have equal states.
    sessions: BTreeMap<&'a str, &'a Session>,
}

#[derive(Deserialize)]
struct Saved {
    version: u32,
    sessions: BTreeMap<String, Session>,
}

pub(super) fn save(tracker: &SessionTracker) -> String {
    let sessions = tracker.sessions.iter().map(|(id, session)| (id.as_str(), session));
    let saving = Saving {
        version: VERSION,
        sessions: sessions.collect(),
    };
    serde_json::to_string(&saving).expect("a state holds nothing that JSON can't")
}

pub(super) fn restore(state: &str) -> Result<SessionTracker, StateError> {
    if state.len() > LONGEST_STATE_BYTES {
        return Err(StateError);
    }
    let saved: Saved = serde_json::from_str(state).map_err(|_| StateError)?;
    let is_sound = saved.version == VERSION
        && saved.sessions.len() <= MOST_SESSIONS
        && saved.sessions.iter().all(|(id, session)| is_sound(id, session));
    if !is_sound {
        return Err(StateError);
    }
    Ok(SessionTracker {
        sessions: saved.sessions.into_iter().collect(),
    })
}

fn is_sound(prompt_id: &str, session: &Session) -> bool {
    let is_id = |id: &str| !id.is_empty() && id.len() <= LONGEST_ID_BYTES;
    let has_sound_act = match &session.last_act {
        Some(act) => {
            is_id(&act.event_id) && act.time.max(act.age_from) <= MAX_SAFE_INTEGER && {
                session.attributes.len() <= LONGEST_ATTRIBUTES_BYTES && attributes_of(&session.attributes).is_some()
            }
        }
        None => session.attributes.is_empty(),
    };
    is_id(prompt_id)
        && has_sound_act
        && session.received <= MAX_SAFE_INTEGER
        && session.liveness.is_sound(MAX_SAFE_INTEGER)
}

/// Parses attributes in the wire's form. Returns `None` if `json` isn't an object.
pub(super) fn attributes_of(json: &str) -> Option<EventAttributes> {
    #[derive(Default)]
    struct Read(Vec<EventAttributes>);
    impl<'a> Consumer<'a> for Read {
        fn event(&mut self, event: Event<'_, 'a>) {
            self.0.push(EventAttributes::from_slots(&event.attributes.slots));
        }
        fn restart(&mut self) {
            self.0.clear();
        }
    }
    let upload = format!("{{\"v\":1,\"events\":[{{\"t\":0,\"e\":5,\"v\":{{}},\"a\":{json}}}]}}");
    let limits = Limits {
        max_events: 1,
        max_bytes: usize::MAX,
    };
    let arena = Bump::new();
    let mut read = Read::default();
    let errors = decode_batch(upload.as_bytes(), &limits, &arena, &mut read).ok()?;
    if errors.is_empty() { read.0.pop() } else { None }
}
