//! Derives prompt events from records that were uploaded one by one, as released clients do it.
//!
//! Uploads come in any order, in pieces and twice. So what is derived of a record depends on that record alone, and an
//! event's id on the record's own key. A call's result becomes a delivery of the call's event, under an id that both
//! records know: the call's.

use super::agents::{Agent, AnyDialect};
use super::event::PromptEvent;
use super::json::Json;
use super::ledger::{Chain, DurationSource, Facts, Sink, is_call_id};
use super::session::{Identity, Session};
use crate::identity::derived_id;
use crate::wire::PromptEventValues;
use bumpalo::Bump;

/// What a record says of one event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// The event, as far as the record knows it.
    pub event: PromptEvent,
    /// Whether the call failed as the agent itself has judged it, which outranks what a result's text looks like.
    pub verdict: Option<Verdict>,
    /// When the call's result came, in unix milliseconds, and what it says. Of several the first counts.
    pub result: Option<(u64, Verdict)>,
    /// A reported duration in milliseconds, with the rank of its source from bit `RANK_SHIFT` on. The greatest counts.
    pub ranked_duration: Option<u64>,
}

/// The session of records, as their client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOfRecords<'a> {
    /// That of the events. If the agent's subagents belong to the session that started them, it is that session's.
    pub prompt_id: &'a str,
    /// Whether another session has started it.
    pub is_subagent: bool,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It succeeded.
    Success,
    /// It failed.
    Error,
    /// It never ran, so it neither failed nor succeeded.
    NeverRan,
}

impl Verdict {
    fn of(error: Option<bool>) -> Verdict {
        match error {
            Some(false) => Verdict::Success,
            Some(true) => Verdict::Error,
            None => Verdict::NeverRan,
        }
    }
}

/// Below it, a ranked duration has its milliseconds: no integer on the wire has more bits.
pub const RANK_SHIFT: u32 = 53;

/// The rank of a result that came when its call went on in the background. Only a notification knows such a call's
/// duration, and it ranks higher.
pub const LAUNCHED_RANK: u64 = DurationSource::Hook as u64 * 2 + 1;

/// The version of the rules below and of all dialects. Increase it when they derive more or other events of a record, so
/// that records which are stored already are derived again.
pub const DERIVER_VERSION: u32 = 3;

/// In a record's number of an item, the record's own number begins at this bit.
const RECORD_SHIFT: u32 = 32;

/// Receives the events of records.
#[derive(Debug, Default)]
pub(super) struct Derivation {
    session: Session,
    /// The keys of the records.
    records: Vec<String>,
    output: Vec<Derived>,
    /// The place in `output` of the event before the record's next one.
    last: Option<usize>,
}

