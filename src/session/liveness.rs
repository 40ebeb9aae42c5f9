//! The rule for a session's state. It is the backend's rule, and uses the time of receipt for events and ends.

use serde::{Deserialize, Serialize};

/// Unix milliseconds.
pub(super) type Millis = u64;

const SECOND: Millis = 1000;
pub(super) const MINUTE: Millis = 60 * SECOND;
pub(super) const DAY: Millis = 24 * 60 * MINUTE;

/// A delivery whose event is older than this is a late retry. It doesn't show that the session is alive.
const FRESH: Millis = 10 * MINUTE;

/// A session is live if a fresh event arrived within this time.
const LIVE: Millis = MINUTE;

/// The session's last message may arrive this long after the `user_quit`.
const GRACE_OF_USER_QUIT: Millis = 10 * SECOND;

/// 2020-01-01. An earlier time comes from a clock that was never set, or is in seconds instead of milliseconds.
const FIRST_CREDIBLE: Millis = 1_577_836_800_000;

/// The most ends kept at the latest time of a session. Real sessions have one.
pub(super) const MOST_ENDS: usize = 8;

/// Why a session ended. Later variants take precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Nothing was heard from it. A reason that this version doesn't know counts as this one.
    Signal,
    /// Its human did nothing for half an hour.
    IdleTimeout,
    /// Its human ended it.
    UserQuit,
}

impl EndReason {
    /// Returns the reason's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            EndReason::Signal => "signal",
            EndReason::IdleTimeout => "idle_timeout",
            EndReason::UserQuit => "user_quit",
        }
    }

    /// Returns the reason with this name.
    pub fn from_name(name: &str) -> EndReason {
        match name {
            "user_quit" => EndReason::UserQuit,
            "idle_timeout" => EndReason::IdleTimeout,
            _ => EndReason::Signal,
        }
    }

    fn grace(self) -> Millis {
        match self {
            EndReason::UserQuit => GRACE_OF_USER_QUIT,
            EndReason::IdleTimeout | EndReason::Signal => 0,
        }
    }
}

/// The state of a session at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A fresh event arrived within the last minute.
    Live,
    /// No fresh event arrived within the last minute, and there is no end.
    Quiet,
    /// There is an end, and no fresh event arrived after it.
    Ended(EndReason),
}

/// When an event of the session happened and when it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub start_ts: Option<Millis>,
    pub recorded: Millis,
    pub received: Millis,
}

impl Times {
    /// Returns when the event happened: the first credible one of its two times, else the time of receipt.
    pub fn event_time(self) -> Millis {
        let latest = self.received.saturating_add(DAY);
        let candidates = [self.start_ts, Some(self.recorded)];
        let mut known = candidates.into_iter().flatten().filter(|&time| time <= latest);
        let credible = known.clone().find(|&time| time >= FIRST_CREDIBLE);
        credible.or_else(|| known.next()).unwrap_or(self.received)
    }

    /// Returns the time of receipt if the event was fresh then.
    fn heard(self) -> Option<Millis> {
        let oldest = self.received.saturating_sub(FRESH);
        let is_fresh = self.start_ts.is_some_and(|time| time >= oldest) || self.recorded >= oldest;
        is_fresh.then_some(self.received)
    }
}

/// One end of a session, merged from all of its deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub id: u64,
    pub reason: EndReason,
    pub time: Millis,
    pub heard: Option<Millis>,
    pub received: Millis,
}

/// The facts about a session that the rule needs. They don't depend on the order or number of deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Liveness {
    /// The last sign of life.
    sign: Option<Millis>,
    /// The latest time of any event.
    last_time: Millis,
    pub ends: Vec<End>,
}

impl Liveness {
    pub fn observe(&mut self, times: Times) {
        self.sign = self.sign.max(times.heard());
        self.last_time = self.last_time.max(times.event_time());
        self.forget_ends();
    }

    pub fn observe_end(&mut self, id: u64, reason: EndReason, times: Times) {
        let delivered = End {
            id,
            reason,
            time: times.event_time(),
            heard: times.heard(),
            received: times.received,
        };
        self.last_time = self.last_time.max(delivered.time);
        match self.ends.iter_mut().find(|end| end.id == id) {
            Some(end) => {
                end.reason = end.reason.max(delivered.reason);
                end.time = end.time.max(delivered.time);
                end.heard = end.heard.max(delivered.heard);
                end.received = end.received.max(delivered.received);
            }
            None => self.ends.push(delivered),
        }
        self.forget_ends();
    }

    /// Forgets the ends that can never count again: those that were heard before another one of their reason, and that
    /// are not the session's last event.
    fn forget_ends(&mut self) {
        let last_time = self.last_time;
        let heard_last = |ends: &[End], reason| {
            let heard = ends.iter().filter(|end| end.reason == reason && end.heard.is_some());
            heard.max_by_key(|end| (end.heard, end.id)).map(|end| end.id)
        };
        let kept = [EndReason::Signal, EndReason::IdleTimeout, EndReason::UserQuit]
            .map(|reason| heard_last(&self.ends, reason));
        self.ends
            .retain(|end| end.time == last_time || kept.contains(&Some(end.id)));
        if self.ends.len() > MOST_ENDS {
            self.ends
                .sort_by_key(|end| std::cmp::Reverse((end.heard, end.received)));
            self.ends.truncate(MOST_ENDS);
        }
    }

    pub fn status(&self, now: Millis) -> Status {
        let valid = self.ends.iter().filter(|end| self.is_valid(end));
        if let Some(reason) = valid.map(|end| end.reason).max() {
            return Status::Ended(reason);
        }
        match self.sign {
            Some(sign) if now.saturating_sub(sign) <= LIVE => Status::Live,
            _ => Status::Quiet,
        }
    }

    fn is_valid(&self, end: &End) -> bool {
        let Some(sign) = self.sign else {
            return end.heard.is_some() || end.time == self.last_time;
        };
        match end.heard {
            Some(heard) => heard + end.reason.grace() >= sign,
            None => end.time == self.last_time && sign + FRESH <= end.received,
        }
    }

    /// Whether numbers and lengths are within the limits that `observe` keeps.
    pub fn is_sound(&self, largest: Millis) -> bool {
        let times = self
            .ends
            .iter()
            .flat_map(|end| [Some(end.time), end.heard, Some(end.received)]);
        let own = [self.sign, Some(self.last_time)];
        self.ends.len() <= MOST_ENDS && times.chain(own).flatten().all(|time| time <= largest)
    }
}
