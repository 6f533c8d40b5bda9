//! WAT text to binary, with a name section, for the guests written by hand.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

pub(crate) fn run(input: &Path, output: &Path) -> Result<()> {
    let bytes = wat::parse_file(input)?;
    fs::write(output, bytes).with_context(|| format!("write {}", output.display()))
}
