//! Whatever a guest passes to whichever import, the host doesn't panic and
//! keeps its limits.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use wasipool_wasi::for_each_import;
use wasipool_wasi::fs::FileEntry;
use wasipool_wasi::types::{Errno, Stream};
use wasipool_wasi::{Config, GuestMemory, Halt, Host, SliceMemory, World};

const MEMORY: usize = 2048;
const FS_LIMIT: u64 = 20_000;
const OUTPUT_LIMIT: u64 = 1_000;

#[derive(Debug, Default)]
struct Still(u64);

impl World for Still {
    fn monotonic_ns(&mut self) -> u64 {
        self.0
    }

    fn wall_ns(&mut self) -> u64 {
        self.0
    }

    fn random(&mut self, into: &mut [u8]) {
        into.fill(7);
    }

    fn sleep_until(&mut self, monotonic_ns: u64) {
        self.0 = monotonic_ns;
    }
}

type Call = fn(&mut Host<Still>, &mut SliceMemory<'_>, [u64; 9]) -> Result<Errno, Halt>;

macro_rules! calls {
    ([] $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        [$({
            let call: Call = |host, memory, args| {
                let [$($arg,)* ..] = args;
                host.$name(memory, $($arg as $ty),*)
            };
            call
        },)*]
    };
}

/// Arguments that reach deep: descriptors, flags, paths in the memory, and
/// what is at and over its end.
fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..8u64,
        2 => prop_oneof![Just(2u64), Just(64), Just(66)],
        4 => (0..(MEMORY as u64 / 8)).prop_map(|index| index * 8),
        1 => (MEMORY as u64 - 64)..(MEMORY as u64 + 64),
        1 => (u64::from(u32::MAX) - 64)..=u64::from(u32::MAX),
        1 => any::<u64>(),
    ]
}

/// Memory that looks like paths, iovecs and small numbers in places.
fn memory() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(*b"a\0\0\0\0\0\0\0"),
        Just(*b"dir/sub/"),
        Just(*b"../file."),
        Just(*b"in.txt/a"),
        Just([0; 8]),
        (0..300u32, 0..300u32).prop_map(|(address, len)| {
            let mut iovec = [0; 8];
            iovec[..4].copy_from_slice(&address.to_le_bytes());
            iovec[4..].copy_from_slice(&len.to_le_bytes());
            iovec
        }),
        any::<[u8; 8]>(),
    ];
    vec(piece, 32).prop_map(|pieces| pieces.concat().repeat(MEMORY / (32 * 8)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_call_panics_or_passes_a_limit(
        mut bytes in memory(),
        calls in vec((any::<prop::sample::Index>(), prop::array::uniform9(argument())), 1..60),
    ) {
        let table = for_each_import!(calls);
        let file = FileEntry::File(Bytes::from_static(b"content"));
        let config = Config {
            args: vec!["guest".into()],
            env: vec![("K".into(), "V".into())],
            stdin: Bytes::from_static(b"some input"),
            files: vec![
                ("in.txt".into(), file),
                ("dir/sub".into(), FileEntry::Directory),
            ],
            output_limit: OUTPUT_LIMIT,
            fs_limit: FS_LIMIT,
        };
        let mut host = Host::new(config, Still::default()).expect("a tree");
        let mut memory = SliceMemory(&mut bytes);
        for (index, args) in calls {
            // A halt would end the guest; going on must do no harm either.
            let _ = index.get(&table)(&mut host, &mut memory, args);
        }
        prop_assert_eq!(memory.size(), MEMORY as u64);
        prop_assert!(host.output(Stream::Stdout).len() as u64 <= OUTPUT_LIMIT);
        prop_assert!(host.output(Stream::Stderr).len() as u64 <= OUTPUT_LIMIT);
        let mut outputs = host.into_outputs();
        prop_assert!(outputs.fs.used() <= FS_LIMIT);
        let files = outputs.fs.collect_files(|_, _| true);
        prop_assert!(files.is_sorted());
    }
}
