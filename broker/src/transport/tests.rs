//! The endpoint as a client sees it: who gets in, and with which certificate.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasipool_shared::wire;
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Endpoint};

use super::certificate::Step;
use super::{Settings, Tickets, Transport};
use crate::clock::Clock;
use crate::core::Config;
use crate::driver::QueueLimits;
use crate::driver::run::Driver;
use crate::store::{Store, StoreSettings};

async fn transport() -> Transport {
    let clock = Clock::start();
    let store = Store::open(StoreSettings::default()).await.unwrap();
    let (driver, handle) = Driver::new(
        Config::default(),
        QueueLimits::default(),
        store.clone(),
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
        bans: crate::bans::Bans::default(),
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

/// Whether a client gets a session that expects one of these certificates.
async fn gets_in(url: &str, hashes: &[[u8; 32]], origin: Option<&str>) -> bool {
    let hashes = hashes.iter().map(|hash| Sha256Digest::new(*hash));
    let config = ClientConfig::builder()
        .with_bind_default()
        .with_server_certificate_hashes(hashes)
        .build();
    let client = Endpoint::client(config).unwrap();
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
