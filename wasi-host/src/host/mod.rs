//! One guest's host: its state, and a method for each import.
//!
//! Every method takes the guest's memory and then the import's arguments, and
//! gives the error number that the guest gets, or the [`Halt`] that ends it.
//! The methods are grouped in files as their names are.

mod args;
mod clock;
mod fd;
mod fdstat;
mod open;
mod path;
mod poll;
mod readdir;
mod sock;
mod table;

use bytes::Bytes;

use super::fds::{Descriptor, Descriptors};
use super::fs::{FileEntry, FileSystem, PopulateError};
use super::halt::{BadCall, Halt, Step};
use super::types::Stream;
use super::world::World;

/// All that a guest starts with.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The arguments, with the program's own name in front.
    pub args: Vec<String>,
    /// The environment, in the order in which the guest gets it.
    pub env: Vec<(String, String)>,
    /// What stdin gives before its end.
    pub stdin: Bytes,
    /// What is below `/`.
    pub files: Vec<(String, FileEntry)>,
    /// How many bytes stdout and stderr may have, each.
    pub output_limit: u64,
    /// How large the file system may become, the files above included.
    pub fs_limit: u64,
}

/// What a guest leaves behind.
#[derive(Debug)]
pub struct Outputs {
    /// All that it wrote to stdout, up to the limit.
    pub stdout: Bytes,
    /// All that it wrote to stderr, up to the limit.
    pub stderr: Bytes,
    /// Its files; see [`FileSystem::collect_files`].
    pub fs: FileSystem,
}

/// The host of one guest.
#[derive(Debug)]
pub struct Host<W> {
    world: W,
    args: Strings,
    env: Strings,
    stdin: Bytes,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    output_limit: u64,
    fs: FileSystem,
    fds: Descriptors,
    /// What the guest's next reading of the monotonic clock is at least.
    next_ns: u64,
    /// For data that must be put together before it goes to the guest.
    scratch: Vec<u8>,
}

/// Strings as the guest gets them: each with a zero behind it.
#[derive(Debug, Default)]
struct Strings {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl Strings {
    fn push(&mut self, parts: &[&str]) {
        // Guests address 4 GiB: what is over it fails when it is copied.
        self.starts.push(self.bytes.len() as u32);
        for part in parts {
            self.bytes.extend_from_slice(part.as_bytes());
        }
        self.bytes.push(0);
    }
}

impl<W: World> Host<W> {
    /// A host for a guest that hasn't started.
    ///
    /// # Errors
    /// If the files don't make a tree, or are larger than the file system.
    pub fn new(config: Config, mut world: W) -> Result<Self, PopulateError> {
        let now = world.file_ns();
        let mut fs = FileSystem::new(config.fs_limit, now);
        fs.populate(config.files, now)?;
        let mut args = Strings::default();
        for arg in &config.args {
            args.push(&[arg]);
        }
        let mut env = Strings::default();
        for (name, value) in &config.env {
            env.push(&[name, "=", value]);
        }
        Ok(Self {
            world,
            args,
            env,
            stdin: config.stdin,
            stdout: Vec::new(),
            stderr: Vec::new(),
            output_limit: config.output_limit,
            fs,
            fds: Descriptors::new(FileSystem::ROOT),
            next_ns: 0,
            scratch: Vec::new(),
        })
    }

    /// What the guest has left when it has ended.
    #[must_use]
    pub fn into_outputs(mut self) -> Outputs {
        // Whatever is still open but has no name left is gone now.
        while let Some(fd) = self.fds.last() {
            if let Ok(closed) = self.fds.remove(fd) {
                self.closed(closed);
            }
        }
        Outputs {
            stdout: self.stdout.into(),
            stderr: self.stderr.into(),
            fs: self.fs,
        }
    }

    /// The world, for whoever lent it.
    pub fn world_mut(&mut self) -> &mut W {
        &mut self.world
    }

    /// Bytes that the guest's files take.
    #[must_use]
    pub fn files_bytes(&self) -> u64 {
        self.fs.used()
    }

    /// What was written to a stream so far.
    #[must_use]
    pub fn output(&self, stream: Stream) -> &[u8] {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    fn closed(&mut self, descriptor: Descriptor) {
        match descriptor {
            Descriptor::File(file) => self.fs.release(file.inode),
            Descriptor::Directory(directory) => {
                if let Some(listing) = directory.listing {
                    self.fs.drop_listing(listing);
                }
                self.fs.release(directory.inode);
            }
            Descriptor::Stdin | Descriptor::Output(_) => {}
        }
    }
}

/// A set of flags, if it has none that don't exist.
fn flags(value: u32, all: u16) -> Result<u16, Halt> {
    match u16::try_from(value) {
        Ok(value) if value & !all == 0 => Ok(value),
        _ => Err(Halt::Trap(BadCall::InvalidValue)),
    }
}

/// The number of an enum with so many members.
fn member(value: u32, count: u32) -> Result<u32, Halt> {
    if value < count {
        Ok(value)
    } else {
        Err(Halt::Trap(BadCall::InvalidValue))
    }
}

/// A set of rights, if it has none that don't exist.
fn rights(value: u64) -> Step<u64> {
    if value & !super::types::rights::ALL == 0 {
        Ok(value)
    } else {
        Err(BadCall::InvalidValue.into())
    }
}

#[cfg(test)]
mod test_support;
