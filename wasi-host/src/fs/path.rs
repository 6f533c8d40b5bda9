//! Walking paths. A path never leads out of the directory at which it starts,
//! neither by `..` nor by a leading slash nor by a symbolic link: such paths
//! fail with [`Errno::Perm`], as native hosts have it.

use super::super::types::Errno;
use super::node::Kind;
use super::{FileSystem, Inode};

/// A path must be shorter than this many bytes.
const PATH_LIMIT: usize = 4096;
/// A name has at most this many bytes.
const NAME_LIMIT: usize = 255;
/// A walk follows at most this many symbolic links.
const LINK_LIMIT: usize = 40;

/// Where a walk ended.
pub(super) struct Found {
    /// The directory that holds (or would hold) the last name.
    pub(super) parent: Inode,
    /// The last name; none if the path ended in `.` or `..`.
    pub(super) name: Option<Box<str>>,
    /// What has this name; none if nothing has.
    pub(super) inode: Option<Inode>,
    /// The path ended in a slash: only a directory will do.
    pub(super) slash: bool,
}

impl FileSystem {
    /// Finds the inode of a path that exists. `follow` says whether a symbolic
    /// link at the end is followed.
    ///
    /// # Errors
    /// As `stat` fails.
    pub fn lookup(&self, start: Inode, path: &str, follow: bool) -> Result<Inode, Errno> {
        let found = self.walk(start, path, follow)?;
        let inode = found.inode.ok_or(Errno::Noent)?;
        if found.slash && !self.is_directory(inode) {
            return Err(Errno::Notdir);
        }
        Ok(inode)
    }

    /// Finds the directory of a path's last name, and this name, for calls
    /// that work on names. The name is `.` if the path ends in a slash or dots.
    pub(super) fn parent<'a>(
        &self,
        start: Inode,
        path: &'a str,
    ) -> Result<(Inode, &'a str), Errno> {
        if path.is_empty() {
            return Err(Errno::Noent);
        }
        // The name itself is looked at when it is needed: of the errors of two
        // paths, those of their directories come first.
        let (directory, name) = split_parent(path);
        let parent = if directory.is_empty() {
            start
        } else {
            let inode = self.lookup(start, directory, true)?;
            if !self.is_directory(inode) {
                return Err(Errno::Notdir);
            }
            inode
        };
        Ok((parent, name))
    }

    /// The inode that has this name in this directory.
    pub(super) fn entry(&self, directory: Inode, name: &str) -> Result<Option<Inode>, Errno> {
        match &self.node(directory).kind {
            Kind::Directory { .. } if name.contains('\0') => Err(Errno::Inval),
            Kind::Directory { .. } if name.len() > NAME_LIMIT => Err(Errno::Nametoolong),
            Kind::Directory { entries, .. } => Ok(entries.get(name).copied()),
            Kind::File(_) | Kind::Symlink(_) => Err(Errno::Notdir),
        }
    }

    pub(super) fn walk(&self, start: Inode, path: &str, follow: bool) -> Result<Found, Errno> {
        check(path)?;
        if path.starts_with('/') {
            return Err(Errno::Perm);
        }
        let mut links = 0;
        // The directories from the start to here, and what is left to walk:
        // the path itself, and on top the rest of each link that is followed.
        let mut here = vec![start];
        let mut left = vec![path];
        loop {
            let Some(&directory) = here.last() else {
                return Err(Errno::Perm);
            };
            let Some((name, slash)) = next_name(&mut left) else {
                return Ok(Found {
                    parent: directory,
                    name: None,
                    inode: Some(directory),
                    slash: true,
                });
            };
            match name {
                "." => continue,
                ".." => {
                    here.pop();
                    continue;
                }
                _ => {}
            }
            let last = left.is_empty();
            let inode = self.entry(directory, name)?;
            if let Some(inode) = inode {
                match &self.node(inode).kind {
                    Kind::Symlink(target) if !last || slash || follow => {
                        links += 1;
                        if links > LINK_LIMIT {
                            return Err(Errno::Loop);
                        }
                        if target.starts_with('/') {
                            return Err(Errno::Perm);
                        }
                        // The slash after the link holds for what it leads to.
                        if last && slash {
                            left.push("/");
                        }
                        left.push(target);
                        continue;
                    }
                    Kind::Directory { .. } if !last => {
                        here.push(inode);
                        continue;
                    }
                    Kind::Directory { .. } | Kind::File(_) | Kind::Symlink(_) => {}
                }
            }
            if last {
                return Ok(Found {
                    parent: directory,
                    name: Some(name.into()),
                    inode,
                    slash,
                });
            }
            return Err(match inode {
                Some(_) => Errno::Notdir,
                None => Errno::Noent,
            });
        }
    }
}

