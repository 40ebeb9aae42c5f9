//! Stores the states of hook sessions, one per file. Each hook is a process of its own, and the next one continues from
//! the state.

use super::skill::is_device;
use super::source::open::{FileError, Links, at, open_own, open_regular};
use crate::identity::prompt_id;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a hook waits for another one of its session. The agent waits for the hook, so this must be short.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

const LONGEST_PLAIN_NAME: usize = 80;

/// A state has about 20 characters per call. A larger file isn't a state and isn't read.
const LARGEST_STATE: u64 = 64 << 20;

/// The folder of states, `<home>/.git-ai/internal/prompt-events/`.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// One session's state, locked. Dropping it releases the lock.
#[derive(Debug)]
pub struct Locked {
    path: PathBuf,
    /// Closing it releases the lock, as does the end of the process.
    _lock: File,
}

impl Store {
    /// The store in this home directory. Its folders are created when they are first needed.
    pub fn in_home(home: &Path) -> Store {
        let folder = home.join(".git-ai").join("internal").join("prompt-events");
        Store { folder }
    }

    /// Waits until no other hook has the session's state.
    pub fn lock(&self, agent: &str, session_id: &str) -> Result<Locked, FileError> {
        self.make_folder().map_err(at(&self.folder, "mkdir"))?;
        let path = self.folder.join(file_name(agent, session_id));
        // The lock has a file of its own, because the state's file is replaced.
        let lock_path = path.with_extension("lock");
        let lock = wait_for_lock(&lock_path)?;
        Ok(Locked { path, _lock: lock })
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut folder = fs::DirBuilder::new();
        // Names of its files contain the sessions' ids, so only the user may list them.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.recursive(true).create(&self.folder)
    }
}

fn wait_for_lock(path: &Path) -> Result<File, FileError> {
    let (lock, _) = open_own(
        private(File::options().read(true).write(true).create(true).truncate(false)),
        path,
    )
    .map_err(at(path, "open"))?;
    let deadline = Instant::now() + LONGEST_WAIT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(at(path, "flock")(error)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                let message = "another hook of the session has held its lock for 10 s";
                let timed_out = io::Error::new(io::ErrorKind::TimedOut, message);
                return Err(at(path, "flock")(timed_out));
            }
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(2)),
        }
    }
}

impl Locked {
    /// Reads the last saved state, if there is one.
    pub fn load(&self) -> Result<Option<String>, FileError> {
        let (file, metadata) = match open_regular(&self.path, Links::Followed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(at(&self.path, "open"))?,
        };
        if metadata.len() > LARGEST_STATE {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        let read = file.take(LARGEST_STATE).read_to_end(&mut bytes);
        read.map_err(at(&self.path, "read"))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Replaces the state. A crash in the middle leaves the old one or the new one.
    pub fn save(&self, state: &str) -> Result<(), FileError> {
        // Under the lock nobody else writes this file, so an existing one was left by a crash.
        let new = self.path.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&new, "unlink")(error)),
            _ => {}
        }
        let write = || {
            let mut file = private(File::options().write(true).create_new(true))
                .open(&new)
                .map_err(at(&new, "open"))?;
            file.write_all(state.as_bytes()).map_err(at(&new, "write"))?;
            file.sync_all().map_err(at(&new, "fsync"))
        };
        // If the disk is full, this file must not take up its space.
        write().inspect_err(|_| drop(fs::remove_file(&new)))?;
        fs::rename(&new, &self.path).map_err(at(&self.path, "rename"))
    }
}

/// A state describes the user's work, so nobody else may read it.
fn private(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Returns `<agent>.<session id>.json`, a name that the deployed client doesn't use. An id is hashed unless it is a
/// plain file name, because it is input and could lead to any path. Names with capitals aren't plain, since some
/// systems ignore case, and neither are names of Windows devices.
fn file_name(agent: &str, session_id: &str) -> String {
    let is_plain = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        !name.is_empty() && name.len() <= LONGEST_PLAIN_NAME && name.bytes().all(is_plain)
    };
    if is_plain(agent) && is_plain(session_id) && !is_device(agent) {
        format!("{agent}.{session_id}.json")
    } else {
        format!("{}.json", prompt_id(agent, session_id))
    }
}
