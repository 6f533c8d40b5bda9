use bytes::Bytes;
use wasipool_shared::limits::INLINE_BYTES_MAX;
use wasipool_shared::task::{Files, Payload};

use super::parse::from_json;
use super::*;
use crate::driver::{NewJob, Tasks};
use crate::module::{self, BlobKind};
use crate::store::{Store, StoreSettings};

async fn store() -> Store {
    let store = Store::open(StoreSettings::default()).await.unwrap();
    let module = module::assemble(b"(module (func (export \"_start\")))").unwrap();
    let info = module::inspect(&module).unwrap();
    for (name, bytes, kind, info) in [
        (
            "app.wasm",
            Bytes::from(module),
            BlobKind::Module,
            Some(info),
        ),
        ("data", Bytes::from_static(b"data"), BlobKind::Data, None),
        (
            "bad.zip",
            Bytes::from_static(b"PK\x03\x04"),
            BlobKind::Archive,
            None,
        ),
    ] {
        let put = store.blobs().put(bytes, kind, info).await.unwrap();
        store.blobs().name(name, put.meta.digest).await.unwrap();
    }
    store
}

async fn resolve(json: &str) -> Result<NewJob, RequestError> {
    let store = store().await;
    let fields = from_json(json.as_bytes())?;
    let resolved = resolve_job(fields, None, 0, 1_000, &store, &Archives::default()).await;
    resolved.map(|(job, _)| job)
}

async fn refused(json: &str) -> String {
    resolve(json).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_task_has_its_own_fields_else_the_defaults() {
    let job = resolve(
        r#"{"module": "app.wasm",
            "defaults": {"args": ["a"], "env": {"A": "1", "B": "1"}, "timeout": "2m"},
            "tasks": [{}, {"args": [], "env": {"B": "2"}, "argv0": "x", "timeout": 1.5}],
            "deterministic": {"seed": 7}, "priority": -100}"#,
    )
    .await
    .unwrap();
    let first = job.tasks.spec(0).unwrap();
    assert_eq!(first.args, ["app.wasm", "a"]);
    assert_eq!((first.limits.timeout_ms, first.seed), (120_000, Some(7)));
    let second = job.tasks.spec(1).unwrap();
    assert_eq!(second.args, ["x"]);
    assert_eq!(
        second.env,
        [("A".into(), "1".into()), ("B".into(), "2".into())]
    );
    assert_eq!((second.limits.timeout_ms, second.seed), (1_500, Some(7)));
    assert_eq!((job.priority, job.retries, job.quorum), (-100, 3, 1));
}

#[tokio::test]
async fn payloads_have_three_forms_and_large_ones_become_blobs() {
    let large = "x".repeat(INLINE_BYTES_MAX);
    let json = format!(
        r#"{{"module": "app.wasm", "tasks": [
             {{"stdin": {{"base64": "aGk="}}, "files": {{"/a/b": "text", "c": {{"blob": "data"}}}}}},
             {{"stdin": "{large}"}}, {{"stdin": "{large}", "files": {{"a": "1", "b": ""}}}},
             {{"stdin": "{large}x"}}]}}"#
    );
    let job = resolve(&json).await.unwrap();
    let spec = |index| job.tasks.spec(index).unwrap();
    assert_eq!(spec(0).stdin, Payload::Inline(Bytes::from_static(b"hi")));
    let Files::Map(files) = spec(0).files else {
        panic!()
    };
    assert_eq!(
        files[0],
        ("a/b".into(), Payload::Inline(Bytes::from_static(b"text")))
    );
    assert!(matches!(&files[1].1, Payload::Blob(blob) if blob.size == 4));
    assert!(matches!(spec(1).stdin, Payload::Inline(_)));
    let Files::Map(files) = spec(2).files else {
        panic!()
    };
    assert!(
        matches!(&files[0].1, Payload::Blob(_)),
        "stdin took all the room"
    );
    assert!(
        matches!(&files[1].1, Payload::Inline(_)),
        "nothing needs no room"
    );
    assert!(matches!(spec(3).stdin, Payload::Blob(blob) if blob.size > INLINE_BYTES_MAX as u64));
}

