//! Opening files whose paths come from outside: never blocking, never following where it must not.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a regular file to read. A FIFO in its place doesn't block, it is an error.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    open_regular_with(File::options().read(true), path)
}

/// The same with other options. To write, ask to read too: else a FIFO that nobody reads is just "no such device".
pub fn open_regular_with(options: &mut OpenOptions, path: &Path) -> io::Result<(File, Metadata)> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    checked(options.open(path)?)
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
