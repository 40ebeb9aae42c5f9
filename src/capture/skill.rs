//! Finds a skill's file. A skill's name comes from a model's output, so it may be hostile.

use super::source::open::open_checked;
use crate::identity::content_hash;
use crate::wire::PromptEventValues;
use crate::wire::json::Cursor;
use crate::wire::table::MAX_SAFE_INTEGER;
use bumpalo::Bump;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// A larger file isn't a skill's and isn't read.
const LARGEST_FILE: u64 = 1 << 20;

/// The longest name that file systems take.
const LONGEST_NAME_BYTES: usize = 255;

/// How many folders above the agent's are searched for the git root.
const MOST_PARENTS: usize = 64;

/// How many marketplaces, and how many versions of a plugin, are searched.
const MOST_ENTRIES: usize = 256;

/// The file that a skill comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillFile {
    /// Absolute.
    pub path: PathBuf,
    /// Its version, unless the file is on another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<SkillVersion>,
}

/// The version of a skill's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillVersion {
    /// When it was last changed, in unix milliseconds.
    pub mtime_ms: u64,
    /// 16 hex of the SHA-256 of its bytes.
    pub hash: String,
}

impl SkillFile {
    pub(super) fn describe(self, values: &mut PromptEventValues) {
        values.skill_file_path = Some(Some(self.path.to_string_lossy().into_owned()));
        if let Some(SkillVersion { mtime_ms, hash }) = self.version {
            values.skill_file_mtime = Some(Some(mtime_ms));
            values.skill_file_hash = Some(Some(hash));
        }
    }

    /// Whether this can be the result of reading a file. It may come from a damaged state.
    pub(super) fn is_sound(&self) -> bool {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_version = |version: &SkillVersion| {
            version.mtime_ms <= MAX_SAFE_INTEGER && version.hash.len() == 16 && version.hash.bytes().all(is_hex)
        };
        self.path.is_absolute() && self.version.as_ref().is_some_and(is_version)
    }
}

/// Where skills are searched.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `.claude` folders of the project, the nearest first.
    projects: Vec<PathBuf>,
    /// The user's own.
    own: Vec<PathBuf>,
}

impl Places {
    /// The places of an agent that works in `cwd`. `config` is the agent's own folder, if it isn't in the home
    /// directory.
    pub fn new(cwd: Option<&Path>, home: Option<&Path>, config: Option<&Path>) -> Places {
        let in_home = home.map(|home| home.join(".claude"));
        let own = [config.map(Path::to_owned), in_home];
        let own = own
            .into_iter()
            .flatten()
            .filter_map(|folder| std::path::absolute(folder).ok());
        Places {
            projects: projects(cwd, home),
            own: own.collect(),
        }
    }