/// Takes the next name and whether a slash is behind it. Afterwards `left` is
/// empty exactly if this was the last.
fn next_name<'a>(left: &mut Vec<&'a str>) -> Option<(&'a str, bool)> {
    let name = loop {
        let top = left.pop()?.trim_start_matches('/');
        if top.is_empty() {
            continue;
        }
        let end = top.find('/').unwrap_or(top.len());
        let (name, rest) = top.split_at(end);
        left.push(rest);
        break name;
    };
    let slash = left.iter().any(|rest| rest.starts_with('/'));
    if left
        .iter()
        .all(|rest| rest.bytes().all(|byte| byte == b'/'))
    {
        left.clear();
    }
    Some((name, slash))
}

/// What every path must fulfil.
fn check(path: &str) -> Result<(), Errno> {
    if path.is_empty() {
        Err(Errno::Noent)
    } else if path.contains('\0') {
        Err(Errno::Inval)
    } else if path.len() >= PATH_LIMIT {
        Err(Errno::Nametoolong)
    } else {
        Ok(())
    }
}

/// What the names of a call that has two (or the target of a link and its
/// name) must fulfil before either is looked up.
pub(super) fn check_names(names: [&str; 2]) -> Result<(), Errno> {
    check_no_zeros(names)?;
    names.into_iter().try_for_each(check)
}

/// The first of it: names with a zero never get as far as a file system.
pub(super) fn check_no_zeros(names: [&str; 2]) -> Result<(), Errno> {
    if names.iter().any(|name| name.contains('\0')) {
        return Err(Errno::Inval);
    }
    Ok(())
}

fn split_parent(path: &str) -> (&str, &str) {
    let (directory, name) = match path.rfind('/') {
        Some(slash) => path.split_at(slash + 1),
        None => ("", path),
    };
    match name {
        "." if directory.is_empty() => ("", "."),
        "" | "." | ".." => (path, "."),
        _ => (directory, name),
    }
}

/// Without the slashes at the end, for calls that ignore them.
pub(super) fn strip_slashes(path: &str) -> &str {
    let stripped = path.trim_end_matches('/');
    if stripped.is_empty() && !path.is_empty() {
        "/"
    } else {
        stripped
    }
}

#[cfg(test)]
mod tests {
    use super::super::Open;
    use super::*;

    const ROOT: Inode = FileSystem::ROOT;

    /// /dir/sub/file, and links to all kinds of places.
    fn sample() -> FileSystem {
        let mut fs = FileSystem::new(1 << 20, 0);
        let create = Open {
            write: true,
            create: true,
            ..Open::READ
        };
        fs.create_directory(ROOT, "dir", 0).expect("new");
        fs.create_directory(ROOT, "dir/sub", 0).expect("new");
        fs.open(ROOT, "dir/sub/file", create, 0).expect("new");
        for (target, path) in [
            ("dir/sub", "to-sub"),
            ("../dir/sub/file", "dir/to-file"),
            ("../..", "dir/out"),
            ("loop-b", "loop-a"),
            ("loop-a", "loop-b"),
            ("nowhere", "dangling"),
            ("sub/", "dir/slash"),
            ("to-sub", "to-to-sub"),
        ] {
            fs.symlink(target, ROOT, path, 0).expect("new");
        }
        fs
    }

