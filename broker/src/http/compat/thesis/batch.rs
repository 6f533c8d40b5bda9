//! What a batch asks for.

use serde::{Deserialize, Deserializer};

use crate::http::Problem;
use crate::http::compat::guest::environment;
use crate::http::compat::object::Object;
use crate::task_request::fields::FilesField;
use crate::task_request::{PayloadField, TaskFields};

/// What is to be run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Batch {
    #[serde(deserialize_with = "nullable")]
    pub(super) bin: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) envs: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) exec: Vec<Object<Run>>,
    #[serde(deserialize_with = "nullable")]
    pub(super) trace: bool,
}

/// One run of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Run {
    #[serde(deserialize_with = "nullable")]
    pub(super) args: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) envs: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) stdin: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) loadfs: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) datafile: String,
}

/// `null` stands for what isn't there.
fn nullable<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Batch {
    pub(super) fn parse(json: &[u8], runs_max: u32) -> Result<Self, Problem> {
        let invalid = |what: &dyn std::fmt::Display| {
            Problem::invalid(format!("failed to validate run configuration: {what}"))
        };
        let Object(batch) =
            serde_json::from_slice::<Object<Self>>(json).map_err(|error| invalid(&error))?;
        if batch.bin.is_empty() {
            return Err(invalid(&"\"bin\" is missing"));
        }
        if batch.exec.is_empty() {
            return Err(invalid(&"\"exec\" must have a run at least"));
        }
        if batch.exec.len() > usize::try_from(runs_max).unwrap_or(usize::MAX) {
            return Err(invalid(&format_args!(
                "{} runs are over the limit of {runs_max} tasks a job",
                batch.exec.len()
            )));
        }
        if batch.trace && batch.exec.len() != 1 {
            return Err(Problem::invalid(
                "trace is only supported for a single task",
            ));
        }
        Ok(batch)
    }
}

impl Run {
    /// The task's fields; `shared` are the variables of all runs.
    pub(super) fn fields(&self, shared: &[String]) -> Result<TaskFields, Problem> {
        let own_first = self.envs.iter().chain(shared).map(String::as_str);
        let load = |name: &String| (name.clone(), PayloadField::Blob(name.clone()));
        let datafile = Some(&self.datafile).filter(|path| !path.is_empty());
        Ok(TaskFields {
            args: Some(self.args.clone()),
            env: Some(environment("envs", own_first)?),
            stdin: Some(PayloadField::Bytes(self.stdin.clone().into())),
            files: Some(FilesField::Map(self.loadfs.iter().map(load).collect())),
            artifacts: Some(datafile.into_iter().cloned().collect()),
            ..TaskFields::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Batch, String> {
        Batch::parse(json.as_bytes(), 3).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn a_batch_is_read_as_the_earlier_system_did() {
        let batch = parse(
            r#"{"bin": "tsp.wasm", "envs": ["A=all", "B=all"], "unknown": {"x": 1}, "exec": [
                {"args": ["rand", "10"], "envs": ["B=own"], "stdin": "in", "loadfs": ["a.txt"],
                 "datafile": "/out.bin"},
                {"args": null, "envs": null}]}"#,
        )
        .unwrap();
        let fields = batch.exec[0].0.fields(&batch.envs).unwrap();
        assert_eq!(fields.args.unwrap(), ["rand", "10"]);
        let env = fields.env.unwrap().0;
        assert_eq!((env["A"].as_str(), env["B"].as_str()), ("all", "own"));
        assert_eq!(fields.stdin, Some(PayloadField::Bytes("in".into())));
        let loaded = ("a.txt".to_owned(), PayloadField::Blob("a.txt".into()));
        assert_eq!(fields.files, Some(FilesField::Map(vec![loaded])));
        assert_eq!(fields.artifacts.unwrap(), ["/out.bin"]);
        let empty = batch.exec[1].0.fields(&[]).unwrap();
        assert_eq!(empty.artifacts, Some(Vec::new()));
        assert!(batch.exec[1].0.fields(&["A".to_owned()]).is_err());
    }

    #[test]
    fn batches_that_cannot_be_run_are_refused() {
        for (json, why) in [
            ("{", "EOF"),
            ("7", "invalid type"),
            (r#"{"exec": [{}]}"#, "\"bin\" is missing"),
            (r#"{"bin": "a", "exec": []}"#, "a run at least"),
            (r#"{"bin": "a"}"#, "a run at least"),
            (
                r#"{"bin": "a", "exec": [{},{},{},{}]}"#,
                "4 runs are over the limit of 3",
            ),
            (
                r#"{"bin": "a", "exec": [{},{}], "trace": true}"#,
                "single task",
            ),
            (r#"{"bin": "a", "exec": [{"args": "x"}]}"#, "invalid type"),
            (r#"{"bin": "a", "exec": [[["x"]]]}"#, "an object"),
            (r#"["a", [], [{}]]"#, "an object"),
        ] {
            let detail = parse(json).unwrap_err();
            assert!(detail.contains(why), "{json}: {detail}");
        }
        assert_eq!(
            parse(r#"{"bin": "a", "exec": [{},{},{}]}"#)
                .unwrap()
                .exec
                .len(),
            3
        );
    }
}
