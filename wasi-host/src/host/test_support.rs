//! A small host and a small memory for the tests of each group.

use bytes::Bytes;

use super::super::fs::FileEntry;
use super::super::halt::{BadCall, Halt};
use super::super::memory::{GuestMemory, OutOfBounds, SliceMemory};
use super::super::types::Errno;
use super::super::world::World;
use super::{Config, Host};

pub(crate) const OK: Result<Errno, Halt> = Ok(Errno::Success);

pub(crate) fn trap(bad: BadCall) -> Result<Errno, Halt> {
    Err(Halt::Trap(bad))
}

/// Clocks that stand still until someone sleeps.
#[derive(Debug)]
pub(crate) struct TestWorld {
    pub(crate) monotonic: u64,
    pub(crate) wall: u64,
    random: u8,
}

impl World for TestWorld {
    fn monotonic_ns(&mut self) -> u64 {
        self.monotonic
    }

    fn wall_ns(&mut self) -> u64 {
        self.wall
    }

    fn random(&mut self, into: &mut [u8]) {
        for byte in into {
            self.random = self.random.wrapping_add(1);
            *byte = self.random;
        }
    }

    fn sleep_until(&mut self, monotonic_ns: u64) {
        let slept = monotonic_ns.saturating_sub(self.monotonic);
        self.monotonic += slept;
        self.wall = self.wall.saturating_add(slept);
    }
}

/// A memory with what tests need to look into it.
pub(crate) struct TestMemory(Vec<u8>);

impl TestMemory {
    pub(crate) fn u32(&self, address: u32) -> u32 {
        super::super::memory::le_u32(self.bytes(address, 4))
    }

    pub(crate) fn u64(&self, address: u32) -> u64 {
        super::super::memory::le_u64(self.bytes(address, 8))
    }

    pub(crate) fn bytes(&self, address: u32, len: usize) -> &[u8] {
        &self.0[address as usize..address as usize + len]
    }

    pub(crate) fn put(&mut self, address: u32, bytes: &[u8]) -> u32 {
        self.write(address, bytes).expect("inside");
        bytes.len() as u32
    }

    /// Writes an iovec to 0.
    pub(crate) fn iovec(&mut self, address: u32, len: u32) {
        self.put(0, &address.to_le_bytes());
        self.put(4, &len.to_le_bytes());
    }
}

impl GuestMemory for TestMemory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let start = address as usize;
        let end = start.checked_add(into.len()).ok_or(OutOfBounds)?;
        into.copy_from_slice(self.0.get(start..end).ok_or(OutOfBounds)?);
        Ok(())
    }

    fn write(&mut self, address: u32, from: &[u8]) -> Result<(), OutOfBounds> {
        SliceMemory(&mut self.0).write(address, from)
    }
}

/// A host with two arguments, one variable, "input" on stdin, /in.txt, /dir
/// and limits of 100 bytes of output and a small file system.
pub(crate) fn host() -> (Host<TestWorld>, TestMemory) {
    let file = FileEntry::File(Bytes::from_static(b"in the file"));
    let config = Config {
        args: vec!["guest".into(), "-fast".into()],
        env: vec![("K".into(), "a=b".into())],
        stdin: Bytes::from_static(b"input"),
        files: vec![
            ("in.txt".into(), file),
            ("dir".into(), FileEntry::Directory),
        ],
        output_limit: 100,
        fs_limit: 10_000,
    };
    let world = TestWorld {
        monotonic: 1_000,
        wall: 5_000,
        random: 0,
    };
    let host = Host::new(config, world).expect("a tree");
    (host, TestMemory(vec![0; 4096]))
}

/// Opens a path for reading and writing, creating it.
pub(crate) fn open(host: &mut Host<TestWorld>, memory: &mut TestMemory, path: &str) -> u32 {
    let len = memory.put(1024, path.as_bytes());
    let rights = super::super::types::rights::FD_READ | super::super::types::rights::FD_WRITE;
    let opened = host.path_open(memory, 3, 1, 1024, len, 1, rights, 0, 0, 2048);
    assert_eq!(opened, OK);
    memory.u32(2048)
}
