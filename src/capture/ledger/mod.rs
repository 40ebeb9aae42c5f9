//! A session's ledger: which events were emitted, and what is known about its calls. Session files and hooks share it.

mod facts;
mod record;
mod saved;
mod sink;

pub(super) use facts::{DurationSource, Facts, Reported};
pub(super) use saved::SavedLedger;
pub(super) use sink::{Chain, Sink};

use super::event::{Captured, PromptEvent};
use super::session::{Identity, Session, set};
use crate::identity::{cut_name, input_hash};
use crate::wire::PromptEventValues;
use facts::Known;
use record::Record;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};

/// More facts about an event other than a call come soon after it. So only this many waiting events are searched for
/// it.
const RECENT: usize = 64;

/// How many calls are kept after their result, because a hook can come late and a progress line can follow the result.
/// Facts that come after this many other results are dropped.
const CLOSED_KEPT: usize = 32;

/// How many facts from a session file wait for calls that it hasn't shown yet. Their line may come later or never.
const EARLY_KEPT: usize = 64;

/// How many facts from hooks wait. More are kept, because no other source repeats them.
const TOLD_BY_HOOKS_KEPT: usize = 256;

/// How many calls without an id are kept between the hook before and the hook after them.
const BEGUN_KEPT: usize = 256;

/// How many texts of hooks are kept until the file shows them.
const FORETOLD_KEPT: usize = 16;

