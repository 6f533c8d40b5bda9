//! Embeds the page, so that the broker is one file.
//!
//! Every file below `WASIPOOL_WEB`, or else `target/web` of the workspace, goes
//! into a table of names and contents.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    emit("rerun-if-env-changed=WASIPOOL_WEB");
    let web = match env::var_os("WASIPOOL_WEB") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../target/web"),
    };
    emit(&format!("rerun-if-changed={}", web.display()));
    let missing = |error: io::Error| {
        let web = web.display();
        format!("the page to embed is not at {web} ({error}): run `make web` first")
    };
    let root = web.canonicalize().map_err(missing)?;
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        emit(&format!("rerun-if-changed={}", file.display()));
        let name = file
            .strip_prefix(&root)?
            .to_str()
            .ok_or("a file's name is not UTF-8")?;
        let path = file.to_str().ok_or("a file's path is not UTF-8")?;
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("assets.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn emit(directive: &str) {
    println!("cargo::{directive}");
}
