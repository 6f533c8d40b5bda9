//! Bulk streams from the broker: blobs and large messages.

use js_sys::Uint8Array;
use wasipool_shared::digest::Digest;
use wasipool_shared::task::BlobRef;
use wasipool_shared::wire::bulk::{BulkHeader, LENGTH_BYTES};
use wasipool_shared::wire::frame::decode_one;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::ReadableStream;

use super::streams::{self, Bytes, Reader};
use super::{Carrier, Heard, Tell, Wanted};
use crate::js::message;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = digest)]
    fn subtle_digest(algorithm: &str, bytes: &Uint8Array) -> js_sys::Promise;
}

/// Takes streams until the session is over.
pub(super) fn start(carrier: &Carrier, wanted: Wanted, tell: Tell) {
    let take = move |stream: Reader| {
        let (wanted, tell) = (wanted.clone(), tell.clone());
        spawn_local(async move {
            let mut bytes = Bytes::new(stream);
            if receive(&mut bytes, &wanted, &tell).await.is_none() {
                bytes.cancel();
            }
        });
    };
    // An error here is the end of the session, and told as such.
    match carrier {
        Carrier::Quic(transport) => {
            let streams = transport.incoming_unidirectional_streams();
            spawn_local(async move {
                let reader = streams.get_reader().unchecked_into();
                while let Ok(Some(stream)) = streams::next(&reader).await {
                    let stream: ReadableStream = stream.unchecked_into();
                    take(Reader::Stream(stream.get_reader().unchecked_into()));
                }
            });
        }
        Carrier::Socket(socket) => {
            let mux = socket.mux().clone();
            spawn_local(async move {
                while let Ok(stream) = mux.accept().await {
                    take(Reader::Bulk(stream));
                }
            });
        }
    }
}

/// Takes one stream; nothing if it isn't worth reading to its end. A message
/// that doesn't come through costs its attempts' lives, which the broker sees
/// by their silence; a broker that sends nonsense is not worked around.
async fn receive(bytes: &mut Bytes, wanted: &Wanted, tell: &Tell) -> Option<()> {
    let length = bytes.exactly(LENGTH_BYTES as u32).await.ok()?;
    let length = BulkHeader::decode_length([length[0], length[1]]).ok()?;
    let header = bytes.exactly(length as u32).await.ok()?;
    match BulkHeader::decode(&header).ok()? {
        BulkHeader::Message { size } => {
            let encoded = bytes.exactly(size as u32).await.ok()?;
            tell(Heard::Message(Box::new(decode_one(&encoded).ok()?)));
        }
        BulkHeader::Blob(blob) => {
            // Room is made for what was asked for, and for nothing else.
            if wanted.borrow_mut().remove(&blob.digest) != Some(blob.size) {
                return None;
            }
            let taken = take_blob(bytes, blob).await;
            let failed = taken.is_err();
            tell(Heard::Blob(
                blob.digest,
                taken.map_err(|error| message(&error)),
            ));
            if failed {
                return None;
            }
        }
        // Only a provider sends outputs.
        BulkHeader::Output { .. } => return None,
    }
    Some(())
}

async fn take_blob(bytes: &mut Bytes, blob: BlobRef) -> Result<Uint8Array, JsValue> {
    let size = u32::try_from(blob.size).map_err(|_| JsError::new("too large for a browser"))?;
    let content = allocate(size)?;
    bytes.fill(&content).await?;
    if bytes.some(1).await?.is_some() {
        return Err(JsError::new("more bytes came than were announced").into());
    }
    if digest(&content).await? != blob.digest {
        return Err(JsError::new("what came has another digest").into());
    }
    Ok(content)
}

/// That many bytes of the browser's memory, or an error instead of a trap.
fn allocate(size: u32) -> Result<Uint8Array, JsValue> {
    let constructor = js_sys::Reflect::get(&js_sys::global(), &"Uint8Array".into())?;
    let arguments = js_sys::Array::of1(&size.into());
    let bytes =
        js_sys::Reflect::construct::<fn() -> JsValue>(constructor.unchecked_ref(), &arguments)?;
    Ok(bytes.unchecked_into())
}

/// The digest of bytes, made by the browser.
pub(crate) async fn digest(bytes: &Uint8Array) -> Result<Digest, JsValue> {
    let hash = JsFuture::from(subtle_digest("SHA-256", bytes)).await?;
    let mut digest = Digest([0; 32]);
    Uint8Array::new(&hash).copy_to(&mut digest.0);
    Ok(digest)
}
