//! Properties of the wire format: what is encoded comes back; what is cut or
//! damaged gives an error, never a panic, never more memory than a frame.

use bytes::Bytes;
use proptest::prelude::*;
use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId, TaskId};
use wasipool_shared::limits::FRAME_BYTES_MAX;
use wasipool_shared::task::{
    BlobRef, Exceeded, Fault, Files, Outcome, Payload, TaskLimits, TaskSpec, Timing,
};
use wasipool_shared::wire::WireError;
use wasipool_shared::wire::bulk::{BulkHeader, LENGTH_BYTES, OutputPart};
use wasipool_shared::wire::frame::{
    FrameReader, FrameWriter, HEADER_BYTES, Packed, decode_one, messages,
};
use wasipool_shared::wire::message::*;
use wasipool_shared::wire::version::VersionRange;

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,24}"
}

fn blob() -> impl Strategy<Value = BlobRef> {
    (any::<[u8; 32]>(), any::<u64>()).prop_map(|(digest, size)| BlobRef {
        digest: Digest(digest),
        size,
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        bytes().prop_map(Payload::Inline),
        blob().prop_map(Payload::Blob)
    ]
}

fn files() -> impl Strategy<Value = Files> {
    prop_oneof![
        Just(Files::None),
        blob().prop_map(Files::Archive),
        prop::collection::vec((text(), payload()), 0..4).prop_map(Files::Map),
    ]
}

fn spec() -> impl Strategy<Value = TaskSpec> {
    let limits =
        any::<[u64; 4]>().prop_map(|[timeout_ms, memory_bytes, output_bytes, artifact_bytes]| {
            TaskLimits {
                timeout_ms,
                memory_bytes,
                output_bytes,
                artifact_bytes,
            }
        });
    let texts = || prop::collection::vec(text(), 0..4);
    let env = prop::collection::vec((text(), text()), 0..4);
    (
        texts(),
        env,
        payload(),
        files(),
        texts(),
        limits,
        any::<Option<u64>>(),
    )
        .prop_map(
            |(args, env, stdin, files, artifacts, limits, seed)| TaskSpec {
                args,
                env,
                stdin,
                files,
                artifacts,
                limits,
                seed,
            },
        )
}

fn capacity() -> impl Strategy<Value = Capacity> {
    any::<(u16, u64, u32, u32)>().prop_map(|(slots, memory_bytes, features, speed)| Capacity {
        slots,
        memory_bytes,
        features: Features(features),
        speed,
    })
}

fn refuse() -> impl Strategy<Value = Refuse> {
    let code = prop_oneof![Just(RefuseCode::Version), Just(RefuseCode::Banned)];
    (code, text()).prop_map(|(code, text)| Refuse { code, text })
}

fn to_provider() -> impl Strategy<Value = ToProvider> {
    let assign = (any::<u64>(), any::<(u128, u32)>(), blob(), text(), spec()).prop_map(
        |(attempt, (job, index), module, label, spec)| {
            ToProvider::Assign(Assignment {
                attempt: AttemptId(attempt),
                task: TaskId {
                    job: JobId(job),
                    index,
                },
                module,
                label,
                spec,
            })
        },
    );
    prop_oneof![
        assign,
        any::<u64>().prop_map(|attempt| ToProvider::Revoke(AttemptId(attempt))),
        any::<[u8; 32]>().prop_map(|digest| ToProvider::NoBlob(Digest(digest))),
        any::<u64>().prop_map(ToProvider::Pong),
        Just(ToProvider::Drain),
        refuse().prop_map(ToProvider::Bye),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        any::<u32>().prop_map(Outcome::Exited),
        text().prop_map(|reason| Outcome::Trapped { reason }),
        Just(Outcome::TimedOut),
        Just(Outcome::OutOfMemory),
        Just(Outcome::OutputExceeded {
            what: Exceeded::Stderr
        }),
    ]
}

fn output() -> impl Strategy<Value = Output> {
    prop_oneof![
        bytes().prop_map(Output::Inline),
        any::<u64>().prop_map(|size| Output::Stream { size }),
    ]
}

fn to_broker() -> impl Strategy<Value = ToBroker> {
    let artifacts = prop::collection::vec((text(), output()), 0..4);
    let timing = any::<[u64; 3]>().prop_map(|[transfer_us, prepare_us, run_us]| Timing {
        transfer_us,
        prepare_us,
        run_us,
    });
    let ended = (
        any::<u64>(),
        outcome(),
        output(),
        output(),
        artifacts,
        timing,
    )
        .prop_map(|(attempt, outcome, stdout, stderr, artifacts, timing)| {
            let artifacts = artifacts
                .into_iter()
                .map(|(path, content)| Artifact { path, content });
            ToBroker::Ended(Ended {
                attempt: AttemptId(attempt),
                outcome,
                stdout,
                stderr,
                artifacts: artifacts.collect(),
                timing,
            })
        });
    let failed = (any::<u64>(), text()).prop_map(|(attempt, reason)| ToBroker::Failed {
        attempt: AttemptId(attempt),
        fault: Fault::Module(reason),
    });
    prop_oneof![
        ended,
        failed,
        any::<u64>().prop_map(|attempt| ToBroker::Returned(AttemptId(attempt))),
        any::<[u8; 32]>().prop_map(|digest| ToBroker::Want(Digest(digest))),
        capacity().prop_map(ToBroker::Capacity),
        any::<u64>().prop_map(ToBroker::Ping),
        Just(ToBroker::Draining),
        Just(ToBroker::Bye),
    ]
}

/// Feeds bytes in pieces of that size and takes all messages.
fn read_all<M: serde::de::DeserializeOwned>(
    stream: &[u8],
    piece: usize,
) -> Result<Vec<M>, WireError> {
    let mut reader = FrameReader::default();
    let mut all = Vec::new();
    for piece in stream.chunks(piece) {
        reader.feed(piece);
        while let Some(frame) = reader.next_frame()? {
            for message in messages(&frame) {
                all.push(message?);
            }
        }
    }
    reader.finish()?;
    Ok(all)
}

proptest! {
    #[test]
    fn messages_come_back_whatever_the_pieces(
        down in prop::collection::vec(to_provider(), 0..20),
        up in prop::collection::vec(to_broker(), 0..20),
        piece in 1_usize..300,
    ) {
        let mut writer = FrameWriter::default();
        for message in &down {
            prop_assert_eq!(writer.push(message).unwrap(), Packed::Framed);
        }
        prop_assert_eq!(read_all::<ToProvider>(&writer.take(), piece).unwrap(), down);
        for message in &up {
            prop_assert_eq!(writer.push(message).unwrap(), Packed::Framed);
        }
        prop_assert_eq!(read_all::<ToBroker>(&writer.take(), piece).unwrap(), up);
    }

    #[test]
    fn handshakes_come_back(
        versions in any::<(u16, u16)>(),
        ticket in text(),
        capacity in capacity(),
        reply in prop_oneof![
            refuse().prop_map(HelloReply::Refuse),
            any::<(u16, u128, u32)>().prop_map(|(protocol, provider, idle_ms)| {
                HelloReply::Welcome(Welcome {
                    protocol,
                    provider: ProviderId(provider),
                    idle_ms,
                    heartbeat_ms: idle_ms / 5,
                    assignments_max: 7,
                })
            }),
        ],
    ) {
        let hello = Hello {
            versions: VersionRange { min: versions.0, max: versions.1 },
            name: ticket.clone(),
            agent: ticket.clone(),
            kind: ProviderKind::Browser,
            ticket,
            capacity,
        };
        let mut writer = FrameWriter::default();
        prop_assert_eq!(writer.push(&hello).unwrap(), Packed::Framed);
        writer.end();
        prop_assert_eq!(writer.push(&reply).unwrap(), Packed::Framed);
        let mut reader = FrameReader::default();
        reader.feed(&writer.take());
        let first = reader.next_frame().unwrap().unwrap();
        prop_assert_eq!(decode_one::<Hello>(&first).unwrap(), hello);
        let second = reader.next_frame().unwrap().unwrap();
        prop_assert_eq!(decode_one::<HelloReply>(&second).unwrap(), reply);
    }

    #[test]
    fn what_is_cut_is_an_error(message in to_broker(), keep in any::<prop::sample::Index>()) {
        let mut writer = FrameWriter::default();
        prop_assert_eq!(writer.push(&message).unwrap(), Packed::Framed);
        let whole = writer.take();
        let cut = &whole[..keep.index(whole.len())];
        let read = read_all::<ToBroker>(cut, 64);
        if cut.is_empty() {
            prop_assert_eq!(read, Ok(Vec::new()));
        } else {
            prop_assert_eq!(read, Err(WireError::Cut));
        }
        // The content alone, cut: no message fits into fewer bytes than its own.
        let content = &whole[HEADER_BYTES..];
        let cut = &content[..keep.index(content.len())];
        prop_assert!(decode_one::<ToBroker>(cut).is_err());
    }

    #[test]
    fn damage_never_panics(
        stream in prop::collection::vec(any::<u8>(), 0..2_000),
        message in to_provider(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        piece in 1_usize..64,
    ) {
        let _ = read_all::<ToBroker>(&stream, piece);
        let _ = read_all::<ToProvider>(&stream, piece);
        let _ = decode_one::<Hello>(&stream);
        let _ = decode_one::<HelloReply>(&stream);
        let _ = BulkHeader::decode(&stream);
        let mut writer = FrameWriter::default();
        prop_assert_eq!(writer.push(&message).unwrap(), Packed::Framed);
        let mut whole = writer.take().to_vec();
        let at = at.index(whole.len());
        whole[at] = to;
        let _ = read_all::<ToProvider>(&whole, piece);
    }

    #[test]
    fn bulk_headers_come_back(attempt in any::<u64>(), part in 0_u32..9, blob in blob(), size in 0_u64..1_000) {
        let part = match part {
            0 => OutputPart::Stdout,
            1 => OutputPart::Stderr,
            index => OutputPart::Artifact(index),
        };
        let blob = BlobRef { size: blob.size % 1_000_000, ..blob };
        for header in [
            BulkHeader::Message { size },
            BulkHeader::Blob(blob),
            BulkHeader::Output { attempt: AttemptId(attempt), part, size },
        ] {
            let encoded = header.encode().unwrap();
            let (length, content) = encoded.split_first_chunk::<LENGTH_BYTES>().unwrap();
            prop_assert_eq!(BulkHeader::decode_length(*length).unwrap(), content.len());
            prop_assert_eq!(BulkHeader::decode(content).unwrap(), header);
        }
    }
}

#[test]
fn a_frame_at_the_limit_is_read_and_one_above_is_refused() {
    let frame = |size: usize| {
        let mut frame = u32::try_from(size).unwrap().to_le_bytes().to_vec();
        frame.resize(HEADER_BYTES + size, 0);
        frame
    };
    let mut reader = FrameReader::default();
    reader.feed(&frame(FRAME_BYTES_MAX));
    assert_eq!(reader.next_frame().unwrap().unwrap().len(), FRAME_BYTES_MAX);
    // Refused by its header alone, before any of its bytes are kept.
    reader.feed(&frame(FRAME_BYTES_MAX + 1)[..HEADER_BYTES]);
    let limit = FRAME_BYTES_MAX;
    let size = limit as u64 + 1;
    assert_eq!(
        reader.next_frame(),
        Err(WireError::FrameTooLarge { size, limit })
    );
    let mut reader = FrameReader::default();
    reader.feed(&[0; HEADER_BYTES]);
    assert_eq!(reader.next_frame(), Err(WireError::EmptyFrame));
}

#[test]
fn a_length_inside_a_message_allocates_no_more_than_the_frame_holds() {
    // A text of 2^60 bytes, announced in a frame of a few: the decoder looks at
    // what is there before it makes room.
    let mut content = vec![0];
    content.extend([0xff; 8]);
    content.push(0x0f);
    assert!(decode_one::<HelloReply>(&content).is_err());
    assert!(decode_one::<Files>(&[2, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
}

#[test]
fn a_message_over_the_frame_limit_goes_on_a_stream_and_disturbs_nothing() {
    let big = ToBroker::Failed {
        attempt: AttemptId(1),
        fault: Fault::Internal("x".repeat(FRAME_BYTES_MAX)),
    };
    let mut writer = FrameWriter::default();
    assert_eq!(writer.push(&ToBroker::Ping(1)).unwrap(), Packed::Framed);
    let Packed::TooLarge(encoded) = writer.push(&big).unwrap() else {
        panic!("it doesn't fit")
    };
    assert_eq!(decode_one::<ToBroker>(&encoded).unwrap(), big);
    assert_eq!(writer.push(&ToBroker::Ping(2)).unwrap(), Packed::Framed);
    let read = read_all::<ToBroker>(&writer.take(), 1_000).unwrap();
    assert_eq!(read, [ToBroker::Ping(1), ToBroker::Ping(2)]);
    assert!(matches!(writer.push(&big).unwrap(), Packed::TooLarge(_)));
    assert!(writer.is_empty(), "not even a header is left");
}

#[test]
fn a_full_frame_is_followed_by_another() {
    let half = ToBroker::Failed {
        attempt: AttemptId(1),
        fault: Fault::Internal("x".repeat(FRAME_BYTES_MAX / 2)),
    };
    let mut writer = FrameWriter::default();
    for _ in 0..5 {
        assert_eq!(writer.push(&half).unwrap(), Packed::Framed);
    }
    assert_eq!(
        read_all::<ToBroker>(&writer.take(), 1_000).unwrap(),
        vec![half; 5]
    );
}

#[test]
fn a_bulk_header_that_announces_too_much_is_refused() {
    use wasipool_shared::limits::{BLOB_BYTES_MAX, BULK_MESSAGE_BYTES_MAX};
    let decode = |header: BulkHeader| BulkHeader::decode(&header.encode().unwrap()[LENGTH_BYTES..]);
    let message = BULK_MESSAGE_BYTES_MAX as u64;
    assert!(decode(BulkHeader::Message { size: message }).is_ok());
    assert!(matches!(
        decode(BulkHeader::Message { size: message + 1 }),
        Err(WireError::OverLimit {
            what: "a message",
            ..
        })
    ));
    let digest = Digest([0; 32]);
    assert!(
        decode(BulkHeader::Blob(BlobRef {
            digest,
            size: BLOB_BYTES_MAX
        }))
        .is_ok()
    );
    assert!(
        decode(BulkHeader::Blob(BlobRef {
            digest,
            size: BLOB_BYTES_MAX + 1
        }))
        .is_err()
    );
    assert_eq!(
        BulkHeader::decode_length([0, 0]),
        Err(WireError::EmptyFrame)
    );
    assert!(BulkHeader::decode_length([0, 1]).is_ok(), "256");
    assert!(BulkHeader::decode_length([1, 1]).is_err(), "257");
}
