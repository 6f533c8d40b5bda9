//! Calls that work on names: open, create, link, rename, remove.
//!
//! The order of the checks matters, because it decides which error a guest
//! gets when several hold; it is the order of Linux below a native host.

use super::super::types::Errno;
use super::node::{Content, Kind};
use super::path::{check_names, check_no_zeros, strip_slashes};
use super::{ENTRY_COST, FileSystem, INODE_COST, Inode};

/// How to open a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Follow a symbolic link at the end.
    pub follow: bool,
    /// The descriptor will write, so a directory won't do.
    pub write: bool,
    /// Make the file if it doesn't exist.
    pub create: bool,
    /// With `create`: fail if it exists.
    pub exclusive: bool,
    /// Cut the file to nothing.
    pub truncate: bool,
    /// Only a directory will do.
    pub directory: bool,
}

impl Open {
    /// For reading what exists.
    pub const READ: Self = Self {
        follow: true,
        write: false,
        create: false,
        exclusive: false,
        truncate: false,
        directory: false,
    };
}

impl FileSystem {
    /// Opens a path. The caller must [retain](FileSystem::retain) the inode
    /// if it keeps it.
    ///
    /// # Errors
    /// As `openat` fails.
    pub fn open(&mut self, start: Inode, path: &str, how: Open, now: u64) -> Result<Inode, Errno> {
        let exclusive = how.create && how.exclusive;
        if how.create && path.ends_with('/') {
            // No file has such a name, wherever a link of this name leads.
            let (_, name) = self.parent(start, strip_slashes(path))?;
            if name != "." {
                return Err(Errno::Isdir);
            }
        }
        let found = self.walk(start, path, how.follow && !exclusive)?;
        if how.create && found.slash && found.name.is_some() {
            return Err(Errno::Isdir);
        }
        let Some(inode) = found.inode else {
            return match found.name {
                Some(name) if how.create => {
                    self.create(found.parent, &name, Kind::File(Content::empty()), now)
                }
                _ => Err(Errno::Noent),
            };
        };
        if exclusive {
            return Err(Errno::Exist);
        }
        match &self.node(inode).kind {
            Kind::Symlink(_) => Err(Errno::Loop),
            Kind::Directory { .. } if how.create || how.write || how.truncate => Err(Errno::Isdir),
            Kind::File(_) if found.slash || how.directory => Err(Errno::Notdir),
            Kind::File(_) => {
                if how.truncate {
                    self.set_size(inode, 0, now)?;
                }
                Ok(inode)
            }
            Kind::Directory { .. } => Ok(inode),
        }
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As `mkdirat` fails.
    pub fn create_directory(&mut self, start: Inode, path: &str, now: u64) -> Result<(), Errno> {
        let (parent, name) = self.parent(start, strip_slashes(path))?;
        self.check_new(parent, name)?;
        self.create(parent, name, Kind::directory(parent), now)?;
        Ok(())
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As `symlinkat` fails, and for an absolute target, which could be
    /// followed nowhere.
    pub fn symlink(
        &mut self,
        target: &str,
        start: Inode,
        path: &str,
        now: u64,
    ) -> Result<(), Errno> {
        if target.starts_with('/') {
            return Err(Errno::Perm);
        }
        let (parent, name) = self.parent(start, path)?;
        check_names([target, name])?;
        self.check_new(parent, name)?;
        self.create(parent, name, Kind::Symlink(target.into()), now)?;
        Ok(())
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// As `readlinkat` fails.
    pub fn read_link(&self, start: Inode, path: &str) -> Result<&str, Errno> {
        let (parent, name) = self.parent(start, path)?;
        if name == "." {
            return Err(Errno::Inval);
        }
        let inode = self.entry(parent, name)?.ok_or(Errno::Noent)?;
        match &self.node(inode).kind {
            Kind::Symlink(target) if target.starts_with('/') => Err(Errno::Perm),
            Kind::Symlink(target) => Ok(target),
            Kind::File(_) | Kind::Directory { .. } => Err(Errno::Inval),
        }
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// As `linkat` fails.
    pub fn link(
        &mut self,
        old_start: Inode,
        old_path: &str,
        new_start: Inode,
        new_path: &str,
        now: u64,
    ) -> Result<(), Errno> {
        let (old_parent, old_name) = self.parent(old_start, old_path)?;
        let (new_parent, new_name) = self.parent(new_start, new_path)?;
        check_no_zeros([old_name, new_name])?;
        let inode = match old_name {
            "." => old_parent,
            _ => self.entry(old_parent, old_name)?.ok_or(Errno::Noent)?,
        };
        self.check_new(new_parent, new_name)?;
        if self.is_directory(inode) {
            return Err(Errno::Perm);
        }
        self.charge(ENTRY_COST)?;
        let node = self.node_mut(inode);
        node.links += 1;
        node.times.changed = now;
        self.insert(new_parent, new_name.into(), inode, now);
        Ok(())
    }

    /// Removes the name of something that isn't a directory.
    ///
    /// # Errors
    /// As `unlinkat` fails.
    pub fn unlink(&mut self, start: Inode, path: &str, now: u64) -> Result<(), Errno> {
        let (parent, name) = self.parent(start, path)?;
        if name == "." {
            return Err(Errno::Isdir);
        }
        let inode = self.entry(parent, name)?.ok_or(Errno::Noent)?;
        if self.is_directory(inode) {
            return Err(Errno::Isdir);
        }
        self.remove(parent, name, now);
        self.drop_link(inode, now);
        Ok(())
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As `unlinkat` with `AT_REMOVEDIR` fails.
    pub fn remove_directory(&mut self, start: Inode, path: &str, now: u64) -> Result<(), Errno> {
        let (parent, name) = self.parent(start, strip_slashes(path))?;
        if name == "." {
            return Err(Errno::Inval);
        }
        let inode = self.entry(parent, name)?.ok_or(Errno::Noent)?;
        match &self.node(inode).kind {
            Kind::Directory { entries, .. } if entries.is_empty() => {}
            Kind::Directory { .. } => return Err(Errno::Notempty),
            Kind::File(_) | Kind::Symlink(_) => return Err(Errno::Notdir),
        }
        self.remove(parent, name, now);
        self.drop_link(inode, now);
        Ok(())
    }

    /// Moves a name, replacing what has the new one.
    ///
    /// # Errors
    /// As `renameat` fails.
    pub fn rename(
        &mut self,
        old_start: Inode,
        old_path: &str,
        new_start: Inode,
        new_path: &str,
        now: u64,
    ) -> Result<(), Errno> {
        let slash = old_path.ends_with('/') || new_path.ends_with('/');
        let (old_parent, old_name) = self.parent(old_start, strip_slashes(old_path))?;
        let (new_parent, new_name) = self.parent(new_start, strip_slashes(new_path))?;
        check_names([old_name, new_name])?;
        if old_name == "." || new_name == "." {
            return Err(Errno::Busy);
        }
        let inode = self.entry(old_parent, old_name)?.ok_or(Errno::Noent)?;
        let replaced = self.entry(new_parent, new_name)?;
        let moves_directory = self.is_directory(inode);
        if slash && !moves_directory {
            return Err(Errno::Notdir);
        }
        // Before the walk up: only a linked directory has ancestors to trust.
        if !self.is_linked(new_parent) {
            return Err(Errno::Noent);
        }
        if moves_directory && self.is_below(new_parent, inode) {
            return Err(Errno::Inval);
        }
        if let Some(replaced) = replaced {
            if replaced == inode {
                return Ok(());
            }
            self.check_replaced(replaced, moves_directory, old_parent)?;
            self.remove(new_parent, new_name, now);
            self.drop_link(replaced, now);
        }
        self.remove(old_parent, old_name, now);
        self.node_mut(inode).times.changed = now;
        if let Kind::Directory { parent, .. } = &mut self.node_mut(inode).kind {
            *parent = new_parent;
        }
        // The room of the old entry was just freed.
        self.used += ENTRY_COST;
        self.insert(new_parent, new_name.into(), inode, now);
        Ok(())
    }

    fn check_replaced(
        &self,
        replaced: Inode,
        by_directory: bool,
        old_parent: Inode,
    ) -> Result<(), Errno> {
        // What holds the source can't be empty, whatever the source is.
        if self.is_directory(replaced) && self.is_below(old_parent, replaced) {
            return Err(Errno::Notempty);
        }
        match &self.node(replaced).kind {
            Kind::Directory { .. } if !by_directory => Err(Errno::Isdir),
            Kind::Directory { entries, .. } if !entries.is_empty() => Err(Errno::Notempty),
            Kind::File(_) | Kind::Symlink(_) if by_directory => Err(Errno::Notdir),
            Kind::Directory { .. } | Kind::File(_) | Kind::Symlink(_) => Ok(()),
        }
    }

    /// Whether a directory is another one or somewhere below it.
    fn is_below(&self, mut directory: Inode, above: Inode) -> bool {
        loop {
            if directory == above {
                return true;
            }
            match &self.node(directory).kind {
                Kind::Directory { parent, .. } if directory != Self::ROOT => directory = *parent,
                _ => return false,
            }
        }
    }

    /// A removed directory that is still open takes no new names.
    fn is_linked(&self, directory: Inode) -> bool {
        self.node(directory).links > 0
    }

    /// Whether a new name can be made here.
    fn check_new(&self, parent: Inode, name: &str) -> Result<(), Errno> {
        if name == "." || self.entry(parent, name)?.is_some() {
            return Err(Errno::Exist);
        }
        if self.is_linked(parent) {
            Ok(())
        } else {
            Err(Errno::Noent)
        }
    }

    /// Makes a new inode with its first name.
    pub(super) fn create(
        &mut self,
        parent: Inode,
        name: &str,
        kind: Kind,
        now: u64,
    ) -> Result<Inode, Errno> {
        if !self.is_linked(parent) {
            return Err(Errno::Noent);
        }
        self.charge(INODE_COST + ENTRY_COST + kind.bytes())?;
        let inode = self.allocate(kind, now);
        self.insert(parent, name.into(), inode, now);
        Ok(inode)
    }

    fn insert(&mut self, parent: Inode, name: Box<str>, inode: Inode, now: u64) {
        if let Kind::Directory { entries, .. } = &mut self.node_mut(parent).kind {
            entries.insert(name, inode);
        }
        self.touch(parent, now);
    }

    fn remove(&mut self, parent: Inode, name: &str, now: u64) {
        if let Kind::Directory { entries, .. } = &mut self.node_mut(parent).kind {
            entries.remove(name);
        }
        self.refund(ENTRY_COST);
        self.touch(parent, now);
    }

    fn drop_link(&mut self, inode: Inode, now: u64) {
        let node = self.node_mut(inode);
        node.links = node.links.saturating_sub(1);
        node.times.changed = now;
        self.reap(inode);
    }
}
