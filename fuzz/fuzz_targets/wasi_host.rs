//! Whatever a guest calls, with whatever in its memory: the host doesn't panic
//! and takes no more room than it may.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wasipool_wasi::fs::FileEntry;
use wasipool_wasi::types::{Errno, Stream};
use wasipool_wasi::{Config, Halt, Host, Seeded, SliceMemory, for_each_import};

const MEMORY: usize = 4096;
const FS_LIMIT: u64 = 50_000;
const OUTPUT_LIMIT: u64 = 2_000;

type Call = fn(&mut Host<Seeded>, &mut SliceMemory<'_>, [u64; 9]) -> Result<Errno, Halt>;

macro_rules! calls {
    ([] $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        [$({
            let call: Call = |host, memory, args| {
                let [$($arg,)* ..] = args;
                host.$name(memory, $($arg as $type),*)
            };
            call
        },)*]
    };
}

/// Most arguments are descriptors, flags or addresses; the rest is as it comes.
fn argument(raw: u64) -> u64 {
    match raw >> 56 {
        0..100 => raw % 8,
        100..200 => raw % MEMORY as u64,
        200..220 => raw % 4096 * 8,
        _ => raw,
    }
}

fuzz_target!(|input: (Vec<u8>, Vec<(u8, [u64; 9])>)| {
    let (mut bytes, calls) = input;
    bytes.resize(MEMORY, b'a');
    let config = Config {
        args: vec!["guest".into()],
        env: vec![("K".into(), "V".into())],
        stdin: "some input".into(),
        files: vec![
            ("a".into(), FileEntry::File("content".into())),
            ("aa/a".into(), FileEntry::Directory),
        ],
        output_limit: OUTPUT_LIMIT,
        fs_limit: FS_LIMIT,
    };
    let mut host = Host::new(config, Seeded::new(1, 0)).expect("a tree");
    let mut memory = SliceMemory(&mut bytes);
    let table = for_each_import!(calls);
    for (index, args) in calls {
        // A halt would end the guest; going on must do no harm either.
        let call = table[usize::from(index) % table.len()];
        _ = call(&mut host, &mut memory, args.map(argument));
    }
    for stream in [Stream::Stdout, Stream::Stderr] {
        assert!(host.output(stream).len() as u64 <= OUTPUT_LIMIT);
    }
    let mut outputs = host.into_outputs();
    assert!(outputs.fs.used() <= FS_LIMIT);
    assert!(outputs.fs.collect_files(|_, _| true).is_sorted());
});
