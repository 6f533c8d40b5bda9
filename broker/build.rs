//! Embeds the page, so that the broker is one file.
//!
//! Every file below `WASIPOOL_WEB`, or else `target/web` of the workspace, goes
//! into a table of names and contents, with the content compressed in advance.
//! The files together have a version; pages name scripts and styles with it in
//! their addresses, so that browsers may keep them for ever.

use std::error::Error;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct File {
    name: String,
    content: Vec<u8>,
}

fn main() -> Result<()> {
    emit("rerun-if-env-changed=WASIPOOL_WEB");
    emit("rerun-if-changed=build.rs");
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
    collect(&root, &root, &mut files)?;
    files.sort_by(|left, right| left.name.cmp(&right.name));
    let version = version(&files);
    name_version(&mut files, &version);

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut table = format!("pub(super) const VERSION: &str = {version:?};\n");
    table.push_str("pub(super) static FILES: &[File] = &[\n");
    for file in &files {
        write_file(&mut table, file, &out)?;
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)?;
    Ok(())
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        emit(&format!("rerun-if-changed={}", path.display()));
        let name = path.strip_prefix(root)?.to_str();
        files.push(File {
            name: name.ok_or("a file's name is not UTF-8")?.to_owned(),
            content: fs::read(&path)?,
        });
    }
    Ok(())
}

/// Another one whenever a name or a byte changes.
fn version(files: &[File]) -> String {
    let mut hasher = DefaultHasher::new();
    for file in files {
        (&file.name, &file.content).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// Puts the version into the addresses that HTML files hold.
fn name_version(files: &mut [File], version: &str) {
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let pages = files.iter_mut().filter(|file| file.name.ends_with(".html"));
    for page in pages {
        let Ok(text) = str::from_utf8(&page.content) else {
            continue;
        };
        let versioned = names.iter().fold(text.to_owned(), |text, name| {
            text.replace(
                &format!("=\"/{name}\""),
                &format!("=\"/~{version}/{name}\""),
            )
        });
        page.content = versioned.into_bytes();
    }
}

/// Adds a file to the table; its bytes go into files of their own.
fn write_file(table: &mut String, file: &File, out: &Path) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    file.content.hash(&mut hasher);
    let stem = out.join(format!("{:016x}", hasher.finish()));
    let plain = keep(&stem.with_extension("raw"), || Ok(file.content.clone()))?;
    let gzip = keep(&stem.with_extension("gz"), || gzip(&file.content))?;
    let brotli = keep(&stem.with_extension("br"), || brotli(&file.content))?;
    writeln!(
        table,
        "    File {{ name: {:?}, plain: include_bytes!({plain:?}), gzip: include_bytes!({gzip:?}), \
         brotli: include_bytes!({brotli:?}) }},",
        file.name
    )?;
    Ok(())
}

/// Makes a file unless an earlier build has: compressing takes its time.
fn keep(path: &Path, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<String> {
    if !path.exists() {
        // Whole or not at all, whenever the build is interrupted.
        let half = path.with_extension("half");
        fs::write(&half, make()?)?;
        fs::rename(&half, path)?;
    }
    Ok(path
        .to_str()
        .ok_or("the build's path is not UTF-8")?
        .to_owned())
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let most = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: content.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut Cursor::new(content), &mut compressed, &most)?;
    Ok(compressed)
}

fn emit(directive: &str) {
    println!("cargo::{directive}");
}
