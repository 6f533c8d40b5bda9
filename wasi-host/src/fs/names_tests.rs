//! Tests of the calls that work on names: mostly of their errors.

use super::*;

const ROOT: Inode = FileSystem::ROOT;
const CREATE: Open = Open {
    write: true,
    create: true,
    ..Open::READ
};

/// /f, /d/g, /e (empty), /l -> f, /ld -> d, /gone -> nowhere
fn sample() -> FileSystem {
    let mut fs = FileSystem::new(1 << 20, 0);
    fs.open(ROOT, "f", CREATE, 0).expect("new");
    fs.create_directory(ROOT, "d", 0).expect("new");
    fs.create_directory(ROOT, "e/", 0).expect("new");
    fs.open(ROOT, "d/g", CREATE, 0).expect("new");
    for (target, path) in [("f", "l"), ("d", "ld"), ("nowhere", "gone")] {
        fs.symlink(target, ROOT, path, 0).expect("new");
    }
    fs
}

#[test]
fn open_fails_as_native_hosts_do() {
    let nofollow = Open {
        follow: false,
        ..Open::READ
    };
    let exclusive = Open {
        exclusive: true,
        ..CREATE
    };
    let directory = Open {
        directory: true,
        ..Open::READ
    };
    let write = Open {
        write: true,
        ..Open::READ
    };
    for (path, how, errno) in [
        ("nothing", Open::READ, Errno::Noent),
        ("nothing/x", CREATE, Errno::Noent),
        ("f/x", CREATE, Errno::Notdir),
        ("f/", Open::READ, Errno::Notdir),
        ("l", nofollow, Errno::Loop),
        ("gone", Open::READ, Errno::Noent),
        ("gone", exclusive, Errno::Exist),
        ("f", exclusive, Errno::Exist),
        ("d", exclusive, Errno::Exist),
        (".", exclusive, Errno::Exist),
        ("d", CREATE, Errno::Isdir),
        ("d", write, Errno::Isdir),
        ("new/", CREATE, Errno::Isdir),
        (".", CREATE, Errno::Isdir),
        ("f", directory, Errno::Notdir),
        ("l", directory, Errno::Notdir),
        ("..", Open::READ, Errno::Perm),
        ("/f", Open::READ, Errno::Perm),
    ] {
        let result = sample().open(ROOT, path, how, 0);
        assert_eq!(result, Err(errno), "{path} {how:?}");
    }
    let mut fs = sample();
    assert!(fs.open(ROOT, "ld", directory, 0).is_ok());
    // What a dangling link names is made.
    assert!(fs.open(ROOT, "gone", CREATE, 0).is_ok());
    assert!(fs.lookup(ROOT, "nowhere", false).is_ok());
}

#[test]
fn open_can_truncate() {
    let mut fs = sample();
    let f = fs.lookup(ROOT, "f", true).expect("is there");
    fs.write(f, 0, b"data", 0).expect("room");
    let truncate = Open {
        truncate: true,
        ..CREATE
    };
    assert_eq!(fs.open(ROOT, "l", truncate, 0), Ok(f));
    assert_eq!(fs.size(f), 0);
}

#[test]
fn create_directory_fails_as_native_hosts_do() {
    for (path, errno) in [
        ("d", Errno::Exist),
        ("f", Errno::Exist),
        ("gone", Errno::Exist),
        (".", Errno::Exist),
        ("d/..", Errno::Exist),
        ("..", Errno::Perm),
        ("/", Errno::Perm),
        ("", Errno::Noent),
        ("nothing/x", Errno::Noent),
        ("new/.", Errno::Noent),
        ("f/x", Errno::Notdir),
    ] {
        assert_eq!(
            sample().create_directory(ROOT, path, 0),
            Err(errno),
            "{path}"
        );
    }
    assert_eq!(sample().create_directory(ROOT, "ld/x//", 0), Ok(()));
}

