//! Whole trees: the files that a task comes with, the listing of a directory,
//! and the files that are there at the end.

use bytes::Bytes;

use super::super::types::{Errno, Filetype};
use super::node::{Content, Kind};
use super::{ENTRY_COST, FileSystem, Inode};

/// Files with a longer path are out of reach for whoever names them by path.
const PATH_LIMIT: usize = 4096;

/// Something that is there when the guest starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEntry {
    /// A regular file.
    File(Bytes),
    /// A directory, for those that would be empty: parents come by themselves.
    Directory,
}

/// Why a task's files don't make a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PopulateError {
    /// The path is empty, leads out of the root, or can't be a name.
    #[error("{0:?} is not a path below the root")]
    Path(String),
    /// The path is there twice, or is both a file and a directory.
    #[error("{0:?} is there already")]
    Conflict(String),
    /// The files are larger than the file system.
    #[error("the files need more than the {0} bytes of the file system")]
    TooLarge(u64),
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name in the directory.
    pub name: Box<str>,
    /// The number of its inode.
    pub number: u64,
    /// What it is.
    pub filetype: Filetype,
}

/// What was in a directory when its reading began. It takes room as files do,
/// until it is [given back](FileSystem::drop_listing).
#[derive(Debug)]
#[must_use]
pub struct Listing {
    entries: Vec<Listed>,
    cost: u64,
}

impl Listing {
    /// The entries, by name, without `.` and `..`.
    #[must_use]
    pub fn entries(&self) -> &[Listed] {
        &self.entries
    }
}

impl FileSystem {
    /// Adds the files that a task comes with.
    ///
    /// # Errors
    /// If a path is none, is there twice, or if the limit is reached.
    pub fn populate(
        &mut self,
        files: impl IntoIterator<Item = (String, FileEntry)>,
        now: u64,
    ) -> Result<(), PopulateError> {
        for (path, entry) in files {
            self.add(&path, entry, now).map_err(|errno| match errno {
                Errno::Nospc => PopulateError::TooLarge(self.limit),
                Errno::Exist | Errno::Notdir => PopulateError::Conflict(path),
                _ => PopulateError::Path(path),
            })?;
        }
        Ok(())
    }

    fn add(&mut self, path: &str, entry: FileEntry, now: u64) -> Result<(), Errno> {
        let mut names = path
            .split('/')
            .filter(|name| !name.is_empty() && *name != ".")
            .peekable();
        let mut parent = Self::ROOT;
        let Some(mut name) = names.next() else {
            // The root itself is there.
            return match entry {
                FileEntry::Directory => Ok(()),
                FileEntry::File(_) => Err(Errno::Exist),
            };
        };
        for next in names {
            parent = self.add_directory(parent, name, now)?;
            name = next;
        }
        match entry {
            FileEntry::Directory => {
                self.add_directory(parent, name, now)?;
            }
            FileEntry::File(bytes) => {
                check_name(name)?;
                if self.entry(parent, name)?.is_some() {
                    return Err(Errno::Exist);
                }
                self.create(parent, name, Kind::File(Content::Shared(bytes)), now)?;
            }
        }
        Ok(())
    }

    fn add_directory(&mut self, parent: Inode, name: &str, now: u64) -> Result<Inode, Errno> {
        check_name(name)?;
        match self.entry(parent, name)? {
            Some(inode) if self.is_directory(inode) => Ok(inode),
            Some(_) => Err(Errno::Notdir),
            None => self.create(parent, name, Kind::directory(parent), now),
        }
    }

    /// What is in a directory, by name, without `.` and `..`.
    ///
    /// # Errors
    /// If it isn't a directory.
    pub fn list(&self, directory: Inode) -> Result<Vec<Listed>, Errno> {
        let Kind::Directory { entries, .. } = &self.node(directory).kind else {
            return Err(Errno::Notdir);
        };
        let listed = entries.iter().map(|(name, inode)| Listed {
            name: name.clone(),
            number: self.node(*inode).number,
            filetype: self.filetype(*inode),
        });
        Ok(listed.collect())
    }

