//! Bulk streams to the broker: a few at a time, the others wait.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use wasipool_shared::backoff::Backoff;
use wasipool_shared::wire::bulk::BulkHeader;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{WebTransport, WebTransportSendStream};

use super::Carrier;
use super::streams::Writer;
use crate::js::{message, sleep};

/// Streams at the same time. Brokers allow more, but a browser doesn't wait
/// until the broker knows that others have ended.
const STREAMS_MAX: usize = 16;
/// Bytes that are handed to a stream at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// Refusals of one stream after which the session is given up: about half a
/// minute.
const REFUSALS_MAX: u32 = 60;

/// See the module.
pub(super) struct Outgoing(Rc<Inner>);

struct Inner {
    carrier: Carrier,
    queue: RefCell<VecDeque<(BulkHeader, Bytes)>>,
    active: Cell<usize>,
    open: Rc<Cell<bool>>,
    close: Rc<dyn Fn(String)>,
}

impl Outgoing {
    pub(super) fn new(carrier: &Carrier, open: Rc<Cell<bool>>, close: Rc<dyn Fn(String)>) -> Self {
        Self(Rc::new(Inner {
            carrier: carrier.clone(),
            queue: RefCell::default(),
            active: Cell::new(0),
            open,
            close,
        }))
    }

    /// Sends this as soon as there is a stream for it.
    pub(super) fn send(&self, header: BulkHeader, bytes: Bytes) {
        self.0.queue.borrow_mut().push_back((header, bytes));
        if self.0.active.get() < STREAMS_MAX {
            self.0.active.update(|active| active + 1);
            spawn_local(Rc::clone(&self.0).work());
        }
    }
}

impl Inner {
    async fn work(self: Rc<Self>) {
        while self.open.get() {
            let next = self.queue.borrow_mut().pop_front();
            let Some((header, bytes)) = next else { break };
            if let Err(error) = self.send_one(&header, bytes).await {
                // A broker that was told of an output waits for it: without it
                // the session is worth nothing.
                (self.close)(format!("a bulk stream failed: {}", message(&error)));
                break;
            }
        }
        self.active.update(|active| active - 1);
    }

    async fn send_one(&self, header: &BulkHeader, mut bytes: Bytes) -> Result<(), JsValue> {
        let header = header
            .encode()
            .map_err(|error| JsError::new(&error.to_string()))?;
        let mut writer = self.stream().await?;
        writer.write(header.into()).await?;
        while !bytes.is_empty() {
            let chunk = bytes.split_to(bytes.len().min(CHUNK_BYTES));
            writer.write(chunk).await?;
        }
        writer.finish().await
    }

    async fn stream(&self) -> Result<Writer, JsValue> {
        match &self.carrier {
            Carrier::Quic(transport) => {
                let stream = self.quic_stream(transport).await?;
                Ok(Writer::Stream(stream.get_writer()?))
            }
            Carrier::Socket(socket) => {
                let opened = socket.mux().open().await;
                let stream = opened.map_err(|error| JsError::new(&error.to_string()))?;
                Ok(Writer::Bulk(stream))
            }
        }
    }

    /// A new stream. Chromium doesn't wait for the broker's permission but
    /// refuses: so try again.
    async fn quic_stream(
        &self,
        transport: &WebTransport,
    ) -> Result<WebTransportSendStream, JsValue> {
        let mut backoff = Backoff::new(5, 500);
        let mut refusals = 0;
        loop {
            let stream = transport.create_unidirectional_stream();
            match JsFuture::from(stream).await {
                Ok(stream) => return Ok(stream.unchecked_into()),
                Err(error) if refusals == REFUSALS_MAX || !self.open.get() => {
                    return Err(error);
                }
                Err(_) => refusals += 1,
            }
            sleep(backoff.next_ms(js_sys::Math::random())).await;
        }
    }
}