    /// A further project's places, without the user's own.
    pub(super) fn of_project(cwd: &Path, home: Option<&Path>) -> Places {
        Places {
            projects: projects(Some(cwd), home),
            own: Vec::new(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        self.projects.iter().chain(&self.own).map(PathBuf::as_path)
    }
}

/// The `.claude` folders of `cwd` and of the folders above it, up to the git root and never above the home directory.
/// Outside of a repository only `cwd` has one.
fn projects(cwd: Option<&Path>, home: Option<&Path>) -> Vec<PathBuf> {
    let Some(cwd) = cwd.filter(|cwd| !cwd.as_os_str().is_empty()) else {
        return Vec::new();
    };
    let Ok(mut cwd) = std::path::absolute(cwd) else {
        return Vec::new();
    };
    if cwd.components().any(|component| component == Component::ParentDir) {
        // What is above such a path is seen only once it is resolved.
        cwd = fs::canonicalize(&cwd).unwrap_or(cwd);
    }
    let home = home.and_then(|home| std::path::absolute(home).ok());
    let mut folders = Vec::new();
    for folder in cwd.ancestors().take(MOST_PARENTS) {
        folders.push(folder.join(".claude"));
        if fs::symlink_metadata(folder.join(".git")).is_ok() {
            return folders;
        }
        if home.as_deref() == Some(folder) {
            break;
        }
    }
    folders.truncate(1);
    folders
}

/// The file of the skill or command `name`: the first that can be read. A file that can't be read counts as absent.
///
/// First come skills (`SKILL.md` in the skill's folder, then `<name>.md`) of the project and of the user, then those of
/// plugins and the plugins' commands, then the user's own commands.
pub fn resolve_skill_file(name: &str, places: &Places) -> Option<SkillFile> {
    if !is_skill_name(name) {
        return None;
    }
    let parts: Vec<&str> = name.split(':').collect();
    if let [name] = parts[..] {
        let file = format!("{name}.md");
        let skills = places.all().map(|folder| folder.join("skills"));
        let mut files = skills.flat_map(|skills| [skills.join(name).join("SKILL.md"), skills.join(&file)]);
        let commands = || places.all().map(|folder| folder.join("commands").join(&file));
        return files
            .find_map(|path| read_skill(&path).ok())
            .or_else(|| commands().find_map(|path| read_skill(&path).ok()));
    }
    let [group, name] = parts[..] else {
        return None;
    };
    let file = format!("{name}.md");
    let plugins = places.own.iter().flat_map(|folder| plugin_versions(folder, group));
    let mut of_plugins = plugins.flat_map(|plugin| {
        let skill = plugin.join("skills").join(name).join("SKILL.md");
        [skill, plugin.join("commands").join(&file)]
    });
    let mut commands = places
        .all()
        .map(|folder| folder.join("commands").join(group).join(&file));
    of_plugins
        .find_map(|path| read_skill(&path).ok())
        .or_else(|| commands.find_map(|path| read_skill(&path).ok()))
}

/// Whether `name` can be a skill's: a plain name, or two with a colon between them.
pub(super) fn is_skill_name(name: &str) -> bool {
    name.split(':').count() <= 2 && name.split(':').all(is_plain_name)
}

/// The path of a file in a folder, on whichever system the folder is.
pub(super) fn in_folder(folder: &str, file: &str) -> String {
    let is_of_windows = folder.contains('\\') && !folder.starts_with('/');
    let separator = if is_of_windows { '\\' } else { '/' };
    format!("{}{separator}{file}", folder.trim_end_matches(separator))
}

/// The skill's file at a path that the agent itself has named.
pub(super) fn skill_file_at(path: &Path) -> Option<SkillFile> {
    let goes_up = path.components().any(|component| component == Component::ParentDir);
    (path.is_absolute() && !goes_up).then(|| read_skill(path).ok())?
}

/// The same on another machine, whose files can't be read and whose system may be another.
pub(super) fn remote_skill_file_at(path: &str) -> Option<SkillFile> {
    const LONGEST_PATH_BYTES: usize = 4096;
    let is_absolute = match path.as_bytes() {
        [b'/', ..] => true,
        [drive, b':', b'/' | b'\\', ..] => drive.is_ascii_alphabetic(),
        [b'\\', b'\\', ..] => true,
        _ => false,
    };
    let goes_up = path.split(['/', '\\']).any(|part| part == "..");
    let is_plain = path.len() <= LONGEST_PATH_BYTES && !path.contains(char::is_control);
    (is_absolute && !goes_up && is_plain && path.ends_with(".md")).then(|| SkillFile {
        path: PathBuf::from(path),
        version: None,
    })
}

/// The folders of a plugin's versions in the agent's folder, the newest first.
fn plugin_versions(config: &Path, plugin: &str) -> Vec<PathBuf> {
    let marketplaces = entries(&config.join("plugins").join("cache"));
    let mut versions: Vec<PathBuf> = marketplaces
        .into_iter()
        .flat_map(|marketplace| entries(&marketplace.join(plugin)))
        .collect();
    versions.sort_by_cached_key(|version| Reverse(age_key(version)));
    versions
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.take(MOST_ENTRIES).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Orders versions: those with numbers by these, a pre-release before its release, and all others, such as hashes,
/// before them and by the time of their folder.
fn age_key(version: &Path) -> (Vec<u64>, bool, Option<SystemTime>) {
    let name = version.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let name = name.strip_prefix('v').unwrap_or(name);
    let (release, pre_release) = match name.split_once('-') {
        Some((release, _)) => (release, true),
        None => (name, false),
    };
    let numbers: Option<Vec<u64>> = release.split('.').map(|part| part.parse().ok()).collect();
    let changed = fs::metadata(version).and_then(|folder| folder.modified()).ok();
    (numbers.unwrap_or_default(), !pre_release, changed)
}

/// Whether `name` can only be the name of something right in a folder.
fn is_plain_name(name: &str) -> bool {
    let is_none = name.is_empty() || name == "." || name.len() + ".md".len() > LONGEST_NAME_BYTES;
    // A colon separates names, and to Windows it means another stream.
    let has_other = name.contains(['/', '\\', ':']) || name.contains("..") || name.contains(char::is_control);
    let is_reserved = cfg!(windows) && is_device(name);
    !(is_none || has_other || is_reserved)
}

/// Whether Windows takes the name for a device, whatever the extension, or changes it.
pub(super) fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let numbered = |prefix: &str| {
        let rest = stem
            .get(..prefix.len())
            .filter(|start| start.eq_ignore_ascii_case(prefix));
        rest.is_some() && stem.chars().count() == prefix.len() + 1
    };
    let is_reserved = ["con", "prn", "aux", "nul"]
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device));
    is_reserved || numbered("com") || numbered("lpt") || name.ends_with(['.', ' '])
}

