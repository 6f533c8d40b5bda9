//! The control stream: frames, one write for all that is there at a wake-up.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::{Promise, Uint8Array};
use serde::Serialize;
use wasipool_shared::wire::frame::{FrameWriter, Packed};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{WebTransportBidirectionalStream, WritableStreamDefaultWriter};

use super::{Heard, Tell, streams};
use crate::js::message;
use crate::mailbox::Mailbox;

/// What the writing task is woken for.
enum Wake {
    /// There are frames.
    Frames,
    /// There will be no more: the stream ends, then this is resolved.
    Finish(js_sys::Function),
}

/// The sending half; the receiving half is on its own.
pub(super) struct Control {
    frames: Rc<RefCell<FrameWriter>>,
    wakes: Mailbox<Wake>,
}

impl Control {
    pub(super) fn start(
        stream: &WebTransportBidirectionalStream,
        tell: Tell,
        close: Rc<dyn Fn(String)>,
    ) -> Self {
        let readable = stream.readable();
        let lost = Rc::clone(&close);
        spawn_local(async move {
            let reader = readable.get_reader().unchecked_into();
            loop {
                match streams::next(&reader).await {
                    Ok(Some(chunk)) => {
                        tell(Heard::Control(
                            chunk.unchecked_into::<Uint8Array>().to_vec(),
                        ));
                    }
                    Ok(None) => return lost("the broker ended the control stream".to_owned()),
                    Err(error) => return lost(message(&error)),
                }
            }
        });
        let frames = Rc::new(RefCell::new(FrameWriter::default()));
        let wakes = Mailbox::default();
        let writer = stream.writable().get_writer();
        let written = (Rc::clone(&frames), wakes.clone());
        spawn_local(async move {
            let (frames, wakes) = written;
            let result = match writer {
                Ok(writer) => write(&writer, &frames, &wakes).await,
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                close(message(&error));
            }
        });
        Self { frames, wakes }
    }

    /// Adds a message to the frames; gives it back encoded if it is too large.
    pub(super) fn push<M: Serialize>(&self, message: &M) -> Option<Vec<u8>> {
        let mut frames = self.frames.borrow_mut();
        let was_empty = frames.is_empty();
        let packed = frames.push(message);
        let is_empty = frames.is_empty();
        drop(frames);
        if was_empty && !is_empty {
            self.wakes.post(Wake::Frames);
        }
        match packed {
            Ok(Packed::TooLarge(encoded)) => Some(encoded),
            // Messages of the protocol can always be encoded.
            Ok(Packed::Framed) | Err(_) => None,
        }
    }

    /// Lets what follows be in a frame of its own.
    pub(super) fn end_frame(&self) {
        self.frames.borrow_mut().end();
    }

    /// Ends the stream after all that is in the frames; resolves when that is
    /// on its way.
    pub(super) fn finish(self) -> Promise {
        Promise::new(&mut |resolve, _| self.wakes.post(Wake::Finish(resolve)))
    }
}

async fn write(
    writer: &WritableStreamDefaultWriter,
    frames: &RefCell<FrameWriter>,
    wakes: &Mailbox<Wake>,
) -> Result<(), JsValue> {
    loop {
        let wake = wakes.take().await;
        let bytes = frames.borrow_mut().take();
        if !bytes.is_empty() {
            streams::write(writer, &bytes).await?;
        }
        if let Wake::Finish(resolve) = wake {
            JsFuture::from(writer.close()).await?;
            drop(resolve.call0(&JsValue::UNDEFINED));
            return Ok(());
        }
    }
}
