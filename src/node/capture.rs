//! Capture for `lib/capture.js`. Events cross as cells like those of a batch; see `BatchDecoder::captured`.

use super::error::{Failure, argument_failure, guarded};
use crate::capture::agents::{self, Agent};
use crate::capture::hook::{Hook, HookError, HookSetting};
use crate::capture::store::{Locked, Store};
use crate::capture::{self, Captured, Links, Session, skill};
use crate::wire::EventAttributes;
use crate::wire::slots::{Slot, Slots, Text};
use crate::wire::table::Record;
use napi::bindgen_prelude::{Either, Either3, Null, Undefined};
use napi_derive::napi;
use std::path::{Path, PathBuf};

/// Events that JavaScript hasn't received yet.
#[napi]
#[derive(Default)]
pub struct CapturedEvents {
    pub(super) captured: Captured,
    /// For each event, the agent's own id of the record that it comes from.
    sources: Vec<Option<String>>,
    /// For a hook: the state for the session's next hook.
    state: String,
    /// For a hook whose state is stored: its file, locked.
    kept: Option<Locked>,
}

impl From<Captured> for CapturedEvents {
    fn from(mut captured: Captured) -> CapturedEvents {
        let sources = captured.events.iter_mut().map(|event| event.source.take());
        CapturedEvents {
            sources: sources.collect(),
            captured,
            ..CapturedEvents::default()
        }
    }
}

#[napi]
impl CapturedEvents {
    #[napi(getter)]
    pub fn state(&self) -> Result<&str, Failure> {
        guarded(|| Ok(self.state.as_str()))
    }

    /// For each event, the agent's own id of the record that it comes from.
    #[napi]
    pub fn sources(&self) -> Result<Vec<Either<&str, Null>>, Failure> {
        guarded(|| Ok(texts_or_nulls(&self.sources)))
    }

    /// Saves the stored state and unlocks its file.
    #[napi]
    pub fn save(&mut self) -> Result<(), Failure> {
        guarded(|| Ok(self.kept.take().map_or(Ok(()), |kept| kept.save(&self.state))?))
    }

    /// Unlocks the stored state's file without saving.
    #[napi]
    pub fn abandon(&mut self) -> Result<(), Failure> {
        guarded(|| {
            self.kept = None;
            Ok(())
        })
    }
}

/// One value per attribute, in the order of the table.
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

/// The caller's options for a transcript.
#[napi(object)]
pub struct TranscriptSettings {
    pub session_id: String,
    pub cwd: Option<String>,
    /// Empty means none.
    pub home_dir: Option<String>,
    /// The agent's own folder. Empty means the one in the home directory.
    pub config_dir: Option<String>,
    pub redact: bool,
    pub follow_links: bool,
    #[napi(ts_type = "(string | null | undefined)[]")]
    pub attributes: Attributes,
}

impl TranscriptSettings {
    fn session(self, agent: &Agent) -> Session {
        Session {
            cwd: self.cwd.map(PathBuf::from),
            home: home(self.home_dir),
            redact: self.redact,
            config: config(self.config_dir),
            links: if self.follow_links {
                Links::Followed
            } else {
                Links::Refused
            },
            ..Session::new(agent.name, &self.session_id, attributes(&self.attributes))
        }
    }
}

/// Returns the caller's home directory, else the user's.
fn home(said: Option<String>) -> Option<PathBuf> {
    said.map_or_else(dirs::home_dir, |said| Some(PathBuf::from(said)))
        .filter(|home| !home.as_os_str().is_empty())
}

/// Returns the agent's own folder, if the caller names one.
fn config(said: Option<String>) -> Option<PathBuf> {
    said.filter(|said| !said.is_empty()).map(PathBuf::from)
}

/// Returns the agent with this name. Fails unless its session files can be read.
fn agent(name: &str) -> Result<&'static Agent, Failure> {
    agents::find(name).ok_or_else(|| {
        let known: Vec<&str> = agents::ALL.iter().map(|agent| agent.name).collect();
        argument_failure("agent", format!("expected one of {}, found {name:?}", known.join(", ")))
    })
}

#[napi]
pub fn parse_transcript(name: String, bytes: &[u8], settings: TranscriptSettings) -> Result<CapturedEvents, Failure> {
    guarded(|| {
        let agent = agent(&name)?;
        Ok(capture::parse_transcript(agent, bytes, settings.session(agent)).into())
    })
}

/// Whose transcript it is.
#[napi(object)]
pub struct TranscriptOrigin {
    pub agent: String,
    pub session_id: Option<String>,
}

#[napi]
pub fn identify_transcript(head: &[u8]) -> Result<Option<TranscriptOrigin>, Failure> {
    guarded(|| {
        Ok(agents::identify(head).map(|(agent, origin)| TranscriptOrigin {
            agent: agent.name.to_owned(),
            session_id: origin.session_id,
        }))
    })
}

#[napi]
pub struct TranscriptReader {
    /// `None` once it was closed.
    reader: Option<capture::TranscriptReader>,
    /// The sources of the events that the last `read` returned.
    sources: Vec<Option<String>>,
}

#[napi]
impl TranscriptReader {
    #[napi(constructor)]
    pub fn new(
        name: String,
        path: String,
        settings: TranscriptSettings,
        state: Option<String>,
    ) -> Result<Self, Failure> {
        guarded(|| {
            let agent = agent(&name)?;
            let (path, session) = (Path::new(&path), settings.session(agent));
            let reader = match state {
                None => capture::TranscriptReader::new(agent, path, session),
                Some(state) => capture::TranscriptReader::resume(agent, path, session, &state)
                    .map_err(|error| argument_failure("state", error))?,
            };
            Ok(TranscriptReader {
                reader: Some(reader),
                sources: Vec::new(),
            })
        })
    }

