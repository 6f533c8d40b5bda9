//! Small guests for each group of functions, doing what must fail.

use bytes::Bytes;
use wasipool_wasi::fs::FileEntry;
use wasipool_wasi::types::Stream;
use wasipool_wasi::{BadCall, Config, Halt};

use crate::support::{End, config, pass_steps, run_steps};

const OK: u32 = 0;
const BADF: u32 = 8;
const EXIST: u32 = 20;
const ILSEQ: u32 = 25;
const INVAL: u32 = 28;
const ISDIR: u32 = 31;
const LOOP: u32 = 32;
const NAMETOOLONG: u32 = 37;
const NOENT: u32 = 44;
const NOMEM: u32 = 48;
const NOSPC: u32 = 51;
const NOTDIR: u32 = 54;
const NOTEMPTY: u32 = 55;
const NOTSOCK: u32 = 57;
const NOTSUP: u32 = 58;
const PERM: u32 = 63;
const SPIPE: u32 = 70;

fn with_file() -> Config {
    let file = FileEntry::File(Bytes::from_static(b"0123456789"));
    Config {
        files: vec![("dir/file".into(), file)],
        ..config(&[])
    }
}

const DATA: &[(u32, &str)] = &[
    (0, "\\80\\00\\00\\00\\04\\00\\00\\00"),
    (64, "dir/file"),
    (80, "../x"),
    (96, "/dir"),
    (112, "\\ff\\fe"),
    (128, "nothing"),
    (144, "self"),
    (160, "dir/"),
];

#[test]
fn descriptors() {
    let steps = [
        (
            OK,
            "(call $path_open [3] [1] [64] [8] [0] {2} {0} [0] [16])",
        ),
        (BADF, "(call $fd_write [4] [0] [1] [16])"),
        (BADF, "(call $fd_pwrite [4] [0] [1] {0} [16])"),
        (INVAL, "(call $fd_filestat_set_size [4] {0})"),
        (INVAL, "(call $fd_filestat_set_times [4] {0} {0} [3])"),
        (INVAL, "(call $fd_seek [4] {-1} [0] [16])"),
        (INVAL, "(call $fd_fdstat_set_flags [4] [2])"),
        (NOTSUP, "(call $fd_fdstat_set_rights [4] {0} {0})"),
        (NOTSUP, "(call $fd_allocate [4] {0} {1})"),
        (BADF, "(call $fd_readdir [4] [512] [9] {0} [16])"),
        (BADF, "(call $fd_prestat_get [4] [16])"),
        (NOTDIR, "(call $fd_prestat_dir_name [4] [16] [1])"),
        (NAMETOOLONG, "(call $fd_prestat_dir_name [3] [16] [0])"),
        (
            NOTDIR,
            "(call $path_open [4] [1] [64] [8] [0] {2} {0} [0] [16])",
        ),
        (BADF, "(call $path_unlink_file [4] [64] [8])"),
        (SPIPE, "(call $fd_seek [1] {0} [0] [16])"),
        (SPIPE, "(call $fd_tell [0] [16])"),
        (SPIPE, "(call $fd_pread [0] [0] [1] {0} [16])"),
        (SPIPE, "(call $fd_pwrite [1] [0] [1] {0} [16])"),
        (BADF, "(call $fd_tell [3] [16])"),
        (BADF, "(call $fd_read [1] [0] [1] [16])"),
        (BADF, "(call $fd_write [0] [0] [1] [16])"),
        (BADF, "(call $fd_read [3] [0] [1] [16])"),
        (BADF, "(call $fd_fdstat_set_flags [1] [0])"),
        (BADF, "(call $fd_filestat_set_times [1] {0} {0} [0])"),
        (BADF, "(call $fd_close [77])"),
        (BADF, "(call $fd_renumber [4] [77])"),
        (BADF, "(call $fd_sync [3])"),
        (NOTSOCK, "(call $sock_accept [4] [0] [16])"),
        (NOTSOCK, "(call $sock_recv [1] [0] [1] [0] [16] [20])"),
        (NOTSOCK, "(call $sock_send [1] [0] [1] [0] [16])"),
        (BADF, "(call $sock_shutdown [77] [1])"),
        (BADF, "(call $clock_time_get [2] {0} [16])"),
        (INVAL, "(call $poll_oneoff [0] [256] [0] [16])"),
        (NOMEM, "(call $fd_write [1] [0] [-1] [16])"),
    ];
    pass_steps(DATA, &steps, with_file());
}

