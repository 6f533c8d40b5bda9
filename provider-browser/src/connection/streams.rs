//! Reading and writing of one stream.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamDefaultReader, WritableStreamDefaultWriter};

/// The next thing that a stream delivers; nothing at its end.
pub(super) async fn next(reader: &ReadableStreamDefaultReader) -> Result<Option<JsValue>, JsValue> {
    let result = JsFuture::from(reader.read()).await?;
    let result: &JsValue = result.as_ref();
    if Reflect::get(result, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    Reflect::get(result, &"value".into()).map(Some)
}

/// Hands bytes to the stream; done when it takes more.
pub(super) async fn write(
    writer: &WritableStreamDefaultWriter,
    bytes: &[u8],
) -> Result<(), JsValue> {
    let chunk = Uint8Array::from(bytes);
    JsFuture::from(writer.write_with_chunk(&chunk)).await?;
    Ok(())
}

/// A stream read in pieces of chosen length.
pub(super) struct Bytes {
    reader: ReadableStreamDefaultReader,
    /// What was delivered and not taken.
    rest: Uint8Array,
}

impl Bytes {
    pub(super) fn new(stream: &ReadableStream) -> Self {
        Self {
            reader: stream.get_reader().unchecked_into(),
            rest: Uint8Array::new_with_length(0),
        }
    }

    /// As much as is there, but not more than `most`; nothing at the end.
    pub(super) async fn some(&mut self, most: u32) -> Result<Option<Uint8Array>, JsValue> {
        while self.rest.length() == 0 {
            match next(&self.reader).await? {
                Some(chunk) => self.rest = chunk.unchecked_into(),
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
        let cancelled = self.reader.cancel();
        // Whether it comes through makes no difference here.
        wasm_bindgen_futures::spawn_local(async move { drop(JsFuture::from(cancelled).await) });
    }
}