/// Reads the file at `path`. Follows links, but only to a file that is named like a skill's. So a cloned repository's
/// `x.md -> ~/.ssh/id_rsa` isn't read. The check applies to the opened file, so swapping links in between has no
/// effect.
fn read_skill(path: &Path) -> io::Result<SkillFile> {
    let (file, metadata) = open_checked(path, |name| {
        let name = name.as_encoded_bytes();
        name == b"SKILL.md" || name.ends_with(b".md")
    })?;
    let bytes = read_unchanging(&file, &metadata)?;
    Ok(SkillFile {
        path: path.to_owned(),
        version: Some(SkillVersion {
            mtime_ms: mtime_ms(&metadata)?,
            hash: content_hash(&bytes),
        }),
    })
}

/// Returns the file's time. An event can't hold a time before 1970, so such a file doesn't count as a skill file.
fn mtime_ms(metadata: &Metadata) -> io::Result<u64> {
    let since = metadata
        .modified()?
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(io::Error::other)?;
    u64::try_from(since.as_millis())
        .ok()
        .filter(|ms| *ms <= MAX_SAFE_INTEGER)
        .ok_or_else(|| io::Error::other("a time too far in the future"))
}

/// The bytes that the open file had at the time in `metadata`.
fn read_unchanging(mut file: &File, metadata: &Metadata) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if metadata.len() <= LARGEST_FILE {
        // One byte more, to detect a file that has grown meanwhile.
        file.by_ref().take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    }
    if bytes.is_empty() {
        wait_for_truncation(file);
    }
    let after = file.metadata()?;
    let lengths = [bytes.len() as u64, after.len()];
    if lengths != [metadata.len(); 2] || after.modified()? != metadata.modified()? {
        return Err(io::Error::other("too large for a skill file, or being written"));
    }
    Ok(bytes)
}

/// A file that is about to be rewritten is empty, with its old time, while the system truncates it. Linux doesn't
/// answer where its data is before it has finished. The answer doesn't matter.
#[cfg(target_os = "linux")]
fn wait_for_truncation(file: &File) {
    let _ = rustix::fs::seek(file, rustix::fs::SeekFrom::Data(0));
}

#[cfg(not(target_os = "linux"))]
fn wait_for_truncation(_: &File) {
    std::thread::sleep(std::time::Duration::from_millis(10));
}

/// The skill that a call's input names: under `skill`, else `command`, `name` or `skill_name`.
pub fn skill_name(input: &[u8]) -> Option<String> {
    let mut names = texts_at(input, [b"skill", b"command", b"name", b"skill_name"])?;
    if let Some(command) = &mut names[1] {
        let line = command.strip_prefix('/').unwrap_or(command);
        *command = line.split(' ').next().unwrap_or_default().to_owned();
    }
    names.into_iter().flatten().find(|name| !name.is_empty())
}

/// The members of a JSON object under these keys that are strings.
fn texts_at<const N: usize>(object: &[u8], keys: [&[u8]; N]) -> Option<[Option<String>; N]> {
    let arena = Bump::new();
    let mut texts = [const { None }; N];
    let mut cursor = Cursor::new(object, &arena).ok()?;
    let mut more = cursor.open_object().ok()?;
    while more {
        let key = cursor.key().ok()?;
        let text = match cursor.peek() {
            Some(b'"') => Some(cursor.string().ok()?.to_str().into_owned()),
            _ => {
                cursor.skip_value().ok()?;
                None
            }
        };
        if let Some(place) = keys.iter().position(|name| key.bytes() == *name) {
            texts[place] = text;
        }
        more = cursor.next_member().ok()?;
    }
    Some(texts)
}
