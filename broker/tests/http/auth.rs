//! Who may do what.

use std::io::Write as _;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};

use crate::broker::Broker;

#[tokio::test]
async fn tokens_and_origins_are_checked() {
    let file = |token: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# for tests\n{token}").unwrap();
        file
    };
    let (submit, provide) = (file("s3cret"), file("j0in"));
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    let args = [
        format!("--submit-tokens={}", path(&submit)),
        format!("--provide-tokens={}", path(&provide)),
    ];
    let broker = Broker::start(&args.each_ref().map(String::as_str)).await;
    let send = async |method: Method, path: &str, token: Option<&str>, origin: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(
                "authorization",
                HeaderValue::try_from(format!("Bearer {token}")).unwrap(),
            );
        }
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::try_from(origin).unwrap());
        }
        let request = broker
            .client
            .request(method, format!("{}{path}", broker.url));
        request
            .headers(headers)
            .timeout(Duration::from_secs(10))
            .send()
            .await
            .unwrap()
    };
    let own = broker.url.clone();
    for (method, path, token, origin, status) in [
        (Method::GET, "/v1/jobs", None, None, 401),
        (Method::GET, "/v1/jobs", Some("wrong"), None, 401),
        (Method::GET, "/v1/jobs", Some("j0in"), None, 403),
        (Method::GET, "/v1/jobs", Some("s3cret"), None, 200),
        (Method::POST, "/v1/tickets", Some("s3cret"), None, 403),
        (Method::POST, "/v1/tickets", Some("j0in"), None, 201),
        (
            Method::POST,
            "/v1/tickets",
            Some("j0in"),
            Some(own.as_str()),
            201,
        ),
        (
            Method::POST,
            "/v1/tickets",
            Some("j0in"),
            Some("https://evil.example"),
            403,
        ),
        (Method::GET, "/v1/stats", None, None, 401),
        (Method::GET, "/v1/stats", Some("j0in"), None, 200),
        (Method::GET, "/v1/transport", None, None, 200),
        (Method::GET, "/healthz", None, None, 200),
    ] {
        let response = send(method.clone(), path, token, origin).await;
        assert_eq!(
            response.status().as_u16(),
            status,
            "{method} {path} {token:?} {origin:?}"
        );
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-origin")
        );
    }
}
