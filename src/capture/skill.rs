//! The file behind a skill. A skill's name comes from a model's output and may be anything.

use super::source::open::checked;
use crate::identity::content_hash;
use crate::wire::PromptEventValues;
use crate::wire::json::Cursor;
use crate::wire::table::MAX_SAFE_INTEGER;
use bumpalo::Bump;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A larger file is no skill's, and is not read.
const LARGEST_FILE: u64 = 1 << 20;

/// What file systems take as one name.
const LONGEST_NAME_BYTES: usize = 255;

/// The file that a skill comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkillFile {
    /// Absolute.
    pub path: PathBuf,
    /// When it was last changed, in unix milliseconds.
    pub mtime_ms: u64,
    /// 16 hex of the SHA-256 of its bytes.
    pub hash: String,
}

impl SkillFile {
    pub(super) fn describe(self, values: &mut PromptEventValues) {
        values.skill_file_path = Some(Some(self.path.to_string_lossy().into_owned()));
        values.skill_file_mtime = Some(Some(self.mtime_ms));
        values.skill_file_hash = Some(Some(self.hash));
    }
}

/// The file of the skill `name`: the first that can be read of `SKILL.md` in the skill's folder and `<name>.md`, in the
/// project's skills and then in the user's own. What can't be read there is as if it weren't there.
pub fn resolve_skill_file(name: &str, cwd: Option<&Path>, home: Option<&Path>) -> Option<SkillFile> {
    if !is_plain_name(name) {
        return None;
    }
    let bases = [cwd, home].into_iter().flatten();
    bases
        .filter(|base| !base.as_os_str().is_empty())
        .filter_map(|base| std::path::absolute(base).ok())
        .map(|base| base.join(".claude").join("skills"))
        .flat_map(|skills| {
            let in_folder = Path::new(name).join("SKILL.md");
            [in_folder, PathBuf::from(format!("{name}.md"))].map(|file| (skills.clone(), file))
        })
        .find_map(|(skills, file)| read_skill(&skills, &file).ok())
}

/// Whether `name` can only be the name of something right in a folder.
fn is_plain_name(name: &str) -> bool {
    let is_none = name.is_empty() || name == "." || name.len() + ".md".len() > LONGEST_NAME_BYTES;
    // A colon stands in a plugin's skill, which has no file in these places; to Windows it means another stream.
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

/// Reads the file at `file` in the folder `skills`. Links are followed as long as they stay in that folder.
fn read_skill(skills: &Path, file: &Path) -> io::Result<SkillFile> {
    let path = skills.join(file);
    let folder = fs::canonicalize(skills)?;
    let target = fs::canonicalize(&path)?;
    let inside = target.strip_prefix(&folder).map_err(|_| out_of_folder())?;
    let (file, metadata) = open_inside(&folder, inside)?;
    let bytes = read_unchanging(&file, &metadata)?;
    Ok(SkillFile {
        path,
        mtime_ms: mtime_ms(&metadata)?,
        hash: content_hash(&bytes),
    })
}

fn out_of_folder() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "leads out of the skills folder")
}

/// Opens the file at `inside` in `folder`, step by step and following no link: what was no link a moment ago may have
/// become one.
#[cfg(unix)]
fn open_inside(folder: &Path, inside: &Path) -> io::Result<(File, Metadata)> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use std::path::Component;
    let common = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut opened = openat(CWD, folder, common | OFlags::DIRECTORY, Mode::empty())?;
    for component in inside.components() {
        let Component::Normal(name) = component else {
            return Err(out_of_folder());
        };
        opened = openat(&opened, name, common | OFlags::NOFOLLOW, Mode::empty())?;
    }
    checked(File::from(opened))
}

#[cfg(not(unix))]
fn open_inside(folder: &Path, inside: &Path) -> io::Result<(File, Metadata)> {
    checked(File::open(folder.join(inside))?)
}

/// A time before 1970 can't be told, and a file without a time is no skill file.
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

/// The bytes that the open file had at the time that `metadata` tells.
fn read_unchanging(mut file: &File, metadata: &Metadata) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if metadata.len() <= LARGEST_FILE {
        // One more, to see a file that has grown meanwhile.
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

/// A file that is about to be written anew is empty with its old time for as long as the system is cutting it. Linux doesn't
/// say where its data is before it has done so. What it says doesn't matter.
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

/// The members of a JSON object under these keys, as far as they are strings.
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