impl Derivation {
    fn of_other_machine() -> Derivation {
        let session = Session {
            is_remote: true,
            ..Session::default()
        };
        Derivation {
            session,
            ..Derivation::default()
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The id of an event that isn't a call's. An item's number gives its record and its place there.
    pub fn event_id(&self, identity: &Identity<'_>) -> String {
        let Identity { kind, key, number, .. } = identity;
        let prompt_id = &self.session.prompt_id;
        let Some(number) = number else {
            return derived_id(prompt_id, &["own:", kind, ":", key]);
        };
        let record = usize::try_from(number >> RECORD_SHIFT).ok();
        let record = record.and_then(|record| self.records.get(record));
        let record = record.map_or("", String::as_str);
        match number & ((1 << RECORD_SHIFT) - 1) {
            // Nearly all records hold one item.
            0 => derived_id(prompt_id, &["record:", kind, ":", record, ":0"]),
            place => derived_id(prompt_id, &["record:", kind, ":", record, &format!(":{place}")]),
        }
    }

    /// The id of the event of the call with this id. Nothing can refer to a call without one, so its place identifies it.
    pub fn call_id(&self, id: &str, identity: &Identity<'_>) -> String {
        match is_call_id(id) {
            true => self.id_of_call(id),
            false => self.event_id(identity),
        }
    }

    fn id_of_call(&self, id: &str) -> String {
        derived_id(&self.session.prompt_id, &["call:", id])
    }

    /// Emits an event that isn't in the record's chain.
    pub fn emit(&mut self, event: PromptEvent) {
        self.output.push(Derived {
            event,
            ..Derived::default()
        });
    }

    /// Emits an event that the next one of the record follows.
    pub fn emit_next(&mut self, event: PromptEvent) {
        self.last = Some(self.output.len());
        self.emit(event);
    }

    /// The event before the record's next one.
    pub fn last_event(&self) -> Option<&str> {
        let last = self.output.get(self.last?)?;
        last.event.values.event_id.as_ref()?.as_deref()
    }

    /// Begins a record.
    fn begin(&mut self) {
        self.output.clear();
        self.last = None;
    }

    /// Emits a delivery of a call's event with the facts.
    pub fn learn(&mut self, id: &str, facts: Facts, recorded: i64) {
        let Facts {
            is_result,
            error,
            is_judged,
            ended_at,
            reported,
            is_launched,
            skill,
            ..
        } = facts;
        let reported = reported.map(|reported| (reported.source as u64 * 2) << RANK_SHIFT | reported.ms);
        let ranked_duration = reported.max(is_launched.then_some(LAUNCHED_RANK << RANK_SHIFT));
        let ended_at = ended_at.filter(|_| is_result).and_then(|time| u64::try_from(time).ok());
        let result = ended_at.map(|time| (time, Verdict::of(error)));
        let verdict = is_judged.then(|| Verdict::of(error));
        let error = error.filter(|_| result.is_none() && verdict.is_none());
        let says = [
            error.is_some(),
            result.is_some(),
            verdict.is_some(),
            ranked_duration.is_some(),
            skill.is_some(),
        ];
        let is_empty = !says.contains(&true);
        if is_empty || !is_call_id(id) {
            return;
        }
        let mut values = PromptEventValues {
            event_id: Some(Some(self.id_of_call(id))),
            error: error.map(Some),
            ..PromptEventValues::default()
        };
        if let Some(skill) = skill {
            skill.describe(&mut values);
        }
        self.output.push(Derived {
            event: PromptEvent {
                timestamp: u32::try_from(recorded.div_euclid(1000).max(0)).unwrap_or(u32::MAX),
                values,
                source: None,
            },
            verdict,
            result,
            ranked_duration,
        });
    }
}

/// Derives events from the records of one agent, each for itself. It keeps memory for the next record.
#[derive(Debug)]
pub struct Deriver {
    agent: &'static Agent,
    dialect: Box<dyn AnyDialect>,
    arena: Bump,
    derivation: Derivation,
}

/// Larger memory is freed after a record.
const MOST_KEPT_BYTES: usize = 1 << 20;

impl Deriver {
    /// Makes a deriver for the records of `agent`.
    pub fn new(agent: &'static Agent) -> Deriver {
        Deriver {
            agent,
            dialect: agent.dialect(),
            arena: Bump::new(),
            derivation: Derivation::of_other_machine(),
        }
    }

    /// The agent whose records it understands.
    pub fn agent(&self) -> &'static Agent {
        self.agent
    }

    /// What this record says of events of its session. `key` identifies the record in the session, and `timestamp` is its
    /// time in unix seconds, for a record that names none.
    pub fn derive(&mut self, of: SessionOfRecords<'_>, key: &str, timestamp: u32, json: Json<'_>) -> &[Derived] {
        self.derivation.begin();
        let Derivation { session, records, .. } = &mut self.derivation;
        if session.prompt_id != of.prompt_id {
            of.prompt_id.clone_into(&mut session.prompt_id);
        }
        session.is_subagent = of.is_subagent;
        records.resize_with(1, String::new);
        key.clone_into(&mut records[0]);
        let mut chain = Chain::of_record(0, timestamp);
        let mut sink = Sink::deriving(&mut self.derivation, &mut chain);
        if self.dialect.record(json, &self.arena, &mut sink) {
            self.dialect.finish_record(&mut sink);
        }
        self.dialect.restart();
        empty(&mut self.arena);
        &self.derivation.output
    }
}

/// A session whose records are all read, in the order of their time: what a record doesn't say by itself, such as the
/// model, another one may.
#[derive(Debug)]
pub struct WholeSession {
    dialect: Box<dyn AnyDialect>,
    arena: Bump,
    derivation: Derivation,
    records: u64,
    last_timestamp: u32,
}

impl WholeSession {
    /// Makes the reading of a session of `agent`, before its first record.
    pub fn new(agent: &'static Agent, of: SessionOfRecords<'_>) -> WholeSession {
        let mut derivation = Derivation::of_other_machine();
        of.prompt_id.clone_into(&mut derivation.session.prompt_id);
        derivation.session.is_subagent = of.is_subagent;
        WholeSession {
            dialect: agent.dialect(),
            arena: Bump::new(),
            derivation,
            records: 0,
            last_timestamp: 0,
        }
    }

    /// Reads the next record, as `Deriver::derive` does.
    pub fn read(&mut self, key: &str, timestamp: u32, json: Json<'_>) -> Vec<Derived> {
        self.derivation.begin();
        self.derivation.records.push(key.to_owned());
        let mut chain = Chain::of_record(self.records, timestamp);
        self.records += 1;
        self.last_timestamp = timestamp;
        let mut sink = Sink::deriving(&mut self.derivation, &mut chain);
        self.dialect.record(json, &self.arena, &mut sink);
        empty(&mut self.arena);
        std::mem::take(&mut self.derivation.output)
    }

    /// No more records will come.
    pub fn finish(&mut self) -> Vec<Derived> {
        self.derivation.begin();
        let mut chain = Chain::of_record(self.records, self.last_timestamp);
        self.dialect
            .finish(&mut Sink::deriving(&mut self.derivation, &mut chain));
        std::mem::take(&mut self.derivation.output)
    }
}

fn empty(arena: &mut Bump) {
    arena.reset();
    if arena.allocated_bytes() > MOST_KEPT_BYTES {
        *arena = Bump::new();
    }
}

impl Chain {
    /// The chain of one record that stands alone, the `number`th.
    fn of_record(number: u64, timestamp: u32) -> Chain {
        Chain::at(number << RECORD_SHIFT, i64::from(timestamp) * 1000)
    }
}
