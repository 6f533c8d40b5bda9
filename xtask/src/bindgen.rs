//! JavaScript glue for the page's wasm.
//!
//! wasm-bindgen is used as a library: it is built with the workspace, at the
//! version the lock file names, instead of a command that must be installed.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;

/// Writes `<name>.js` and `<name>_bg.wasm` to `out_dir`; files that would not
/// change keep their time, so that nothing built from them is built again.
pub(crate) fn run(input: &Path, out_dir: &Path) -> Result<()> {
    let scratch = out_dir.with_extension("bindgen");
    let made = Bindgen::new()
        .input_path(input)
        .web(true)?
        .omit_default_module_path(false)
        .typescript(false)
        .generate(&scratch)
        .with_context(|| format!("wasm-bindgen on {}", input.display()))
        .and_then(|()| copy_changed(&scratch, out_dir));
    // Also after a failure: a half-made folder must not be mistaken for a result.
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
    }
    made
}

fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_changed(&entry.path(), &target)?;
            continue;
        }
        let bytes = fs::read(entry.path())?;
        if fs::read(&target).ok().as_deref() != Some(&bytes) {
            fs::write(&target, bytes).with_context(|| format!("write {}", target.display()))?;
        }
    }
    Ok(())
}
