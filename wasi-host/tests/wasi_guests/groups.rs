//! Small guests for each group of functions, doing what works.

use bytes::Bytes;
use wasipool_wasi::fs::FileEntry;
use wasipool_wasi::{Config, Halt};

use crate::support::{End, config, pass_steps, run, run_steps};

const OK: u32 = 0;

fn with_file() -> Config {
    let file = FileEntry::File(Bytes::from_static(b"0123456789"));
    Config {
        files: vec![("dir/file".into(), file)],
        stdin: Bytes::from_static(b"input"),
        env: vec![("NAME".into(), "value".into())],
        ..config(&["guest", "one"])
    }
}

#[test]
fn arguments_and_environment() {
    let steps = [
        (OK, "(call $args_sizes_get [0] [4])"),
        (2, "(i32.load [0])"),
        (10, "(i32.load [4])"),
        (OK, "(call $args_get [16] [100])"),
        (106, "(i32.load [20])"),
        (u32::from(b'o'), "(i32.load8_u [106])"),
        (OK, "(call $environ_sizes_get [0] [4])"),
        (1, "(i32.load [0])"),
        (11, "(i32.load [4])"),
        (OK, "(call $environ_get [16] [200])"),
        (200, "(i32.load [16])"),
        (u32::from(b'='), "(i32.load8_u [204])"),
        (0, "(i32.load8_u [210])"),
    ];
    pass_steps(&[], &steps, with_file());
}

#[test]
fn clocks_and_sleep() {
    // One subscription at 0: 5,000,000 ns from now on the monotonic clock.
    let data = [(0, "\\2a"), (16, "\\01"), (24, "\\40\\4b\\4c")];
    let steps = [
        (OK, "(call $clock_res_get [0] [512])"),
        (OK, "(call $poll_oneoff [0] [256] [1] [512])"),
        (1, "(i32.load [512])"),
        (42, "(i32.load [256])"),
        (OK, "(call $clock_time_get [1] {0} [512])"),
        (5_000_000, "(i32.load [512])"),
        (OK, "(call $sched_yield)"),
        (58, "(call $proc_raise [6])"),
        (OK, "(call $random_get [600] [8])"),
        (1, "(i64.ne (i64.load [600]) {0})"),
    ];
    let run = pass_steps(&data, &steps, config(&[]));
    assert_eq!(run.now, 5_000_000);
}

#[test]
fn streams() {
    // An empty iovec, then {64, 5}; an iovec for input at 24.
    let data = [
        (8, "\\40\\00\\00\\00\\05\\00\\00\\00"),
        (24, "\\80\\00\\00\\00\\03\\00\\00\\00"),
        (64, "hello"),
    ];
    let steps = [
        (OK, "(call $fd_write [1] [0] [2] [32])"),
        (5, "(i32.load [32])"),
        (OK, "(call $fd_write [2] [0] [2] [32])"),
        (OK, "(call $fd_read [0] [24] [1] [32])"),
        (3, "(i32.load [32])"),
        (OK, "(call $fd_write [1] [24] [1] [32])"),
        (OK, "(call $fd_read [0] [24] [1] [32])"),
        (2, "(i32.load [32])"),
        (OK, "(call $fd_read [0] [24] [1] [32])"),
        (0, "(i32.load [32])"),
        (OK, "(call $fd_close [1])"),
        (8, "(call $fd_write [1] [0] [2] [32])"),
    ];
    let run = pass_steps(&data, &steps, with_file());
    assert_eq!(run.stdout(), "helloinp");
    assert_eq!(run.stderr(), "hello");
}