/// A call that was read.
#[derive(Clone, Debug)]
struct Call {
    event: PromptEvent,
    facts: Facts,
    /// Its place in the current output, if it is there.
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
            let skill = (
                values.skill_file_path.clone(),
                values.skill_file_mtime,
                values.skill_file_hash.clone(),
            );
            let durations = (values.reported_duration_ms, values.observed_duration_ms);
            (values.error, durations, skill)
        };
        let before = outcome(values);
        if self.facts.error.is_some() || self.facts.is_result {
            values.error = self.facts.error.map(Some);
        }
        if self.facts.error.is_some() {
            // A call without a result has no duration, so earlier progress waits for the result.
            values.reported_duration_ms = self.facts.duration().map(|reported| Some(reported.ms));
        }
        let start = values.start_ts.flatten().and_then(|start| i64::try_from(start).ok());
        if let (Some(start), Some(end)) = (start, self.facts.ended_at)
            && let Ok(duration) = u64::try_from(end.saturating_sub(start))
        {
            values.observed_duration_ms = Some(Some(duration));
        }
        if let Some(skill) = self.facts.skill.clone()
            && values.kind.as_ref().and_then(Option::as_deref) == Some("SkillInvocation")
        {
            skill.describe(values);
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
    /// The events of calls that can start a subagent, by the call's id.
    starters: BTreeMap<String, String>,
    /// The calls that have started subagents, by the subagent's id.
    started: BTreeMap<String, String>,
    /// The first event of each subagent whose call isn't known yet, with that call's id, by the subagent's id.
    orphans: BTreeMap<String, (PromptEvent, Option<String>)>,
    /// Facts about calls that weren't read yet, or that couldn't be emitted when the facts came.
    early: VecDeque<(String, Facts)>,
    /// Calls without an id whose end no hook has reported, oldest first: a signature, and the event's id, which stands in
    /// for the call's.
    begun: VecDeque<(String, String)>,
    /// Texts of hooks that the session file may show later: kind and hash, and the event's id.
    foretold: VecDeque<(String, String)>,
    /// A text that came before the session file: its key among the foretold ones, and its event. The next hook shows
    /// whether the file comes.
    held: Option<(String, PromptEvent)>,
    /// The hash of the assistant's last text in the session file, unless a human has spoken since.
    answer: Option<String>,
    /// Fingerprints of the call ids that this pass over the files has read. Their byte is unused.
    met: Record,
    /// The hexadecimal part of each emitted event's id, with how much the event said, as `Known`.
    emitted: Record,
    last_emitted: Option<String>,
    output: Vec<PromptEvent>,
    /// The first branch that a record names.
    branch: Option<String>,
    /// The number of the current output. A call's place in an earlier one is invalid.
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

    /// How many events of hooks haven't appeared in a session file.
    pub fn made_by_hooks(&self) -> usize {
        let is_estimate = |known: u8| known & Known::PARENT == 0;
        self.emitted.entries().filter(|&(_, known)| is_estimate(known)).count()
    }

    /// The last emitted event.
    pub fn last_emitted(&self) -> Option<&str> {
        self.last_emitted.as_deref()
    }

    /// Returns how many events wait to be returned.
    pub fn waiting(&self) -> usize {
        self.output.len()
    }

    /// Returns the events emitted since the last call.
    pub fn take(&mut self) -> Captured {
        self.outputs += 1;
        let mut attributes = self.session.attributes.clone();
        if attributes.branch.is_none() {
            attributes.branch = self.branch.clone().map(Some);
        }
        Captured {
            events: std::mem::take(&mut self.output),
            attributes,
        }
    }

    /// A record names this branch. The session's first one counts, so it is the same for all events and readers.
    fn see_branch(&mut self, branch: &str) {
        // Agents write this where there is no branch: on a commit that none leads to, and outside of a repository.
        const NO_BRANCH: &str = "HEAD";
        if self.branch.is_none() && !branch.is_empty() && branch != NO_BRANCH && branch == cut_name(branch) {
            self.branch = Some(branch.to_owned());
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
        self.branch = None;
        self.met.clear();
        self.starters.clear();
        self.started.clear();
        self.orphans.clear();
    }

    /// Emits an event other than a call.
    pub fn emit(&mut self, event: PromptEvent) {
        self.emit_with(event, &Facts::default());
    }

    /// Emits an event other than a call again, with more facts.
    fn emit_with(&mut self, event: PromptEvent, facts: &Facts) {
        let id = hex_part(&event);
        let is_first = self.emitted.get(id).is_none();
        if !self.is_news(&event, Known::of(&event, facts)) {
            return;
        }
        let recent = self.output.iter_mut().rev().take(RECENT);
        match recent.filter(|_| !is_first).find(|earlier| hex_part(earlier) == id) {
            Some(earlier) => *earlier = event,
            None => self.output.push(event),
        }
    }

    /// Emits the end of the session, as a hook reports it, after the last event of its main file. The end has no number.
    /// Emits nothing if the session has no events.
    pub fn end(&mut self, reason: &str, last_of_file: Option<String>, received_at: i64) {
        // Subagents' events come in any order, and whoever else reports the end must mean the same event.
        let Some(last) = last_of_file.or_else(|| self.last_emitted.clone()) else {
            return;
        };
        let key = format!("{reason}:{last}");
        let identity = Identity {
            kind: "SessionEnd",
            key: &key,
            text: None,
            number: None,
        };
        let mut event = self.session.event(&identity, Some(received_at), received_at);
        event.values.parent_id = Some(Some(last.clone()));
        event.values.parent_id_estimated = Some(Some(false));
        event.values.end_reason = set(reason);
        let last_emitted = self.last_emitted.clone();
        self.emit(event);
        // A second end without an event in between is the same one.
        self.last_emitted = last_emitted;
    }

    /// Returns the event of the call that started a subagent. `told` is the call's id from another source.
    pub fn starter_of(&self, agent_id: &str, told: Option<&str>) -> Option<&str> {
        let call = self.started.get(agent_id).map(String::as_str).or(told)?;
        self.starters.get(call).map(String::as_str)
    }

    /// Sets the parent of a subagent's first event, if that was already emitted.
    pub fn adopt(&mut self, agent_id: &str, parent: &str) {
        let Some((mut event, call_id)) = self.orphans.remove(agent_id) else {
            return;
        };
        let known = |values: &mut PromptEventValues| {
            values.parent_id = set(parent);
            values.parent_id_estimated = Some(Some(false));
        };
        let call = call_id.and_then(|id| self.forget(&id).map(|call| (id, call)));
        if let Some((id, mut call)) = call {
            known(&mut call.event.values);
            self.emit_call(&mut call, false);
            self.keep(id, call);
        } else {
            known(&mut event.values);
            self.emit_with(event, &Facts::default());
        }
    }

    /// Removes a call from those that are kept.
    fn forget(&mut self, id: &str) -> Option<Call> {
        self.open.remove(id).or_else(|| {
            let place = self.closed.iter().rposition(|(closed_id, _)| closed_id == id)?;
            self.closed.remove(place).map(|(_, call)| call)
        })
    }

    /// Adds a call from a session file. A fork or rewind can leave a call in the file twice. The first one counts, and
    /// this returns `false` for the others.
    pub fn call(&mut self, id: &str, event: PromptEvent) -> bool {
        if !is_call_id(id) {
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
        self.emit_call(&mut call, false);
        self.keep(id.to_owned(), call);
        true
    }

    /// Emits the event of a call without an id, which its signature identifies until it ends.
    pub fn begin(&mut self, signature: &str, event: PromptEvent) {
        let Some(id) = event.values.event_id.clone().flatten() else {
            return;
        };
        if self.begun.len() == BEGUN_KEPT
            && let Some((_, oldest)) = self.begun.pop_front()
        {
            self.forget(&oldest);
        }
        if self.call(&id, event) {
            self.begun.push_back((signature.to_owned(), id));
        }
    }

    /// Takes the oldest call that has begun with this signature. Returns what stands in for its id.
    pub fn take_begun(&mut self, signature: &str) -> Option<String> {
        let place = self.begun.iter().position(|(begun, _)| begun == signature)?;
        self.begun.remove(place).map(|(_, id)| id)
    }

    /// A hook emits `event` for a text that the session file may show later.
    pub fn foretell(&mut self, kind: &str, text: &str, event: PromptEvent) {
        self.foretell_by_key(text_key(kind, text), event);
    }

    fn foretell_by_key(&mut self, key: String, event: PromptEvent) {
        if let Some(id) = event.values.event_id.clone().flatten() {
            push_bounded(&mut self.foretold, FORETOLD_KEPT, (key, id));
        }
        self.emit(event);
    }

    /// Keeps `event` for a text that the session file shows as soon as it exists.
    pub fn hold(&mut self, kind: &str, text: &str, event: PromptEvent) {
        self.held = Some((text_key(kind, text), event));
    }

    /// Emits the text that is held, because the session file still doesn't exist.
    pub fn release(&mut self) {
        if let Some((key, event)) = self.held.take() {
            self.foretell_by_key(key, event);
        }
    }

    /// The session file shows the text that is held.
    pub fn drop_held(&mut self) {
        self.held = None;
    }

    /// The session file shows a text. Returns the id of the event that a hook has emitted for it, if one has; `event` is
    /// then passed over, now and when the file is read again.
    fn show(&mut self, kind: &str, text: &str, event: &PromptEvent) -> Option<String> {
        match kind {
            "HumanMessage" => self.answer = None,
            "AiMessage" => self.answer = Some(input_hash(text.trim())),
            _ => {}
        }
        if self.foretold.is_empty() {
            return None;
        }
        let key = text_key(kind, text);
        let place = self.foretold.iter().position(|(foretold, _)| *foretold == key)?;
        let (_, id) = self.foretold.remove(place)?;
        self.emitted.set(hex_part(event), Known::of(event, &Facts::default()).0);
        Some(id)
    }

    /// Whether the session file has shown this answer to the last prompt.
    fn has_shown_answer(&self, text: &str) -> bool {
        self.answer.as_ref() == Some(&input_hash(text.trim()))
    }

    /// Returns whether this pass over the files reads an event for the first time.
    fn meet(&mut self, event: &PromptEvent) -> bool {
        let id = event.values.event_id.as_ref().and_then(Option::as_deref);
        self.met.set(fingerprint(id.unwrap_or_default()), 0).is_none()
    }

    /// Whether this pass over the files has read the call.
    pub fn has_met(&self, id: &str) -> bool {
        is_call_id(id) && self.met.get(fingerprint(id)).is_some()
    }

    /// Adds facts about a call, whether it has been read or not.
    pub fn learn(&mut self, id: &str, facts: Facts) {
        if !is_call_id(id) {
            return;
        }
        if let Some(mut call) = self.forget(id) {
            let had_succeeded = call.event.values.error == Some(Some(false));
            if call.learn(facts) {
                let is_corrected = had_succeeded && call.event.values.error == Some(Some(true));
                self.emit_call(&mut call, is_corrected);
            } else {
                self.note(&call);
            }
            self.keep(id.to_owned(), call);
        } else {
            self.remember(id, facts);
        }
    }

    /// Adds facts that wait for the line of their call, or for `catch_up`.
    pub fn remember(&mut self, id: &str, facts: Facts) {
        if !is_call_id(id) {
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

    /// Whether facts wait for a call that was read so long ago that it isn't kept any more.
    pub fn has_missed(&self, id: &str) -> bool {
        self.met.get(fingerprint(id)).is_some() && self.early.iter().any(|(early_id, _)| early_id == id)
    }

    /// Adds waiting facts to the calls that have been read.
    pub fn catch_up(&mut self) {
        for (id, facts) in std::mem::take(&mut self.early) {
            self.learn(&id, facts);
        }
    }

    fn keep(&mut self, id: String, call: Call) {
        if call.facts.is_over() {
            push_bounded(&mut self.closed, CLOSED_KEPT, (id, call));
        } else {
            self.open.insert(id, call);
        }
    }

    /// Emits a call with its current facts, if they are more than was emitted before, or if they correct it. Replaces it if
    /// the current output already has it.
    fn emit_call(&mut self, call: &mut Call, is_corrected: bool) {
        let known = Known::of(&call.event, &call.facts);
        match call.place.filter(|place| place.output == self.outputs) {
            Some(place) => {
                self.output[place.index].clone_from(&call.event);
                self.is_news(&call.event, known);
            }
            None if self.is_news(&call.event, known) || is_corrected => {
                call.place = Some(Place {
                    output: self.outputs,
                    index: self.output.len(),
                });
                self.output.push(call.event.clone());
            }
            None => call.place = None,
        }
    }

    /// Records that a better source confirms an emitted event.
    fn note(&mut self, call: &Call) {
        let id = hex_part(&call.event);
        let before = self.emitted.get(id).map(Known);
        if let Some(said) = before.and_then(|before| before.enriched_by(Known::of(&call.event, &call.facts))) {
            self.emitted.set(id, said.0);
        }
    }

    /// Records that the event is emitted. Returns `false` if it was emitted before with the same facts.
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

/// Whether a call's id is short enough to be kept. Real ones have about 30 bytes. A hostile one must not fill the
/// state.
pub(super) fn is_call_id(id: &str) -> bool {
    const LONGEST_ID_BYTES: usize = 1024;
    !id.is_empty() && id.len() <= LONGEST_ID_BYTES
}

fn text_key(kind: &str, text: &str) -> String {
    format!("{kind}:{}", input_hash(text.trim()))
}

fn push_bounded<T>(queue: &mut VecDeque<T>, most: usize, item: T) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// The 48 bits of an event's id that differ within a session.
fn hex_part(event: &PromptEvent) -> u64 {
    let id = event.values.event_id.as_ref().and_then(Option::as_deref);
    hex_part_of(id.unwrap_or_default())
}

fn hex_part_of(event_id: &str) -> u64 {
    let hex = event_id.rsplit(':').next().unwrap_or_default();
    u64::from_str_radix(hex, 16).unwrap_or_default()
}

/// Hashes a call's id for the record. Ids may be hostile, and a collision would lose an event, so this uses SHA-256.
fn fingerprint(id: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(id));
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
