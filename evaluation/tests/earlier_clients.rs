//! Clients of the earlier system, as they are: their calls, byte for byte, on a
//! native provider.

use std::io::{Cursor, Read as _, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::http::Reply;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;

const SERVICE: &str = "/api/client/wasimoff.v1.Tasks";

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn decoded(value: &Value) -> Vec<u8> {
    BASE64_STANDARD
        .decode(value.as_str().unwrap_or("not base64"))
        .unwrap_or_default()
}

fn zip_of(files: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

fn unzip(bytes: &[u8], name: &str) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes))?;
    let mut content = Vec::new();
    zip.by_name(name)?.read_to_end(&mut content)?;
    Ok(content)
}

fn pool(test: impl AsyncFnOnce(&Client) -> anyhow::Result<()>) {
    with_pool(&Setup::broker().native("native", 2), async |pool| {
        test(&pool.client).await
    });
}

async fn thesis_upload(client: &Client, name: &str, bytes: Vec<u8>) -> anyhow::Result<Reply> {
    let request = client.request(Method::POST, "/api/broker/v1/upload");
    request.query("name", name).body(bytes).send().await
}

async fn thesis_run(client: &Client, batch: &Value) -> anyhow::Result<Reply> {
    let request = client.request(Method::POST, "/api/broker/v1/run");
    request.json(batch).send().await
}

#[test]
fn the_thesis_api_runs_batches_of_files_uploaded_by_name() {
    pool(async |client| {
        for name in ["hello", "exit", "trap", "files"] {
            let wasm = programs::guest(name)?;
            let size = wasm.len();
            let reply = thesis_upload(client, &format!("{name}.wasm"), wasm).await?;
            assert_eq!(
                (reply.status.as_u16(), reply.text()),
                (200, format!("Upload OK, {size} bytes"))
            );
        }
        let reply = thesis_upload(client, "note.txt", b"a note\n".to_vec()).await?;
        assert_eq!(reply.text(), "Upload OK, 7 bytes");
        let nameless = thesis_upload(client, "", b"x".to_vec()).await?;
        assert_eq!(nameless.status, 400, "{nameless}");

        let batch = json!({
            "bin": "hello.wasm",
            "envs": ["SHARED=all", "OWN=all"],
            "exec": [
                {"args": ["one", "two"], "envs": ["OWN=mine"], "loadfs": ["note.txt"]},
                {"args": [], "loadfs": ["missing.txt"]},
                {"args": ["--write", "/made.bin"], "datafile": "/made.bin"},
            ],
        });
        let reply = thesis_run(client, &batch).await?;
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.header("content-type"), "application/json");
        let results: Vec<Value> = reply.json()?;
        assert_eq!(results.len(), 3, "{reply}");
        assert_eq!(
            results[0],
            json!({"result": {
                "status": 0,
                "stdout": "hello from rust\narg[0]=hello.wasm\narg[1]=one\narg[2]=two\nOWN=mine\n\
                           SHARED=all\n/note.txt 7\n",
                "stderr": "",
            }})
        );
        let error = results[1]["error"].as_str().unwrap_or_default();
        assert!(error.contains("missing.txt"), "{reply}");
        assert_eq!(results[1].as_object().map(serde_json::Map::len), Some(1));
        let made = &results[2]["result"];
        assert_eq!(decoded(&made["datafile"]), b"written by hello\n", "{reply}");

        // What a guest does wrong: an exit code is a result, a trap an error.
        let batch = json!({"bin": "exit.wasm", "exec": [{"args": ["3"]}, {"args": ["0"]}]});
        let results: Vec<Value> = thesis_run(client, &batch).await?.json()?;
        assert_eq!(
            results[0],
            json!({"result": {"status": 3, "stdout": "going\n", "stderr": "exit with 3\n"}})
        );
        assert_eq!(results[1]["result"]["status"], 0);
        let batch = json!({"bin": "trap.wasm", "exec": [{"args": []}]});
        let results: Vec<Value> = thesis_run(client, &batch).await?.json()?;
        let error = results[0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("trapped"), "{results:?}");

        // A trace, of one run only.
        let batch = json!({"bin": "hello.wasm", "exec": [{"args": []}], "trace": true});
        let results: Vec<Value> = thesis_run(client, &batch).await?.json()?;
        let trace = results[0]["result"]["trace"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert!(trace.len() >= 3, "{results:?}");
        assert!(
            trace
                .iter()
                .all(|event| event["time"].is_u64() && event["label"].is_string())
        );
        let batch = json!({"bin": "hello.wasm", "exec": [{}, {}], "trace": true});
        assert_eq!(thesis_run(client, &batch).await?.status, 400);

        let batch = json!({"bin": "nowhere.wasm", "exec": [{"args": []}, {"args": []}]});
        let results: Vec<Value> = thesis_run(client, &batch).await?.json()?;
        assert_eq!(results.len(), 2);
        let names_it = |entry: &Value| {
            entry["error"]
                .as_str()
                .is_some_and(|e| e.contains("nowhere"))
        };
        assert!(results.iter().all(names_it), "{results:?}");
        let reply = thesis_run(client, &json!({"bin": "hello.wasm", "exec": []})).await?;
        assert_eq!(reply.status, 400, "{reply}");
        assert!(
            reply
                .text()
                .contains("failed to validate run configuration")
        );
        Ok(())
    });
}