#[test]
fn removing_fails_as_native_hosts_do() {
    for (path, unlink, rmdir) in [
        ("nothing", Errno::Noent, Errno::Noent),
        ("d", Errno::Isdir, Errno::Notempty),
        ("d/", Errno::Isdir, Errno::Notempty),
        (".", Errno::Isdir, Errno::Inval),
        ("f/", Errno::Notdir, Errno::Notdir),
        ("..", Errno::Perm, Errno::Perm),
        ("d/..", Errno::Isdir, Errno::Inval),
    ] {
        assert_eq!(sample().unlink(ROOT, path, 0), Err(unlink), "{path}");
        let removed = sample().remove_directory(ROOT, path, 0);
        assert_eq!(removed, Err(rmdir), "{path}");
    }
    let mut fs = sample();
    assert_eq!(fs.remove_directory(ROOT, "f", 0), Err(Errno::Notdir));
    assert_eq!(fs.remove_directory(ROOT, "ld", 0), Err(Errno::Notdir));
    assert_eq!(fs.remove_directory(ROOT, "e//", 0), Ok(()));
    assert_eq!(fs.unlink(ROOT, "ld", 0), Ok(()));
    assert!(fs.lookup(ROOT, "d/g", true).is_ok());
}

#[test]
fn links_fail_as_native_hosts_do() {
    for (old, new, errno) in [
        ("nothing", "x", Errno::Noent),
        ("d", "x", Errno::Perm),
        (".", "x", Errno::Perm),
        ("f", "d", Errno::Exist),
        ("f", ".", Errno::Exist),
        ("f", "f", Errno::Exist),
        ("f", "x/", Errno::Noent),
        ("f/", "x", Errno::Notdir),
    ] {
        let result = sample().link(ROOT, old, ROOT, new, 0);
        assert_eq!(result, Err(errno), "{old} {new}");
    }
    let mut fs = sample();
    // The link itself gets another name, not what it leads to.
    fs.link(ROOT, "gone", ROOT, "gone2", 0).expect("new");
    assert_eq!(fs.read_link(ROOT, "gone2"), Ok("nowhere"));
    fs.link(ROOT, "f", ROOT, "d/f2", 0).expect("new");
    let f = fs.lookup(ROOT, "f", true);
    assert_eq!(fs.lookup(ROOT, "d/f2", true), f);
}

#[test]
fn symbolic_links_fail_as_native_hosts_do() {
    for (target, path, errno) in [
        ("/f", "x", Errno::Perm),
        ("", "x", Errno::Noent),
        ("f", "f", Errno::Exist),
        ("f", "gone", Errno::Exist),
        ("f", "x/", Errno::Noent),
        ("f", "nothing/x", Errno::Noent),
    ] {
        let result = sample().symlink(target, ROOT, path, 0);
        assert_eq!(result, Err(errno), "{target} {path}");
    }
    let fs = sample();
    assert_eq!(fs.read_link(ROOT, "l"), Ok("f"));
    assert_eq!(fs.read_link(ROOT, "f"), Err(Errno::Inval));
    assert_eq!(fs.read_link(ROOT, "ld/"), Err(Errno::Inval));
    assert_eq!(fs.read_link(ROOT, "nothing"), Err(Errno::Noent));
}

#[test]
fn rename_fails_as_native_hosts_do() {
    for (old, new, errno) in [
        ("nothing", "x", Errno::Noent),
        ("f", "nothing/x", Errno::Noent),
        ("f", "d", Errno::Isdir),
        ("d", "f", Errno::Notdir),
        ("e", "d", Errno::Notempty),
        ("d", "d/x", Errno::Inval),
        ("d", "d/x/", Errno::Inval),
        ("d/g", "d", Errno::Notempty),
        (".", "x", Errno::Busy),
        ("f", "e/.", Errno::Busy),
        ("f/", "x", Errno::Notdir),
        ("f", "x/", Errno::Notdir),
        ("ld/", "x", Errno::Notdir),
        ("f", "../x", Errno::Perm),
    ] {
        let result = sample().rename(ROOT, old, ROOT, new, 0);
        assert_eq!(result, Err(errno), "{old} {new}");
    }
}