    #[test]
    fn paths_lead_where_they_should() {
        let fs = sample();
        let find = |path| fs.lookup(ROOT, path, true);
        let file = find("dir/sub/file").expect("is there");
        for path in [
            "./dir//sub/./file",
            "dir/sub/../sub/file",
            "to-sub/file",
            "to-to-sub/file",
            "dir/to-file",
            "dir/slash/file",
            "to-sub/../to-file",
        ] {
            assert_eq!(find(path), Ok(file), "{path}");
        }
        assert_eq!(find("."), Ok(ROOT));
        assert_eq!(find("dir/.."), Ok(ROOT));
        assert_eq!(find("to-sub/../.."), Ok(ROOT));
        assert_eq!(find("to-sub/"), find("dir/sub"));
        assert_eq!(find("dir/slash"), find("dir/sub"));
    }

    #[test]
    fn paths_fail_as_they_should() {
        let fs = sample();
        let long = "x".repeat(256);
        let longer = "x/".repeat(2048);
        for (path, errno) in [
            ("", Errno::Noent),
            ("a\0b", Errno::Inval),
            ("/dir", Errno::Perm),
            ("..", Errno::Perm),
            ("dir/../..", Errno::Perm),
            ("dir/out", Errno::Perm),
            ("nothing", Errno::Noent),
            ("nothing/file", Errno::Noent),
            ("dir/sub/file/", Errno::Notdir),
            ("dir/sub/file/.", Errno::Notdir),
            ("dir/sub/file/x", Errno::Notdir),
            ("dir/to-file/", Errno::Notdir),
            ("loop-a", Errno::Loop),
            ("loop-a/x", Errno::Loop),
            ("dangling", Errno::Noent),
            (&long, Errno::Nametoolong),
            (&longer, Errno::Nametoolong),
        ] {
            assert_eq!(fs.lookup(ROOT, path, true), Err(errno), "{path}");
        }
    }

    #[test]
    fn a_subdirectory_can_not_be_left_either() {
        let fs = sample();
        let dir = fs.lookup(ROOT, "dir", true).expect("is there");
        assert!(fs.lookup(dir, "sub/file", true).is_ok());
        assert_eq!(fs.lookup(dir, "..", true), Err(Errno::Perm));
        assert_eq!(fs.lookup(dir, "to-file", true), Err(Errno::Perm));
    }

    #[test]
    fn links_at_the_end_are_followed_only_when_asked() {
        let fs = sample();
        let link = fs.lookup(ROOT, "to-sub", false).expect("is there");
        assert!(!fs.is_directory(link));
        assert!(fs.lookup(ROOT, "loop-a", false).is_ok());
        assert!(fs.lookup(ROOT, "dangling", false).is_ok());
        // A slash asks.
        let sub = fs.lookup(ROOT, "dir/sub", false);
        assert_eq!(fs.lookup(ROOT, "to-sub/", false), sub);
        assert_eq!(fs.lookup(ROOT, "to-sub/.", false), sub);
    }

    #[test]
    fn parents_are_split_as_native_hosts_do() {
        for (path, expected) in [
            ("foo/bar/qux", ("foo/bar/", "qux")),
            ("foo", ("", "foo")),
            ("foo/", ("foo/", ".")),
            ("foo/.", ("foo/.", ".")),
            (".", ("", ".")),
            ("..", ("..", ".")),
            ("../foo", ("../", "foo")),
            ("foo/..", ("foo/..", ".")),
            ("/foo", ("/", "foo")),
        ] {
            assert_eq!(split_parent(path), expected, "{path}");
        }
        assert_eq!(strip_slashes("a//"), "a");
        assert_eq!(strip_slashes("//"), "/");
        assert_eq!(strip_slashes(""), "");
    }
}