#[test]
fn large_batches_keep_their_order() {
    pool(async |client| {
        thesis_upload(client, "cat.wasm", programs::guest("cat")?).await?;
        let runs: Vec<_> = (0..200)
            .map(|at| json!({"stdin": format!("in {at}")}))
            .collect();
        let reply = thesis_run(client, &json!({"bin": "cat.wasm", "exec": runs})).await?;
        let results: Vec<Value> = reply.json()?;
        assert_eq!(results.len(), 200);
        for (at, entry) in results.iter().enumerate() {
            assert_eq!(entry["result"]["stdout"], format!("in {at}"), "{at}");
        }
        Ok(())
    });
}

async fn storage_upload(
    client: &Client,
    name: &str,
    media: &str,
    bytes: Vec<u8>,
) -> anyhow::Result<Reply> {
    let request = client.request(Method::POST, "/api/storage/upload");
    let request = request.query("name", name).header("content-type", media);
    request.body(bytes).send().await
}

#[test]
fn storage_takes_modules_and_zips_and_gives_them_back() {
    pool(async |client| {
        let wasm = programs::guest("hello-wat")?;
        let reply = storage_upload(client, "hello.wasm", "application/wasm", wasm.clone()).await?;
        assert_eq!(reply.status, 200, "{reply}");
        let reference = reply.text().trim_end().to_owned();
        assert!(
            reference.starts_with("sha256:") && reference.len() == 71,
            "{reply}"
        );
        assert_eq!(reply.header("x-wasimoff-ref"), reference);
        for known in ["hello.wasm", &reference] {
            let reply = client.get(&format!("/api/storage/{known}")).await?;
            assert_eq!(reply.body, wasm);
            assert_eq!(reply.header("content-type"), "application/wasm");
            assert_eq!(reply.header("x-wasimoff-ref"), reference);
        }
        let zip = zip_of(&[("a", "a")])?;
        let media = "application/zip; charset=binary";
        let reply = storage_upload(client, "files.zip", media, zip.clone()).await?;
        assert_eq!(reply.status, 200, "{reply}");
        let part = client.request(Method::GET, "/api/storage/files.zip");
        let part = part.header("range", "bytes=0-1").send().await?;
        assert_eq!(
            (part.status.as_u16(), part.body.as_slice()),
            (206, b"PK".as_slice())
        );
        assert_eq!(part.header("content-type"), "application/zip");

        let refused = storage_upload(client, "x", "text/plain", b"x".to_vec()).await?;
        assert_eq!(
            (refused.status.as_u16(), refused.text().trim_end()),
            (415, "unsupported filetype")
        );
        let broken = storage_upload(client, "x", "application/wasm", b"\0asm".to_vec()).await?;
        assert_eq!(broken.status, 422, "{broken}");
        let missing = client
            .request(Method::GET, "/api/storage/nothing")
            .send()
            .await?;
        assert_eq!(
            (missing.status.as_u16(), missing.text().trim_end()),
            (404, "File not Found in storage")
        );
        Ok(())
    });
}

