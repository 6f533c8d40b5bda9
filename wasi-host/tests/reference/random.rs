//! Random calls.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::call::{Call, IOVS, LIST, MEMORY, OUT, STAT, make};
use crate::hosts::{Both, Gave};

fn fd() -> BoxedStrategy<u64> {
    prop_oneof![
        8 => Just(3u64),
        8 => 4..8u64,
        1 => 0..3u64,
        1 => prop_oneof![Just(99u64), Just(u64::from(u32::MAX))],
    ]
    .boxed()
}

/// Paths that meet each other, and those that are wrong in some way.
fn path() -> BoxedStrategy<String> {
    let name = prop_oneof![Just("a"), Just("b"), Just("d"), Just("l")];
    prop_oneof![
        12 => vec(name, 1..4).prop_map(|names| names.join("/")),
        4 => prop::sample::select(vec![
            "d/", "a/", "d//", "d/.", "a/.", "d/..", ".", "./d", "./", "d/../a", "d/./b", "l/a", "l/", "l/..",
            "l/.", "d/l", "a/..", "x/..", "b//a",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "", "/", "/a", "..", "../a", "d/../..", "d/../../a", "a\0b", "a\0", "/../a", "//", "...", "..a", "d/..a",
        ]).prop_map(str::to_owned),
        1 => prop_oneof![Just(255usize), Just(256), Just(4095), Just(4096)].prop_map(|len| "n".repeat(len)),
        1 => Just("d/".repeat(2047) + "d"),
    ]
    .boxed()
}

fn target() -> BoxedStrategy<String> {
    prop_oneof![
        4 => path(),
        2 => prop::sample::select(vec!["../a", "../d", "l", "../l", "/a", "..", "a/", "./"]).prop_map(str::to_owned),
    ]
    .boxed()
}

/// Numbers at and over the edges.
fn offset() -> BoxedStrategy<u64> {
    prop_oneof![
        6 => 0..40u64,
        1 => prop::sample::select(vec![
            1 << 20,
            i64::MAX as u64 - 1,
            i64::MAX as u64,
            1 << 63,
            u64::MAX - 1,
            u64::MAX,
        ]),
    ]
    .boxed()
}

/// Sizes that fit on both, and those that fit nowhere.
fn size() -> BoxedStrategy<u64> {
    prop_oneof![
        6 => 0..40u64,
        1 => prop::sample::select(vec![1 << 63, u64::MAX]),
    ]
    .boxed()
}

fn rights() -> BoxedStrategy<u64> {
    prop_oneof![
        2 => prop::sample::select(vec![0u64, 2, 64, 66, 0x3fff_ffff, 1 << 14]),
        8 => prop::sample::select(vec![66u64, 2, 64, 0]),
        1 => Just(1 << 30),
    ]
    .boxed()
}

/// A pointer for something of `len` bytes: good, or not at all.
fn pointer(good: u32) -> BoxedStrategy<u64> {
    prop_oneof![
        60 => Just(u64::from(good)),
        1 => prop::sample::select(vec![
            u64::from(good) + 1,
            u64::from(good) + 4,
            MEMORY as u64 - 2,
            MEMORY as u64,
            u64::from(u32::MAX),
        ]),
    ]
    .boxed()
}

fn flag() -> BoxedStrategy<u64> {
    prop_oneof![20 => 0..2u64, 1 => Just(2u64), 1 => Just(1 << 31)].boxed()
}

fn on_names() -> BoxedStrategy<Call> {
    prop_oneof![
        8 => (fd(), flag(), path(), prop_oneof![20 => 0..16u64, 1 => Just(16u64)], rights(),
            prop_oneof![8 => Just(0u64), 2 => 0..32u64, 1 => Just(32u64)])
            .prop_map(|(fd, follow, path, oflags, base, flags)| {
                make::open(fd, follow, &path, oflags, base, flags)
            }),
        6 => (fd(), path()).prop_map(|(fd, path)| make::on_path("path_create_directory", fd, &path)),
        2 => (fd(), path()).prop_map(|(fd, path)| make::on_path("path_remove_directory", fd, &path)),
        2 => (fd(), path()).prop_map(|(fd, path)| make::on_path("path_unlink_file", fd, &path)),
        4 => (fd(), flag(), path()).prop_map(|(fd, follow, path)| make::stat(fd, follow, &path)),
        2 => (fd(), flag(), path(), 0..17u64)
            .prop_map(|(fd, follow, path, flags)| make::set_times(fd, follow, &path, 1_000, 2_000, flags)),
        4 => (fd(), flag(), path(), fd(), path())
            .prop_map(|(from, flags, path, to, other)| make::link(from, flags, &path, to, &other)),
        5 => (fd(), path(), fd(), path())
            .prop_map(|(from, path, to, other)| make::rename(from, &path, to, &other)),
        5 => (target(), fd(), path()).prop_map(|(target, fd, path)| make::symlink(&target, fd, &path)),
        3 => (fd(), path(), 0..12u64).prop_map(|(fd, path, len)| make::readlink(fd, &path, len)),
    ]
    .boxed()
}

