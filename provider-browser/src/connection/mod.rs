//! One WebTransport session: its control stream and its bulk streams.
//!
//! What comes is posted as [`Heard`]; what is to be sent is handed over and
//! sent in the background. Nothing here knows what a message means, except that
//! large ones travel on streams of their own.
//!
//! - `control`: frames, one write for all that is there at a wake-up.
//! - `outgoing`: bulk streams to the broker.
//! - `incoming`: bulk streams from the broker.
//! - `streams`: reading and writing of one stream.

mod control;
mod incoming;
mod outgoing;
mod streams;

use core::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use js_sys::{Array, Promise, Uint8Array};
use wasipool_shared::api::Transport;
use wasipool_shared::digest::Digest;
use wasipool_shared::task::BlobRef;
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

/// Time that opening a session may take.
const OPEN_MS: u32 = 15_000;
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

/// An open session.
pub(crate) struct Connection {
    transport: WebTransport,
    control: Control,
    outgoing: Outgoing,
    wanted: Wanted,
    open: Rc<Cell<bool>>,
}

impl Connection {
    /// Opens a session; `tell` gets what comes.
    pub(crate) async fn open(to: &Transport, tell: Tell) -> Result<Self, Failure> {
        let passing = |error: JsValue| Failure::Passing(message(&error));
        let options = options(to)?;
        let transport = WebTransport::new_with_options(&to.url, &options)
            .map_err(|error| Failure::Lasting(format!("{}: {}", to.url, message(&error))))?;
        // Whoever waits for `closed` learns of a failure as well; unheard, it
        // would be an error of its own.
        let opened = in_time(transport.ready().unchecked_into(), OPEN_MS).await;
        if let Err(error) = opened {
            transport.close();
            let text = format!("no session at {}: {}", to.url, message(&error));
            return Err(Failure::Passing(text));
        }
        let stream = JsFuture::from(transport.create_bidirectional_stream());
        let stream: web_sys::WebTransportBidirectionalStream =
            stream.await.map_err(passing)?.unchecked_into();
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
        incoming::start(&transport, Rc::clone(&wanted), Rc::clone(&tell));
        let control = Control::start(&stream, tell, close.clone());
        let outgoing = Outgoing::new(&transport, Rc::clone(&open), close.clone());
        let closed: Promise = transport.closed().unchecked_into();
        spawn_local(async move {
            let reason = match JsFuture::from(closed).await {
                Ok(_) => "the broker closed the session".to_owned(),
                Err(error) => message(&error),
            };
            close(reason);
        });
        Ok(Self {
            transport,
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
            transport,
            control,
            open,
            ..
        } = self;
        if !open.replace(false) {
            return transport.close();
        }
        spawn_local(async move {
            let finished = Promise::race(&Array::of2(&control.finish(), &timer(FLUSH_MS)));
            drop(JsFuture::from(finished).await);
            transport.close();
        });
    }

    /// Ends the session at once.
    pub(crate) fn abort(&self) {
        self.open.set(false);
        self.transport.close();
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
