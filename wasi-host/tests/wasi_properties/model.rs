//! The file system against a model: a map from paths to files and directories.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use wasipool_wasi::fs::{ENTRY_COST, FileSystem, INODE_COST, Inode, Open};
use wasipool_wasi::types::Errno;

const ROOT: Inode = FileSystem::ROOT;

/// A file's bytes, or none for a directory.
type Model = BTreeMap<String, Option<Vec<u8>>>;

#[derive(Debug, Clone)]
enum Op {
    Mkdir(String),
    Rmdir(String),
    Write(String, u8, Vec<u8>),
    Truncate(String, u8),
    Unlink(String),
    Rename(String, String),
}

fn path() -> impl Strategy<Value = String> {
    vec(prop_oneof![Just("a"), Just("b"), Just("c.d")], 1..4).prop_map(|names| names.join("/"))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => path().prop_map(Op::Mkdir),
        1 => path().prop_map(Op::Rmdir),
        3 => (path(), 0..20u8, vec(any::<u8>(), 1..20))
            .prop_map(|(path, offset, data)| Op::Write(path, offset, data)),
        1 => (path(), 0..30u8).prop_map(|(path, size)| Op::Truncate(path, size)),
        1 => path().prop_map(Op::Unlink),
        2 => (path(), path()).prop_map(|(old, new)| Op::Rename(old, new)),
    ]
}

/// What a path's parents allow: they must be there, and directories.
fn check_parents(model: &Model, path: &str) -> Result<(), Errno> {
    for (slash, _) in path.match_indices('/') {
        match model.get(&path[..slash]) {
            None => return Err(Errno::Noent),
            Some(Some(_)) => return Err(Errno::Notdir),
            Some(None) => {}
        }
    }
    Ok(())
}

fn is_empty(model: &Model, path: &str) -> bool {
    let below = format!("{path}/");
    !model.keys().any(|key| key.starts_with(&below))
}

fn file<'a>(model: &'a mut Model, path: &str) -> Result<&'a mut Vec<u8>, Errno> {
    check_parents(model, path)?;
    match model.entry(path.to_owned()).or_insert(Some(Vec::new())) {
        Some(data) => Ok(data),
        None => Err(Errno::Isdir),
    }
}

fn apply_to_model(model: &mut Model, op: &Op) -> Result<(), Errno> {
    match op {
        Op::Mkdir(path) => {
            check_parents(model, path)?;
            if model.contains_key(path) {
                return Err(Errno::Exist);
            }
            model.insert(path.clone(), None);
        }
        Op::Rmdir(path) => {
            check_parents(model, path)?;
            match model.get(path) {
                None => return Err(Errno::Noent),
                Some(Some(_)) => return Err(Errno::Notdir),
                Some(None) if !is_empty(model, path) => return Err(Errno::Notempty),
                Some(None) => model.remove(path),
            };
        }
        Op::Write(path, offset, data) => {
            let content = file(model, path)?;
            let end = usize::from(*offset) + data.len();
            content.resize(content.len().max(end), 0);
            content[usize::from(*offset)..end].copy_from_slice(data);
        }
        Op::Truncate(path, size) => file(model, path)?.resize(usize::from(*size), 0),
        Op::Unlink(path) => {
            check_parents(model, path)?;
            match model.get(path) {
                None => return Err(Errno::Noent),
                Some(None) => return Err(Errno::Isdir),
                Some(Some(_)) => model.remove(path),
            };
        }
        Op::Rename(old, new) => rename(model, old, new)?,
    }
    Ok(())
}

fn rename(model: &mut Model, old: &str, new: &str) -> Result<(), Errno> {
    check_parents(model, old)?;
    check_parents(model, new)?;
    let moved = model.get(old).ok_or(Errno::Noent)?.clone();
    if old == new {
        // The one name is the other: nothing to do, even for directories.
        return Ok(());
    }
    if moved.is_none() && new.starts_with(&format!("{old}/")) {
        return Err(Errno::Inval);
    }
    match (&moved, model.get(new)) {
        (_, Some(None)) if old.starts_with(&format!("{new}/")) => return Err(Errno::Notempty),
        (Some(_), Some(None)) => return Err(Errno::Isdir),
        (None, Some(Some(_))) => return Err(Errno::Notdir),
        (None, Some(None)) if !is_empty(model, new) => return Err(Errno::Notempty),
        _ => {}
    }
    model.remove(old);
    model.insert(new.to_owned(), moved);
    let below = format!("{old}/");
    let keys: Vec<_> = model
        .keys()
        .filter(|key| key.starts_with(&below))
        .cloned()
        .collect();
    for key in keys {
        if let Some(value) = model.remove(&key) {
            model.insert(format!("{new}/{}", &key[below.len()..]), value);
        }
    }
    Ok(())
}

fn apply(fs: &mut FileSystem, op: &Op) -> Result<(), Errno> {
    let create = Open {
        write: true,
        create: true,
        ..Open::READ
    };
    match op {
        Op::Mkdir(path) => fs.create_directory(ROOT, path, 0),
        Op::Rmdir(path) => fs.remove_directory(ROOT, path, 0),
        Op::Write(path, offset, data) => {
            let file = fs.open(ROOT, path, create, 0)?;
            let written = fs.write(file, u64::from(*offset), data, 0)?;
            assert_eq!(written, data.len() as u64);
            Ok(())
        }
        Op::Truncate(path, size) => {
            let file = fs.open(ROOT, path, create, 0)?;
            fs.set_size(file, u64::from(*size), 0)
        }
        Op::Unlink(path) => fs.unlink(ROOT, path, 0),
        Op::Rename(old, new) => fs.rename(ROOT, old, ROOT, new, 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_file_system_does_what_a_map_does(ops in vec(op(), 0..60)) {
        let mut model = Model::new();
        let mut fs = FileSystem::new(1 << 20, 0);
        for op in &ops {
            prop_assert_eq!(apply(&mut fs, op), apply_to_model(&mut model, op), "{:?}", op);
        }
        let data: usize = model.values().flatten().map(Vec::len).sum();
        let names = model.len() as u64 * (INODE_COST + ENTRY_COST);
        prop_assert_eq!(fs.used(), names + data as u64);
        for (path, content) in &model {
            let inode = fs.lookup(ROOT, path, true).expect("the model has it");
            match content {
                Some(data) => prop_assert_eq!(fs.read(inode, 0, 1 << 20), Ok(&data[..])),
                None => prop_assert!(fs.list(inode).is_ok()),
            }
        }
        let mut files: Vec<_> = model
            .into_iter()
            .filter_map(|(path, content)| Some((path, content?.into())))
            .collect();
        files.sort();
        prop_assert_eq!(fs.collect_files(|_, _| true), files);
    }
}
