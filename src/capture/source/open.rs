//! Opening files whose paths come from outside: never blocking, never following where it must not.

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
    /// What the system said.
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

/// Opens a regular file to read. A FIFO in its place doesn't block, it is an error.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    with_flags(&mut options, rustix::fs::OFlags::empty());
    checked(options.open(path)?)
}

/// Opens a file of our own as `options` say, where a link is an error too: it could lead anywhere. To write, ask to read too,
/// else a FIFO that nobody reads is just "no such device".
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

/// The file with its metadata, if it is a regular one.
pub fn checked(file: File) -> io::Result<(File, Metadata)> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else if metadata.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}
