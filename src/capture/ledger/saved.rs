//! A ledger as it stands in a state.

use super::{Call, Facts, Ledger};
use crate::capture::snapshot::{read_events, write_events};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Serialize, Deserialize)]
pub(in crate::capture) struct SavedLedger<'a> {
    last_emitted: Option<String>,
    /// Seven bytes each: six of the id, one of what the event said.
    emitted: String,
    /// Seven bytes each.
    met: String,
    #[serde(borrow)]
    calls: Vec<(Cow<'a, str>, Facts)>,
    /// The calls' events, as an upload would hold them.
    events: Cow<'a, RawValue>,
    early: Vec<(Cow<'a, str>, Facts)>,
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
        SavedLedger {
            last_emitted: self.last_emitted.clone(),
            emitted: BASE64.encode(emitted),
            met: BASE64.encode(met),
            calls: kept()
                .map(|(id, call)| (Cow::Borrowed(id.as_str()), call.facts))
                .collect(),
            events: Cow::Owned(write_events(kept().map(|(_, call)| call.event.clone()).collect())),
            early: self
                .early
                .iter()
                .map(|(id, facts)| (Cow::Borrowed(id.as_str()), *facts))
                .collect(),
        }
    }

    /// Takes over what `save` returned. `None` if it is something else.
    pub fn load(&mut self, saved: SavedLedger<'_>) -> Option<()> {
        let events = read_events(saved.events.get().as_bytes())?;
        let emitted = BASE64.decode(&saved.emitted).ok()?;
        let met = BASE64.decode(&saved.met).ok()?;
        let (emitted, emitted_rest) = emitted.as_chunks::<7>();
        let (met, met_rest) = met.as_chunks::<7>();
        if events.len() != saved.calls.len() || !emitted_rest.is_empty() || !met_rest.is_empty() {
            return None;
        }
        for ((id, facts), event) in saved.calls.into_iter().zip(events) {
            self.keep(id.into_owned(), Call::new(event, facts));
        }
        self.early = saved
            .early
            .into_iter()
            .map(|(id, facts)| (id.into_owned(), facts))
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
