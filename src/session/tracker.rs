//! The sessions of one client, from the events that it flushes.

use super::liveness::{DAY, EndReason, Liveness, MINUTE, Millis, Status, Times};
use super::snapshot::{self, StateError};
use crate::capture::{Captured, PromptEvent};
use crate::identity::{content_hash, event_id};
use crate::wire::TOOL_LIKE_KINDS;
use crate::wire::event::{Event, Fields};
use crate::wire::table::Record;
use crate::wire::{EventAttributes, PromptEventValues};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A session whose human did nothing for this long has ended.
const IDLE: Millis = 30 * MINUTE;

/// A session is forgotten this long after the last delivery, which is that of its end.
const REMEMBERED: Millis = DAY;

/// Real clients have a few hundred sessions a day.
pub(super) const MOST_SESSIONS: usize = 10_000;

/// Real ids have 16 and 29 bytes. An event with a longer one isn't tracked.
pub(super) const LONGEST_ID_BYTES: usize = 256;

/// Longer attributes are cut down to those that identify the session.
pub(super) const LONGEST_ATTRIBUTES_BYTES: usize = 2048;

/// Keeps what it takes to say whether a session lives, and to end it when its human has gone. Memory is bounded: at most
/// `MOST_SESSIONS` sessions of a few kilobytes each.
#[derive(Debug, Default)]
pub struct SessionTracker {
    pub(super) sessions: HashMap<String, Session>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    pub liveness: Liveness,
    /// When the last delivery arrived.
    pub received: Millis,
    pub last_act: Option<Act>,
    /// The attributes of the last act, as an object of the wire.
    pub attributes: String,
}

/// Something that the human did, or had done by a tool. The order is that of time; ids decide between equal times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Act {
    pub time: Millis,
    pub event_id: String,
    /// The time of its first receipt, if that is before its own time: a clock that is fast must not keep a session alive.
    pub age_from: Millis,
}

impl SessionTracker {
    /// A tracker that goes on where the one that gave out `state` stood.
    pub fn resume(state: &str) -> Result<SessionTracker, StateError> {
        snapshot::restore(state)
    }

    /// What `resume` needs to go on from here.
    pub fn state(&self) -> String {
        snapshot::save(self)
    }

    /// Takes note of an event at the time of its flush. Only prompt events of a session count.
    pub fn observe(&mut self, event: &Event<'_, '_>, received_at_ms: u64) {
        let is_prompt_event = event
            .metric
            .is_some_and(|metric| metric.table.name == PromptEventValues::TABLE.name);
        if !is_prompt_event {
            return;
        }
        let values = PromptEventValues::from_slots(&event.values.slots);
        let attributes = EventAttributes::from_slots(&event.attributes.slots);
        let times = Times {
            start_ts: values.start_ts.flatten(),
            recorded: u64::from(event.timestamp) * 1000,
            received: received_at_ms,
        };
        let id = values.event_id.flatten().unwrap_or_default();
        let Some(session) = self.session_of(&attributes, &id) else {
            return;
        };
        session.received = session.received.max(received_at_ms);
        match values.kind.flatten().as_deref() {
            Some("SessionEnd") => {
                let reason = EndReason::from_name(&values.end_reason.flatten().unwrap_or_default());
                session.liveness.observe_end(short_hash(&id), reason, times);
            }
            Some(kind) if is_act(kind) => {
                session.liveness.observe(times);
                let time = times.event_time();
                let act = Act {
                    time,
                    event_id: id,
                    age_from: time.min(received_at_ms),
                };
                if !act.event_id.is_empty() && session.last_act.as_ref().is_none_or(|last| act.is_later_than(last)) {
                    session.attributes = attributes_json(attributes);
                    session.last_act = Some(act);
                }
            }
            _ => session.liveness.observe(times),
        }
        self.make_room();
    }

    fn session_of(&mut self, attributes: &EventAttributes, event_id: &str) -> Option<&mut Session> {
        let named = attributes.prompt_id.clone().flatten();
        let prompt_id = named.or_else(|| Some(event_id.rsplit_once(':')?.0.to_owned()))?;
        let is_tracked = !prompt_id.is_empty() && prompt_id.len().max(event_id.len()) <= LONGEST_ID_BYTES;
        is_tracked.then(|| self.sessions.entry(prompt_id).or_default())
    }

    /// What is known about the session; `None` where no event of it was observed, or it has been forgotten.
    pub fn status(&self, prompt_id: &str, now_ms: u64) -> Option<Status> {
        let session = self.sessions.get(prompt_id)?;
        Some(session.liveness.status(now_ms))
    }

