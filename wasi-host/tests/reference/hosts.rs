//! Both hosts side by side.

use std::pin::pin;

use bytes::Bytes;
use tempfile::TempDir;
use wasipool_wasi::types::Errno;
use wasipool_wasi::{Config, Halt, Host, Seeded, SliceMemory, for_each_import};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as p1, WasiSnapshotPreview1 as _};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::runtime::{in_tokio, poll_noop};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use wiggle::GuestMemory;

use crate::call::{Args, Call, DATA, LIST, MEMORY, OUT, STAT, memory};

/// What a call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gave {
    /// This error number, 0 for success.
    Errno(i32),
    /// The end of the guest.
    Trap,
}

/// Bytes that one call may make wasmtime-wasi copy.
const FUEL: usize = 128 << 20;
const STDIN: &[u8] = b"what comes in";

/// The two hosts, each with its own copy of the guest's memory.
pub(crate) struct Both {
    ours: Host<Seeded>,
    our_memory: Vec<u8>,
    theirs: WasiP1Ctx,
    their_memory: Vec<u8>,
    stdout: MemoryOutputPipe,
    folder: TempDir,
}

fn finish<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    match poll_noop(call.as_mut()) {
        Some(done) => done,
        None => in_tokio(call),
    }
}

type OurCall = fn(&mut Host<Seeded>, &mut SliceMemory<'_>, Args) -> Result<Errno, Halt>;

macro_rules! our_calls {
    ([] $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        [$((stringify!($name), {
            let call: OurCall = |host, memory, args| {
                let [$($arg,)* ..] = args;
                host.$name(memory, $($arg as $type),*)
            };
            call
        }),)*]
    };
}

type TheirCall = fn(&mut WasiP1Ctx, &mut GuestMemory<'_>, Args) -> wasmtime::Result<i32>;

/// The types are those that wiggle gives wasm's: all signed.
macro_rules! their_calls {
    ($($kind:ident $name:ident($($arg:ident: $type:ty),*);)*) => {
        [$((stringify!($name), {
            let call: TheirCall = |context, memory, args| {
                let [$($arg,)* ..] = args;
                their_calls!($kind p1::$name(context, memory, $($arg as $type),*))
            };
            call
        }),)*]
    };
    (later $call:expr) => { finish($call) };
    (now $call:expr) => { $call };
}

fn their_table() -> [(&'static str, TheirCall); 43] {
    their_calls! {
        now args_get(a: i32, b: i32);
        now args_sizes_get(a: i32, b: i32);
        now environ_get(a: i32, b: i32);
        now environ_sizes_get(a: i32, b: i32);
        now clock_res_get(a: i32, b: i32);
        now clock_time_get(a: i32, b: i64, c: i32);
        later fd_advise(a: i32, b: i64, c: i64, d: i32);
        now fd_allocate(a: i32, b: i64, c: i64);
        later fd_close(a: i32);
        later fd_datasync(a: i32);
        later fd_fdstat_get(a: i32, b: i32);
        now fd_fdstat_set_flags(a: i32, b: i32);
        now fd_fdstat_set_rights(a: i32, b: i64, c: i64);
        later fd_filestat_get(a: i32, b: i32);
        later fd_filestat_set_size(a: i32, b: i64);
        later fd_filestat_set_times(a: i32, b: i64, c: i64, d: i32);
        later fd_pread(a: i32, b: i32, c: i32, d: i64, e: i32);
        now fd_prestat_get(a: i32, b: i32);
        now fd_prestat_dir_name(a: i32, b: i32, c: i32);
        later fd_pwrite(a: i32, b: i32, c: i32, d: i64, e: i32);
        later fd_read(a: i32, b: i32, c: i32, d: i32);
        later fd_readdir(a: i32, b: i32, c: i32, d: i64, e: i32);
        later fd_renumber(a: i32, b: i32);
        later fd_seek(a: i32, b: i64, c: i32, d: i32);
        later fd_sync(a: i32);
        now fd_tell(a: i32, b: i32);
        later fd_write(a: i32, b: i32, c: i32, d: i32);
        later path_create_directory(a: i32, b: i32, c: i32);
        later path_filestat_get(a: i32, b: i32, c: i32, d: i32, e: i32);
        later path_filestat_set_times(a: i32, b: i32, c: i32, d: i32, e: i64, f: i64, g: i32);
        later path_link(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32);
        later path_open(
            a: i32, b: i32, c: i32, d: i32, e: i32, f: i64, g: i64, h: i32, i: i32
        );
        later path_readlink(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32);
        later path_remove_directory(a: i32, b: i32, c: i32);
        later path_rename(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32);
        later path_symlink(a: i32, b: i32, c: i32, d: i32, e: i32);
        later path_unlink_file(a: i32, b: i32, c: i32);
        later poll_oneoff(a: i32, b: i32, c: i32, d: i32);
        now proc_raise(a: i32);
        now sched_yield();
        now sock_accept(a: i32, b: i32, c: i32);
        now sock_send(a: i32, b: i32, c: i32, d: i32, e: i32);
        now sock_shutdown(a: i32, b: i32);
    }
}

impl Both {
    pub(crate) fn new() -> Self {
        let config = Config {
            args: vec!["guest".into(), "one".into()],
            env: vec![("K".into(), "V".into())],
            stdin: Bytes::from_static(STDIN),
            files: Vec::new(),
            output_limit: 1 << 20,
            fs_limit: 64 << 20,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let stdout = MemoryOutputPipe::new(1 << 20);
        let mut builder = WasiCtxBuilder::new();
        builder
            .args(&config.args)
            .envs(&config.env)
            .stdin(MemoryInputPipe::new(STDIN))
            .stdout(stdout.clone())
            .stderr(stdout.clone())
            .allow_blocking_current_thread(true)
            .preopened_dir(folder.path(), "/", FsPerms::ReadWrite)
            .expect("the folder is there");
        Self {
            ours: Host::new(config, Seeded::new(1, 0)).expect("no files"),
            our_memory: memory(),
            theirs: builder.build_p1(),
            their_memory: memory(),
            stdout,
            folder,
        }
    }

    /// Does the call on both, and says what both gave.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn call(&mut self, call: &Call) -> Result<Gave, String> {
        call.prepare(&mut self.our_memory);
        call.prepare(&mut self.their_memory);
        let ours = self.our_call(call);
        let theirs = self.their_call(call);
        if ours != theirs {
            if is_known(call, &ours, &theirs) {
                self.their_memory.clone_from(&self.our_memory);
                if call.name == "path_remove_directory" {
                    // From here on their files differ.
                    return Ok(Gave::Trap);
                }
                return Ok(ours);
            }
            return Err(format!("{call:?}: we give {ours:?}, they {theirs:?}"));
        }
        if ours == Gave::Trap {
            // Nobody sees the memory any more.
            return Ok(ours);
        }
        if ours == Gave::Errno(0) {
            for memory in [&mut self.our_memory, &mut self.their_memory] {
                level(call, memory);
            }
        }
        for (what, from, to) in [
            ("data", DATA, DATA + 256),
            ("number", OUT, OUT + 16),
            ("structure", STAT, STAT + 64),
            ("list", LIST, MEMORY as u32),
        ] {
            let range = from as usize..to as usize;
            let (our, their) = (&self.our_memory[range.clone()], &self.their_memory[range]);
            if let Some(at) = our.iter().zip(their).position(|(our, their)| our != their) {
                let show = |bytes: &[u8]| bytes[at..(at + 32).min(bytes.len())].to_vec();
                let (our, their) = (show(our), show(their));
                return Err(format!(
                    "{call:?}: at {at} of the {what} we have {our:?}, they {their:?}"
                ));
            }
        }
        Ok(ours)
    }

    fn our_call(&mut self, call: &Call) -> Gave {
        let table = for_each_import!(our_calls);
        let (_, function) = table
            .iter()
            .find(|(name, _)| *name == call.name)
            .expect("an import");
        let mut memory = SliceMemory(&mut self.our_memory);
        match function(&mut self.ours, &mut memory, call.args) {
            Ok(errno) => Gave::Errno(errno.as_i32()),
            Err(Halt::Trap(_)) => Gave::Trap,
            Err(halt) => panic!("{call:?} ended in {halt:?}"),
        }
    }

    fn their_call(&mut self, call: &Call) -> Gave {
        let table = their_table();
        let (_, function) = table
            .iter()
            .find(|(name, _)| *name == call.name)
            .expect("a function of wasmtime-wasi");
        self.theirs.set_hostcall_fuel(FUEL);
        let mut memory = GuestMemory::Unshared(&mut self.their_memory);
        match function(&mut self.theirs, &mut memory, call.args) {
            Ok(errno) => Gave::Errno(errno),
            Err(_) => Gave::Trap,
        }
    }

    /// What both have left: output, and files by path.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn end(self) -> Result<(), String> {
        let mut outputs = self.ours.into_outputs();
        // Both of their streams end in one pipe: only the sum can be told.
        let ours = outputs.stdout.len() + outputs.stderr.len();
        let theirs = self.stdout.contents().len();
        if ours != theirs {
            return Err(format!("we have {ours} bytes of output, they {theirs}"));
        }
        let ours = outputs.fs.collect_files(|_, _| true);
        let mut theirs = Vec::new();
        collect(self.folder.path(), "", &mut theirs);
        theirs.sort();
        if ours != theirs {
            return Err(format!("we have the files {ours:?}, they {theirs:?}"));
        }
        Ok(())
    }
}

fn collect(folder: &std::path::Path, prefix: &str, into: &mut Vec<(String, Bytes)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let kind = entry.file_type().expect("a kind");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), into);
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).expect("a file");
            into.push((path, bytes.into()));
        }
    }
}

