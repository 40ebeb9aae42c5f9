//! Tracks the sessions of one client by the events that it flushes.

use super::liveness::{DAY, EndReason, Liveness, MINUTE, Millis, Status, Times};
use super::snapshot::{self, StateError};
use crate::capture::{Captured, PromptEvent};
use crate::identity::{content_hash, event_id};
use crate::wire::USER_FACING_KINDS;
use crate::wire::event::{Event, Fields};
use crate::wire::table::Record;
use crate::wire::{EventAttributes, PromptEventValues};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A session without activity for this long has ended.
const IDLE: Millis = 30 * MINUTE;

/// An ended session is forgotten this long after its last delivery.
const REMEMBERED: Millis = DAY;

/// Real clients have a few hundred sessions a day.
pub(super) const MOST_SESSIONS: usize = 10_000;

/// Real ids have 16 and 29 bytes. An event with a longer one isn't tracked.
pub(super) const LONGEST_ID_BYTES: usize = 256;

/// If attributes are longer than this, only those that identify the session are kept.
pub(super) const LONGEST_ATTRIBUTES_BYTES: usize = 2048;

/// Tracks which sessions are alive, and ends those without activity. Memory is bounded: at most `MOST_SESSIONS`
/// sessions with a few kilobytes each.
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
    /// The attributes of the last act, in the wire's form.
    pub attributes: String,
}

/// A human message or a tool call. Acts are ordered by time, and by id if times are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Act {
    pub time: Millis,
    pub event_id: String,
    /// The act's own time, or its first receipt if that is earlier, so that a fast clock doesn't keep a session alive.
    pub age_from: Millis,
}

impl SessionTracker {
    /// Restores the tracker that returned `state`.
    pub fn resume(state: &str) -> Result<SessionTracker, StateError> {
        snapshot::restore(state)
    }

    /// Returns the tracker's state for `resume`.
    pub fn state(&self) -> String {
        snapshot::save(self)
    }

    /// Observes an event when it is flushed. Only prompt events of a session count.
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

    /// Returns the session's state, or `None` if none of its events were observed or it has been forgotten.
    pub fn status(&self, prompt_id: &str, now_ms: u64) -> Option<Status> {
        let session = self.sessions.get(prompt_id)?;
        Some(session.liveness.status(now_ms))
    }

    /// Ends all open sessions whose last act is half an hour old, in the order of these acts. Forgets those that ended
    /// a day ago. The returned ends count as observed.
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

    /// Forgets the eighth of all sessions that were silent longest. Forgetting many at once makes a flood of sessions
    /// cheap.
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

/// Kinds of human messages and tool calls. An agent that only writes and thinks has been left alone.
fn is_act(kind: &str) -> bool {
    USER_FACING_KINDS.contains(&kind)
}

/// Hashes an end's id. 48 bits are enough to distinguish the few ends of a session.
fn short_hash(id: &str) -> u64 {
    // JSON and JavaScript hold integers of 12 hex digits exactly.
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
