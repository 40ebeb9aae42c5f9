//! A session's ledger: which events were emitted, and what is known about its calls. Session files and hooks share it.

mod facts;
mod record;
mod saved;
mod sink;

pub(super) use facts::{DurationSource, Facts, Reported};
pub(super) use saved::SavedLedger;
pub(super) use sink::{Chain, Sink};

use super::event::{Captured, PromptEvent};
use super::session::Session;
use crate::wire::PromptEventValues;
use facts::Known;
use record::Record;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};

/// Calls that have their result but may still learn something: a hook can come late, and a progress line can follow the
/// result. Facts that come later than this many other results are dropped.
const CLOSED_KEPT: usize = 32;

/// Facts from a session file about calls that it hasn't shown yet, because their line comes later or never.
const EARLY_KEPT: usize = 64;

/// The same for facts from hooks, which no other source repeats.
const TOLD_BY_HOOKS_KEPT: usize = 256;

/// A call that has been met.
#[derive(Clone, Debug)]
struct Call {
    event: PromptEvent,
    facts: Facts,
    /// Its place in the output under way, if it stands there.
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    output: u64,
    index: usize,
}

impl Call {
    fn new(event: PromptEvent, facts: Facts) -> Call {
        let mut call = Call {
            event,
            facts: Facts::default(),
            place: None,
        };
        call.learn(facts);
        call
    }

    /// Adds facts, and says whether they changed its event.
    fn learn(&mut self, facts: Facts) -> bool {
        self.facts.merge(facts);
        let values = &mut self.event.values;
        let outcome = |values: &PromptEventValues| {
            let PromptEventValues {
                error,
                reported_duration_ms,
                observed_duration_ms,
                ..
            } = values;
            (*error, *reported_duration_ms, *observed_duration_ms)
        };
        let before = outcome(values);
        if let Some(error) = self.facts.error {
            values.error = Some(Some(error));
            // Progress that was reported earlier waits for the result: a call without one has no duration.
            values.reported_duration_ms = self.facts.reported.map(|reported| Some(reported.ms));
        }
        let start = values.start_ts.flatten().and_then(|start| i64::try_from(start).ok());
        if let (Some(start), Some(end)) = (start, self.facts.ended_at)
            && let Ok(duration) = u64::try_from(end.saturating_sub(start))
        {
            values.observed_duration_ms = Some(Some(duration));
        }
        outcome(values) != before
    }
}

/// The events and calls of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    session: Session,
    open: BTreeMap<String, Call>,
    closed: VecDeque<(String, Call)>,
    /// Facts about calls that haven't been met, or that couldn't be emitted when the facts came.
    early: VecDeque<(String, Facts)>,
    /// Fingerprints of the call ids that this pass over the files has met; their byte means nothing.
    met: Record,
    /// The hexadecimal part of each emitted event's id, and how much it said: a `Known`.
    emitted: Record,
    last_emitted: Option<String>,
    output: Vec<PromptEvent>,
    /// Counts outputs: a call's place in an earlier one is void.
    outputs: u64,
}