    /// The same, to be kept: a guest may read many large directories at a time.
    ///
    /// # Errors
    /// If it isn't a directory, or there is no room.
    pub fn take_listing(&mut self, directory: Inode) -> Result<Listing, Errno> {
        let Kind::Directory { entries, .. } = &self.node(directory).kind else {
            return Err(Errno::Notdir);
        };
        let cost = entries.len() as u64 * ENTRY_COST;
        self.charge(cost).map_err(|_| Errno::Nomem)?;
        let entries = self.list(directory)?;
        Ok(Listing { entries, cost })
    }

    /// Frees the room of a listing.
    pub fn drop_listing(&mut self, listing: Listing) {
        // By value: what was given back can't be read or given back again.
        let Listing { cost, entries } = listing;
        drop(entries);
        self.refund(cost);
    }

    /// Whether a directory has this name now.
    #[must_use]
    pub fn has(&self, directory: Inode, name: &str) -> bool {
        matches!(self.entry(directory, name), Ok(Some(_)))
    }

    /// Takes the regular files that `wanted` says yes to, sorted by path (with
    /// `/` between names and none in front), without copying their data.
    /// `wanted` gets each path and size, in the same order, so that it can
    /// keep count. Symbolic links are not files, and are not followed.
    pub fn collect_files(
        &mut self,
        mut wanted: impl FnMut(&str, u64) -> bool,
    ) -> Vec<(String, Bytes)> {
        let mut found = Vec::new();
        let mut path = String::new();
        // One level for each directory on the way: what is left of it, last
        // first, and how long the path to it is. A guest can nest deeper than
        // any call stack.
        let mut levels = vec![(self.level(Self::ROOT), 0)];
        while let Some((left, base)) = levels.last_mut() {
            path.truncate(*base);
            let Some((name, inode)) = left.pop() else {
                levels.pop();
                continue;
            };
            path.push_str(&name);
            if path.len() >= PATH_LIMIT {
                continue;
            }
            match &mut self.node_mut(inode).kind {
                // The name of a directory comes with its slash.
                Kind::Directory { .. } => levels.push((self.level(inode), path.len())),
                Kind::File(content) => {
                    if wanted(&path, content.len()) {
                        found.push((path.clone(), content.share()));
                    }
                }
                Kind::Symlink(_) => {}
            }
        }
        found
    }

    /// The entries of a directory in reverse order. Directories have a slash
    /// at their names: so they sort as the paths below them do.
    fn level(&self, directory: Inode) -> Vec<(String, Inode)> {
        let mut level = match &self.node(directory).kind {
            Kind::Directory { entries, .. } => entries
                .iter()
                .map(|(name, inode)| {
                    let slash = if self.is_directory(*inode) { "/" } else { "" };
                    (format!("{name}{slash}"), *inode)
                })
                .collect(),
            Kind::File(_) | Kind::Symlink(_) => Vec::new(),
        };
        level.sort_by(|left, right| right.cmp(left));
        level
    }
}