async fn call(client: &Client, method: &str, message: &Value) -> anyhow::Result<Reply> {
    let request = client.request(Method::POST, &format!("{SERVICE}/{method}"));
    let request = request.header("connect-protocol-version", "1");
    request.json(message).send().await
}

#[test]
fn connect_calls_in_json_run_tasks() {
    pool(async |client| {
        let upload = json!({"upload": {
            "ref": "hello.wasm", "media": "application/wasm", "blob": base64(programs::guest("hello")?),
        }});
        let reply = call(client, "Upload", &upload).await?;
        assert_eq!(reply.status, 200, "{reply}");
        let uploaded: Value = reply.json()?;
        let reference = uploaded["ref"].as_str().unwrap_or_default().to_owned();
        assert!(reference.starts_with("sha256:"), "{reply}");

        let rootfs = zip_of(&[("data/in.txt", "from the zip\n")])?;
        let message = json!({
            "info": {"id": "ignored", "reference": "mine"},
            "qos": {"priority": true},
            "params": {
                "binary": {"ref": "hello.wasm"},
                "args": ["its own name", "--write", "out.txt"],
                "envs": ["FILE=/data/in.txt"],
                "rootfs": {"blob": base64(&rootfs)},
                "artifacts": ["/out.txt", "missing.txt"],
            },
        });
        let reply = call(client, "RunWasip1", &message).await?;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (200, "application/json")
        );
        let response: Value = reply.json()?;
        let info = &response["info"];
        assert_eq!(
            (&info["provider"], &info["reference"]),
            (&json!("native"), &json!("mine"))
        );
        assert!(
            info["id"].as_str().is_some_and(|id| id.ends_with(".0")),
            "{reply}"
        );
        assert!(
            info["requester"]
                .as_str()
                .is_some_and(|at| at.starts_with("127.0.0.1:"))
        );
        let ok = &response["ok"];
        assert_eq!(
            (&ok["status"], &ok["stderr"]),
            (&json!(0), &json!("")),
            "{reply}"
        );
        let stdout = String::from_utf8(decoded(&ok["stdout"]))?;
        assert!(
            stdout.contains("arg[0]=its own name\narg[1]=--write\n"),
            "{stdout}"
        );
        assert!(
            stdout.ends_with("--- /data/in.txt\nfrom the zip\n"),
            "{stdout}"
        );
        let zip = decoded(&ok["artifacts"]["blob"]);
        assert_eq!(unzip(&zip, "out.txt")?, b"written by hello\n");

        // A module sent along, stdin, a digest, and an exit code that isn't 0.
        let message = json!({"params": {
            "binary": {"blob": base64(programs::guest("cat")?)},
            "stdin": base64(b"\x00\xff bytes").trim_end_matches('='),
        }});
        let response: Value = call(client, "RunWasip1", &message).await?.json()?;
        assert_eq!(
            decoded(&response["ok"]["stdout"]),
            b"\x00\xff bytes",
            "{response}"
        );
        assert!(
            response["ok"].get("artifacts").is_none(),
            "none were asked for"
        );
        let message = json!({"params": {
            "binary": {"blob": base64(programs::guest("exit")?)}, "args": ["exit", "7"],
        }});
        let response: Value = call(client, "RunWasip1", &message).await?.json()?;
        assert_eq!(response["ok"]["status"], 7, "{response}");

        // A guest that fails is an answer, with who it was.
        let message = json!({"params": {"binary": {"blob": base64(programs::guest("trap")?)}}});
        let response: Value = call(client, "RunWasip1", &message).await?.json()?;
        let error = response["error"].as_str().unwrap_or_default();
        assert!(error.contains("trapped"), "{response}");
        assert_eq!(response["info"]["provider"], "native");
        assert!(response.get("ok").is_none());
        Ok(())
    });
}

