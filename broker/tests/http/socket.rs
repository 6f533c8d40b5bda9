//! Providers that come by WebSocket: who gets in, and what ends a session.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::limits::{NAME_BYTES_MAX, SLOTS_MAX};
use wasipool_shared::wire::frame::{FrameReader, FrameWriter, decode_one};
use wasipool_shared::wire::message::{Hello, HelloReply, RefuseCode, ToBroker};
use wasipool_shared::wire::piece::Piece;
use wasipool_shared::wire::version::VersionRange;
use wasipool_shared::wire::{PATH, SUBPROTOCOL};

use super::broker::{Broker, body};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(broker: &Broker, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let url = format!("{}{PATH}", broker.url.replace("http://", "ws://"));
    let mut request = url.into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn socket(broker: &Broker) -> Socket {
    connect(broker, &[("sec-websocket-protocol", SUBPROTOCOL)])
        .await
        .unwrap()
}

/// Status and code of the problem that the broker answers with.
async fn refused(broker: &Broker, headers: &[(&'static str, &str)]) -> (u16, String) {
    match connect(broker, headers).await {
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            let problem: Value = serde_json::from_slice(body).unwrap();
            let code = problem["code"].as_str().unwrap().to_owned();
            (response.status().as_u16(), code)
        }
        other => panic!("{other:?}"),
    }
}

async fn ticket(broker: &Broker) -> String {
    let response = broker.send(reqwest::Method::POST, "/v1/tickets", "").await;
    body(response, 201).await["ticket"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn say<M: serde::Serialize>(socket: &mut Socket, message: &M) {
    let mut frames = FrameWriter::default();
    let _ = frames.push(message).unwrap();
    let content = frames.take();
    let last = false;
    send(socket, Piece::Control { content, last }).await;
}

async fn send(socket: &mut Socket, piece: Piece) {
    let message = Message::Binary(piece.encode());
    socket.send(message).await.unwrap();
}

fn hello(ticket: String) -> Hello {
    Hello {
        versions: VersionRange::OURS,
        ticket,
        name: "by-socket".into(),
        kind: ProviderKind::Native,
        agent: "test".into(),
        capacity: Capacity {
            slots: 2,
            memory_bytes: 1 << 30,
            features: Features::SIMD,
            speed: 1_000,
        },
    }
}

/// The answer to a hello.
async fn reply(socket: &mut Socket) -> HelloReply {
    loop {
        if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
            let Piece::Control { content, .. } = Piece::decode(bytes).unwrap() else {
                panic!("nothing else comes yet");
            };
            let mut reader = FrameReader::default();
            reader.feed(&content);
            return decode_one(&reader.next_frame().unwrap().unwrap()).unwrap();
        }
    }
}

async fn join(broker: &Broker) -> Socket {
    let mut socket = socket(broker).await;
    say(&mut socket, &hello(ticket(broker).await)).await;
    assert!(matches!(reply(&mut socket).await, HelloReply::Welcome(_)));
    socket
}

/// Code and reason of the close message.
async fn closed(socket: &mut Socket) -> (u16, String) {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(Some(CloseFrame { code, reason })) = message {
            return (code.into(), reason.to_string());
        }
    }
    panic!("it ended without a reason");
}

async fn providers(broker: &Broker) -> Vec<Value> {
    let list = body(broker.get("/v1/providers").await, 200).await;
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_provider_comes_in_and_is_seen() {
    let broker = Broker::start(&[]).await;
    let mut socket = join(&broker).await;
    let listed = providers(&broker).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["transport"], "websocket");
    let metrics = broker.get("/metrics").await.text().await.unwrap();
    let line = r#"wasipool_providers{kind="native",transport="websocket"} 1"#;
    assert!(metrics.contains(line), "{metrics}");

    // Its round trip is measured by pings of the WebSocket, which are answered
    // while something is read.
    let mut number = 0;
    while providers(&broker).await[0]["round_trip_ms"].is_null() {
        number += 1;
        say(&mut socket, &ToBroker::Ping(number)).await;
        socket.next().await.unwrap().unwrap();
    }

    say(&mut socket, &ToBroker::Bye).await;
    assert_eq!(closed(&mut socket).await, (1_000, "said goodbye".into()));
    assert!(providers(&broker).await.is_empty(), "it is gone at once");
}

#[tokio::test]
async fn a_refusal_says_why() {
    let broker = Broker::start(&[]).await;
    let mut socket = socket(&broker).await;
    say(&mut socket, &hello("not a ticket".into())).await;
    let HelloReply::Refuse(refuse) = reply(&mut socket).await else {
        panic!("let in without a ticket");
    };
    assert_eq!(refuse.code, RefuseCode::Ticket);
    assert_eq!(closed(&mut socket).await, (1_000, "refused".into()));
}

/// What a provider says of itself has limits, which the refusal names.
#[tokio::test]
async fn a_hello_is_within_its_limits() {
    let broker = Broker::start(&[]).await;
    type Change = fn(&mut Hello, usize);
    let cases: [(Change, usize); 3] = [
        (
            |hello, bytes| hello.name = "n".repeat(bytes),
            NAME_BYTES_MAX,
        ),
        (
            |hello, bytes| hello.agent = "a".repeat(bytes),
            NAME_BYTES_MAX,
        ),
        (
            |hello, slots| hello.capacity.slots = slots.try_into().unwrap(),
            SLOTS_MAX.into(),
        ),
    ];
    for (change, limit) in cases {
        for size in [limit, limit + 1] {
            let mut socket = socket(&broker).await;
            let mut hello = hello(ticket(&broker).await);
            change(&mut hello, size);
            say(&mut socket, &hello).await;
            match reply(&mut socket).await {
                HelloReply::Welcome(_) => assert_eq!(size, limit),
                HelloReply::Refuse(refuse) => {
                    assert_eq!((size, refuse.code), (limit + 1, RefuseCode::Invalid));
                    assert!(refuse.text.contains(&limit.to_string()), "{}", refuse.text);
                }
            }
        }
    }
}

#[tokio::test]
async fn some_are_refused_before_they_say_anything() {
    let broker = Broker::start(&["--providers-max=1"]).await;
    let protocol = ("sec-websocket-protocol", SUBPROTOCOL);
    let invalid = (400, "invalid-request".to_owned());
    assert_eq!(refused(&broker, &[]).await, invalid);
    let other = ("sec-websocket-protocol", "wasipool.2");
    assert_eq!(refused(&broker, &[other]).await, invalid);
    let plain = body(broker.get(PATH).await, 400).await;
    assert_eq!(plain["code"], "invalid-request");

    let foreign = [protocol, ("origin", "http://evil.example")];
    assert_eq!(refused(&broker, &foreign).await, (403, "forbidden".into()));
    let own = [protocol, ("origin", &broker.url)];
    let first = connect(&broker, &own).await.unwrap();
    let full = (503, "no-capacity".to_owned());
    assert_eq!(refused(&broker, &[protocol]).await, full);
    drop(first);
    // Its seat is free as soon as the broker has noticed.
    while connect(&broker, &[protocol]).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whoever_breaks_a_rule_is_told_which() {
    let broker = Broker::start(&[]).await;
    let unsent = Piece::Credit {
        stream: 1,
        bytes: 1,
    };
    let unopened = Piece::Bulk {
        stream: 7,
        content: "x".into(),
        first: false,
        last: false,
    };
    for (message, reason) in [
        (Message::Binary(unsent.encode()), "credit for bytes"),
        (Message::Binary(unopened.encode()), "stream 7"),
        (Message::Binary("xy".into()), "in the middle of a frame"),
        (Message::Text("hello".into()), "text message"),
    ] {
        let mut socket = join(&broker).await;
        socket.send(message).await.unwrap();
        let (code, said) = closed(&mut socket).await;
        assert!(code == 1_002 && said.contains(reason), "{code} {said}");
    }
    assert!(providers(&broker).await.is_empty());
}

#[tokio::test]
async fn a_silent_provider_is_given_up_with_its_seat() {
    let broker = Broker::start(&["--providers-max=1", "--session-idle=1s"]).await;
    let silent = join(&broker).await;
    // It is connected all the time and reads nothing, not even the goodbye.
    let protocol = ("sec-websocket-protocol", SUBPROTOCOL);
    while connect(&broker, &[protocol]).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(providers(&broker).await.is_empty());
    drop(silent);
}

#[tokio::test]
async fn a_hello_has_its_time() {
    let broker = Broker::start(&[]).await;
    let mut socket = socket(&broker).await;
    let expected = (1_002, "no hello in time".into());
    assert_eq!(closed(&mut socket).await, expected);
}