fn check_name(name: &str) -> Result<(), Errno> {
    if name == ".." || name.contains('\0') || name.len() > 255 {
        return Err(Errno::Inval);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{INODE_COST, Open};
    use super::*;

    fn file(text: &'static str) -> FileEntry {
        FileEntry::File(Bytes::from_static(text.as_bytes()))
    }

    fn populate(files: &[(&str, FileEntry)]) -> Result<FileSystem, PopulateError> {
        let mut fs = FileSystem::new(1 << 20, 7);
        let files = files.iter().cloned();
        fs.populate(files.map(|(path, entry)| (path.to_owned(), entry)), 7)?;
        Ok(fs)
    }

    #[test]
    fn files_come_with_their_parents() {
        let fs = populate(&[
            ("/a/b/c.txt", file("c")),
            ("a/./b//d.txt", file("d")),
            ("empty", FileEntry::Directory),
            ("a", FileEntry::Directory),
            ("/", FileEntry::Directory),
        ]);
        let fs = fs.expect("a tree");
        let b = fs.lookup(FileSystem::ROOT, "a/b", true).expect("is there");
        let names: Vec<_> = fs.list(b).expect("a directory").into_iter().collect();
        assert_eq!(names.len(), 2);
        assert_eq!(&*names[0].name, "c.txt");
        let c = fs.lookup(b, "c.txt", true).expect("is there");
        assert_eq!(fs.read(c, 0, 9), Ok(&b"c"[..]));
        assert_eq!(fs.stat(c).modified, 7);
        assert!(fs.lookup(FileSystem::ROOT, "empty", true).is_ok());
    }

    #[test]
    fn files_that_make_no_tree_are_refused() {
        for (files, expected) in [
            (
                vec![("a", file("")), ("a", file(""))],
                "\"a\" is there already",
            ),
            (
                vec![("a", file("")), ("a/b", file(""))],
                "\"a/b\" is there already",
            ),
            (
                vec![("a/b", file("")), ("a", file(""))],
                "\"a\" is there already",
            ),
            (
                vec![("a/../b", file(""))],
                "\"a/../b\" is not a path below the root",
            ),
            (vec![("", file(""))], "\"\" is there already"),
        ] {
            let error = populate(&files).expect_err("refused");
            assert_eq!(error.to_string(), expected);
        }
        let mut fs = FileSystem::new(INODE_COST + ENTRY_COST + 3, 0);
        let result = fs.populate([("a".to_owned(), file("four"))], 0);
        assert!(matches!(result, Err(PopulateError::TooLarge(_))));
    }

    #[test]
    fn collected_files_are_sorted_by_their_whole_path() {
        let mut fs = populate(&[
            ("a/z", file("1")),
            ("a.txt", file("2")),
            ("a0", file("3")),
            ("b/c/d", file("4")),
        ])
        .expect("a tree");
        let root = FileSystem::ROOT;
        fs.symlink("a.txt", root, "link", 0).expect("new");
        fs.link(root, "a.txt", root, "hard", 0).expect("new");
        let files = fs.collect_files(|path, size| size == 1 && path != "a0");
        let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a.txt", "a/z", "b/c/d", "hard"]);
        assert!(paths.is_sorted());
        assert_eq!(files[3].1, "2");
    }

    #[test]
    fn listings_take_room_until_they_are_given_back() {
        let mut fs = FileSystem::new(2 * (INODE_COST + ENTRY_COST) + 3 * ENTRY_COST, 0);
        let files = [("a", file("")), ("b", file(""))];
        let files = files.map(|(path, entry)| (path.to_owned(), entry));
        fs.populate(files, 0).expect("room");
        let used = fs.used();
        let listing = fs.take_listing(FileSystem::ROOT).expect("room");
        assert_eq!(listing.entries().len(), 2);
        let second = fs.take_listing(FileSystem::ROOT);
        assert!(matches!(second, Err(Errno::Nomem)));
        fs.drop_listing(listing);
        assert_eq!(fs.used(), used);
        assert!(fs.has(FileSystem::ROOT, "a") && !fs.has(FileSystem::ROOT, "c"));
    }

    #[test]
    fn deep_trees_are_walked_but_not_named() {
        let mut fs = FileSystem::new(u64::MAX, 0);
        let mut here = FileSystem::ROOT;
        for _ in 0..50_000 {
            fs.create_directory(here, "d", 0).expect("room");
            here = fs.lookup(here, "d", true).expect("is there");
        }
        let open = Open {
            write: true,
            create: true,
            ..Open::READ
        };
        fs.open(here, "f", open, 0).expect("room");
        fs.open(FileSystem::ROOT, "f", open, 0).expect("room");
        assert_eq!(fs.collect_files(|_, _| true).len(), 1);
    }

    #[test]
    fn shared_files_are_copied_only_when_written() {
        let mut fs = populate(&[("f", file("shared"))]).expect("a tree");
        let inode = fs.lookup(FileSystem::ROOT, "f", true).expect("is there");
        fs.write(inode, 0, b"S", 0).expect("room");
        assert_eq!(fs.read(inode, 0, 9), Ok(&b"Shared"[..]));
        fs.set_size(inode, 1, 0).expect("shrinks");
        assert_eq!(fs.used(), INODE_COST + ENTRY_COST + 1);
    }
}