#[test]
fn connect_errors_have_its_codes_and_statuses() {
    pool(async |client| {
        let unknown = json!({"params": {"binary": {"ref": "nowhere.wasm"}}});
        let both = json!({"params": {"binary": {"ref": "a", "blob": "AA=="}}});
        let past = json!({
            "params": {"binary": {"ref": "a"}}, "qos": {"deadline": "2001-01-01T00:00:00Z"},
        });
        for (method, message, status, code) in [
            ("RunWasip1", &unknown, 404, "not_found"),
            ("RunWasip1", &both, 400, "invalid_argument"),
            ("RunWasip1", &json!({}), 400, "invalid_argument"),
            ("RunWasip1", &json!({"params": 1}), 400, "invalid_argument"),
            ("RunWasip1", &past, 504, "deadline_exceeded"),
            (
                "Upload",
                &json!({"upload": {"media": "text/plain", "blob": "AA=="}}),
                400,
                "invalid_argument",
            ),
        ] {
            let reply = call(client, method, message).await?;
            assert_eq!(reply.status, status, "{reply}");
            let error: Value = reply.json()?;
            assert_eq!(error["code"], code, "{reply}");
            assert!(
                error["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
        }
        // Whatever messages are in, errors are JSON.
        let path = format!("{SERVICE}/RunWasip1");
        let post = || client.request(Method::POST, &path);
        let broken = post()
            .header("content-type", "application/proto")
            .body(b"\xff".to_vec());
        let broken = broken.send().await?;
        assert_eq!(
            (broken.status.as_u16(), broken.header("content-type")),
            (400, "application/json")
        );
        let other = post()
            .header("content-type", "application/grpc")
            .send()
            .await?;
        assert_eq!(other.status, 415);
        assert!(other.header("accept-post").contains("application/proto"));
        let version = post()
            .header("connect-protocol-version", "2")
            .json(&json!({}));
        assert_eq!(version.send().await?.status, 400);

        // A call that takes longer than its client waits.
        client.put_guests(&["spin"]).await?;
        let spin = json!({"params": {"binary": {"ref": "spin.wasm"}}});
        let slow = post()
            .header("connect-timeout-ms", "300")
            .json(&spin)
            .send()
            .await?;
        assert_eq!(slow.status, 504, "{slow}");
        assert_eq!(slow.json::<Value>()?["code"], "deadline_exceeded");
        Ok(())
    });
}

/// A field of a protobuf message whose value is bytes.
fn field(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let mut encoded = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 0x7f {
        encoded.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    encoded.push(u8::try_from(length).unwrap_or(0));
    encoded.extend_from_slice(value);
    encoded
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
}

/// The value of a field, of whichever of the two kinds in use.
fn value_of(message: &[u8], number: u64) -> Option<Vec<u8>> {
    let mut rest = message;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => varint(&mut rest)?.to_le_bytes().to_vec(),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (value, after) = rest.split_at_checked(length)?;
                rest = after;
                value.to_vec()
            }
            _ => return None,
        };
        if tag >> 3 == number {
            return Some(value);
        }
    }
    None
}

async fn call_proto(client: &Client, method: &str, message: Vec<u8>) -> anyhow::Result<Reply> {
    let request = client.request(Method::POST, &format!("{SERVICE}/{method}"));
    let request = request.header("content-type", "application/proto");
    let reply = request.body(message).send_ok().await?;
    anyhow::ensure!(
        reply.header("content-type") == "application/proto",
        "{reply}"
    );
    Ok(reply)
}

