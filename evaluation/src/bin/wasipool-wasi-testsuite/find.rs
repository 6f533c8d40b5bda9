//! The tests below a folder, and what each says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

/// One test.
#[derive(Debug)]
pub(crate) struct Test {
    /// Where it was searched for.
    pub(crate) folder: PathBuf,
    /// Its path below the folder, without extension.
    pub(crate) name: String,
    /// The module, as binary or text.
    pub(crate) module: PathBuf,
    pub(crate) spec: Spec,
}

/// What is run, and what must come of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// Folder that becomes `/`.
    pub(crate) root: Option<String>,
    /// Folders that the guest gets.
    pub(crate) dirs: Vec<String>,
    pub(crate) stdin: String,
    pub(crate) exit_code: u32,
    /// Compared if given.
    pub(crate) stdout: Option<String>,
    /// Compared if given.
    pub(crate) stderr: Option<String>,
    /// The same as steps, which newer suites have.
    operations: Vec<Operation>,
    /// Something in it that can't be done here.
    #[serde(skip)]
    pub(crate) unsupported: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
struct Operation {
    #[serde(rename = "type")]
    kind: String,
    /// `stdin`, `stdout` or `stderr`.
    id: String,
    payload: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    root: Option<String>,
    dirs: Vec<String>,
    exit_code: u32,
}

/// The tests below a folder, in the order of their names.
pub(crate) fn below(folder: &Path, only: Option<&str>) -> anyhow::Result<Vec<Test>> {
    let mut tests = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        let entries = fs::read_dir(&here).with_context(|| here.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if let Some("wasm" | "wat") = extension {
                tests.push(path);
            }
        }
    }
    tests.sort();
    let named = tests.into_iter().map(|module| {
        let stem = module.with_extension("");
        let name = stem.strip_prefix(folder).unwrap_or(&stem);
        (name.display().to_string(), module)
    });
    let wanted = named.filter(|(name, _)| only.is_none_or(|part| name.contains(part)));
    let test = |(name, module): (String, PathBuf)| {
        let spec = Spec::beside(&module)?;
        Ok(Test {
            folder: folder.to_owned(),
            name,
            module,
            spec,
        })
    };
    wanted.map(test).collect()
}

impl Spec {
    fn beside(module: &Path) -> anyhow::Result<Self> {
        let path = module.with_extension("json");
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(Self::default());
        };
        let spec: Self = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(spec.flattened())
    }

    /// Without operations.
    fn flattened(mut self) -> Self {
        for operation in std::mem::take(&mut self.operations) {
            match (operation.kind.as_str(), operation.id.as_str()) {
                ("run", _) => {
                    self.args = operation.args;
                    self.env = operation.env;
                    self.root = operation.root;
                    self.dirs = operation.dirs;
                }
                ("wait", _) => self.exit_code = operation.exit_code,
                ("write", "" | "stdin") => self.stdin += &operation.payload,
                ("read", "" | "stdout") => add(&mut self.stdout, &operation.payload),
                ("read", "stderr") => add(&mut self.stderr, &operation.payload),
                (kind, id) => self.unsupported = Some(format!("operation {kind} {id}")),
            }
        }
        self
    }
}

fn add(output: &mut Option<String>, payload: &str) {
    output.get_or_insert_default().push_str(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_say_the_same_as_fields() {
        let flat: Spec = serde_json::from_str(
            r#"{ "args": ["a"], "dirs": ["d"], "exit_code": 3, "stdout": "one\ntwo\n" }"#,
        )
        .expect("a spec");
        let steps: Spec = serde_json::from_str(
            r#"{ "operations": [
                { "type": "run", "args": ["a"], "dirs": ["d"] },
                { "type": "read", "id": "stdout", "payload": "one\n" },
                { "type": "read", "payload": "two\n" },
                { "type": "wait", "exit_code": 3 }
            ] }"#,
        )
        .expect("a spec");
        assert_eq!(steps.flattened(), flat);
        let other: Spec =
            serde_json::from_str(r#"{ "operations": [{ "type": "connect" }] }"#).expect("a spec");
        assert!(other.flattened().unsupported.is_some());
    }
}
