//! One session, by WebTransport or WebSocket: its control stream and its bulk
//! streams.
//!
//! What comes is posted as [`Heard`]; what is to be sent is handed over and
//! sent in the background. Nothing here knows what a message means, except that
//! large ones travel on streams of their own.
//!
//! - `control`: frames, one write for all that is there at a wake-up.
//! - `outgoing`: bulk streams to the broker.
//! - `incoming`: bulk streams from the broker.
//! - `streams`: reading and writing of one stream.
//! - `socket`: the WebSocket.

mod control;
mod incoming;
mod outgoing;
mod socket;
mod streams;

use core::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use js_sys::{Array, Promise, Uint8Array};
use wasipool_shared::api::Transport;
use wasipool_shared::digest::Digest;
use wasipool_shared::task::BlobRef;
use wasipool_shared::transport::TransportKind;
use wasipool_shared::wire::bulk::BulkHeader;
use wasipool_shared::wire::message::{Hello, ToBroker, ToProvider};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{WebTransport, WebTransportHash, WebTransportOptions};

use crate::js::{in_time, message, timer};
use crate::provider::failure::Failure;
use control::Control;
pub(crate) use incoming::digest;
use outgoing::Outgoing;
use socket::Socket;
use streams::{Reader, Writer};

/// Time that opening a session may take, where there is nothing else to try.
pub(crate) const OPEN_MS: u32 = 15_000;
/// Time that the last frames may take before the session is closed.
const FLUSH_MS: u32 = 500;

/// What comes from the broker.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Bytes of the control stream.
    Control(Vec<u8>),
    /// A message that had a stream of its own.
    Message(Box<ToProvider>),
    /// A blob that was [wanted](Connection::want), checked; or why it wasn't
    /// what it should be.
    Blob(Digest, Result<Uint8Array, String>),
    /// The session is over.
    Closed(String),
}

type Tell = Rc<dyn Fn(Heard)>;
/// Blobs that may come, with their sizes.
type Wanted = Rc<RefCell<HashMap<Digest, u64>>>;

/// What carries a session; clones are the same.
#[derive(Clone)]
enum Carrier {
    Quic(WebTransport),
    Socket(Socket),
}

impl Carrier {
    /// Opens it, with its control stream.
    async fn open(
        kind: TransportKind,
        to: &Transport,
        patience_ms: u32,
    ) -> Result<(Self, (Reader, Writer)), Failure> {
        match kind {
            TransportKind::WebTransport => Self::open_quic(to, patience_ms).await,
            TransportKind::WebSocket => Self::open_socket(patience_ms).await,
        }
    }

    async fn open_quic(
        to: &Transport,
        patience_ms: u32,
    ) -> Result<(Self, (Reader, Writer)), Failure> {
        let passing = |error: JsValue| Failure::Passing(message(&error));
        let options = options(to)?;
        let transport = WebTransport::new_with_options(&to.url, &options)
            .map_err(|error| Failure::Lasting(format!("{}: {}", to.url, message(&error))))?;
        // Whoever waits for `closed` learns of a failure as well; unheard, it
        // would be an error of its own.
        let opened = in_time(transport.ready().unchecked_into(), patience_ms).await;
        if let Err(error) = opened {
            transport.close();
            let text = format!("no session at {}: {}", to.url, message(&error));
            return Err(Failure::Passing(text));
        }
        let stream = JsFuture::from(transport.create_bidirectional_stream());
        let stream: web_sys::WebTransportBidirectionalStream =
            stream.await.map_err(passing)?.unchecked_into();
        let reader = Reader::Stream(stream.readable().get_reader().unchecked_into());
        let writer = Writer::Stream(stream.writable().get_writer().map_err(passing)?);
        Ok((Self::Quic(transport), (reader, writer)))
    }

    async fn open_socket(patience_ms: u32) -> Result<(Self, (Reader, Writer)), Failure> {
        let failed =
            |error: JsValue| Failure::Passing(format!("no WebSocket: {}", message(&error)));
        let (socket, opened) = Socket::open().map_err(failed)?;
        if let Err(error) = in_time(opened, patience_ms).await {
            socket.close();
            return Err(failed(error));
        }
        socket.start();
        let mux = socket.mux();
        let ends = (Reader::Control(mux.clone()), Writer::Control(mux.clone()));
        Ok((Self::Socket(socket), ends))
    }