#[tokio::test]
async fn count_repeats_the_defaults() {
    let job = resolve(r#"{"module": "app.wasm", "count": 3, "defaults": {"args": ["{index}"]}}"#);
    let job = job.await.unwrap();
    assert!(matches!(job.tasks, Tasks::Count { n: 3, .. }));
    assert_eq!(job.tasks.spec(2).unwrap().args[1], "2");
}

#[tokio::test]
async fn errors_name_the_place() {
    for (json, expected) in [
        (
            "{",
            "not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "[]",
            "invalid type: sequence, expected an object with the fields of a job",
        ),
        (
            r#"{"modul": "x"}"#,
            "unknown field `modul`, expected one of `name`, `module`, `defaults`",
        ),
        (
            r#"{"module": "app.wasm"}"#,
            "one of \"tasks\" and \"count\" is needed",
        ),
        (
            r#"{"module": "app.wasm", "count": 1, "tasks": []}"#,
            "exclude each other",
        ),
        (
            r#"{"module": "app.wasm", "tasks": []}"#,
            "0 is outside of 1 to 1000",
        ),
        (
            r#"{"module": "app.wasm", "count": 1001}"#,
            "count: 1001 is outside of 1 to 1000",
        ),
        (
            r#"{"module": "nope", "count": 1}"#,
            "module: there is no blob \"nope\"",
        ),
        (
            r#"{"module": "data", "count": 1}"#,
            "\"data\" is no module but data",
        ),
        (r#"{"count": 1}"#, "module: say which"),
        (
            "{\"module\": \"app.wasm\",\n \"tasks\": [{}, {\"args\": [\"a\", 3]}]}",
            "tasks[1].args[1]: invalid type: integer `3`, expected a string at line 2",
        ),
        (
            r#"{"tasks": [{"stdn": ""}]}"#,
            "tasks[0]: unknown field `stdn`, expected one of `args`, `argv0`, `env`",
        ),
        (
            r#"{"defaults": {"timeout": "soon"}}"#,
            "defaults.timeout: \"soon\" is not a duration",
        ),
        (
            r#"{"defaults": {"memory": "many"}}"#,
            "defaults.memory: \"many\" is not a size",
        ),
        (
            r#"{"defaults": {"memory": true}}"#,
            "expected a size such as \"256MiB\"",
        ),
        (
            r#"{"defaults": {"stdin": 3}}"#,
            "defaults.stdin: invalid type: integer `3`, expected a string, {",
        ),
        (
            r#"{"defaults": {"stdin": {"base64": "?"}}}"#,
            "defaults.stdin.base64: Invalid",
        ),
        (
            r#"{"defaults": {"stdin": {"url": "?"}}}"#,
            "unknown field `url`, expected `base64` or `blob`",
        ),
        (
            r#"{"defaults": {"env": {"A": 1}}}"#,
            "defaults.env[\"A\"]: invalid type: integer `1`",
        ),
        (
            r#"{"defaults": {"args": [], "args": []}}"#,
            "defaults.args: the field is there twice",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"env": {"A=B": ""}}]}"#,
            "tasks[0].env[\"A=B\"]: a name must not",
        ),
        (
            r#"{"module": "app.wasm", "count": 1, "defaults": {"args": ["a\u0000"]}}"#,
            "defaults.args: [0] has a NUL",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"timeout": 0}]}"#,
            "tasks[0].timeout: 0 milliseconds is outside of 1 to 86400000",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"memory": "5GiB"}]}"#,
            "tasks[0].memory: 5368709120 bytes is outside of",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"artifacts": ["../x"]}]}"#,
            "tasks[0].artifacts: the artifact pattern \"../x\"",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"files": "data"}]}"#,
            "tasks[0].files: the blob is not a zip",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"files": "bad.zip"}]}"#,
            "tasks[0].files: the archive is damaged",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"files": {"../x": ""}}]}"#,
            "tasks[0].files[\"../x\"]: the path leads out",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"files": {"x": "", "/x": ""}}]}"#,
            "the same path is there twice",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"files": {"x": "", "x/y": ""}}]}"#,
            "\"x/y\" can't be in the file \"x\"",
        ),
        (
            r#"{"module": "app.wasm", "tasks": [{"stdin": {"blob": "nope"}}]}"#,
            "tasks[0].stdin: there is no blob \"nope\"",
        ),
        (
            r#"{"module": "app.wasm", "count": 1, "quorum": 17}"#,
            "quorum: 17 is outside of 1 to 16",
        ),
        (
            r#"{"module": "app.wasm", "count": 1, "priority": 101}"#,
            "priority: 101 is outside",
        ),
        (
            r#"{"module": "app.wasm", "count": 1, "requires": {"features": ["warp"]}}"#,
            "requires.features[0]: there is no feature \"warp\"; those known are multi-value",
        ),
        (
            r#"{"requires": {"kind": "toaster"}}"#,
            "requires.kind: unknown variant `toaster`",
        ),
        (
            r#"{"module": "app.wasm", "count": 1, "deterministic": {}}"#,
            "the seed is missing",
        ),
    ] {
        let error = refused(json).await;
        assert!(
            error.contains(expected),
            "{json}\n  gave: {error}\n  not: {expected}"
        );
        assert!(!error.contains('\u{1}'), "{error:?}");
    }
}