/// The differences that are wanted; `docs/WASI.md` has them in a table.
fn is_known(call: &Call, ours: &Gave, theirs: &Gave) -> bool {
    let times_of_path = call.name == "path_filestat_set_times";
    match (ours, theirs) {
        // They open folders in a way in which the kernel can't set their times.
        (Gave::Errno(0), Gave::Errno(8)) => call.name == "fd_filestat_set_times",
        // They take a read of no bytes from stdin for one that was interrupted.
        (Gave::Errno(0), Gave::Errno(27)) => call.name == "fd_read",
        // They don't remove a folder if there is a slash behind it.
        (Gave::Errno(0 | 55), Gave::Errno(28)) => {
            call.name == "path_remove_directory" && call.path.ends_with(b"/")
        }
        // Linux doesn't look at a path of which no time is to be set.
        (Gave::Errno(_), Gave::Errno(0)) if times_of_path && call.args[6] == 0 => true,
        // They forget slashes behind a file, or a link that leads nowhere.
        (Gave::Errno(44 | 54), Gave::Errno(0)) => {
            (times_of_path || call.name == "path_filestat_get")
                && (call.path.ends_with(b"/") || call.path.ends_with(b"/."))
        }
        _ => false,
    }
}

/// Takes out what may differ: numbers of inodes, times, the sizes of
/// directories, the order of their entries, bytes between fields.
fn level(call: &Call, memory: &mut [u8]) {
    let number = |memory: &[u8], at: usize| {
        u32::from_le_bytes(memory[at..][..4].try_into().expect("four bytes"))
    };
    match call.name {
        "fd_filestat_get" | "path_filestat_get" => {
            let stat = &mut memory[STAT as usize..][..64];
            stat[8..16].fill(0);
            stat[17..24].fill(0);
            stat[40..].fill(0);
            if stat[16] == 3 {
                stat[32..40].fill(0);
            }
        }
        "fd_fdstat_get" => {
            let stat = &mut memory[STAT as usize..][..24];
            stat[1] = 0;
            stat[4..8].fill(0);
        }
        "fd_prestat_get" => memory[STAT as usize..][1..4].fill(0),
        "clock_time_get" | "clock_res_get" => memory[OUT as usize..][..8].fill(0),
        "fd_readdir" => {
            let used = number(memory, OUT as usize) as usize;
            let list = &mut memory[LIST as usize..][..used];
            let mut entries = Vec::new();
            let mut at = 0;
            while at + 24 <= used {
                let end = at + 24 + number(list, at + 16) as usize;
                let mut entry = list[at..end.min(used)].to_vec();
                entry[..16].fill(0);
                entry[21..24].fill(0);
                entries.push((entry[24..].to_vec(), entry));
                at = end;
            }
            entries.sort();
            let sorted: Vec<u8> = entries.into_iter().flat_map(|(_, entry)| entry).collect();
            list[..sorted.len()].copy_from_slice(&sorted);
        }
        _ => {}
    }
}
