//! The outcome of a call, and how much of it an event has reported.

use crate::capture::event::PromptEvent;
use crate::capture::skill::SkillFile;
use crate::wire::table::MAX_SAFE_INTEGER;
use serde::{Deserialize, Serialize};

/// The source of a reported duration. Later variants are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DurationSource {
    Progress = 1,
    ResultSeconds,
    ResultTotal,
    Result,
    Hook,
    /// The end of something that ran in the background, whose result and hook came when it was launched.
    Notification,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub source: DurationSource,
    pub ms: u64,
}

/// The outcome of a call according to one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Whether this is the call's result in the session file.
    pub is_result: bool,
    pub error: Option<bool>,
    /// The agent itself has judged the outcome, which outranks what the result's text looks like.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_judged: bool,
    /// The result's time in the session file, in unix milliseconds.
    pub ended_at: Option<i64>,
    pub reported: Option<Reported>,
    /// The call continues in the background, so its duration comes with the notification.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_launched: bool,
    /// The skill's file, in the folder that the harness has named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<SkillFile>,
}

impl Facts {
    /// The part that hooks reported. A file that is read again repeats the rest, if it still holds.
    pub(super) fn of_hooks(&self) -> Facts {
        Facts {
            error: self.error.filter(|_| !self.is_result && !self.is_judged),
            reported: self.reported.filter(|reported| reported.source == DurationSource::Hook),
            ..Facts::default()
        }
    }

    pub(super) fn are_of_hooks(&self) -> bool {
        self.of_hooks() != Facts::default()
    }

    /// Whether only something late can add to this.
    pub(super) fn is_over(&self) -> bool {
        self.is_result && (!self.is_launched || self.duration().is_some())
    }

    /// Returns the duration if it is that of the whole call.
    pub(super) fn duration(&self) -> Option<Reported> {
        let is_whole = |reported: &Reported| !self.is_launched || reported.source == DurationSource::Notification;
        self.reported.filter(is_whole)
    }

    /// Whether these facts are possible. They may come from a damaged state.
    pub(super) fn are_sound(&self) -> bool {
        let most = MAX_SAFE_INTEGER;
        self.reported.is_none_or(|reported| reported.ms <= most)
            && self.ended_at.is_none_or(|time| time.unsigned_abs() <= most)
            && self.skill.as_ref().is_none_or(SkillFile::is_sound)
    }

    /// Adds another source's facts. The first of two results counts, because the second is a fork's copy.
    pub(super) fn merge(&mut self, other: Facts) {
        if self.is_result && other.is_result {
            return;
        }
        let is_first_result = !self.is_result && other.is_result;
        self.error = match (self.is_judged, other.is_judged) {
            (true, _) => self.error,
            (false, true) if !self.is_result => other.error,
            // A command may go on behind its result, and fail then. Else, what a result has said stays said: it may already
            // be out.
            (false, true) => self.error.max(other.error),
            (false, false) if is_first_result => other.error,
            // A result without an error value means that the call never ran. A hook can't change that.
            (false, false) if self.is_result => self.error,
            (false, false) => self.error.or(other.error),
        };
        if is_first_result {
            self.is_result = true;
            self.ended_at = other.ended_at;
        }
        self.is_judged |= other.is_judged;
        self.is_launched |= other.is_launched;
        self.skill = self.skill.take().or(other.skill);
        let source = |reported: Option<Reported>| reported.map(|reported| reported.source);
        if source(other.reported) > source(self.reported) {
            self.reported = other.reported;
        }
    }
}

/// How much an emitted event reported. It is emitted again only when there is more to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known(pub(super) u8);

impl Known {
    const ERROR: u8 = 1;
    const OBSERVED: u8 = 1 << 1;
    /// The number of the reported duration's source.
    const SOURCE: u8 = 0b111 << Known::SOURCE_SHIFT;
    const SOURCE_SHIFT: u8 = 2;
    /// The outcome comes from the session file, which outranks a hook.
    const RESULT: u8 = 1 << 5;
    /// The parent is the event before it in the session file, not an estimate.
    pub(super) const PARENT: u8 = 1 << 6;
    /// The skill's file is the one in the folder that the harness has named.
    const SKILL: u8 = 1 << 7;

    pub(super) fn of(event: &PromptEvent, facts: &Facts) -> Known {
        let flag = |flag: u8, is_set: bool| if is_set { flag } else { 0 };
        let values = &event.values;
        let source = match (values.reported_duration_ms, facts.duration()) {
            (Some(_), Some(reported)) => reported.source as u8,
            _ => 0,
        };
        Known(
            flag(Known::ERROR, values.error.is_some())
                | flag(Known::OBSERVED, values.observed_duration_ms.is_some())
                | flag(Known::RESULT, facts.is_result || facts.is_judged)
                | flag(Known::SKILL, facts.skill.is_some())
                | flag(Known::PARENT, values.parent_id_estimated == Some(Some(false)))
                | source << Known::SOURCE_SHIFT,
        )
    }

    /// Returns both combined, if that is more than `self`.
    pub(super) fn enriched_by(self, other: Known) -> Option<Known> {
        let flags = (self.0 | other.0) & !Known::SOURCE;
        let source = (self.0 & Known::SOURCE).max(other.0 & Known::SOURCE);
        let both = Known(flags | source);
        (both != self).then_some(both)
    }
}