    /// Ends the sessions whose last act is half an hour old and which have not ended, in the order of these acts, and
    /// forgets those that ended a day ago. The ends count as observed.
    pub fn sweep(&mut self, now_ms: u64) -> Vec<Captured> {
        let mut idle: Vec<(Act, String)> = Vec::new();
        self.sessions.retain(|prompt_id, session| {
            let has_ended = matches!(session.liveness.status(now_ms), Status::Ended(_));
            match &session.last_act {
                Some(act) if !has_ended && now_ms.saturating_sub(act.age_from) >= IDLE => {
                    idle.push((act.clone(), prompt_id.clone()));
                    true
                }
                Some(_) if !has_ended => true,
                _ => now_ms.saturating_sub(session.received) < REMEMBERED,
            }
        });
        idle.sort();
        idle.into_iter()
            .filter_map(|(act, prompt_id)| self.end(&prompt_id, act, now_ms))
            .collect()
    }

    fn end(&mut self, prompt_id: &str, act: Act, now: Millis) -> Option<Captured> {
        let session = self.sessions.get_mut(prompt_id)?;
        let reason = EndReason::IdleTimeout;
        let id = event_id(
            prompt_id,
            "SessionEnd",
            &format!("{}:{}", reason.name(), act.event_id),
            0,
        );
        let times = Times {
            start_ts: Some(act.time),
            recorded: now,
            received: now,
        };
        session.liveness.observe_end(short_hash(&id), reason, times);
        session.received = session.received.max(now);
        let text = |text: &str| Some(Some(text.to_owned()));
        let values = PromptEventValues {
            kind: text("SessionEnd"),
            event_id: Some(Some(id)),
            parent_id: Some(Some(act.event_id)),
            parent_id_estimated: Some(Some(false)),
            start_ts: Some(Some(act.time)),
            end_reason: text(reason.name()),
            ..PromptEventValues::default()
        };
        let mut attributes = snapshot::attributes_of(&session.attributes).unwrap_or_default();
        attributes.prompt_id = text(prompt_id);
        Some(Captured {
            attributes,
            events: vec![PromptEvent {
                timestamp: u32::try_from(now / 1000).unwrap_or(u32::MAX),
                values,
                source: None,
            }],
        })
    }

    /// Forgets the sessions that were silent longest, an eighth of all at once, so that a flood of sessions costs little.
    fn make_room(&mut self) {
        if self.sessions.len() <= MOST_SESSIONS {
            return;
        }
        let mut received: Vec<Millis> = self.sessions.values().map(|session| session.received).collect();
        let forgotten = MOST_SESSIONS / 8;
        let (_, &mut limit, _) = received.select_nth_unstable(forgotten);
        let mut left = forgotten;
        self.sessions.retain(|_, session| {
            let goes = left > 0 && session.received <= limit;
            left -= usize::from(goes);
            !goes
        });
    }
}

impl Act {
    fn is_later_than(&self, other: &Act) -> bool {
        (self.time, &self.event_id) > (other.time, &other.event_id)
    }
}

/// Kinds of what a human did, or had done by a tool. An agent that only talks and thinks has been left by its human.
fn is_act(kind: &str) -> bool {
    kind == "HumanMessage" || TOOL_LIKE_KINDS.contains(&kind)
}

/// An end is found by its id alone, and 64 bits tell the few of a session apart.
fn short_hash(id: &str) -> u64 {
    // Within what JSON and JavaScript hold exactly.
    u64::from_str_radix(&content_hash(id.as_bytes())[..12], 16).unwrap_or(0)
}

fn attributes_json(attributes: EventAttributes) -> String {
    let json = object(&attributes);
    if json.len() <= LONGEST_ATTRIBUTES_BYTES {
        return json;
    }
    let short = |value: Option<Option<String>>| {
        value.filter(|value| value.as_ref().is_none_or(|text| text.len() <= LONGEST_ID_BYTES))
    };
    object(&EventAttributes {
        git_ai_version: short(attributes.git_ai_version),
        tool: short(attributes.tool),
        prompt_id: attributes.prompt_id,
        external_prompt_id: short(attributes.external_prompt_id),
        ..EventAttributes::default()
    })
}

fn object(attributes: &EventAttributes) -> String {
    let arena = bumpalo::Bump::new();
    let fields = Fields {
        slots: attributes.slots(&arena),
        ..Fields::default()
    };
    let mut json = Vec::new();
    crate::wire::encode::write_fields(&mut json, Some(EventAttributes::TABLE), &fields);
    String::from_utf8_lossy(&json).into_owned()
}
