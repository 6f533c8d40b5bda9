//! A broker for one provider: answers what is needed to get in over HTTP, then
//! speaks the protocol as the test tells it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use tokio::time::timeout;
use wasipool_shared::ids::ProviderId;
use wasipool_shared::task::BlobRef;
use wasipool_shared::wire::bulk::{BulkHeader, LENGTH_BYTES};
use wasipool_shared::wire::frame::{FrameReader, FrameWriter, Packed, decode_one, messages};
use wasipool_shared::wire::message::{Hello, HelloReply, ToBroker, ToProvider, Welcome};
use wtransport::endpoint::endpoint_side::Server;
use wtransport::tls::Sha256DigestFmt;
use wtransport::{Connection, Endpoint, Identity, RecvStream, SendStream, ServerConfig, VarInt};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct FakeBroker {
    pub(crate) url: String,
    endpoint: Endpoint<Server>,
}

/// One provider's session, seen from the broker.
pub(crate) struct FakeSession {
    pub(crate) hello: Hello,
    pub(crate) connection: Connection,
    sender: SendStream,
    receiver: RecvStream,
    reader: FrameReader,
    waiting: std::collections::VecDeque<ToBroker>,
}

/// Waits for anything, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}

impl FakeBroker {
    pub(crate) fn start() -> Self {
        let identity = Identity::self_signed(["127.0.0.1"]).unwrap();
        let hash = identity.certificate_chain().as_slice()[0]
            .hash()
            .fmt(Sha256DigestFmt::DottedHex);
        let hash = hash.replace(':', "");
        let config = ServerConfig::builder()
            .with_bind_address("127.0.0.1:0".parse().unwrap())
            .with_identity(identity)
            .build();
        let endpoint = Endpoint::server(config).unwrap();
        let port = endpoint.local_addr().unwrap().port();
        let transport = format!(
            r#"{{"url":"https://127.0.0.1:{port}","protocol":[1,1],
                "certificate_hashes":[{{"algorithm":"sha-256","value":"{hash}"}}]}}"#
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || serve_http(&listener, &transport));
        Self { url, endpoint }
    }

    /// The next provider that says hello; it is let in.
    pub(crate) async fn session(&self) -> FakeSession {
        let request = soon(self.endpoint.accept()).await.await.unwrap();
        assert_eq!(request.path(), "/wasipool/1");
        let connection = request.accept().await.unwrap();
        let (sender, receiver) = soon(connection.accept_bi()).await.unwrap();
        let mut session = FakeSession {
            hello: Hello {
                versions: wasipool_shared::wire::version::VersionRange::OURS,
                ticket: String::new(),
                name: String::new(),
                kind: wasipool_shared::capacity::ProviderKind::Browser,
                agent: String::new(),
                capacity: wasipool_shared::capacity::Capacity {
                    slots: 0,
                    memory_bytes: 0,
                    features: Default::default(),
                    speed: 0,
                },
            },
            connection,
            sender,
            receiver,
            reader: FrameReader::default(),
            waiting: Default::default(),
        };
        let frame = session.frame().await.expect("a hello");
        session.hello = decode_one(&frame).unwrap();
        session
    }
}

fn serve_http(listener: &TcpListener, transport: &str) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => request.extend_from_slice(&buffer[..length]),
            }
        }
        let request = String::from_utf8_lossy(&request).into_owned();
        let body = if request.starts_with("GET /v1/transport ") {
            transport
        } else if request.starts_with("POST /v1/tickets ") {
            r#"{"ticket":"let-me-in","expires":"2099-01-01T00:00:00Z"}"#
        } else {
            continue;
        };
        let length = body.len();
        _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
    }
}

impl FakeSession {
    pub(crate) async fn welcome(&mut self) -> ProviderId {
        let provider = ProviderId::from_parts(1, 2);
        let reply = HelloReply::Welcome(Welcome {
            protocol: 1,
            provider,
            idle_ms: 60_000,
            heartbeat_ms: 20_000,
            assignments_max: 100,
        });
        self.write(&reply).await;
        provider
    }

    pub(crate) async fn say(&mut self, message: ToProvider) {
        self.write(&message).await;
    }

    async fn write<M: serde::Serialize>(&mut self, message: &M) {
        let mut writer = FrameWriter::default();
        assert_eq!(writer.push(message).unwrap(), Packed::Framed);
        self.sender.write_all(&writer.take()).await.unwrap();
    }

    /// The next frame; nothing at the stream's end.
    async fn frame(&mut self) -> Option<bytes::Bytes> {
        let mut buffer = vec![0; 65536];
        loop {
            if let Some(frame) = self.reader.next_frame().unwrap() {
                return Some(frame);
            }
            let length = soon(self.receiver.read(&mut buffer)).await.ok()??;
            self.reader.feed(&buffer[..length]);
        }
    }

    /// What the provider says next, its signs of life left out.
    pub(crate) async fn hear(&mut self) -> Option<ToBroker> {
        loop {
            match self.waiting.pop_front() {
                Some(ToBroker::Ping(_)) => {}
                Some(message) => return Some(message),
                None => {
                    let frame = self.frame().await?;
                    self.waiting.extend(messages(&frame).map(Result::unwrap));
                }
            }
        }
    }

    pub(crate) async fn send_blob(&self, blob: BlobRef, bytes: &[u8]) {
        let mut stream = self.connection.open_uni().await.unwrap().await.unwrap();
        stream
            .write_all(&BulkHeader::Blob(blob).encode().unwrap())
            .await
            .unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.finish().await.unwrap();
    }

    /// A bulk stream of the provider's.
    pub(crate) async fn receive_bulk(&self) -> (BulkHeader, Vec<u8>) {
        let mut stream = soon(self.connection.accept_uni()).await.unwrap();
        let mut length = [0; LENGTH_BYTES];
        stream.read_exact(&mut length).await.unwrap();
        let mut header = vec![0; BulkHeader::decode_length(length).unwrap()];
        stream.read_exact(&mut header).await.unwrap();
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 65536];
        while let Some(length) = soon(stream.read(&mut buffer)).await.unwrap() {
            bytes.extend_from_slice(&buffer[..length]);
        }
        (BulkHeader::decode(&header).unwrap(), bytes)
    }

    /// Throws the provider out without a word.
    pub(crate) fn drop_connection(self) {
        self.connection.close(VarInt::from_u32(7), b"gone");
    }
}