#[test]
fn paths() {
    let steps = [
        (
            NOENT,
            "(call $path_open [3] [1] [128] [7] [0] {2} {0} [0] [16])",
        ),
        (
            EXIST,
            "(call $path_open [3] [1] [64] [8] [5] {2} {0} [0] [16])",
        ),
        (
            NOTDIR,
            "(call $path_open [3] [1] [64] [8] [2] {2} {0} [0] [16])",
        ),
        (
            INVAL,
            "(call $path_open [3] [1] [64] [8] [3] {2} {0} [0] [16])",
        ),
        (
            NOTSUP,
            "(call $path_open [3] [1] [64] [8] [0] {2} {0} [16] [16])",
        ),
        (
            ISDIR,
            "(call $path_open [3] [1] [64] [3] [0] {66} {0} [0] [16])",
        ),
        (
            PERM,
            "(call $path_open [3] [1] [80] [4] [1] {66} {0} [0] [16])",
        ),
        (
            PERM,
            "(call $path_open [3] [1] [96] [4] [0] {2} {0} [0] [16])",
        ),
        (
            ILSEQ,
            "(call $path_open [3] [1] [112] [2] [0] {2} {0} [0] [16])",
        ),
        (
            NOENT,
            "(call $path_open [3] [1] [64] [0] [0] {2} {0} [0] [16])",
        ),
        (EXIST, "(call $path_create_directory [3] [64] [8])"),
        (NOTEMPTY, "(call $path_remove_directory [3] [64] [3])"),
        (NOTDIR, "(call $path_remove_directory [3] [64] [8])"),
        (ISDIR, "(call $path_unlink_file [3] [64] [3])"),
        (PERM, "(call $path_symlink [96] [4] [3] [128] [7])"),
        (INVAL, "(call $path_readlink [3] [64] [8] [512] [9] [16])"),
        (INVAL, "(call $path_link [3] [1] [64] [8] [3] [128] [7])"),
        (PERM, "(call $path_link [3] [0] [64] [3] [3] [128] [7])"),
        (INVAL, "(call $path_rename [3] [64] [3] [3] [64] [7])"),
        (
            INVAL,
            "(call $path_filestat_set_times [3] [0] [64] [8] {0} {0} [12])",
        ),
        (OK, "(call $path_symlink [144] [4] [3] [144] [4])"),
        (
            LOOP,
            "(call $path_open [3] [1] [144] [4] [0] {2} {0} [0] [16])",
        ),
        (
            LOOP,
            "(call $path_open [3] [0] [144] [4] [0] {2} {0} [0] [16])",
        ),
        (OK, "(call $path_filestat_get [3] [0] [144] [4] [256])"),
        (NOTDIR, "(call $path_rename [3] [160] [4] [3] [144] [4])"),
    ];
    pass_steps(DATA, &steps, with_file());
}

#[test]
fn a_full_file_system() {
    let config = Config {
        fs_limit: 448 + 10,
        ..config(&[])
    };
    let data = [(0, "\\80\\00\\00\\00\\08\\00\\00\\00"), (64, "new")];
    let steps = [
        (
            OK,
            "(call $path_open [3] [1] [64] [3] [1] {66} {0} [0] [16])",
        ),
        (OK, "(call $fd_write [4] [0] [1] [16])"),
        (8, "(i32.load [16])"),
        (OK, "(call $fd_write [4] [0] [1] [16])"),
        (2, "(i32.load [16])"),
        (NOSPC, "(call $fd_write [4] [0] [1] [16])"),
        (NOSPC, "(call $path_create_directory [3] [64] [2])"),
        (OK, "(call $path_unlink_file [3] [64] [3])"),
        (NOSPC, "(call $fd_filestat_set_size [4] {999})"),
        (OK, "(call $fd_close [4])"),
        (OK, "(call $path_create_directory [3] [64] [2])"),
    ];
    pass_steps(&data, &steps, config);
}

#[test]
fn too_much_output() {
    let config = Config {
        output_limit: 6,
        ..config(&[])
    };
    let steps = [
        (OK, "(call $fd_write [1] [0] [1] [16])"),
        (OK, "(call $fd_write [2] [0] [1] [16])"),
        (99, "(call $fd_write [2] [0] [1] [16])"),
    ];
    let run = run_steps(&[DATA[0], (128, "abcd")], &steps, config);
    let exceeded = Halt::OutputExceeded(Stream::Stderr);
    assert_eq!(run.end, End::Halted(exceeded));
    assert_eq!(run.stdout(), "abcd");
    assert_eq!(run.stderr(), "abcdab");
}

#[test]
fn malformed_calls_trap() {
    for (bad, step) in [
        (BadCall::OutOfBounds, "(call $args_sizes_get [65536] [0])"),
        (BadCall::OutOfBounds, "(call $random_get [65530] [9])"),
        (BadCall::OutOfBounds, "(call $fd_write [1] [65532] [1] [0])"),
        (
            BadCall::OutOfBounds,
            "(call $path_unlink_file [3] [65530] [9])",
        ),
        (BadCall::Misaligned, "(call $args_sizes_get [1] [0])"),
        (BadCall::Misaligned, "(call $clock_time_get [0] {0} [4])"),
        (BadCall::Misaligned, "(call $fd_write [1] [3] [1] [0])"),
        (BadCall::InvalidValue, "(call $clock_time_get [4] {0} [0])"),
        (BadCall::InvalidValue, "(call $fd_seek [3] {0} [3] [0])"),
        (
            BadCall::InvalidValue,
            "(call $fd_fdstat_set_flags [3] [32])",
        ),
        (
            BadCall::InvalidValue,
            "(call $path_open [3] [2] [0] [1] [0] {0} {0} [0] [0])",
        ),
        (
            BadCall::InvalidValue,
            "(call $path_open [3] [0] [0] [1] [0] {-1} {0} [0] [0])",
        ),
    ] {
        let run = run_steps(&[], &[(0, step)], config(&[]));
        assert_eq!(run.end, End::Halted(Halt::Trap(bad)), "{step}");
    }
}