    #[napi]
    pub fn read(&mut self, most: Option<f64>) -> Result<CapturedEvents, Failure> {
        guarded(|| {
            let reader = self.reader.as_mut().ok_or_else(closed)?;
            let captured = reader.read(most.map(|most| most as usize))?;
            Ok(self.give(captured))
        })
    }

    #[napi]
    pub fn take(&mut self, records: &[u8]) -> Result<CapturedEvents, Failure> {
        guarded(|| {
            let captured = self.reader.as_mut().ok_or_else(closed)?.take(records);
            Ok(self.give(captured))
        })
    }

    fn give(&mut self, captured: Captured) -> CapturedEvents {
        let mut events = CapturedEvents::from(captured);
        self.sources = std::mem::take(&mut events.sources);
        events
    }

    /// For each event of the last `read` or `take`, the agent's own id of the record that it comes from.
    #[napi]
    pub fn sources(&self) -> Result<Vec<Either<&str, Null>>, Failure> {
        guarded(|| Ok(texts_or_nulls(&self.sources)))
    }

    #[napi]
    pub fn state(&self) -> Result<String, Failure> {
        guarded(|| Ok(self.reader.as_ref().ok_or_else(closed)?.state()))
    }

    #[napi(getter)]
    pub fn offset(&self) -> Result<f64, Failure> {
        guarded(|| Ok(self.reader.as_ref().ok_or_else(closed)?.offset() as f64))
    }

    /// Frees what the reader holds: Node would do so at some later collection, since it sees only a small object.
    #[napi]
    pub fn close(&mut self) -> Result<(), Failure> {
        guarded(|| {
            self.reader = None;
            self.sources = Vec::new();
            Ok(())
        })
    }
}

fn texts_or_nulls(texts: &[Option<String>]) -> Vec<Either<&str, Null>> {
    let texts = texts.iter().map(|text| match text {
        Some(text) => Either::A(text.as_str()),
        None => Either::B(Null),
    });
    texts.collect()
}

fn closed() -> Failure {
    argument_failure("reader", "expected an open one, found one that was closed")
}

/// The caller's options for a hook.
#[napi(object)]
pub struct HookSettings {
    /// Empty means none.
    pub home_dir: Option<String>,
    pub redact: bool,
    /// The hook's name, for payloads that don't hold it.
    pub event: Option<String>,
    /// The agent's own folder. Empty means the one in the home directory.
    pub config_dir: Option<String>,
    #[napi(ts_type = "(string | null | undefined)[]")]
    pub attributes: Attributes,
    pub received_at_ms: f64,
}

impl HookSettings {
    fn setting(&self) -> HookSetting {
        HookSetting {
            home: home(self.home_dir.clone()),
            redact: self.redact,
            config: config(self.config_dir.clone()),
            attributes: attributes(&self.attributes),
            received_at_ms: self.received_at_ms as i64,
        }
    }
}

#[napi]
pub fn capture_hook(
    agent: String,
    hook_input: String,
    settings: HookSettings,
    state: Option<String>,
) -> Result<CapturedEvents, Failure> {
    guarded(|| {
        let hook = Hook::parse(&agent, hook_input.as_bytes(), settings.event.as_deref())?;
        let (captured, state) = hook.capture(settings.setting(), state.as_deref())?;
        Ok(CapturedEvents {
            state,
            ..captured.into()
        })
    })
}

/// Captures a hook with its stored state. The state's file stays locked until `save` or `abandon`.
#[napi]
pub fn capture_stored_hook(
    agent: String,
    hook_input: String,
    settings: HookSettings,
) -> Result<CapturedEvents, Failure> {
    guarded(|| {
        let hook = Hook::parse(&agent, hook_input.as_bytes(), settings.event.as_deref())?;
        let setting = settings.setting();
        let expected = "expected a folder to keep the state in, found none";
        let home = setting.home.as_deref();
        let home = home.ok_or_else(|| argument_failure("options.homeDir", expected))?;
        let kept = hook.lock(&Store::in_home(home))?;
        let (captured, state) = match hook.capture(setting.clone(), kept.load()?.as_deref()) {
            // A damaged file must not block the session's hooks forever. Without it, earlier events are emitted again.
            Err(HookError::State(_)) => hook.capture(setting, None)?,
            captured => captured?,
        };
        Ok(CapturedEvents {
            state,
            kept: Some(kept),
            ..captured.into()
        })
    })
}

/// A skill's file.
#[napi(object)]
pub struct SkillFile {
    pub path: String,
    pub mtime_ms: f64,
    pub hash: String,
}

#[napi]
pub fn resolve_skill_file(
    name: String,
    cwd: String,
    home_dir: Option<String>,
    config_dir: Option<String>,
) -> Result<Option<SkillFile>, Failure> {
    guarded(|| {
        let (home, config) = (home(home_dir), config(config_dir));
        let places = skill::Places::new(Some(Path::new(&cwd)), home.as_deref(), config.as_deref());
        let file = skill::resolve_skill_file(&name, &places);
        Ok(file.and_then(|file| {
            let version = file.version?;
            Some(SkillFile {
                path: file.path.to_string_lossy().into_owned(),
                mtime_ms: version.mtime_ms as f64,
                hash: version.hash,
            })
        }))
    })
}
