//! A ledger as it stands in a state.

use super::{BEGUN_KEPT, Call, EARLY_KEPT, FORETOLD_KEPT, Facts, Ledger, TOLD_BY_HOOKS_KEPT};
use crate::capture::event::PromptEvent;
use crate::capture::snapshot::{read_events, write_events};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

#[derive(Serialize, Deserialize)]
pub(in crate::capture) struct SavedLedger<'a> {
    last_emitted: Option<String>,
    /// Seven bytes each: six of the id, one of what the event said.
    emitted: String,
    /// Seven bytes each.
    met: String,
    #[serde(borrow)]
    calls: Vec<SavedCall<'a>>,
    orphans: Vec<SavedOrphan<'a>>,
    /// The events of the calls, then of the orphans and the text that is held, as an upload would hold them.
    events: Cow<'a, RawValue>,
    starters: Cow<'a, BTreeMap<String, String>>,
    started: Cow<'a, BTreeMap<String, String>>,
    #[serde(borrow)]
    early: Vec<(Cow<'a, str>, Cow<'a, Facts>)>,
    #[serde(default, skip_serializing_if = "is_empty")]
    begun: Cow<'a, VecDeque<(String, String)>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    foretold: Cow<'a, VecDeque<(String, String)>>,
    /// The key of the text that is held.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    held: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
}

fn is_empty(entries: &VecDeque<(String, String)>) -> bool {
    entries.is_empty()
}

#[derive(Serialize, Deserialize)]
struct SavedCall<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    facts: Cow<'a, Facts>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct SavedOrphan<'a> {
    #[serde(borrow)]
    agent_id: Cow<'a, str>,
    #[serde(borrow)]
    call_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
}

fn source_of(event: &PromptEvent) -> Option<Cow<'_, str>> {
    event.source.as_deref().map(Cow::Borrowed)
}

impl Ledger {
    pub fn save(&self) -> SavedLedger<'_> {
        let kept = || {
            let closed = self.closed.iter().map(|(id, call)| (id, call));
            self.open.iter().chain(closed)
        };
        let mut emitted = Vec::with_capacity(7 * self.emitted.len());
        for (id, known) in self.emitted.entries() {
            emitted.extend_from_slice(&id.to_be_bytes()[2..]);
            emitted.push(known);
        }
        let mut met = Vec::with_capacity(7 * self.met.len());
        for (call, _) in self.met.entries() {
            met.extend_from_slice(&call.to_be_bytes()[1..]);
        }
        let calls = kept().map(|(id, call)| SavedCall {
            id: Cow::Borrowed(id.as_str()),
            facts: Cow::Borrowed(&call.facts),
            source: source_of(&call.event),
        });
        let orphans = self.orphans.iter().map(|(agent_id, (event, call_id))| SavedOrphan {
            agent_id: Cow::Borrowed(agent_id.as_str()),
            call_id: call_id.as_deref().map(Cow::Borrowed),
            source: source_of(event),
        });
        let events = kept().map(|(_, call)| &call.event);
        let events = events.chain(self.orphans.values().map(|(event, _)| event));
        let events = events.chain(self.held.iter().map(|(_, event)| event));
        SavedLedger {
            last_emitted: self.last_emitted.clone(),
            emitted: BASE64.encode(emitted),
            met: BASE64.encode(met),
            calls: calls.collect(),
            orphans: orphans.collect(),
            events: Cow::Owned(write_events(events.cloned().collect())),
            starters: Cow::Borrowed(&self.starters),
            started: Cow::Borrowed(&self.started),
            early: self
                .early
                .iter()
                .map(|(id, facts)| (Cow::Borrowed(id.as_str()), Cow::Borrowed(facts)))
                .collect(),
            begun: Cow::Borrowed(&self.begun),
            foretold: Cow::Borrowed(&self.foretold),
            held: self.held.as_ref().map(|(key, _)| Cow::Borrowed(key.as_str())),
            answer: self.answer.clone(),
            branch: self.branch.clone(),
        }
    }

    /// Takes over what `save` returned. `None` if it is something else.
    pub fn load(&mut self, saved: SavedLedger<'_>) -> Option<()> {
        let events = read_events(saved.events.get().as_bytes())?;
        let emitted = BASE64.decode(&saved.emitted).ok()?;
        let met = BASE64.decode(&saved.met).ok()?;
        let (emitted, emitted_rest) = emitted.as_chunks::<7>();
        let (met, met_rest) = met.as_chunks::<7>();
        let calls_facts = saved.calls.iter().map(|call| &call.facts);
        let mut all_facts = calls_facts.chain(saved.early.iter().map(|(_, facts)| facts));
        let is_sound = events.len() == saved.calls.len() + saved.orphans.len() + usize::from(saved.held.is_some())
            && emitted_rest.is_empty()
            && met_rest.is_empty()
            && saved.begun.len() <= BEGUN_KEPT
            && saved.foretold.len() <= FORETOLD_KEPT
            && saved.early.len() <= EARLY_KEPT + TOLD_BY_HOOKS_KEPT
            && all_facts.all(|facts| facts.are_sound());
        if !is_sound {
            return None;
        }
        let mut events = events.into_iter();
        for (call, mut event) in saved.calls.into_iter().zip(&mut events) {
            event.source = call.source.map(Cow::into_owned);
            self.keep(call.id.into_owned(), Call::new(event, call.facts.into_owned()));
        }
        for (orphan, mut event) in saved.orphans.into_iter().zip(&mut events) {
            event.source = orphan.source.map(Cow::into_owned);
            let entry = (event, orphan.call_id.map(Cow::into_owned));
            self.orphans.insert(orphan.agent_id.into_owned(), entry);
        }
        self.held = saved.held.map(Cow::into_owned).zip(events.next());
        self.starters = saved.starters.into_owned();
        self.begun = saved.begun.into_owned();
        self.foretold = saved.foretold.into_owned();
        self.answer = saved.answer;
        self.branch = saved.branch;
        self.started = saved.started.into_owned();
        self.early = saved
            .early
            .into_iter()
            .map(|(id, facts)| (id.into_owned(), facts.into_owned()))
            .collect();
        self.met = met
            .iter()
            .map(|&[a, b, c, d, e, f, g]| (u64::from_be_bytes([0, a, b, c, d, e, f, g]), 0))
            .collect();
        self.emitted = emitted
            .iter()
            .map(|&[a, b, c, d, e, f, known]| (u64::from_be_bytes([0, 0, a, b, c, d, e, f]), known))
            .collect();
        self.last_emitted = saved.last_emitted;
        Some(())
    }
}
