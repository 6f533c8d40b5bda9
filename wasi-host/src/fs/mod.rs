//! The guest's file system: a tree in memory that dies with the task.
//!
//! It behaves as the file system of a native host (Linux below a folder that
//! paths can't leave), so that a guest can't tell where it runs: the same
//! error numbers, open files that outlive their names, hard and symbolic
//! links. [`FileSystem::used`] never passes the limit, whatever a guest does.

mod data;
mod names;
mod node;
mod path;
mod tree;

pub use names::Open;
pub use node::{Inode, Stat};
pub use tree::{FileEntry, Listed, Listing, PopulateError};

use super::types::{Errno, Filetype};
use node::{Content, Kind, Node, Times};

/// What an inode counts for besides its data: about what it takes in memory.
pub const INODE_COST: u64 = 128;
/// What a directory entry counts for, whatever its name: about what the
/// longest takes, so that a rename never changes the sum.
pub const ENTRY_COST: u64 = 320;
/// What a directory tells as its size, as most file systems do.
const DIRECTORY_SIZE: u64 = 4096;

/// A tree of files, directories and symbolic links.
#[derive(Debug)]
pub struct FileSystem {
    nodes: Vec<Node>,
    free: Vec<Inode>,
    used: u64,
    limit: u64,
    /// The number that the next inode shows to the guest; never used twice.
    next_number: u64,
}

impl FileSystem {
    /// The root directory.
    pub const ROOT: Inode = Inode(0);

    /// An empty root that may grow to `limit` bytes.
    #[must_use]
    pub fn new(limit: u64, now: u64) -> Self {
        let root = Node::new(Kind::directory(Self::ROOT), 1, now);
        Self {
            nodes: vec![root],
            free: Vec::new(),
            used: 0,
            limit,
            next_number: 2,
        }
    }

