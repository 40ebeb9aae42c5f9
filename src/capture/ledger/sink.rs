//! The interface for an agent's dialect: it writes the events of one file into the session's ledger, or those of records
//! that were uploaded one by one.

use super::{Facts, Ledger};
use crate::capture::derive::Derivation;
use crate::capture::event::PromptEvent;
use crate::capture::item::{Call, Item, Said};
use crate::capture::session::{Identity, Session, now_ms, set};
use crate::identity::{cut_name, input_hash};
use crate::wire::slots::Text;
use crate::wire::table::MAX_SAFE_INTEGER;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The numbering and the chain of parents of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::capture) struct Chain {
    /// The number that the next item takes.
    next_index: u64,
    /// The event before the next one.
    last_event: Option<String>,
    /// The latest time that a record gave, in unix milliseconds.
    time: Option<i64>,
    /// In a subagent's file: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subagent: Option<String>,
    /// In a subagent's file: whether the event before its first one isn't known yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_orphan: bool,
}

impl Chain {
    /// The number that the next item takes.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The event before the next one.
    pub fn last_event(&self) -> Option<&str> {
        self.last_event.as_deref()
    }

    /// Whether this is possible after reading a file. It may come from a damaged state.
    pub fn is_sound(&self) -> bool {
        self.next_index <= MAX_SAFE_INTEGER
    }

    /// A chain whose next item has this number, at this time in unix milliseconds.
    pub fn at(next_index: u64, time: i64) -> Chain {
        Chain {
            next_index,
            time: Some(time),
            ..Chain::default()
        }
    }

    /// The chain of a subagent, before it is known which call has started it.
    pub fn of_subagent(agent_id: &str) -> Chain {
        Chain {
            subagent: Some(agent_id.to_owned()),
            is_orphan: true,
            ..Chain::default()
        }
    }

    /// Whether the event before a subagent's first one isn't known yet.
    pub fn is_orphan(&self) -> bool {
        self.is_orphan
    }

    /// The event before the first one is `parent`.
    pub fn begin_after(&mut self, parent: &str) {
        self.is_orphan = false;
        self.last_event.get_or_insert_with(|| parent.to_owned());
    }
}

/// Receives the events of one file, or of records that were uploaded one by one.
pub(in crate::capture) struct Sink<'a> {
    to: To<'a>,
    chain: &'a mut Chain,
}

