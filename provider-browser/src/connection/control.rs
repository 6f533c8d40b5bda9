//! The control stream: frames, one write for all that is there at a wake-up.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use serde::Serialize;
use wasipool_shared::wire::frame::{FrameWriter, Packed};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::streams::{Reader, Writer};
use super::{Heard, Tell};
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
        (mut reader, writer): (Reader, Writer),
        tell: Tell,
        close: Rc<dyn Fn(String)>,
    ) -> Self {
        let lost = Rc::clone(&close);
        spawn_local(async move {
            loop {
                match reader.next().await {
                    Ok(Some(chunk)) => tell(Heard::Control(chunk.to_vec())),
                    Ok(None) => return lost("the broker ended the control stream".to_owned()),
                    Err(error) => return lost(message(&error)),
                }
            }
        });
        let frames = Rc::new(RefCell::new(FrameWriter::default()));
        let wakes = Mailbox::default();
        let written = (Rc::clone(&frames), wakes.clone());
        spawn_local(async move {
            let (frames, wakes) = written;
            if let Err(error) = write(writer, &frames, &wakes).await {
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
    mut writer: Writer,
    frames: &RefCell<FrameWriter>,
    wakes: &Mailbox<Wake>,
) -> Result<(), JsValue> {
    loop {
        let wake = wakes.take().await;
        let bytes = frames.borrow_mut().take();
        if !bytes.is_empty() {
            writer.write(bytes).await?;
        }
        if let Wake::Finish(resolve) = wake {
            writer.finish().await?;
            drop(resolve.call0(&JsValue::UNDEFINED));
            return Ok(());
        }
    }
}