    /// Bytes that count against the limit.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used
    }

    /// What kind of thing this is.
    #[must_use]
    pub fn filetype(&self, inode: Inode) -> Filetype {
        match self.node(inode).kind {
            Kind::File(_) => Filetype::RegularFile,
            Kind::Directory { .. } => Filetype::Directory,
            Kind::Symlink(_) => Filetype::SymbolicLink,
        }
    }

    /// Attributes, as `stat` gives them.
    #[must_use]
    pub fn stat(&self, inode: Inode) -> Stat {
        let node = self.node(inode);
        let (size, links) = match &node.kind {
            Kind::File(content) => (content.len(), node.links),
            Kind::Symlink(target) => (target.len() as u64, node.links),
            Kind::Directory { entries, .. } => {
                // A directory is linked by its name, its own ".", and the
                // ".." of each directory in it.
                let directories = entries.values().filter(|entry| self.is_directory(**entry));
                let links = match node.links {
                    0 => 0,
                    _ => 2 + directories.count() as u64,
                };
                (DIRECTORY_SIZE, links)
            }
        };
        Stat {
            number: node.number,
            filetype: self.filetype(inode),
            links,
            size,
            accessed: node.times.accessed,
            modified: node.times.modified,
            changed: node.times.changed,
        }
    }

    /// Sets the times that are given.
    pub fn set_times(
        &mut self,
        inode: Inode,
        accessed: Option<u64>,
        modified: Option<u64>,
        now: u64,
    ) {
        let times = &mut self.node_mut(inode).times;
        if accessed.is_some() || modified.is_some() {
            times.changed = now;
        }
        times.accessed = accessed.unwrap_or(times.accessed);
        times.modified = modified.unwrap_or(times.modified);
    }

    /// Counts one more descriptor that keeps the inode alive.
    pub fn retain(&mut self, inode: Inode) {
        self.node_mut(inode).opens += 1;
    }

    /// Counts one descriptor less.
    pub fn release(&mut self, inode: Inode) {
        let node = self.node_mut(inode);
        node.opens = node.opens.saturating_sub(1);
        self.reap(inode);
    }

    fn node(&self, inode: Inode) -> &Node {
        &self.nodes[inode.0 as usize]
    }

    fn node_mut(&mut self, inode: Inode) -> &mut Node {
        &mut self.nodes[inode.0 as usize]
    }

    fn is_directory(&self, inode: Inode) -> bool {
        matches!(self.node(inode).kind, Kind::Directory { .. })
    }

    /// Room for so many bytes, or the error for a full disk.
    fn charge(&mut self, bytes: u64) -> Result<(), Errno> {
        if bytes > self.room() {
            return Err(Errno::Nospc);
        }
        self.used += bytes;
        Ok(())
    }

    fn refund(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    fn room(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Makes an inode that nothing refers to yet; its cost must be charged.
    fn allocate(&mut self, kind: Kind, now: u64) -> Inode {
        let node = Node::new(kind, self.next_number, now);
        self.next_number += 1;
        if let Some(inode) = self.free.pop() {
            *self.node_mut(inode) = node;
            return inode;
        }
        // Each inode costs at least INODE_COST: 2^32 don't fit in any memory.
        let inode = Inode(self.nodes.len() as u32);
        self.nodes.push(node);
        inode
    }

    /// Frees the inode if neither a name nor a descriptor refers to it.
    fn reap(&mut self, inode: Inode) {
        let node = self.node_mut(inode);
        if node.links > 0 || node.opens > 0 || inode == Self::ROOT || node.reaped {
            return;
        }
        node.reaped = true;
        let kind = std::mem::replace(&mut node.kind, Kind::File(Content::empty()));
        self.refund(INODE_COST + kind.bytes());
        self.free.push(inode);
    }

    /// Notes a change of the data, which is one of the inode too.
    fn touch(&mut self, inode: Inode, now: u64) {
        let Times {
            modified, changed, ..
        } = &mut self.node_mut(inode).times;
        *modified = now;
        *changed = now;
    }
}

#[cfg(test)]
mod names_tests;

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: Open = Open {
        write: true,
        create: true,
        ..Open::READ
    };

    #[test]
    fn an_open_file_outlives_its_name_and_then_frees_its_room() {
        let mut fs = FileSystem::new(10_000, 1);
        let file = fs.open(FileSystem::ROOT, "a", CREATE, 2).expect("room");
        fs.retain(file);
        assert_eq!(fs.write(file, 0, b"12345", 3), Ok(5));
        assert_eq!(fs.used(), INODE_COST + ENTRY_COST + 5);
        fs.unlink(FileSystem::ROOT, "a", 4).expect("is there");
        assert_eq!(fs.stat(file).links, 0);
        assert_eq!(fs.read(file, 1, 2), Ok(&b"23"[..]));
        assert_eq!(fs.used(), INODE_COST + 5);
        fs.release(file);
        assert_eq!(fs.used(), 0);
    }

    #[test]
    fn inode_numbers_are_never_used_twice() {
        let mut fs = FileSystem::new(10_000, 1);
        let first = fs.open(FileSystem::ROOT, "a", CREATE, 2).expect("room");
        let number = fs.stat(first).number;
        fs.unlink(FileSystem::ROOT, "a", 3).expect("is there");
        let second = fs.open(FileSystem::ROOT, "a", CREATE, 4).expect("room");
        assert_eq!(first, second);
        assert_ne!(fs.stat(second).number, number);
    }

    #[test]
    fn directories_count_their_links() {
        let mut fs = FileSystem::new(10_000, 1);
        let root = FileSystem::ROOT;
        fs.create_directory(root, "d", 1).expect("room");
        fs.create_directory(root, "d/e", 1).expect("room");
        fs.open(root, "d/f", CREATE, 1).expect("room");
        let d = fs.lookup(root, "d", true).expect("is there");
        assert_eq!(fs.stat(d).links, 3);
        assert_eq!(fs.stat(d).filetype, Filetype::Directory);
    }

    #[test]
    fn times_change_when_they_should() {
        let mut fs = FileSystem::new(10_000, 1);
        let file = fs.open(FileSystem::ROOT, "a", CREATE, 2).expect("room");
        fs.write(file, 0, b"x", 3).expect("room");
        let stat = fs.stat(file);
        assert_eq!((stat.accessed, stat.modified, stat.changed), (2, 3, 3));
        fs.set_times(file, Some(10), None, 4);
        let stat = fs.stat(file);
        assert_eq!((stat.accessed, stat.modified, stat.changed), (10, 3, 4));
        fs.set_times(file, None, None, 5);
        assert_eq!(fs.stat(file).changed, 4);
        assert_eq!(fs.stat(FileSystem::ROOT).modified, 2);
    }

    #[test]
    fn the_limit_holds_for_names_too() {
        let mut fs = FileSystem::new(2 * (INODE_COST + ENTRY_COST), 1);
        let root = FileSystem::ROOT;
        fs.open(root, "a", CREATE, 1).expect("room");
        fs.create_directory(root, "b", 1).expect("room");
        assert_eq!(fs.open(root, "c", CREATE, 1), Err(Errno::Nospc));
        assert_eq!(fs.create_directory(root, "c", 1), Err(Errno::Nospc));
        assert_eq!(fs.symlink("a", root, "c", 1), Err(Errno::Nospc));
        assert_eq!(fs.link(root, "a", root, "c", 1), Err(Errno::Nospc));
        fs.remove_directory(root, "b", 1).expect("empty");
        fs.link(root, "a", root, "c", 1).expect("room");
    }
}