#[test]
fn rename_moves_and_replaces() {
    let mut fs = sample();
    let f = fs.lookup(ROOT, "f", true);
    let used = fs.used();
    assert_eq!(fs.rename(ROOT, "f", ROOT, "d/g", 0), Ok(()));
    assert_eq!(fs.lookup(ROOT, "d/g", true), f);
    assert_eq!(fs.lookup(ROOT, "f", true), Err(Errno::Noent));
    assert_eq!(fs.used(), used - INODE_COST - ENTRY_COST);
    // A directory may replace an empty one, slashes or not.
    assert_eq!(fs.rename(ROOT, "d/", ROOT, "e", 0), Ok(()));
    assert_eq!(fs.lookup(ROOT, "e/g", true), f);
    assert_eq!(fs.rename(ROOT, "e", ROOT, "h/", 0), Ok(()));
    assert_eq!(fs.lookup(ROOT, "h/..", true), Ok(ROOT));
    // Two names of one file: nothing happens.
    fs.link(ROOT, "h/g", ROOT, "same", 0).expect("new");
    assert_eq!(fs.rename(ROOT, "same", ROOT, "h/g", 0), Ok(()));
    assert_eq!(fs.lookup(ROOT, "same", true), f);
}

#[test]
fn no_call_leaves_the_folder_it_starts_from() {
    let mut fs = sample();
    fs.create_directory(ROOT, "d/in", 0).expect("new");
    fs.symlink("..", ROOT, "d/up", 0).expect("new");
    let d = fs.lookup(ROOT, "d", true).expect("is there");
    let used = fs.used();
    for out in [
        "..",
        "../",
        "../e",
        "../e/",
        "../f",
        "up/e",
        "up/e//",
        "in/../../e/",
    ] {
        let opened = fs.open(d, out, Open::READ, 0);
        assert_eq!(opened, Err(Errno::Perm), "{out}");
        assert_eq!(fs.read_link(d, out), Err(Errno::Perm), "{out}");
        assert_eq!(fs.unlink(d, out, 0), Err(Errno::Perm), "{out}");
        assert_eq!(fs.remove_directory(d, out, 0), Err(Errno::Perm), "{out}");
        assert_eq!(fs.create_directory(d, out, 0), Err(Errno::Perm), "{out}");
        assert_eq!(fs.symlink("g", d, out, 0), Err(Errno::Perm), "{out}");
        for (old, new) in [(out, "x"), (out, "x/"), ("in", out), ("in/", out)] {
            assert!(fs.link(d, old, d, new, 0).is_err(), "{old} {new}");
            assert!(fs.rename(d, old, d, new, 0).is_err(), "{old} {new}");
        }
    }
    assert_eq!(fs.used(), used);
    assert_eq!(fs.lookup(d, "x", true), Err(Errno::Noent));
}

#[test]
fn a_removed_directory_takes_no_names() {
    let mut fs = sample();
    let e = fs.open(ROOT, "e", Open::READ, 0).expect("is there");
    fs.retain(e);
    fs.remove_directory(ROOT, "e", 0).expect("empty");
    let used = fs.used();
    assert_eq!(fs.open(e, "x", CREATE, 0), Err(Errno::Noent));
    assert_eq!(fs.create_directory(e, "x", 0), Err(Errno::Noent));
    assert_eq!(fs.symlink("a", e, "x", 0), Err(Errno::Noent));
    assert_eq!(fs.link(ROOT, "f", e, "x", 0), Err(Errno::Noent));
    assert_eq!(fs.rename(ROOT, "f", e, "x", 0), Err(Errno::Noent));
    assert_eq!(fs.rename(ROOT, "d", e, "x", 0), Err(Errno::Noent));
    assert_eq!(fs.used(), used);
    assert_eq!(fs.lookup(e, ".", true), Ok(e));
    fs.release(e);
    assert_eq!(fs.used(), used - INODE_COST);
}