#[tokio::test]
async fn limits_are_exact() {
    let args = |count: usize| {
        let args = vec!["\"\""; count].join(",");
        format!(r#"{{"module": "app.wasm", "count": 1, "defaults": {{"args": [{args}]}}}}"#)
    };
    assert!(resolve(&args(1_024)).await.is_ok());
    let error = refused(&args(1_025)).await;
    assert!(
        error.contains("defaults.args: more than 1024 arguments"),
        "{error}"
    );
    let long = |bytes: usize| {
        let arg = "x".repeat(bytes);
        format!(
            r#"{{"module": "app.wasm", "count": 1, "defaults": {{"argv0": "", "args": ["{arg}"]}}}}"#
        )
    };
    assert!(resolve(&long(128 * 1024)).await.is_ok());
    assert!(
        refused(&long(128 * 1024 + 1))
            .await
            .contains("over the limit of 131072")
    );
}

#[tokio::test]
async fn rules_hold_as_an_operator_sets_them() {
    let store = store().await;
    let rules = TaskRules {
        args: 2,
        args_bytes: 12,
        env: 1,
        env_bytes: 4,
        inline_bytes: 3,
        artifact_bytes: 7,
        ..TaskRules::default()
    };
    let archives = Archives::new(rules);
    let resolve = async |task: &str| {
        let json = format!(r#"{{"module": "app.wasm", "tasks": [{task}]}}"#);
        let fields = from_json(json.as_bytes()).unwrap();
        let job = resolve_job(fields, None, 0, 10, &store, &archives).await;
        job.map(|(job, _)| job.tasks.spec(0).unwrap())
    };
    // `argv[0]` is `app.wasm`: 8 bytes.
    for (below, above, named) in [
        (
            r#"{"args": ["", ""]}"#,
            r#"{"args": ["", "", ""]}"#,
            "more than 2 arguments",
        ),
        (
            r#"{"args": ["1234"]}"#,
            r#"{"args": ["12345"]}"#,
            "over the limit of 12",
        ),
        (
            r#"{"env": {"A": ""}}"#,
            r#"{"env": {"A": "", "B": ""}}"#,
            "more than 1 variables",
        ),
        (
            r#"{"env": {"A": "123"}}"#,
            r#"{"env": {"A": "1234"}}"#,
            "over the limit of 4",
        ),
    ] {
        let spec = resolve(below).await.unwrap();
        assert_eq!(spec.limits.artifact_bytes, 7);
        let error = resolve(above).await.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let inline = resolve(r#"{"stdin": "123"}"#).await.unwrap();
    assert!(matches!(inline.stdin, Payload::Inline(_)));
    let blob = resolve(r#"{"stdin": "1234"}"#).await.unwrap();
    assert!(matches!(blob.stdin, Payload::Blob(_)), "a blob of its own");
}

#[tokio::test]
async fn archives_are_held_against_the_rules() {
    use wasipool_shared::archive::ArchiveLimits;
    let store = store().await;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["a", "b"] {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(name, options).unwrap();
        std::io::Write::write_all(&mut zip, b"12345").unwrap();
    }
    let zip = zip.finish().unwrap().into_inner().into();
    let put = store
        .blobs()
        .put(zip, BlobKind::Archive, None)
        .await
        .unwrap();
    let json = format!(
        r#"{{"module": "app.wasm", "count": 1, "defaults": {{"files": "{}"}}}}"#,
        put.meta.digest
    );
    let resolve = async |entries, bytes| {
        let limits = ArchiveLimits {
            entries,
            bytes,
            ..ArchiveLimits::default()
        };
        let rules = TaskRules {
            archive: limits,
            ..TaskRules::default()
        };
        let archives = Archives::new(rules);
        let fields = from_json(json.as_bytes()).unwrap();
        let job = resolve_job(fields, None, 0, 10, &store, &archives).await;
        job.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(resolve(2, 10).await, Ok(()));
    assert!(
        resolve(1, 10)
            .await
            .unwrap_err()
            .contains("more than 1 entries")
    );
    assert!(
        resolve(2, 9)
            .await
            .unwrap_err()
            .contains("more than 9 bytes")
    );
}
