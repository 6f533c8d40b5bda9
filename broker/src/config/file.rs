//! The config file.

use std::ffi::OsString;
use std::path::Path;

use super::ConfigError;

/// The file's keys as flags, but for those that the command line or the
/// environment gives: they win.
pub(super) fn args(path: &Path, args: &[OsString]) -> Result<Vec<String>, ConfigError> {
    let fail = |reason: String| ConfigError::File {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| fail(error.to_string()))?;
    let mut flags = Vec::new();
    for (key, value) in table {
        let flag = format!("--{}", key.replace('_', "-"));
        let given = args.iter().any(|arg| {
            let arg = arg.to_string_lossy();
            arg == flag.as_str() || arg.starts_with(&format!("{flag}="))
        });
        let variable = format!("WASIPOOL_{}", key.replace('-', "_").to_uppercase());
        if given || std::env::var_os(variable).is_some() {
            continue;
        }
        let texts = match value {
            toml::Value::Boolean(true) => {
                flags.push(flag);
                continue;
            }
            toml::Value::Boolean(false) => continue,
            toml::Value::Array(values) => values.iter().map(plain).collect(),
            value => vec![plain(&value)],
        };
        flags.extend(texts.into_iter().map(|text| format!("{flag}={text}")));
    }
    Ok(flags)
}

fn plain(value: &toml::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
