//! `SessionTracker` for `lib/session.js`. Events arrive as the body of an upload.

use super::capture::CapturedEvents;
use super::error::{Failure, argument_failure, guarded};
use crate::session::{self, Status};
use crate::wire::decode::{Limits, decode_batch};
use crate::wire::event::{Consumer, Event};
use bumpalo::Bump;
use napi_derive::napi;

#[napi]
pub struct SessionTracker(session::SessionTracker);

#[napi]
impl SessionTracker {
    #[napi(constructor)]
    pub fn new(state: Option<String>) -> Result<Self, Failure> {
        guarded(|| {
            let tracker = match state {
                None => session::SessionTracker::default(),
                Some(state) => {
                    session::SessionTracker::resume(&state).map_err(|error| argument_failure("state", error))?
                }
            };
            Ok(SessionTracker(tracker))
        })
    }

    /// Observes the events of an upload from `encodeMetricsBatch`.
    #[napi]
    pub fn observe(&mut self, upload: &[u8], received_at_ms: f64) -> Result<(), Failure> {
        guarded(|| {
            let limits = Limits {
                max_bytes: usize::MAX,
                ..Limits::default()
            };
            let mut observer = Observer {
                tracker: &mut self.0,
                received_at_ms: received_at_ms as u64,
            };
            decode_batch(upload, &limits, &Bump::new(), &mut observer)?;
            Ok(())
        })
    }

    /// Returns `live`, `quiet`, or the reason of the session's end.
    #[napi]
    pub fn status(&self, prompt_id: String, now_ms: f64) -> Result<Option<&'static str>, Failure> {
        guarded(|| {
            let status = self.0.status(&prompt_id, now_ms as u64);
            Ok(status.map(|status| match status {
                Status::Live => "live",
                Status::Quiet => "quiet",
                Status::Ended(reason) => reason.name(),
            }))
        })
    }

    /// Returns one object per session that was ended.
    #[napi]
    pub fn sweep(&mut self, now_ms: f64) -> Result<Vec<CapturedEvents>, Failure> {
        guarded(|| {
            Ok(self
                .0
                .sweep(now_ms as u64)
                .into_iter()
                .map(CapturedEvents::from)
                .collect())
        })
    }

    #[napi]
    pub fn state(&self) -> Result<String, Failure> {
        guarded(|| Ok(self.0.state()))
    }
}

struct Observer<'t> {
    tracker: &'t mut session::SessionTracker,
    received_at_ms: u64,
}

impl<'a> Consumer<'a> for Observer<'_> {
    fn event(&mut self, event: Event<'_, 'a>) {
        self.tracker.observe(&event, self.received_at_ms);
    }

    /// Never called, because `encodeMetricsBatch` writes no key twice.
    fn restart(&mut self) {}
}