#[test]
fn connect_calls_in_protobuf_are_the_same() {
    pool(async |client| {
        let zip = zip_of(&[("in.txt", "zipped\n")])?;
        let file = [
            field(1, "in.zip"),
            field(2, "application/zip"),
            field(3, &zip),
        ]
        .concat();
        let reply = call_proto(client, "Upload", field(1, file)).await?;
        let reference = value_of(&reply.body, 1).unwrap_or_default();
        assert!(reference.starts_with(b"sha256:"), "{reply}");

        let params = [
            field(1, field(3, programs::guest("hello")?)),
            field(2, "me"),
            field(2, "--write"),
            field(2, "made"),
            field(3, "FILE=/in.txt"),
            field(5, field(1, &reference)),
            field(6, "made"),
        ];
        let request = [field(1, field(4, "mine")), field(3, params.concat())].concat();
        let reply = call_proto(client, "RunWasip1", request).await?;
        let info = value_of(&reply.body, 1).unwrap_or_default();
        assert_eq!(value_of(&info, 3).as_deref(), Some(b"native".as_slice()));
        assert_eq!(value_of(&info, 4).as_deref(), Some(b"mine".as_slice()));
        let ok = value_of(&reply.body, 3).unwrap_or_default();
        assert_eq!(value_of(&ok, 1), Some(vec![0; 8]), "0 is there");
        let stdout = String::from_utf8(value_of(&ok, 2).unwrap_or_default())?;
        assert!(stdout.contains("arg[0]=me\n"), "{stdout}");
        assert!(stdout.ends_with("--- /in.txt\nzipped\n"), "{stdout}");
        let artifacts = value_of(&ok, 4).and_then(|file| value_of(&file, 3));
        let artifacts = artifacts.unwrap_or_default();
        assert_eq!(unzip(&artifacts, "made")?, b"written by hello\n");

        let params = field(1, field(3, programs::guest("trap")?));
        let reply = call_proto(client, "RunWasip1", field(3, params)).await?;
        let error = String::from_utf8(value_of(&reply.body, 2).unwrap_or_default())?;
        assert!(error.contains("trapped"), "{error}");
        Ok(())
    });
}

#[test]
fn a_task_is_run_from_headers() {
    pool(async |client| {
        client
            .put_guests(&["hello", "exit", "trap", "cat", "files"])
            .await?;
        client
            .put_blob("in.zip", zip_of(&[("in.txt", "zipped\n")])?)
            .await?;
        let run = |wasm: &str| client.request(Method::POST, &format!("/api/client/run/{wasm}"));
        let reply = run("hello.wasm")
            .header("x-args", "--write made 'two words'")
            .header("x-env-file", "/in.txt")
            .header("x-rootfs-ref", "in.zip")
            .header("x-artifact", "made")
            .send_ok()
            .await?;
        assert_eq!(reply.header("x-wasimoff-result"), "Ok");
        assert_eq!(reply.header("x-wasimoff-status"), "0");
        assert_eq!(reply.header("x-wasimoff-provider"), "native");
        let stdout = reply.text();
        assert!(
            stdout.contains("arg[0]=hello.wasm\narg[1]=--write\narg[2]=made\narg[3]=two words\n")
        );
        assert!(stdout.ends_with("--- /in.txt\nzipped\n"), "{stdout}");
        let artifacts = BASE64_STANDARD.decode(reply.header("x-wasimoff-artifacts"))?;
        assert_eq!(unzip(&artifacts, "made")?, b"written by hello\n");

        let reply = run("cat.wasm").body("over stdin").send_ok().await?;
        assert_eq!(reply.text(), "over stdin");
        let reply = run("exit.wasm").header("x-args", "5").send_ok().await?;
        assert_eq!(
            (reply.header("x-wasimoff-status"), reply.text().as_str()),
            ("5", "exit with 5\ngoing\n")
        );
        let reply = run("trap.wasm").send_ok().await?;
        assert_eq!(reply.header("x-wasimoff-result"), "Error");
        assert!(reply.text().contains("trapped"), "{reply}");
        let reply = run("nowhere.wasm").send().await?;
        assert_eq!(reply.status, 404, "{reply}");
        assert!(reply.text().contains("nowhere.wasm"));
        Ok(())
    });
}
