//! The WebSocket: its messages are the pieces of a [`Mux`].

use std::rc::Rc;

use js_sys::{ArrayBuffer, Promise, Uint8Array};
use wasipool_shared::mux::Mux;
use wasipool_shared::wire::{PATH, SUBPROTOCOL};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use crate::js::{message, scope, sleep};

/// Bytes that the browser holds for the network before no more are handed to it:
/// what waits in the mux can still be overtaken by what matters more.
const BUFFERED_BYTES_MAX: u32 = 256 * 1024;
/// How often the browser is asked whether it has sent some of them.
const LOOK_MS: u32 = 4;

/// An open socket; clones are the same.
#[derive(Clone)]
pub(super) struct Socket(Rc<Inner>);

struct Inner {
    mux: Mux,
    socket: WebSocket,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
    }
}

impl Socket {
    /// Begins to open one to the broker that this page comes from; the promise
    /// tells when it is open.
    pub(super) fn open() -> Result<(Self, Promise), JsValue> {
        let url = address(&scope().location().origin());
        let socket = WebSocket::new_with_str(&url, SUBPROTOCOL)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let mux = Mux::default();
        let on_message = {
            let (mux, socket) = (mux.clone(), socket.clone());
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() else {
                    return give_up(&mux, &socket, "a text message");
                };
                let piece = Uint8Array::new(&buffer).to_vec();
                if let Err(error) = mux.receive(piece.into()) {
                    give_up(&mux, &socket, &error.to_string());
                }
            })
        };
        let on_close = {
            let mux = mux.clone();
            Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
                let reason = event.reason();
                mux.close(match reason.as_str() {
                    "" => "the broker closed the WebSocket, or the network is gone",
                    reason => reason,
                });
            })
        };
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        let opened = {
            let (mux, socket) = (mux.clone(), socket.clone());
            Promise::new(&mut |resolve, reject| {
                socket.set_onopen(Some(&resolve));
                let mux = mux.clone();
                spawn_local(async move {
                    let why = format!(
                        "it was refused or can't be reached ({})",
                        mux.closed().await
                    );
                    drop(reject.call1(&JsValue::UNDEFINED, &js_sys::Error::new(&why)));
                });
            })
        };
        let socket = Self(Rc::new(Inner {
            mux,
            socket,
            _on_message: on_message,
            _on_close: on_close,
        }));
        Ok((socket, opened))
    }

    pub(super) fn mux(&self) -> &Mux {
        &self.0.mux
    }

    /// Hands messages to the browser from now on, until this is closed.
    pub(super) fn start(&self) {
        let Self(inner) = self.clone();
        spawn_local(async move {
            loop {
                while inner.socket.buffered_amount() > BUFFERED_BYTES_MAX {
                    sleep(LOOK_MS).await;
                }
                let Some(piece) = inner.mux.next_piece().await else {
                    break;
                };
                if let Err(error) = inner.socket.send_with_u8_array(&piece.encode()) {
                    inner.mux.close(&message(&error));
                }
            }
            // What was handed over before is sent before.
            drop(inner.socket.close());
        });
    }

    pub(super) fn close(&self) {
        self.0.mux.close("closed");
        drop(self.0.socket.close());
    }
}

fn give_up(mux: &Mux, socket: &WebSocket, why: &str) {
    mux.close(&format!("the broker broke the protocol: {why}"));
    drop(socket.close());
}

/// The address of the WebSocket, made of the page's origin.
fn address(origin: &str) -> String {
    // `http` becomes `ws`, `https` becomes `wss`.
    format!("{}{PATH}", origin.replacen("http", "ws", 1))
}