enum To<'a> {
    Ledger(&'a mut Ledger),
    Derivation(&'a mut Derivation),
}

impl<'a> Sink<'a> {
    pub fn new(ledger: &'a mut Ledger, chain: &'a mut Chain) -> Sink<'a> {
        let to = To::Ledger(ledger);
        Sink { to, chain }
    }

    pub fn deriving(derivation: &'a mut Derivation, chain: &'a mut Chain) -> Sink<'a> {
        let to = To::Derivation(derivation);
        Sink { to, chain }
    }

    pub fn session(&self) -> &Session {
        match &self.to {
            To::Ledger(ledger) => &ledger.session,
            To::Derivation(derivation) => derivation.session(),
        }
    }

    /// Whether the records came one by one, so that their order is that of their times.
    pub fn is_deriving(&self) -> bool {
        matches!(self.to, To::Derivation(_))
    }

    /// How many events wait to be taken.
    pub fn waiting(&self) -> usize {
        match &self.to {
            To::Ledger(ledger) => ledger.waiting(),
            To::Derivation(_) => 0,
        }
    }

    /// Begins a record, which may have a time.
    pub fn at(&mut self, time: Option<i64>) {
        self.chain.time = time.or(self.chain.time);
    }

    /// The record names the git branch that the agent works on. Uploaded records come with the uploader's attributes.
    pub fn branch(&mut self, branch: Option<Text<'_>>) {
        if let (To::Ledger(ledger), Some(branch)) = (&mut self.to, branch) {
            ledger.see_branch(&branch.to_str());
        }
    }

    /// Takes the next number.
    pub fn number(&mut self) -> u64 {
        self.chain.next_index += 1;
        self.chain.next_index - 1
    }

    /// The number that the next item takes.
    pub fn next_index(&self) -> u64 {
        self.chain.next_index
    }

    /// The event before the next one.
    pub fn last_event(&self) -> Option<&str> {
        match &self.to {
            To::Ledger(_) => self.chain.last_event.as_deref(),
            To::Derivation(derivation) => derivation.last_event(),
        }
    }

    /// Makes an event that follows the previous one in the file.
    pub fn event(&self, identity: &Identity<'_>, time: Option<i64>) -> PromptEvent {
        self.event_with_id(identity, time, |derivation| derivation.event_id(identity))
    }

    /// The same for a call, to be passed to `call`.
    pub fn event_of_call(&self, id: &str, identity: &Identity<'_>, time: Option<i64>) -> PromptEvent {
        self.event_with_id(identity, time, |derivation| derivation.call_id(id, identity))
    }

    fn event_with_id(
        &self,
        identity: &Identity<'_>,
        time: Option<i64>,
        derived_id: impl FnOnce(&Derivation) -> String,
    ) -> PromptEvent {
        let recorded = self.recorded(time);
        match &self.to {
            To::Ledger(ledger) => {
                let parent = &self.chain.last_event;
                let mut event = ledger.session.event(identity, time, recorded);
                let is_orphan = self.chain.is_orphan() && parent.is_none();
                event.values.parent_id = Some(parent.clone());
                event.values.parent_id_estimated = Some(Some(is_orphan));
                event
            }
            To::Derivation(derivation) => {
                let mut event = PromptEvent::new(derived_id(derivation), identity, time, recorded);
                // The events of one record have one time, so their chain is their order. What precedes the record isn't
                // known.
                if let Some(parent) = derivation.last_event() {
                    event.values.parent_id = set(parent);
                    event.values.parent_id_estimated = Some(Some(false));
                }
                event
            }
        }
    }

    /// The field `source` of an event. Rows don't hold it.
    pub fn source<'s>(&self, id: Option<impl Into<Cow<'s, str>>>) -> Option<String> {
        id.filter(|_| !self.is_deriving()).map(|id| id.into().into_owned())
    }

    fn recorded(&self, time: Option<i64>) -> i64 {
        time.or(self.chain.time).unwrap_or_else(now_ms)
    }

    /// Emits what a record says.
    pub fn take(&mut self, item: Item<'_>) {
        match item {
            Item::Said(said) => self.said(said),
            Item::Call(call) => self.called(call),
            Item::Outcome(id, facts) => self.learn(&id, facts),
        }
    }

    fn said(&mut self, said: Said<'_>) {
        let is_of_agent = said.kind == "HumanMessage" && self.session().is_subagent;
        if said.text.trim().is_empty() || is_of_agent {
            return;
        }
        self.at(said.time);
        let mut event = self.event(&Identity::own(said.kind, &said.key, &said.text), said.time);
        if !self.meet(&event) {
            return;
        }
        event.source = self.source(said.source);
        let values = &mut event.values;
        values.model = said.model.map(|model| Some(cut_name(&model).to_owned()));
        values.error = said.error.map(Some);
        values.reported_duration_ms = said.reported_ms.map(Some);
        if said.kind != "ThinkingMessage" {
            values.input_text = self.session().input_text(said.words.as_ref().unwrap_or(&said.text));
        }
        let foretold = match &mut self.to {
            // Hooks tell of the session's own texts only.
            To::Ledger(ledger) if self.chain.subagent.is_none() => ledger.show(said.kind, &said.text, &event),
            _ => None,
        };
        match foretold {
            Some(event_id) => self.follow(&event_id),
            None => self.emit(event),
        }
    }

    fn called(&mut self, call: Call<'_>) {
        if call.id.is_empty() && call.key.is_none() {
            return;
        }
        self.at(call.time);
        let content = format!("{}:{}", call.name, call.key.as_ref().unwrap_or(&call.id));
        let mut event = self.event_of_call(&call.id, &Identity::own(call.kind, &content, &content), call.time);
        event.source = self.source(call.source);
        event.values.tool_call_name = set(cut_name(&call.name));
        event.values.model = call.model.map(|model| Some(cut_name(&model).to_owned()));
        if call.id.is_empty() {
            if !self.meet(&event) {
                return;
            }
            event.values.error = call.facts.error.map(Some);
            call.facts
                .skill
                .into_iter()
                .for_each(|skill| skill.describe(&mut event.values));
            self.emit(event);
            return;
        }
        let is_new = self.call(&call.id, event);
        // A record that is written again repeats the outcome, too.
        let is_open = |ledger: &Ledger| ledger.open.contains_key(&*call.id);
        let is_awaited = is_new || matches!(&self.to, To::Ledger(ledger) if is_open(ledger));
        if is_awaited && call.facts != Facts::default() {
            self.learn(&call.id, call.facts);
        }
    }

    /// Returns whether the file shows this event for the first time. Some agents write a record again when more of it is
    /// known.
    fn meet(&mut self, event: &PromptEvent) -> bool {
        match &mut self.to {
            To::Ledger(ledger) => ledger.meet(event),
            To::Derivation(_) => true,
        }
    }

    /// Emits the answer that ends a turn, as a hook reports it, unless the file has shown it.
    pub fn answer(&mut self, text: &str, model: Option<&str>, received_at: i64) {
        let is_shown = matches!(&self.to, To::Ledger(ledger) if ledger.has_shown_answer(text));
        if text.trim().is_empty() || is_shown {
            return;
        }
        let key = format!("answer:{}:{text}", self.last_event().unwrap_or_default());
        let mut event = self.event(&Identity::own("AiMessage", &key, text), Some(received_at));
        event.values.parent_id_estimated = Some(Some(true));
        event.values.input_text = self.session().input_text(text);
        event.values.model = model.and_then(|model| set(cut_name(model)));
        if let To::Ledger(ledger) = &mut self.to {
            ledger.answer = Some(input_hash(text.trim()));
            ledger.foretell("AiMessage", text, event);
        }
    }

    /// Emits an event that isn't a call's.
    pub fn emit(&mut self, event: PromptEvent) {
        match &mut self.to {
            To::Ledger(_) => {
                self.expect_parent(&event, None);
                self.chain.last_event = event.values.event_id.clone().flatten();
                self.emit_estimate(event);
            }
            To::Derivation(derivation) => derivation.emit_next(event),
        }
    }

    /// Emits an event that stands where the file hasn't come to yet.
    pub fn emit_estimate(&mut self, event: PromptEvent) {
        match &mut self.to {
            To::Ledger(ledger) => ledger.emit(event),
            To::Derivation(derivation) => derivation.emit(event),
        }
    }

    /// Emits an event that was emitted before, if more is known about it now.
    pub fn emit_again(&mut self, event: PromptEvent, facts: &Facts) {
        match &mut self.to {
            To::Ledger(ledger) => ledger.emit_with(event, facts),
            To::Derivation(derivation) => derivation.emit(event),
        }
    }

    /// Counts an event as emitted that stands in for the next one of the file.
    pub fn follow(&mut self, event_id: &str) {
        self.chain.last_event = Some(event_id.to_owned());
    }

    /// Emits a call's event. Returns false if the call was met before, and nothing comes of it.
    pub fn call(&mut self, id: &str, event: PromptEvent) -> bool {
        if matches!(&self.to, To::Ledger(ledger) if ledger.has_met(id)) {
            return false;
        }
        self.expect_parent(&event, Some(id));
        match &mut self.to {
            To::Ledger(ledger) => {
                self.chain.last_event = event.values.event_id.clone().flatten();
                ledger.call(id, event)
            }
            To::Derivation(derivation) => {
                derivation.emit_next(event);
                true
            }
        }
    }

    /// The call that was emitted last can start a subagent, whose first event will follow the call's. A call may be taken
    /// again, when others have been emitted since.
    pub fn starter(&mut self, call_id: &str) {
        if let (To::Ledger(ledger), Some(event_id)) = (&mut self.to, &self.chain.last_event) {
            ledger
                .starters
                .entry(call_id.to_owned())
                .or_insert_with(|| event_id.clone());
        }
    }

    /// The call has started the subagent.
    pub fn started(&mut self, agent_id: &str, call_id: &str) {
        if let To::Ledger(ledger) = &mut self.to
            && ledger.starters.contains_key(call_id)
        {
            ledger.started.insert(agent_id.to_owned(), call_id.to_owned());
        }
    }

    /// The first event of a subagent may learn its parent later.
    fn expect_parent(&mut self, event: &PromptEvent, call_id: Option<&str>) {
        if let To::Ledger(ledger) = &mut self.to
            && self.chain.last_event.is_none()
            && let Some(agent_id) = self.chain.subagent.as_ref().filter(|_| self.chain.is_orphan)
        {
            let entry = (event.clone(), call_id.map(str::to_owned));
            ledger.orphans.insert(agent_id.clone(), entry);
        }
    }

    /// Adds facts about a call.
    pub fn learn(&mut self, id: &str, facts: Facts) {
        let recorded = self.recorded(None);
        match &mut self.to {
            To::Ledger(ledger) => ledger.learn(id, facts),
            To::Derivation(derivation) => derivation.learn(id, facts, recorded),
        }
    }

    /// The file is read again from its start; if it is the session's main one, all others will be too. Emitted events
    /// are emitted again only if they say more.
    pub fn restart(&mut self) {
        *self.chain = match (&self.chain.subagent, &mut self.to) {
            (Some(agent_id), _) => Chain::of_subagent(agent_id),
            (None, To::Ledger(ledger)) => {
                ledger.restart();
                Chain::default()
            }
            (None, To::Derivation(_)) => Chain::default(),
        };
    }
}