impl Ledger {
    pub fn new(session: Session) -> Ledger {
        Ledger {
            session,
            ..Ledger::default()
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How many events hooks have made that no session file has shown since.
    pub fn made_by_hooks(&self) -> usize {
        let is_estimate = |known: u8| known & Known::PARENT == 0;
        self.emitted.entries().filter(|&(_, known)| is_estimate(known)).count()
    }

    /// The event emitted last.
    pub fn last_emitted(&self) -> Option<&str> {
        self.last_emitted.as_deref()
    }

    /// How many events wait to be taken.
    pub fn waiting(&self) -> usize {
        self.output.len()
    }

    /// The events emitted since this was last called.
    pub fn take(&mut self) -> Captured {
        self.outputs += 1;
        Captured {
            events: std::mem::take(&mut self.output),
            attributes: self.session.attributes.clone(),
        }
    }

    /// Forgets the calls, to read the files again. Emitted events stay emitted.
    pub fn restart(&mut self) {
        let early = std::mem::take(&mut self.early);
        let open = std::mem::take(&mut self.open).into_iter();
        let met = open.chain(std::mem::take(&mut self.closed));
        for (id, facts) in early.into_iter().chain(met.map(|(id, call)| (id, call.facts))) {
            if facts.are_of_hooks() {
                self.remember(&id, facts.of_hooks());
            }
        }
        self.met.clear();
    }

    /// An event that isn't a call's.
    pub fn emit(&mut self, event: PromptEvent) {
        if self.is_news(&event, Known::of(&event, &Facts::default())) {
            self.output.push(event);
        }
    }

    /// A call that a session file shows. A fork or rewind can leave it there twice: the first counts, and this returns
    /// `false` for the others.
    pub fn call(&mut self, id: &str, event: PromptEvent) -> bool {
        if !is_sound(id) {
            // Nothing can refer to it.
            self.emit(event);
            return true;
        }
        if self.met.set(fingerprint(id), 0).is_some() {
            return false;
        }
        let early = self.early.iter().position(|(early_id, _)| early_id == id);
        let facts = early.and_then(|place| self.early.remove(place));
        let mut call = Call::new(event, facts.map(|(_, facts)| facts).unwrap_or_default());
        self.emit_call(&mut call);
        self.keep(id.to_owned(), call);
        true
    }

    /// Facts about a call, whether it has been met or not.
    pub fn learn(&mut self, id: &str, facts: Facts) {
        if !is_sound(id) {
            return;
        }
        let call = self.open.remove(id).or_else(|| {
            let place = self.closed.iter().rposition(|(closed_id, _)| closed_id == id)?;
            self.closed.remove(place).map(|(_, call)| call)
        });
        if let Some(mut call) = call {
            if call.learn(facts) {
                self.emit_call(&mut call);
            } else {
                self.note(&call);
            }
            self.keep(id.to_owned(), call);
        } else {
            self.remember(id, facts);
        }
    }

    /// The same, but the facts wait for the line that shows the call, or for `catch_up`.
    pub fn remember(&mut self, id: &str, facts: Facts) {
        if !is_sound(id) {
            return;
        }
        if let Some((_, early)) = self.early.iter_mut().find(|(early_id, _)| early_id == id) {
            early.merge(facts);
            return;
        }
        let of_hooks = facts.are_of_hooks();
        let alike = |(_, facts): &&(String, Facts)| facts.are_of_hooks() == of_hooks;
        let most = if of_hooks { TOLD_BY_HOOKS_KEPT } else { EARLY_KEPT };
        if self.early.iter().filter(alike).count() >= most {
            let oldest = self.early.iter().position(|entry| alike(&entry));
            oldest.and_then(|place| self.early.remove(place));
        }
        self.early.push_back((id.to_owned(), facts));
    }

    /// Whether facts wait for a call that was met so long ago that it isn't kept any more.
    pub fn has_missed(&self, id: &str) -> bool {
        self.met.get(fingerprint(id)).is_some() && self.early.iter().any(|(early_id, _)| early_id == id)
    }

    /// Gives the calls that have been met the facts that wait for them.
    pub fn catch_up(&mut self) {
        for (id, facts) in std::mem::take(&mut self.early) {
            self.learn(&id, facts);
        }
    }

    fn keep(&mut self, id: String, call: Call) {
        if call.facts.is_result {
            push_bounded(&mut self.closed, CLOSED_KEPT, (id, call));
        } else {
            self.open.insert(id, call);
        }
    }

    /// Emits a call as it is known by now, in place if the current output already has it.
    fn emit_call(&mut self, call: &mut Call) {
        let known = Known::of(&call.event, &call.facts);
        match call.place.filter(|place| place.output == self.outputs) {
            Some(place) => {
                self.output[place.index].clone_from(&call.event);
                self.is_news(&call.event, known);
            }
            None if self.is_news(&call.event, known) => {
                call.place = Some(Place {
                    output: self.outputs,
                    index: self.output.len(),
                });
                self.output.push(call.event.clone());
            }
            None => call.place = None,
        }
    }

    /// Notes that a better source confirms what an emitted event already says.
    fn note(&mut self, call: &Call) {
        let id = hex_part(&call.event);
        let before = self.emitted.get(id).map(Known);
        if let Some(said) = before.and_then(|before| before.enriched_by(Known::of(&call.event, &call.facts))) {
            self.emitted.set(id, said.0);
        }
    }

    /// Notes that the event is emitted. Returns `false` if it was emitted before and said as much.
    fn is_news(&mut self, event: &PromptEvent, known: Known) -> bool {
        let id = hex_part(event);
        let before = self.emitted.get(id).map(Known);
        let said = match before {
            None => Some(known),
            Some(before) => before.enriched_by(known),
        };
        let Some(said) = said else {
            return false;
        };
        self.emitted.set(id, said.0);
        if before.is_none() {
            self.last_emitted = event.values.event_id.clone().flatten();
        }
        true
    }
}

/// Whether a call's id is worth remembering. Real ones have some 30 bytes; a hostile one must not fill the state.
fn is_sound(id: &str) -> bool {
    const LONGEST_ID_BYTES: usize = 1024;
    !id.is_empty() && id.len() <= LONGEST_ID_BYTES
}

fn push_bounded<T>(queue: &mut VecDeque<T>, most: usize, item: T) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// The 48 bits of an event's id that differ within a session.
fn hex_part(event: &PromptEvent) -> u64 {
    let id = event
        .values
        .event_id
        .as_ref()
        .and_then(Option::as_deref)
        .unwrap_or_default();
    let hex = id.rsplit(':').next().unwrap_or_default();
    u64::from_str_radix(hex, 16).unwrap_or_default()
}

/// A call's id as a key of the record. Ids come from outside and a collision would swallow an event, hence SHA-256.
fn fingerprint(id: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(id));
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
