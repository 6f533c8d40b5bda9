//! What strangers announce costs no memory: decoding a damaged frame never asks
//! for more than a frame's worth at a time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use proptest::prelude::*;
use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, TaskId};
use wasipool_shared::limits::{ARTIFACT_PATTERNS_MAX, FRAME_BYTES_MAX};
use wasipool_shared::task::{BlobRef, Files, Outcome, Payload, TaskLimits, TaskSpec, Timing};
use wasipool_shared::wire::WireError;
use wasipool_shared::wire::frame::{decode_one, encode_one};
use wasipool_shared::wire::message::*;
use wasipool_shared::wire::version::VersionRange;

struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    // The thread's last allocations come when the cell is gone already.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

#[expect(unsafe_code, reason = "only an allocator sees what is asked of it")]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the same promises to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller keeps the same promises to us.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same promises to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// The largest allocation that was asked for meanwhile, in bytes.
fn largest(work: impl FnOnce()) -> usize {
    LARGEST.set(0);
    work();
    LARGEST.get()
}

fn decode_all(bytes: &[u8]) -> usize {
    largest(|| {
        let _ = decode_one::<ToProvider>(bytes);
        let _ = decode_one::<ToBroker>(bytes);
        let _ = decode_one::<Hello>(bytes);
        let _ = decode_one::<HelloReply>(bytes);
    })
}

fn assignment(artifacts: usize) -> ToProvider {
    let payload = || Payload::Inline("payload".into());
    ToProvider::Assign(Assignment {
        attempt: AttemptId(1),
        task: TaskId {
            job: JobId(2),
            index: 3,
        },
        module: BlobRef {
            digest: Digest([4; 32]),
            size: 5,
        },
        label: "label".into(),
        spec: TaskSpec {
            args: vec!["argument".into(); 3],
            env: vec![("NAME".into(), "value".into()); 3],
            stdin: payload(),
            files: Files::Map(vec![
                ("path".into(), payload()),
                ("other".into(), payload()),
            ]),
            artifacts: vec!["a".into(); artifacts],
            limits: TaskLimits {
                timeout_ms: 1,
                memory_bytes: 1,
                output_bytes: 1,
                artifact_bytes: 1,
            },
            seed: Some(1),
        },
    })
}

fn samples() -> Vec<Vec<u8>> {
    let content = || Output::Inline("content".into());
    let ended = ToBroker::Ended(Ended {
        attempt: AttemptId(1),
        outcome: Outcome::Trapped {
            reason: "reason".into(),
        },
        stdout: content(),
        stderr: content(),
        artifacts: vec![
            Artifact {
                path: "path".into(),
                content: content()
            };
            3
        ],
        timing: Timing::default(),
    });
    let hello = Hello {
        versions: VersionRange::OURS,
        ticket: "ticket".into(),
        name: "name".into(),
        kind: ProviderKind::Native,
        agent: "agent".into(),
        capacity: Capacity {
            slots: 1,
            memory_bytes: 1,
            features: Features::default(),
            speed: 1,
        },
    };
    vec![
        encode_one(&assignment(2)).unwrap(),
        encode_one(&ended).unwrap(),
        encode_one(&hello).unwrap(),
    ]
}

proptest! {
    #[test]
    fn a_damaged_message_asks_for_no_more_than_what_a_frame_can_hold(
        which in 0_usize..3,
        at in any::<prop::sample::Index>(),
        length in any::<u64>(),
        bits in 0_u32..64,
        filler in any::<u8>(),
        padding in 0_usize..FRAME_BYTES_MAX,
    ) {
        // A length of any size anywhere in a message, with anything behind it
        // that a frame has room for.
        let mut bytes = samples().swap_remove(which);
        let at = at.index(bytes.len());
        let announced = encode_one(&(length >> bits)).unwrap();
        bytes.splice(at..=at, announced);
        bytes.resize(FRAME_BYTES_MAX.min(bytes.len() + padding), filler);
        let asked = decode_all(&bytes);
        prop_assert!(asked <= FRAME_BYTES_MAX * GROWTH, "{asked} bytes at a time");
    }

    #[test]
    fn any_bytes_ask_for_no_more_than_a_frame(bytes in prop::collection::vec(any::<u8>(), 0..4_096)) {
        let asked = decode_all(&bytes);
        prop_assert!(asked <= FRAME_BYTES_MAX, "{asked} bytes at a time");
    }
}

/// Elements that really are in a frame may take more room in memory than their
/// few bytes there: a file without name and content has 3, and needs this much.
const GROWTH: usize = size_of::<(String, Payload)>().div_ceil(3) * 2;

#[test]
fn a_length_that_nothing_follows_costs_next_to_nothing() {
    for sample in samples() {
        for at in 0..sample.len() {
            // 2^34 elements or bytes, and then nothing.
            let mut bytes = sample[..at].to_vec();
            bytes.extend([0x80, 0x80, 0x80, 0x80, 0x40]);
            let asked = decode_all(&bytes);
            assert!(asked <= 1_024, "{asked} bytes at a time, cut at {at}");
        }
    }
}

#[test]
fn a_list_at_its_limit_is_read_and_one_above_is_refused() {
    let fits = assignment(ARTIFACT_PATTERNS_MAX);
    let encoded = encode_one(&fits).unwrap();
    assert_eq!(decode_one::<ToProvider>(&encoded), Ok(fits));
    let encoded = encode_one(&assignment(ARTIFACT_PATTERNS_MAX + 1)).unwrap();
    let error = decode_one::<ToProvider>(&encoded).unwrap_err();
    assert!(matches!(error, WireError::Malformed(_)), "{error}");
}
