//! Reading and writing of one stream, whatever carries it.

use js_sys::{Reflect, Uint8Array};
use wasipool_shared::mux::{Closed, Incoming, Mux, Outgoing};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, WritableStreamDefaultWriter};

/// The next thing that a stream delivers; nothing at its end.
pub(super) async fn next(reader: &ReadableStreamDefaultReader) -> Result<Option<JsValue>, JsValue> {
    let result = JsFuture::from(reader.read()).await?;
    let result: &JsValue = result.as_ref();
    if Reflect::get(result, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    Reflect::get(result, &"value".into()).map(Some)
}

fn closed(error: impl core::fmt::Display) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}

/// The end of a stream where bytes go in.
pub(super) enum Writer {
    Stream(WritableStreamDefaultWriter),
    Control(Mux),
    Bulk(Outgoing),
}

impl Writer {
    /// Hands bytes to the stream; done when it takes more.
    pub(super) async fn write(&mut self, bytes: bytes::Bytes) -> Result<(), JsValue> {
        match self {
            Self::Stream(writer) => {
                let chunk = Uint8Array::from(&*bytes);
                JsFuture::from(writer.write_with_chunk(&chunk)).await?;
                Ok(())
            }
            Self::Control(mux) => mux.write_control(bytes).await.map_err(closed),
            Self::Bulk(stream) => stream.write(bytes).await.map_err(closed),
        }
    }

    /// Ends the stream after all that was written.
    pub(super) async fn finish(self) -> Result<(), JsValue> {
        match self {
            Self::Stream(writer) => JsFuture::from(writer.close()).await.map(drop),
            Self::Control(mux) => mux.finish_control().await.map_err(closed),
            Self::Bulk(stream) => stream.finish().await.map_err(closed),
        }
    }
}

/// The end of a stream where bytes come out.
pub(super) enum Reader {
    Stream(ReadableStreamDefaultReader),
    Control(Mux),
    Bulk(Incoming),
}

impl Reader {
    /// Whatever has come; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Uint8Array>, JsValue> {
        let copied = |read: Result<Option<bytes::Bytes>, Closed>| {
            let bytes = read.map_err(closed)?;
            Ok(bytes.map(|bytes| Uint8Array::from(&*bytes)))
        };
        match self {
            Self::Stream(reader) => Ok(next(reader).await?.map(JsCast::unchecked_into)),
            Self::Control(mux) => copied(mux.read_control().await),
            Self::Bulk(stream) => copied(stream.read().await),
        }
    }
}

/// A stream read in pieces of chosen length.
pub(super) struct Bytes {
    reader: Reader,
    /// What was delivered and not taken.
    rest: Uint8Array,
}

impl Bytes {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            rest: Uint8Array::new_with_length(0),
        }
    }

    /// As much as is there, but not more than `most`; nothing at the end.
    pub(super) async fn some(&mut self, most: u32) -> Result<Option<Uint8Array>, JsValue> {
        while self.rest.length() == 0 {
            match self.reader.next().await? {
                Some(chunk) => self.rest = chunk,
                None => return Ok(None),
            }
        }
        let length = self.rest.length().min(most);
        let some = self.rest.subarray(0, length);
        self.rest = self.rest.subarray(length, self.rest.length());
        Ok(Some(some))
    }

    /// Fills all of `into`.
    pub(super) async fn fill(&mut self, into: &Uint8Array) -> Result<(), JsValue> {
        let mut filled = 0;
        while filled < into.length() {
            let Some(some) = self.some(into.length() - filled).await? else {
                return Err(js_sys::Error::new("the stream ended early").into());
            };
            into.set(&some, filled);
            filled += some.length();
        }
        Ok(())
    }

    /// That many bytes.
    pub(super) async fn exactly(&mut self, length: u32) -> Result<Vec<u8>, JsValue> {
        let bytes = Uint8Array::new_with_length(length);
        self.fill(&bytes).await?;
        Ok(bytes.to_vec())
    }

    /// Lets the sender know that nothing more is wanted.
    pub(super) fn cancel(self) {
        // Dropping the others does it.
        let Reader::Stream(reader) = self.reader else {
            return;
        };
        let cancelled = reader.cancel();
        // Whether it comes through makes no difference here.
        wasm_bindgen_futures::spawn_local(async move { drop(JsFuture::from(cancelled).await) });
    }
}
