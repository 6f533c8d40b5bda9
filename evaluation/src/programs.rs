//! Where the programs, the guests and the browser are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What a browser without a window is started with, besides its profile's folder.
pub const BROWSER_FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The program of this workspace with that name: it lies in the folder that
/// `WASIPOOL_PROGRAMS` names, else in that of the running executable or, for tests, in the
/// one above.
///
/// # Errors
/// If it isn't there.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("WASIPOOL_PROGRAMS") {
        let path = repository().join(folder).join(name);
        anyhow::ensure!(
            path.is_file(),
            "there is no {}: build the programs there, or unset WASIPOOL_PROGRAMS",
            path.display()
        );
        return Ok(path);
    }
    let own = std::env::current_exe().context("the running executable has no path")?;
    let mut folders = own.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
        .with_context(|| {
            format!(
                "{name} is not built: run `make test`, or `cargo build --bins` with the profile \
                 of {}",
                own.display()
            )
        })
}

/// The bytes of `target/guests/NAME.wasm`.
///
/// # Errors
/// If it can't be read.
pub fn guest(name: &str) -> anyhow::Result<Vec<u8>> {
    let path = repository().join(format!("target/guests/{name}.wasm"));
    std::fs::read(&path).with_context(|| {
        format!(
            "{} is not built: run `make test` or `make guests`",
            path.display()
        )
    })
}

/// Whether a guest is there that may be left out, as the compiler for it can't be
/// had everywhere; `scripts/test` says so if it was.
#[must_use]
pub fn has_guest(name: &str) -> bool {
    let path = repository().join(format!("target/guests/{name}.wasm"));
    path.is_file()
}

/// The browser: what `CHROMIUM` names, or the first of the usual names.
///
/// # Errors
/// If there is none.
pub fn browser() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CHROMIUM").filter(|name| !name.is_empty());
    let usual = ["chromium", "google-chrome", "chromium-browser"].map(OsString::from);
    let candidates = named.map_or_else(|| usual.to_vec(), |name| vec![name]);
    let found = candidates.iter().find_map(|name| find(Path::new(name)));
    found.with_context(|| {
        format!("no browser ({candidates:?}): run `scripts/ensure-tools browser`, or set CHROMIUM")
    })
}

/// As a shell does it: a name is looked for in `PATH`, a path is taken as it is.
fn find(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