fn on_descriptors() -> BoxedStrategy<Call> {
    let stat = |name| (fd(), pointer(STAT)).prop_map(move |(fd, at)| Call::new(name, &[fd, at]));
    let io = |name| (fd(), 0..5u64).prop_map(move |(fd, iovs)| make::io(name, fd, iovs, None));
    let io_at = |name| {
        (fd(), 0..5u64, offset()).prop_map(move |(fd, iovs, at)| make::io(name, fd, iovs, Some(at)))
    };
    prop_oneof![
        5 => io("fd_write"),
        4 => io("fd_read"),
        2 => io_at("fd_pread"),
        // A hole of exabytes fits below a real folder only.
        3 => (fd(), 0..4u64, size()).prop_map(|(fd, iovs, at)| make::io("fd_pwrite", fd, iovs, Some(at))),
        4 => (fd(), prop_oneof![8 => -20..40i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)], 0..4u64)
            .prop_map(|(fd, offset, whence)| make::seek(fd, offset, whence)),
        2 => (fd(), pointer(OUT)).prop_map(|(fd, out)| Call::new("fd_tell", &[fd, out])),
        3 => stat("fd_fdstat_get"),
        3 => stat("fd_filestat_get"),
        1 => stat("fd_prestat_get"),
        3 => fd().prop_map(make::readdir),
        3 => fd().prop_map(|fd| Call::new("fd_close", &[fd])),
        2 => (fd(), fd()).prop_map(|(from, to)| Call::new("fd_renumber", &[from, to])),
        2 => (fd(), size()).prop_map(|(fd, size)| Call::new("fd_filestat_set_size", &[fd, size])),
        1 => (fd(), 0..17u64)
            .prop_map(|(fd, flags)| Call::new("fd_filestat_set_times", &[fd, 1_000, 2_000, flags])),
        2 => (fd(), 0..33u64).prop_map(|(fd, flags)| Call::new("fd_fdstat_set_flags", &[fd, flags])),
        1 => (fd(), rights()).prop_map(|(fd, rights)| Call::new("fd_fdstat_set_rights", &[fd, rights, 0])),
        1 => (fd(), offset(), offset(), 0..7u64)
            .prop_map(|(fd, at, len, advice)| Call::new("fd_advise", &[fd, at, len, advice])),
        1 => (fd(), offset(), offset()).prop_map(|(fd, at, len)| Call::new("fd_allocate", &[fd, at, len])),
        1 => (fd(), any::<bool>())
            .prop_map(|(fd, data)| Call::new(if data { "fd_datasync" } else { "fd_sync" }, &[fd])),
        1 => (fd(), pointer(LIST), 0..3u64)
            .prop_map(|(fd, at, len)| Call::new("fd_prestat_dir_name", &[fd, at, len])),
        1 => (fd(), 0..33u64).prop_map(|(fd, flags)| Call::new("sock_accept", &[fd, flags, OUT.into()])),
        1 => fd().prop_map(|fd| Call::new("sock_send", &[fd, IOVS.into(), 1, 0, OUT.into()])),
        1 => (fd(), 0..5u64).prop_map(|(fd, how)| Call::new("sock_shutdown", &[fd, how])),
    ]
    .boxed()
}

fn on_nothing() -> BoxedStrategy<Call> {
    prop_oneof![
        pointer(LIST).prop_map(|at| Call::new("args_get", &[at, u64::from(LIST) + 64])),
        pointer(OUT).prop_map(|at| Call::new("args_sizes_get", &[at, u64::from(OUT) + 4])),
        pointer(LIST).prop_map(|at| Call::new("environ_get", &[at, u64::from(LIST) + 64])),
        pointer(OUT).prop_map(|at| Call::new("environ_sizes_get", &[at, u64::from(OUT) + 4])),
        (0..5u64, pointer(OUT)).prop_map(|(id, at)| Call::new("clock_res_get", &[id, at])),
        (0..5u64, pointer(OUT)).prop_map(|(id, at)| Call::new("clock_time_get", &[id, 0, at])),
        (0..40u64).prop_map(|signal| Call::new("proc_raise", &[signal])),
        Just(Call::new("sched_yield", &[])),
    ]
    .boxed()
}

fn call() -> BoxedStrategy<Call> {
    prop_oneof![12 => on_names(), 8 => on_descriptors(), 1 => on_nothing()].boxed()
}

/// The same calls each time, unless `PROPTEST_CASES` asks for others.
fn runner() -> TestRunner {
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return TestRunner::new(config);
    }
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn no_call_tells_the_hosts_apart() {
    let result = runner().run(&vec(call(), 1..60), |calls| {
        let mut both = Both::new();
        for call in &calls {
            match both.call(call) {
                Ok(Gave::Errno(_)) => {}
                Ok(Gave::Trap) => break,
                Err(difference) => return Err(TestCaseError::fail(difference)),
            }
        }
        both.end().map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
