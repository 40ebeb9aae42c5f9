//! What has been emitted, and what is known of the calls: the part of capture that transcripts and hooks share.

use super::event::PromptEvent;
use super::record::Record;
use crate::wire::PromptEventValues;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};

/// Calls that already have their result may still learn something, from a hook that comes late or from a progress line
/// written after it. What came so much later is not waited for.
const CLOSED_KEPT: usize = 32;

/// What a transcript tells of calls that it hasn't shown, because the line comes later or never.
const EARLY_KEPT: usize = 64;

/// The same of what hooks tell, which isn't told twice. Of calls in a subagent's transcript the line never comes.
const TOLD_BY_HOOKS_KEPT: usize = 256;

/// Where a reported duration comes from, the better source being the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DurationSource {
    Progress = 1,
    ResultSeconds,
    ResultTotal,
    Result,
    Hook,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub source: DurationSource,
    pub ms: u64,
}

/// What became of a call, as one source tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Whether this is the call's result in the transcript.
    pub is_result: bool,
    pub error: Option<bool>,
    /// When the result stood in the transcript, in unix milliseconds.
    pub ended_at: Option<i64>,
    pub reported: Option<Reported>,
}

impl Facts {
    /// What hooks have told of it: a file that is read anew tells the rest again, if it is still so.
    fn of_hooks(self) -> Facts {
        Facts {
            error: self.error.filter(|_| !self.is_result),
            reported: self.reported.filter(|reported| reported.source == DurationSource::Hook),
            ..Facts::default()
        }
    }

    fn are_of_hooks(self) -> bool {
        self.of_hooks() != Facts::default()
    }

    /// Adds what another source tells. Of two results the first counts: the second is a copy that a fork left.
    fn merge(&mut self, other: Facts) {
        match (self.is_result, other.is_result) {
            (true, true) => return,
            (false, true) => {
                self.is_result = true;
                self.error = other.error;
                self.ended_at = other.ended_at;
            }
            (_, false) => self.error = self.error.or(other.error),
        }
        let source = |reported: Option<Reported>| reported.map(|reported| reported.source);
        if source(other.reported) > source(self.reported) {
            self.reported = other.reported;
        }
    }
}

/// How much an event said when it was emitted, to tell whether there is more to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known(u8);

impl Known {
    const ERROR: u8 = 1;
    const OBSERVED: u8 = 1 << 1;
    /// The number of the reported duration's source.
    const SOURCE: u8 = 0b111 << Known::SOURCE_SHIFT;
    const SOURCE_SHIFT: u8 = 2;
    /// The error is the transcript's word, which counts more than a hook's.
    const RESULT: u8 = 1 << 5;
    /// The parent is the one before it in the transcript, and no estimate.
    const PARENT: u8 = 1 << 6;

    fn of(event: &PromptEvent, facts: &Facts) -> Known {
        let flag = |flag: u8, is_set: bool| if is_set { flag } else { 0 };
        let values = &event.values;
        let source = match (values.reported_duration_ms, facts.reported) {
            (Some(_), Some(reported)) => reported.source as u8,
            _ => 0,
        };
        Known(
            flag(Known::ERROR, values.error.is_some())
                | flag(Known::OBSERVED, values.observed_duration_ms.is_some())
                | flag(Known::RESULT, facts.is_result)
                | flag(Known::PARENT, values.parent_id_estimated == Some(Some(false)))
                | source << Known::SOURCE_SHIFT,
        )
    }

    /// Both together, if that is more than `self`.
    fn enriched_by(self, other: Known) -> Option<Known> {
        let flags = (self.0 | other.0) & !Known::SOURCE;
        let source = (self.0 & Known::SOURCE).max(other.0 & Known::SOURCE);
        let both = Known(flags | source);
        (both != self).then_some(both)
    }
}

/// A tool's call that has been met.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub event: PromptEvent,
    pub facts: Facts,
    /// Its place in the output under way, if it stands there.
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    output: u64,
    index: usize,
}

impl Call {
    pub fn new(event: PromptEvent, facts: Facts) -> Call {
        let mut call = Call {
            event,
            facts: Facts::default(),
            place: None,
        };
        call.learn(facts);
        call
    }

    /// Adds what is told of it, and says whether its event has changed by that.
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
            // Progress that was reported before waits for the result, so that a call without one has no duration.
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

/// The calls of a session and the record of what was emitted of it.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    pub(super) open: BTreeMap<String, Call>,
    pub(super) closed: VecDeque<(String, Call)>,
    /// What was told of calls that haven't been met, or of which nothing could be emitted when it was told.
    pub(super) early: VecDeque<(String, Facts)>,
    /// Fingerprints of the call ids that this pass over the transcript has met; their byte says nothing.
    pub(super) met: Record,
    /// The hexadecimal part of each emitted event's id, and how much it said: a `Known`.
    pub(super) emitted: Record,
    pub(super) last_emitted: Option<String>,
    output: Vec<PromptEvent>,
    /// Counts outputs, so that a call's place in an earlier one is seen to be void.
    outputs: u64,
}

impl Calls {
    /// How many events hooks have made that no transcript has shown since.
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
    pub fn take(&mut self) -> Vec<PromptEvent> {
        self.outputs += 1;
        std::mem::take(&mut self.output)
    }

    /// Forgets where the transcript stood, to pass over it anew. What was emitted stays emitted.
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

    /// A call that a transcript shows. The same one can stand there twice, after a fork or rewind: only the first counts,
    /// and `false` is returned for the others.
    pub fn call(&mut self, id: &str, event: PromptEvent) -> bool {
        if !is_sound(id) {
            // Nothing will refer to it.
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

    /// What is told of a call, whether it has been met or not.
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

    /// The same, but what is told waits: for the line that shows the call, or until `catch_up`.
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

    /// Whether something waits to be told of a call that was met so long ago that it isn't kept any more.
    pub fn has_missed(&self, id: &str) -> bool {
        self.met.get(fingerprint(id)).is_some() && self.early.iter().any(|(early_id, _)| early_id == id)
    }

    /// Gives the calls that have been met what was remembered of them.
    pub fn catch_up(&mut self) {
        for (id, facts) in std::mem::take(&mut self.early) {
            self.learn(&id, facts);
        }
    }

    pub(super) fn keep(&mut self, id: String, call: Call) {
        if call.facts.is_result {
            push_bounded(&mut self.closed, CLOSED_KEPT, (id, call));
        } else {
            self.open.insert(id, call);
        }
    }

    /// Emits a call as far as it is known by now: in place where the output under way has it already.
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

    /// Notes that a better source has told what an emitted event says already.
    fn note(&mut self, call: &Call) {
        let id = hex_part(&call.event);
        let before = self.emitted.get(id).map(Known);
        if let Some(said) = before.and_then(|before| before.enriched_by(Known::of(&call.event, &call.facts))) {
            self.emitted.set(id, said.0);
        }
    }

    /// Notes that the event is emitted; `false` if it has been emitted before and said as much.
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

/// Whether a call's id is one to remember. Real ones have some 30 bytes; what isn't one must not fill the state.
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

/// A call's id as a key of the record. Ids come from outside, and a collision would swallow an event: hence SHA-256.
fn fingerprint(id: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(id));
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
