//! Opens files with untrusted paths. Never blocks, and never follows a link where it must not.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A call that the system refused, and the file or folder it was for.
#[derive(Debug)]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// The call that it refused, such as `open`, by the name that Node gives it.
    pub syscall: &'static str,
    /// The system's error.
    pub error: io::Error,
}

/// Turns an error of the system into one that names the file.
pub(in crate::capture) fn at(path: &Path, syscall: &'static str) -> impl FnOnce(io::Error) -> FileError {
    move |error| FileError {
        path: path.to_owned(),
        syscall,
        error,
    }
}

/// What to do where a path is a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// Opens the file that it leads to.
    #[default]
    Followed,
    /// It is an error. Windows follows it.
    Refused,
}

/// Opens a regular file to read. A FIFO in its place is an error and doesn't block.
pub fn open_regular(path: &Path, links: Links) -> io::Result<(File, Metadata)> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    with_flags(
        &mut options,
        match links {
            Links::Followed => rustix::fs::OFlags::empty(),
            Links::Refused => rustix::fs::OFlags::NOFOLLOW,
        },
    );
    #[cfg(not(unix))]
    let _ = links;
    checked(options.open(path)?)
}

/// Opens a file of our own with `options`. A link is an error, because it could lead to any file. Set `read` even if
/// you only write, or a FIFO without a reader fails with the wrong error, "no such device".
pub fn open_own(options: &mut OpenOptions, path: &Path) -> io::Result<(File, Metadata)> {
    #[cfg(unix)]
    with_flags(options, rustix::fs::OFlags::NOFOLLOW);
    checked(options.open(path)?)
}

#[cfg(unix)]
fn with_flags(options: &mut OpenOptions, more: rustix::fs::OFlags) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | more;
    options.custom_flags(flags.bits().cast_signed());
}

/// Opens a regular file to read. Follows links if `is_right` accepts the name of the file that they lead to. Opens
/// nothing else, and checks the opened file itself.
#[cfg(target_os = "linux")]
pub fn open_checked(path: &Path, is_right: impl Fn(&OsStr) -> bool) -> io::Result<(File, Metadata)> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use std::os::fd::AsRawFd;
    // A place in the file system, through which nothing can be read yet.
    let place = File::from(openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?);
    let (place, _) = checked(place)?;
    let of_place = PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()));
    if !std::fs::read_link(&of_place)?.file_name().is_some_and(is_right) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // This is the same file, even if `path` leads elsewhere by now.
    open_regular(&of_place, Links::Followed)
}

/// The same where the system can't open a place: the path of the opened file is compared with it.
#[cfg(not(target_os = "linux"))]
pub fn open_checked(path: &Path, is_right: impl Fn(&OsStr) -> bool) -> io::Result<(File, Metadata)> {
    let target = std::fs::canonicalize(path)?;
    if !target.file_name().is_some_and(is_right) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    open_unlinked(&target)
}

/// Opens a regular file step by step, following no link: an element of `path` may have become one.
#[cfg(all(unix, not(target_os = "linux")))]
fn open_unlinked(path: &Path) -> io::Result<(File, Metadata)> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use std::path::Component;
    let common = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut opened = openat(CWD, "/", common | OFlags::DIRECTORY, Mode::empty())?;
    for component in path.components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => opened = openat(&opened, name, common | OFlags::NOFOLLOW, Mode::empty())?,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    checked(File::from(opened))
}

#[cfg(not(unix))]
fn open_unlinked(path: &Path) -> io::Result<(File, Metadata)> {
    checked(File::open(path)?)
}

/// The file with its metadata, if it is a regular one.
fn checked(file: File) -> io::Result<(File, Metadata)> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else if metadata.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}
