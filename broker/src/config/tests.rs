use super::*;

fn load(args: &[&str]) -> Result<Config, ConfigError> {
    let args = std::iter::once("wasipool-broker").chain(args.iter().copied());
    Config::load(args.map(OsString::from))
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let config = load(&[]).unwrap();
    assert_eq!(config.http.to_string(), "127.0.0.1:4080");
    assert_eq!(config.transport.to_string(), "127.0.0.1:4443");
    assert_eq!(
        config.session_idle,
        Duration::from_millis(limits::SESSION_IDLE_MS)
    );
    assert_eq!(config.blob_max, limits::BLOB_BYTES_MAX);
    assert_eq!(config.stored_max, limits::STORED_BYTES_MAX);
    assert_eq!(config.token_stored_max, limits::OWNER_STORED_BYTES_MAX);
    assert_eq!(config.request_max, limits::REQUEST_JSON_BYTES_MAX as u64);
    let keep = |args: &[&str]| {
        let keep = load(args).unwrap().keep();
        (keep.time.map(|time| time.as_secs()), keep.bytes)
    };
    let week = Some(7 * 24 * 3_600);
    assert_eq!(keep(&["--ephemeral"]), (week, 2 * limits::GIB));
    assert_eq!(keep(&["--data=x"]), (week, 16 * limits::GIB));
    let args = ["--data=x", "--keep-jobs=90m", "--keep-bytes=5MiB"];
    assert_eq!(keep(&args), (Some(5_400), 5 * limits::MIB));
}

#[test]
fn an_open_broker_stays_on_loopback() {
    let error = load(&["--http", "0.0.0.0:4080"]).unwrap_err();
    assert!(error.to_string().contains("--insecure-open"), "{error}");
    assert!(load(&["--transport", "0.0.0.0:4443"]).is_err());
    assert!(load(&["--http", "0.0.0.0:4080", "--insecure-open"]).is_ok());
    let tokens = ["--submit-tokens", "a", "--provide-tokens", "b"];
    assert!(load(&[&["--http", "0.0.0.0:4080"], tokens.as_slice()].concat()).is_ok());
    assert!(load(&["--http", "[::1]:0"]).is_ok());
}

#[test]
fn the_file_fills_what_flags_leave_open() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    let text =
        "http = \"127.0.0.1:1\"\nproviders-max = 7\norigin = [\"https://a\", \"https://b\"]\n";
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let config = load(&["--config", path, "--http=127.0.0.1:2"]).unwrap();
    assert_eq!(config.http.port(), 2, "a flag wins");
    assert_eq!(config.providers_max, 7);
    assert_eq!(config.origins, ["https://a", "https://b"]);
    std::fs::write(&file, "colour = 1").unwrap();
    let error = load(&["--config", path]).unwrap_err();
    assert!(error.to_string().contains("--colour"), "{error}");
}

#[test]
fn data_and_ephemeral_exclude_each_other() {
    assert!(load(&["--data", "x", "--ephemeral"]).is_err());
}

#[test]
fn own_origins_are_allowed_by_each_of_their_names() {
    let origins = load(&[])
        .unwrap()
        .allowed_origins(([127, 0, 0, 1], 80).into());
    assert!(origins.contains("http://localhost:80"), "{origins:?}");
    assert!(!origins.contains("http://evil.example"));
}