    /// Waits for the end; says why.
    async fn closed(self) -> String {
        match self {
            Self::Quic(transport) => {
                let closed: Promise = transport.closed().unchecked_into();
                match JsFuture::from(closed).await {
                    Ok(_) => "the broker closed the session".to_owned(),
                    Err(error) => message(&error),
                }
            }
            Self::Socket(socket) => socket.mux().closed().await.to_string(),
        }
    }

    fn close(&self) {
        match self {
            Self::Quic(transport) => transport.close(),
            Self::Socket(socket) => socket.close(),
        }
    }
}

/// An open session.
pub(crate) struct Connection {
    carrier: Carrier,
    control: Control,
    outgoing: Outgoing,
    wanted: Wanted,
    open: Rc<Cell<bool>>,
}

impl Connection {
    /// Opens a session; `tell` gets what comes.
    pub(crate) async fn open(
        kind: TransportKind,
        to: &Transport,
        patience_ms: u32,
        tell: Tell,
    ) -> Result<Self, Failure> {
        let (carrier, ends) = Carrier::open(kind, to, patience_ms).await?;
        let open = Rc::new(Cell::new(true));
        let close = {
            let open = Rc::clone(&open);
            let tell = Rc::clone(&tell);
            // Only the first reason counts: the others follow from it.
            Rc::new(move |reason: String| {
                if open.replace(false) {
                    tell(Heard::Closed(reason));
                }
            })
        };
        let wanted = Wanted::default();
        incoming::start(&carrier, Rc::clone(&wanted), Rc::clone(&tell));
        let control = Control::start(ends, tell, close.clone());
        let outgoing = Outgoing::new(&carrier, Rc::clone(&open), close.clone());
        spawn_local({
            let carrier = carrier.clone();
            async move { close(carrier.closed().await) }
        });
        Ok(Self {
            carrier,
            control,
            outgoing,
            wanted,
            open,
        })
    }

    /// Sends the first frame.
    pub(crate) fn send_hello(&self, hello: &Hello) {
        // A hello is far smaller than a frame.
        drop(self.control.push(hello));
        self.control.end_frame();
    }

    /// Sends a message with all others of this wake-up.
    pub(crate) fn send(&self, message: &ToBroker) {
        if let Some(encoded) = self.control.push(message) {
            let header = BulkHeader::Message {
                size: encoded.len() as u64,
            };
            self.outgoing.send(header, encoded.into());
        }
    }

    /// Sends bytes on a stream of their own.
    pub(crate) fn send_bulk(&self, header: BulkHeader, bytes: bytes::Bytes) {
        self.outgoing.send(header, bytes);
    }

    /// Lets a blob in when it comes.
    pub(crate) fn want(&self, blob: BlobRef) {
        self.wanted.borrow_mut().insert(blob.digest, blob.size);
    }

    /// Ends the session when what was sent is on its way.
    pub(crate) fn close(self) {
        let Self {
            carrier,
            control,
            open,
            ..
        } = self;
        if !open.replace(false) {
            return carrier.close();
        }
        spawn_local(async move {
            let finished = Promise::race(&Array::of2(&control.finish(), &timer(FLUSH_MS)));
            drop(JsFuture::from(finished).await);
            carrier.close();
        });
    }

    /// Ends the session at once.
    pub(crate) fn abort(&self) {
        self.open.set(false);
        self.carrier.close();
    }
}

fn options(to: &Transport) -> Result<WebTransportOptions, Failure> {
    let hashes: Option<Vec<_>> = to
        .certificate_hashes
        .iter()
        .map(|known| {
            // It is written as the digits of a digest are.
            let digest: Digest = format!("sha256:{}", known.value).parse().ok()?;
            let hash = WebTransportHash::new();
            hash.set_algorithm(&known.algorithm);
            hash.set_value_u8_array(&Uint8Array::from(&digest.0[..]));
            Some(hash)
        })
        .collect();
    let bad = || Failure::Lasting("the broker gives certificate hashes that are none".to_owned());
    let options = WebTransportOptions::new();
    let hashes = hashes.ok_or_else(bad)?;
    if !hashes.is_empty() {
        options.set_server_certificate_hashes(&hashes);
    }
    Ok(options)
}
