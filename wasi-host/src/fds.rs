//! The guest's descriptors.

use std::collections::BTreeSet;

use wasipool_shared::limits::GUEST_DESCRIPTORS_MAX;

use super::fs::{Inode, Listing};
use super::types::{Errno, Stream};

/// What a descriptor refers to.
#[derive(Debug)]
pub(crate) enum Descriptor {
    Stdin,
    Output(Stream),
    File(OpenFile),
    Directory(OpenDirectory),
}

#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) inode: Inode,
    pub(crate) position: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) append: bool,
    /// Kept only to be told again: nothing here ever blocks.
    pub(crate) nonblock: bool,
}

#[derive(Debug)]
pub(crate) struct OpenDirectory {
    pub(crate) inode: Inode,
    /// The root, which the guest starts with.
    pub(crate) preopen: bool,
    /// What was in it when its reading began, so that a guest can remove what
    /// it reads without missing anything.
    pub(crate) listing: Option<Listing>,
}

/// The descriptor table. Numbers are given out as native hosts do it: the
/// highest that was closed, else the next that was never used.
#[derive(Debug)]
pub(crate) struct Descriptors {
    table: Vec<Option<Descriptor>>,
    free: BTreeSet<u32>,
}

impl Descriptors {
    /// The three standard streams, and the root as descriptor 3.
    pub(crate) fn new(root: Inode) -> Self {
        let root = OpenDirectory {
            inode: root,
            preopen: true,
            listing: None,
        };
        Self {
            table: vec![
                Some(Descriptor::Stdin),
                Some(Descriptor::Output(Stream::Stdout)),
                Some(Descriptor::Output(Stream::Stderr)),
                Some(Descriptor::Directory(root)),
            ],
            free: BTreeSet::new(),
        }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        let slot = self.table.get(fd as usize);
        slot.and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        let slot = self.table.get_mut(fd as usize);
        slot.and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// The open file of this number, or the error for anything else.
    pub(crate) fn file(&self, fd: u32) -> Result<&OpenFile, Errno> {
        match self.get(fd)? {
            Descriptor::File(file) => Ok(file),
            _ => Err(Errno::Badf),
        }
    }

    pub(crate) fn file_mut(&mut self, fd: u32) -> Result<&mut OpenFile, Errno> {
        match self.get_mut(fd)? {
            Descriptor::File(file) => Ok(file),
            _ => Err(Errno::Badf),
        }
    }

    /// The file of this number if one can seek in it.
    pub(crate) fn seekable(&mut self, fd: u32) -> Result<&mut OpenFile, Errno> {
        match self.get_mut(fd)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Stdin | Descriptor::Output(_) => Err(Errno::Spipe),
            Descriptor::Directory(_) => Err(Errno::Badf),
        }
    }

    pub(crate) fn directory(&self, fd: u32) -> Result<Inode, Errno> {
        match self.get(fd)? {
            Descriptor::Directory(directory) => Ok(directory.inode),
            _ => Err(Errno::Badf),
        }
    }

    pub(crate) fn directory_mut(&mut self, fd: u32) -> Result<&mut OpenDirectory, Errno> {
        match self.get_mut(fd)? {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Badf),
        }
    }

    /// The inode behind a file or directory.
    pub(crate) fn inode(&self, fd: u32) -> Result<Inode, Errno> {
        match self.get(fd)? {
            Descriptor::File(file) => Ok(file.inode),
            Descriptor::Directory(directory) => Ok(directory.inode),
            Descriptor::Stdin | Descriptor::Output(_) => Err(Errno::Badf),
        }
    }

    /// Whether one more can be opened; asked before anything is created.
    pub(crate) fn check_room(&self) -> Result<(), Errno> {
        if self.free.is_empty() && self.table.len() >= GUEST_DESCRIPTORS_MAX {
            return Err(Errno::Mfile);
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_room()?;
        if let Some(fd) = self.free.pop_last() {
            self.table[fd as usize] = Some(descriptor);
            return Ok(fd);
        }
        self.table.push(Some(descriptor));
        Ok(self.table.len() as u32 - 1)
    }

    /// The highest open number.
    pub(crate) fn last(&self) -> Option<u32> {
        let last = self.table.iter().rposition(Option::is_some);
        last.map(|fd| fd as u32)
    }

    /// Closes a descriptor and says what it was.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let slot = self.table.get_mut(fd as usize);
        let descriptor = slot.and_then(Option::take).ok_or(Errno::Badf)?;
        self.free.insert(fd);
        Ok(descriptor)
    }

    /// Moves a descriptor to another open number and says what was there.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Descriptor>, Errno> {
        self.get(to)?;
        self.get(from)?;
        if from == to {
            return Ok(None);
        }
        let moved = self.remove(from)?;
        Ok(self.table[to as usize].replace(moved))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fs::FileSystem;
    use super::*;

    fn file() -> Descriptor {
        Descriptor::File(OpenFile {
            inode: FileSystem::ROOT,
            position: 0,
            readable: true,
            writable: true,
            append: false,
            nonblock: false,
        })
    }

    #[test]
    fn numbers_are_used_again_highest_first() {
        let mut fds = Descriptors::new(FileSystem::ROOT);
        assert_eq!(fds.push(file()), Ok(4));
        assert_eq!(fds.push(file()), Ok(5));
        assert!(fds.remove(0).is_ok());
        assert!(fds.remove(4).is_ok());
        assert_eq!(fds.push(file()), Ok(4));
        assert_eq!(fds.push(file()), Ok(0));
        assert_eq!(fds.push(file()), Ok(6));
        assert!(matches!(fds.remove(7), Err(Errno::Badf)));
        assert!(matches!(fds.remove(u32::MAX), Err(Errno::Badf)));
    }

    #[test]
    fn renumber_moves_onto_open_numbers_only() {
        let mut fds = Descriptors::new(FileSystem::ROOT);
        assert_eq!(fds.push(file()), Ok(4));
        assert!(matches!(fds.renumber(4, 9), Err(Errno::Badf)));
        assert!(matches!(fds.renumber(9, 4), Err(Errno::Badf)));
        assert!(matches!(fds.renumber(4, 4), Ok(None)));
        let replaced = fds.renumber(4, 1);
        assert!(matches!(
            replaced,
            Ok(Some(Descriptor::Output(Stream::Stdout)))
        ));
        assert!(fds.file(1).is_ok());
        assert!(fds.get(4).is_err());
        assert_eq!(fds.push(file()), Ok(4));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut fds = Descriptors::new(FileSystem::ROOT);
        while fds.push(file()).is_ok() {}
        assert_eq!(fds.push(file()), Err(Errno::Mfile));
        assert!(fds.remove(7).is_ok());
        assert_eq!(fds.push(file()), Ok(7));
    }
}
