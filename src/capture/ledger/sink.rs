//! What an agent's dialect writes to: the session's ledger, and the place that one file has in it.

use super::{Facts, Ledger};
use crate::capture::event::PromptEvent;
use crate::capture::session::{Session, now_ms};
use crate::wire::table::MAX_SAFE_INTEGER;
use serde::{Deserialize, Serialize};

/// The numbering and the chain of parents of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::capture) struct Chain {
    /// The number that the next item takes.
    next_index: u64,
    /// The event before the next one.
    last_event: Option<String>,
    /// The latest time that a record gave, in unix milliseconds.
    time: Option<i64>,
}

impl Chain {
    /// The number that the next item takes.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Whether a file can have led here.
    pub fn is_sound(&self) -> bool {
        self.next_index <= MAX_SAFE_INTEGER
    }
}

/// Where the events of one file go.
pub(in crate::capture) struct Sink<'a> {
    ledger: &'a mut Ledger,
    chain: &'a mut Chain,
}

impl<'a> Sink<'a> {
    pub fn new(ledger: &'a mut Ledger, chain: &'a mut Chain) -> Sink<'a> {
        Sink { ledger, chain }
    }

    pub fn session(&self) -> &Session {
        &self.ledger.session
    }

    /// How many events wait to be taken.
    pub fn waiting(&self) -> usize {
        self.ledger.waiting()
    }

    /// A record has this time, if any.
    pub fn at(&mut self, time: Option<i64>) {
        self.chain.time = time.or(self.chain.time);
    }

    /// Takes the next number.
    pub fn number(&mut self) -> u64 {
        self.chain.next_index += 1;
        self.chain.next_index - 1
    }

    /// An event that follows the one before it in the file.
    pub fn event(&self, kind: &str, content: &str, index: u64, time: Option<i64>) -> PromptEvent {
        let recorded = time.or(self.chain.time).unwrap_or_else(now_ms);
        let mut event = self.ledger.session.event(kind, content, index, time, recorded);
        event.values.parent_id = Some(self.chain.last_event.clone());
        event.values.parent_id_estimated = Some(Some(false));
        event
    }

    /// Emits an event that isn't a call's.
    pub fn emit(&mut self, event: PromptEvent) {
        self.chain.last_event = event.values.event_id.clone().flatten();
        self.ledger.emit(event);
    }

    /// Emits a call's event, unless the call was met before.
    pub fn call(&mut self, id: &str, event: PromptEvent) {
        let event_id = event.values.event_id.clone().flatten();
        if self.ledger.call(id, event) {
            self.chain.last_event = event_id;
        }
    }

    /// Adds facts about a call.
    pub fn learn(&mut self, id: &str, facts: Facts) {
        self.ledger.learn(id, facts);
    }

    /// The file is read again from its start. Emitted events are emitted again only if they say more.
    pub fn restart(&mut self) {
        self.ledger.restart();
        *self.chain = Chain::default();
    }
}
