//! The endpoint as a client sees it: who gets in, and with which certificate.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasipool_shared::wire;
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Endpoint};

use super::certificate::Step;
use super::{Settings, Tickets, Transport};
use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::wire::frame::{FrameReader, FrameWriter, Packed, decode_one};
use wasipool_shared::wire::message::{Hello, HelloReply, RefuseCode};
use wasipool_shared::wire::version::VersionRange;

use crate::clock::Clock;
use crate::core::Config;
use crate::driver::QueueLimits;
use crate::driver::run::Driver;
use crate::store::{Store, StoreSettings};

/// Shorter than usual: a test waits for it.
const FIRST_MESSAGE: Duration = Duration::from_secs(2);

async fn transport() -> Transport {
    let clock = Clock::start();
    let store = Store::open(StoreSettings::default()).await.unwrap();
    let (driver, handle) = Driver::new(
        Config::default(),
        QueueLimits::default(),
        store.clone(),
        crate::metrics::Metrics::default(),
        clock,
    );
    tokio::spawn(driver.run());
    let settings = Settings {
        address: ([127, 0, 0, 1], 0).into(),
        public_host: None,
        certificate: None,
        origins: ["http://allowed.example".to_owned()].into(),
        idle: Duration::from_secs(5),
        providers_max: 10,
        slots_max: 10,
        first_message: FIRST_MESSAGE,
        bans: crate::bans::Bans::default(),
        metrics: crate::metrics::Metrics::default(),
    };
    let stopping = CancellationToken::new();
    Transport::bind(
        settings,
        handle,
        store,
        Tickets::new(clock),
        clock,
        stopping,
    )
    .await
    .unwrap()
}

fn client(hashes: &[[u8; 32]]) -> Endpoint<wtransport::endpoint::endpoint_side::Client> {
    let hashes = hashes.iter().map(|hash| Sha256Digest::new(*hash));
    let config = ClientConfig::builder()
        .with_bind_default()
        .with_server_certificate_hashes(hashes)
        .build();
    Endpoint::client(config).unwrap()
}

/// Whether a client gets a session that expects one of these certificates.
async fn gets_in(url: &str, hashes: &[[u8; 32]], origin: Option<&str>) -> bool {
    let client = client(hashes);
    let mut options = wtransport::endpoint::ConnectOptions::builder(url);
    if let Some(origin) = origin {
        options = options.add_header("origin", origin);
    }
    client.connect(options.build()).await.is_ok()
}

#[tokio::test]
async fn a_certificate_is_changed_without_shutting_anybody_out() {
    let transport = transport().await;
    let announce = transport.announce();
    let before = announce.current();
    let url = before.url.clone();
    let [old] = before.certificate_hashes[..] else {
        panic!("one certificate: {before:?}");
    };
    let mut next = None;
    let tests = async {
        assert!(gets_in(&url, &[old], None).await, "at first");

        transport.renewal_step(Step::Announce, &mut next).unwrap();
        let [first, second] = announce.current().certificate_hashes[..] else {
            panic!("both are announced");
        };
        assert_eq!(first, old);
        assert!(gets_in(&url, &[old], None).await, "who asked before");
        assert!(gets_in(&url, &[first, second], None).await, "who asks now");

        transport.renewal_step(Step::Change, &mut next).unwrap();
        assert_eq!(announce.current().certificate_hashes, [second]);
        assert_eq!(announce.current().url, url, "the socket stays");
        assert!(
            gets_in(&url, &[first, second], None).await,
            "who asked in between"
        );
        assert!(gets_in(&url, &[second], None).await, "who asks now");
        assert!(!gets_in(&url, &[old], None).await, "it is gone");
    };
    tokio::select! {
        () = tests => {}
        () = transport.accept() => {}
    }
}

#[tokio::test]
async fn only_pages_of_allowed_origins_and_the_right_path_get_in() {
    let transport = transport().await;
    let view = transport.announce().current();
    let hashes = &view.certificate_hashes;
    let tests = async {
        let (url, elsewhere) = (&view.url, view.url.replace(wire::PATH, "/elsewhere"));
        assert!(gets_in(url, hashes, None).await, "a daemon has no origin");
        assert!(gets_in(url, hashes, Some("http://allowed.example")).await);
        assert!(!gets_in(url, hashes, Some("http://evil.example")).await);
        assert!(!gets_in(&elsewhere, hashes, None).await);
    };
    tokio::select! {
        () = tests => {}
        () = transport.accept() => {}
    }
}

/// What the broker answers to the hello of a provider with so many slots.
async fn greet(url: &str, hashes: &[[u8; 32]], slots: u16) -> HelloReply {
    let connection = client(hashes).connect(url).await.unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap().await.unwrap();
    let hello = Hello {
        versions: VersionRange::OURS,
        ticket: "none".into(),
        name: "test".into(),
        kind: ProviderKind::Native,
        agent: "test".into(),
        capacity: Capacity {
            slots,
            memory_bytes: 1,
            features: Features::default(),
            speed: 1,
        },
    };
    let mut frames = FrameWriter::default();
    let packed = frames.push(&hello).unwrap();
    assert_eq!(packed, Packed::Framed);
    send.write_all(&frames.take()).await.unwrap();
    let mut reader = FrameReader::default();
    let mut bytes = [0; 1_024];
    loop {
        if let Some(frame) = reader.next_frame().unwrap() {
            return decode_one(&frame).unwrap();
        }
        let count = receive.read(&mut bytes).await.unwrap().unwrap();
        reader.feed(&bytes[..count]);
    }
}

#[tokio::test]
async fn a_provider_offers_as_many_slots_as_are_allowed() {
    let transport = transport().await;
    let view = transport.announce().current();
    let refusal = async |slots| match greet(&view.url, &view.certificate_hashes, slots).await {
        HelloReply::Refuse(refuse) => (refuse.code, refuse.text),
        HelloReply::Welcome(welcome) => panic!("without a ticket: {welcome:?}"),
    };
    let tests = async {
        assert_eq!(
            refusal(10).await.0,
            RefuseCode::Ticket,
            "the slots are fine"
        );
        let (code, text) = refusal(11).await;
        assert_eq!(code, RefuseCode::Invalid);
        assert!(text.contains("11 slots are over the limit of 10"), "{text}");
    };
    tokio::select! {
        () = tests => {}
        () = transport.accept() => {}
    }
}

#[tokio::test]
async fn a_session_without_a_first_message_ends_in_time() {
    let transport = transport().await;
    let view = transport.announce().current();
    let tests = async {
        let connection = client(&view.certificate_hashes)
            .connect(&view.url)
            .await
            .unwrap();
        let started = tokio::time::Instant::now();
        let closed = connection.closed().await.to_string();
        // The broker's own clock may have started a little before.
        assert!(started.elapsed() > FIRST_MESSAGE / 2, "{closed}");
        assert!(closed.contains("no hello in time"), "{closed}");
    };
    tokio::select! {
        () = tests => {}
        () = transport.accept() => {}
    }
}
