//! Capture for `lib/capture.js`. Events cross as cells, like those of a batch: see `BatchDecoder::captured`.

use super::error::{Code, Failure, argument_failure, failure, guarded};
use crate::capture::hook::{self, Hook, HookSetting};
use crate::capture::store::{Locked, Store};
use crate::capture::{self, Captured, FileError, Session, parse_transcript, skill};
use crate::wire::EventAttributes;
use crate::wire::slots::{Slot, Slots, Text};
use crate::wire::table::Record;
use napi::bindgen_prelude::{Either3, Null, Undefined};
use napi_derive::napi;
use std::path::{Path, PathBuf};

/// Events on their way to JavaScript.
#[napi]
pub struct CapturedEvents(pub(super) Captured);

/// One value for each attribute of the table, in its order.
type Attributes = Vec<Either3<String, Null, Undefined>>;

fn attributes(values: &Attributes) -> EventAttributes {
    let mut slots = Slots::new();
    for (index, value) in values.iter().enumerate() {
        match value {
            Either3::A(text) => slots.set(index, Slot::Text(Text::from(text.as_str()))),
            Either3::B(Null) => slots.set(index, Slot::Null),
            Either3::C(()) => {}
        }
    }
    EventAttributes::from_slots(&slots)
}

/// What shapes the events of a transcript.
#[napi(object)]
pub struct TranscriptSettings {
    pub session_id: String,
    pub cwd: Option<String>,
    /// Empty: there is none.
    pub home_dir: Option<String>,
    pub redact: bool,
    #[napi(ts_type = "(string | null | undefined)[]")]
    pub attributes: Attributes,
}

impl TranscriptSettings {
    fn session(self) -> Session {
        Session {
            cwd: self.cwd.map(PathBuf::from),
            home: home(self.home_dir),
            redact: self.redact,
            ..Session::new(hook::CLAUDE, &self.session_id, attributes(&self.attributes))
        }
    }
}

/// The home directory that the caller says, else the user's.
fn home(said: Option<String>) -> Option<PathBuf> {
    said.map_or_else(dirs::home_dir, |said| Some(PathBuf::from(said)))
        .filter(|home| !home.as_os_str().is_empty())
}

#[napi]
pub fn parse_claude_transcript(jsonl: &[u8], settings: TranscriptSettings) -> Result<CapturedEvents, Failure> {
    guarded(|| Ok(CapturedEvents(parse_transcript(jsonl, settings.session()))))
}

#[napi]
pub struct TranscriptReader(capture::TranscriptReader);

#[napi]
impl TranscriptReader {
    #[napi(constructor)]
    pub fn new(path: String, settings: TranscriptSettings, state: Option<String>) -> Result<Self, Failure> {
        guarded(|| {
            let (path, session) = (Path::new(&path), settings.session());
            let reader = match state {
                None => capture::TranscriptReader::new(path, session),
                Some(state) => capture::TranscriptReader::resume(path, session, &state)
                    .map_err(|error| argument_failure("state", error))?,
            };
            Ok(TranscriptReader(reader))
        })
    }

    #[napi]
    pub fn read(&mut self, most: Option<f64>) -> Result<CapturedEvents, Failure> {
        guarded(|| {
            let captured = self.0.read(most.map(|most| most as usize))?;
            Ok(CapturedEvents(captured))
        })
    }

    #[napi]
    pub fn state(&self) -> Result<String, Failure> {
        guarded(|| Ok(self.0.state()))
    }

    #[napi(getter)]
    pub fn offset(&self) -> Result<f64, Failure> {
        guarded(|| Ok(self.0.offset() as f64))
    }
}

/// What a caller adds to a hook's payload.
#[napi(object)]
pub struct HookSettings {
    /// Empty: there is none.
    pub home_dir: Option<String>,
    pub redact: bool,
    #[napi(ts_type = "(string | null | undefined)[]")]
    pub attributes: Attributes,
    pub received_at_ms: f64,
}

/// A hook whose payload has been read; its events are captured in a second step, when its session's state is known.
#[napi]
pub struct ClaimedHook(Hook);

#[napi]
impl ClaimedHook {
    #[napi(constructor)]
    pub fn new(agent: String, hook_input: String) -> Result<Self, Failure> {
        guarded(|| Ok(ClaimedHook(Hook::parse(&agent, hook_input.as_bytes())?)))
    }

    #[napi]
    pub fn capture(&self, settings: HookSettings, state: Option<String>) -> Result<HookResult, Failure> {
        guarded(|| {
            let setting = HookSetting {
                home: home(settings.home_dir),
                redact: settings.redact,
                attributes: attributes(&settings.attributes),
                received_at_ms: settings.received_at_ms as i64,
            };
            let (captured, state) = self.0.capture(setting, state.as_deref())?;
            Ok(HookResult {
                captured: Some(captured),
                state,
            })
        })
    }

    /// Locks the state that is kept for the hook's session.
    #[napi]
    pub fn lock(&self, home_dir: Option<String>) -> Result<StoredState, Failure> {
        guarded(|| {
            let expected = "expected a folder to keep the state in, found none";
            let home = home(home_dir).ok_or_else(|| argument_failure("options.homeDir", expected))?;
            let locked = self.0.lock(&Store::in_home(&home))?;
            Ok(StoredState { locked: Some(locked) })
        })
    }
}

/// What a hook gave.
#[napi]
pub struct HookResult {
    captured: Option<Captured>,
    state: String,
}

#[napi]
impl HookResult {
    /// The events, once.
    #[napi]
    pub fn events(&mut self) -> Result<CapturedEvents, Failure> {
        guarded(|| Ok(CapturedEvents(self.captured.take().unwrap_or_default())))
    }

    #[napi(getter)]
    pub fn state(&self) -> Result<&str, Failure> {
        guarded(|| Ok(self.state.as_str()))
    }
}

/// The state that is kept for a session, locked until `unlock`.
#[napi]
pub struct StoredState {
    locked: Option<Locked>,
}

#[napi]
impl StoredState {
    #[napi]
    pub fn load(&self) -> Result<Option<String>, Failure> {
        self.with(Locked::load)
    }

    #[napi]
    pub fn save(&self, state: String) -> Result<(), Failure> {
        self.with(|locked| locked.save(&state))
    }

    #[napi]
    pub fn unlock(&mut self) -> Result<(), Failure> {
        guarded(|| {
            self.locked = None;
            Ok(())
        })
    }
}

impl StoredState {
    fn with<T>(&self, action: impl FnOnce(&Locked) -> Result<T, FileError>) -> Result<T, Failure> {
        guarded(|| {
            let Some(locked) = &self.locked else {
                return Err(failure(
                    Code::INTERNAL,
                    "the state's lock has been let go of".to_owned(),
                ));
            };
            Ok(action(locked)?)
        })
    }
}

/// The file of a skill.
#[napi(object)]
pub struct SkillFile {
    pub path: String,
    pub mtime_ms: f64,
    pub hash: String,
}

#[napi]
pub fn resolve_skill_file(name: String, cwd: String, home_dir: Option<String>) -> Result<Option<SkillFile>, Failure> {
    guarded(|| {
        let file = skill::resolve_skill_file(&name, Some(Path::new(&cwd)), home(home_dir).as_deref());
        Ok(file.map(|file| SkillFile {
            path: file.path.to_string_lossy().into_owned(),
            mtime_ms: file.mtime_ms as f64,
            hash: file.hash,
        }))
    })
}