#[test]
fn files() {
    let data = [
        (0, "\\80\\00\\00\\00\\04\\00\\00\\00"),
        (64, "dir/file"),
        (128, "ABCD"),
    ];
    let steps = [
        (
            OK,
            "(call $path_open [3] [1] [64] [8] [0] {66} {0} [0] [16])",
        ),
        (4, "(i32.load [16])"),
        (OK, "(call $fd_pwrite [4] [0] [1] {3} [16])"),
        (OK, "(call $fd_seek [4] {-2} [2] [16])"),
        (8, "(i32.load [16])"),
        (OK, "(call $fd_write [4] [0] [1] [16])"),
        (OK, "(call $fd_tell [4] [16])"),
        (12, "(i32.load [16])"),
        (OK, "(call $fd_pread [4] [0] [1] {2} [16])"),
        (0x4342_4132, "(i32.load [128])"),
        (OK, "(call $fd_filestat_get [4] [256])"),
        (12, "(i32.load [288])"),
        (4, "(i32.load8_u [272])"),
        (OK, "(call $fd_filestat_set_size [4] {11})"),
        (OK, "(call $fd_filestat_set_times [4] {7} {9} [5])"),
        (OK, "(call $fd_filestat_get [4] [256])"),
        (9, "(i32.load [304])"),
        (OK, "(call $fd_fdstat_set_flags [4] [1])"),
        (OK, "(call $fd_write [4] [0] [1] [16])"),
        (OK, "(call $fd_fdstat_get [4] [256])"),
        (1, "(i32.load16_u [258])"),
        (OK, "(call $fd_sync [4])"),
        (OK, "(call $fd_datasync [4])"),
        (OK, "(call $fd_advise [4] {0} {0} [3])"),
        (OK, "(call $fd_renumber [4] [2])"),
        (8, "(call $fd_close [4])"),
        (OK, "(call $fd_close [2])"),
    ];
    let mut run = pass_steps(&data, &steps, with_file());
    let files = run.outputs.fs.collect_files(|_, _| true);
    assert_eq!(files, [("dir/file".into(), "012ABCD7ABC2ABC".into())]);
}

#[test]
fn names() {
    let data = [
        (64, "dir/file"),
        (80, "new"),
        (96, "new/link"),
        (112, "../dir/file"),
        (128, "moved"),
        (144, "hard"),
    ];
    let steps = [
        (OK, "(call $path_create_directory [3] [80] [3])"),
        (OK, "(call $path_symlink [112] [11] [3] [96] [8])"),
        (OK, "(call $path_readlink [3] [96] [8] [512] [99] [16])"),
        (11, "(i32.load [16])"),
        (OK, "(call $path_filestat_get [3] [1] [96] [8] [256])"),
        (10, "(i32.load [288])"),
        (OK, "(call $path_filestat_get [3] [0] [96] [8] [256])"),
        (7, "(i32.load8_u [272])"),
        (
            OK,
            "(call $path_filestat_set_times [3] [1] [96] [8] {5} {6} [5])",
        ),
        (OK, "(call $path_link [3] [0] [64] [8] [3] [144] [4])"),
        (OK, "(call $path_filestat_get [3] [0] [144] [4] [256])"),
        (2, "(i32.load [280])"),
        (6, "(i32.load [304])"),
        (OK, "(call $path_unlink_file [3] [96] [8])"),
        (OK, "(call $path_rename [3] [64] [8] [3] [128] [5])"),
        (OK, "(call $path_remove_directory [3] [80] [3])"),
        (44, "(call $path_filestat_get [3] [0] [80] [3] [256])"),
        // Three names are left, and the dots.
        (OK, "(call $fd_readdir [3] [1024] [999] {0} [16])"),
        (5 * 24 + 3 + 3 + 4 + 5, "(i32.load [16])"),
        (OK, "(call $fd_prestat_get [3] [16])"),
        (OK, "(call $fd_prestat_dir_name [3] [16] [1])"),
        (u32::from(b'/'), "(i32.load8_u [16])"),
    ];
    let mut run = pass_steps(&data, &steps, with_file());
    let files = run.outputs.fs.collect_files(|_, _| true);
    let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["hard", "moved"]);
}

#[test]
fn exits() {
    for code in [0, 3, 125, 255, u32::MAX] {
        let text = format!(
            "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $e (param i32)))
             (memory (export \"memory\") 0)
             (func (export \"_start\") (call $e (i32.const {code})) unreachable))"
        );
        let run = run(text.as_bytes(), config(&[]));
        assert_eq!(run.end, End::Halted(Halt::Exit(code)));
    }
}

#[test]
fn a_failed_step_is_noticed() {
    let run = run_steps(&[], &[(0, "[0]"), (0, "(call $fd_close [9])")], config(&[]));
    assert_eq!(run.end, End::Halted(Halt::Exit(2008)));
}
