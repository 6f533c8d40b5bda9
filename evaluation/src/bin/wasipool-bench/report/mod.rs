//! What a run of the suite leaves: a table, the raw readings, a chart.

mod plot;
mod table;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::suite::Outcome;

pub(crate) use table::table;

/// Writes `readings.json` and `ratios.svg`.
///
/// # Errors
/// If they can't be written.
pub(crate) fn write(folder: &Path, outcomes: &[Outcome]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let all = json!({
        "machine": {"processors": processors, "processor": processor()},
        "outcomes": outcomes,
    });
    let path = folder.join("readings.json");
    fs::write(&path, format!("{all:#}\n")).with_context(|| path.display().to_string())?;
    plot::ratios(&folder.join("ratios.svg"), outcomes)
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(String::new, |model| {
        model.trim_start_matches([' ', '\t', ':']).to_owned()
    })
}
