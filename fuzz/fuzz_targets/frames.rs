//! Whatever comes on a control stream is read or refused, and what was read is
//! written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wasipool_shared::wire::frame::{FrameReader, decode_one, encode_one, messages};
use wasipool_shared::wire::message::{Hello, HelloReply, ToBroker, ToProvider};

fuzz_target!(|data: &[u8]| {
    let mut reader = FrameReader::default();
    reader.feed(data);
    while let Ok(Some(frame)) = reader.next_frame() {
        let _ = decode_one::<Hello>(&frame);
        let _ = decode_one::<HelloReply>(&frame);
        for message in messages::<ToProvider>(&frame).flatten() {
            let again = encode_one(&message).expect("what was read can be written");
            assert_eq!(decode_one::<ToProvider>(&again).as_ref(), Ok(&message));
        }
        for message in messages::<ToBroker>(&frame).flatten() {
            let again = encode_one(&message).expect("what was read can be written");
            assert_eq!(decode_one::<ToBroker>(&again).as_ref(), Ok(&message));
        }
    }
});
