//! Whatever begins a bulk stream is read within its limits or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wasipool_shared::limits::BLOB_BYTES_MAX;
use wasipool_shared::wire::bulk::{BulkHeader, LENGTH_BYTES};

fuzz_target!(|data: &[u8]| {
    let Some((length, content)) = data.split_first_chunk::<LENGTH_BYTES>() else {
        return;
    };
    let _ = BulkHeader::decode_length(*length);
    if let Ok(header) = BulkHeader::decode(content) {
        assert!(header.size() <= BLOB_BYTES_MAX);
        let again = header.encode().expect("what was read can be written");
        assert_eq!(BulkHeader::decode(&again[LENGTH_BYTES..]), Ok(header));
    }
});
