use prost::Message as _;
use serde_json::{Value, json};

use super::*;

fn read<M: serde::de::DeserializeOwned>(json: &Value) -> M {
    serde_json::from_value(json.clone()).unwrap()
}

#[test]
fn requests_are_the_same_in_both_encodings() {
    let request: RunRequest = read(&json!({
        "info": {"reference": "mine", "trace": {"created": "1"}, "later": [1]},
        "qos": {"priority": true, "deadline": "2026-01-02T03:04:05.5Z", "immediate": false},
        "params": {
            "binary": {"ref": "tsp.wasm"},
            "args": ["tsp.wasm", "rand"],
            "envs": ["A=1"],
            "stdin": "aGk=",
            "rootfs": {"blob": "UEs", "media": "application/zip"},
            "artifacts": ["out"],
        },
    }));
    // As another implementation of protobuf encodes it.
    let encoded = [
        b"\x0a\x06\x22\x04mine".as_slice(),
        b"\x12\x12\x08\x01\x12\x0c\x08\xa5\xeb\xdc\xca\x06\x10\x80\xca\xb5\xee\x01\x18\x00",
        b"\x1a\x41\x0a\x0a\x0a\x08tsp.wasm",
        b"\x12\x08tsp.wasm\x12\x04rand\x1a\x03A=1\x22\x02hi",
        b"\x2a\x15\x12\x0fapplication/zip\x1a\x02PK\x32\x03out",
    ]
    .concat();
    let decoded = RunRequest::decode(encoded.as_slice());
    assert_eq!(
        decoded.as_ref(),
        Ok(&request),
        "{:?}",
        request.encode_to_vec()
    );
    let deadline = request.qos.unwrap().deadline.unwrap();
    assert_eq!(
        (deadline.seconds, deadline.nanos),
        (1_767_323_045, 500_000_000)
    );
}

#[test]
fn bytes_are_read_in_every_form_that_base64_has() {
    let blob = |text: &str| {
        let file: Result<File, _> = serde_json::from_value(json!({"blob": text}));
        file.map(|file| file.blob.unwrap().to_vec())
    };
    for text in ["+/8=", "+/8", "-_8=", "-_8", "-_9"] {
        assert_eq!(blob(text).unwrap(), [0xfb, 0xff], "{text}");
    }
    assert_eq!(blob("").unwrap(), b"");
    for text in ["+_8=", "a", "a b=", "+/8=="] {
        assert!(blob(text).is_err(), "{text}");
    }
    let none: File = read(&json!({"blob": null, "ref": null}));
    assert_eq!(none, File::default());
}

#[test]
fn null_is_nothing_and_unknown_fields_are_passed_over() {
    let params: Params = read(&json!({"args": null, "stdin": null, "binary": null, "new": {}}));
    assert_eq!(params, Params::default());
    // Field 15, a text, and field 100, a number.
    let request = RunRequest::decode(b"\x7a\x01x\xa0\x06\x01".as_slice()).unwrap();
    assert_eq!(request, RunRequest::default());
    for wrong in [
        json!({"args": "x"}),
        json!({"args": [null]}),
        json!({"binary": "x"}),
        json!({"stdin": 1}),
    ] {
        assert!(
            serde_json::from_value::<Params>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
    let twice = r#"{"args": [], "args": []}"#;
    assert!(serde_json::from_str::<Params>(twice).is_err());
}

#[test]
fn responses_have_either_result() {
    let info = Metadata {
        id: Some("7".into()),
        requester: Some("127.0.0.1:9".into()),
        provider: Some("lab".into()),
        reference: None,
    };
    let output = Output {
        status: Some(0),
        stdout: Some(Bytes::from_static(b"\xfb\xff")),
        stderr: Some(Bytes::new()),
        artifacts: Some(File {
            blob: Some(Bytes::from_static(b"PK")),
            ..File::default()
        }),
    };
    let response = RunResponse {
        info: Some(info.clone()),
        result: Some(RunResult::Ok(output)),
    };
    assert_eq!(
        serde_json::to_value(&response).unwrap(),
        json!({
            "info": {"id": "7", "requester": "127.0.0.1:9", "provider": "lab"},
            "ok": {"status": 0, "stdout": "+/8=", "stderr": "", "artifacts": {"blob": "UEs="}},
        })
    );
    let encoded = [
        b"\x0a\x15\x0a\x017\x12\x0b127.0.0.1:9\x1a\x03lab".as_slice(),
        b"\x1a\x0e\x08\x00\x12\x02\xfb\xff\x1a\x00\x22\x04\x1a\x02PK",
    ]
    .concat();
    assert_eq!(
        response.encode_to_vec(),
        encoded,
        "zero is there, as it was set"
    );
    let response = RunResponse {
        info: None,
        result: Some(RunResult::Error("why".into())),
    };
    assert_eq!(
        serde_json::to_value(&response).unwrap(),
        json!({"error": "why"})
    );
    assert_eq!(response.encode_to_vec(), b"\x12\x03why");
}

#[test]
fn uploads_have_a_name_and_content() {
    let encoded = b"\x0a\x1b\x0a\x01a\x12\x10application/wasm\x1a\x04\0asm";
    let request: UploadRequest = read(&json!({
        "upload": {"ref": "a", "media": "application/wasm", "blob": "AGFzbQ"},
    }));
    assert_eq!(UploadRequest::decode(encoded.as_slice()), Ok(request));
    let response = UploadResponse {
        reference: Some("sha256:0".into()),
    };
    assert_eq!(
        serde_json::to_value(&response).unwrap(),
        json!({"ref": "sha256:0"})
    );
    assert_eq!(response.encode_to_vec(), b"\x0a\x08sha256:0");
}

#[test]
fn an_array_is_no_message() {
    for part in ["info", "qos", "params"] {
        let asked = serde_json::from_value::<RunRequest>(json!({ part: [] }));
        let error = asked.unwrap_err().to_string();
        assert!(error.contains("expected an object"), "{part}: {error}");
        let asked = serde_json::from_value::<RunRequest>(json!({ part: null }));
        assert_eq!(asked.unwrap(), RunRequest::default());
    }
}
