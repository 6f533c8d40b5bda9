//! Inodes: what the names of the tree refer to.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::types::Filetype;

/// A handle of an inode. It stays valid as long as a name or a
/// [retained](super::FileSystem::retain) descriptor refers to the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inode(pub(super) u32);

/// Attributes of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The inode's number as the guest sees it.
    pub number: u64,
    /// What it is.
    pub filetype: Filetype,
    /// How many names refer to it.
    pub links: u64,
    /// Bytes of data.
    pub size: u64,
    /// Time of the last access that was set.
    pub accessed: u64,
    /// Time of the last change of the data.
    pub modified: u64,
    /// Time of the last change of the data or the attributes.
    pub changed: u64,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) number: u64,
    /// Names that refer to the inode.
    pub(super) links: u64,
    /// Descriptors that refer to the inode.
    pub(super) opens: u32,
    pub(super) reaped: bool,
    pub(super) times: Times,
}

#[derive(Debug)]
pub(super) struct Times {
    pub(super) accessed: u64,
    pub(super) modified: u64,
    pub(super) changed: u64,
}

#[derive(Debug)]
pub(super) enum Kind {
    File(Content),
    Directory {
        entries: BTreeMap<Box<str>, Inode>,
        parent: Inode,
    },
    Symlink(Box<str>),
}

impl Kind {
    pub(super) fn directory(parent: Inode) -> Self {
        Self::Directory {
            entries: BTreeMap::new(),
            parent,
        }
    }

    /// Bytes that it holds besides the inode itself.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::File(content) => content.len(),
            Self::Symlink(target) => target.len() as u64,
            Self::Directory { .. } => 0,
        }
    }
}

impl Node {
    pub(super) fn new(kind: Kind, number: u64, now: u64) -> Self {
        Self {
            kind,
            number,
            links: 1,
            opens: 0,
            reaped: false,
            times: Times {
                accessed: now,
                modified: now,
                changed: now,
            },
        }
    }
}

/// The data of a file. Files that the task came with stay shared with whoever
/// holds them until the guest writes to them.
#[derive(Debug)]
pub(super) enum Content {
    Shared(Bytes),
    Owned(Vec<u8>),
}

impl Content {
    pub(super) fn empty() -> Self {
        Self::Owned(Vec::new())
    }

    pub(super) fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    pub(super) fn to_mut(&mut self) -> &mut Vec<u8> {
        if let Self::Shared(bytes) = self {
            *self = Self::Owned(Vec::from(std::mem::take(bytes)));
        }
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(_) => unreachable!("it was made owned above"),
        }
    }

    /// The data, without a copy, for whoever wants it after the run.
    pub(super) fn share(&mut self) -> Bytes {
        let bytes = match self {
            Self::Shared(bytes) => bytes.clone(),
            Self::Owned(bytes) => Bytes::from(std::mem::take(bytes)),
        };
        *self = Self::Shared(bytes.clone());
        bytes
    }
}
