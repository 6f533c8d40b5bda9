//! Reading directories.

use super::super::fs::{FileSystem, Inode, Listing};
use super::super::halt::{BadCall, Halt, Step, answer};
use super::super::memory::{GuestMemory, write_u32};
use super::super::types::{Errno, Filetype};
use super::super::world::World;
use super::Host;

impl<W: World> Host<W> {
    /// Reads entries of a directory from a cookie on: `.`, `..`, and then the
    /// rest by name. The last is cut if the buffer ends in it.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_readdir(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        buf: u32,
        buf_len: u32,
        cookie: u64,
        used: u32,
    ) -> Result<Errno, Halt> {
        answer(self.readdir(memory, fd, buf, buf_len, cookie, used))
    }

    fn readdir(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        buf: u32,
        buf_len: u32,
        cookie: u64,
        used: u32,
    ) -> Step<()> {
        let directory = self.fds.directory_mut(fd)?;
        // A cookie is a position in the directory as it was when its reading
        // began. Reading from the start begins anew.
        let kept = directory.listing.take_if(|_| cookie == 0);
        if let Some(old) = kept {
            self.fs.drop_listing(old);
        }
        let listing = match &mut directory.listing {
            Some(listing) => listing,
            none => none.insert(self.fs.take_listing(directory.inode)?),
        };
        self.scratch.clear();
        let mut buffer = Buffer {
            memory,
            at: buf,
            left: buf_len,
            written: 0,
            pending: &mut self.scratch,
        };
        fill(&self.fs, directory.inode, listing, cookie, &mut buffer)?;
        buffer.flush()?;
        let written = buffer.written;
        write_u32(memory, used, written)
    }
}

/// The guest's buffer, filled piece by piece: it may be far larger than what the
/// host wants to have twice.
struct Buffer<'a, M> {
    memory: &'a mut M,
    at: u32,
    left: u32,
    written: u32,
    pending: &'a mut Vec<u8>,
}

/// Bytes of a piece, about.
const PIECE: usize = 64 * 1024;

impl<M: GuestMemory> Buffer<'_, M> {
    /// Adds as much as fits.
    fn push(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(self.left as usize);
        self.pending.extend_from_slice(&bytes[..fits]);
        self.left -= fits as u32;
    }

    fn flush(&mut self) -> Step<()> {
        let address = self.at.checked_add(self.written);
        let address = address.ok_or(BadCall::OutOfBounds)?;
        self.memory.write(address, self.pending)?;
        self.written += self.pending.len() as u32;
        self.pending.clear();
        Ok(())
    }
}

/// Puts entries into the buffer until it is full.
fn fill(
    fs: &FileSystem,
    directory: Inode,
    listing: &Listing,
    cookie: u64,
    into: &mut Buffer<'_, impl GuestMemory>,
) -> Step<()> {
    let own = fs.stat(directory).number;
    let dots = [".", ".."].map(|name| (name, own, Filetype::Directory));
    let entries = listing
        .entries()
        .iter()
        .map(|entry| (&*entry.name, entry.number, entry.filetype));
    let skip = usize::try_from(cookie).unwrap_or(usize::MAX);
    for (index, (name, number, filetype)) in dots.into_iter().chain(entries).enumerate().skip(skip)
    {
        if into.left == 0 {
            break;
        }
        if index >= dots.len() && !fs.has(directory, name) {
            continue;
        }
        into.push(&(index as u64 + 1).to_le_bytes());
        into.push(&number.to_le_bytes());
        into.push(&(name.len() as u32).to_le_bytes());
        into.push(&[filetype as u8, 0, 0, 0]);
        into.push(name.as_bytes());
        if into.pending.len() >= PIECE {
            into.flush()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{OK, TestMemory, TestWorld, host, open, trap};
    use super::*;

    const BUF: u32 = 3000;

    /// The whole entries (next, type, name) in the buffer, and its bytes.
    fn read(
        host: &mut Host<TestWorld>,
        memory: &mut TestMemory,
        cookie: u64,
        len: u32,
    ) -> (Vec<(u64, u8, String)>, u32) {
        let result = host.fd_readdir(memory, 3, BUF, len, cookie, 8);
        assert_eq!(result, OK);
        let used = memory.u32(8);
        let mut entries = Vec::new();
        let mut at = 0;
        while at + 24 <= used {
            let head = BUF + at;
            let name_len = memory.u32(head + 16);
            if at + 24 + name_len > used {
                break;
            }
            let name = memory.bytes(head + 24, name_len as usize).to_vec();
            let name = String::from_utf8(name).expect("a name");
            entries.push((memory.u64(head), memory.bytes(head + 20, 1)[0], name));
            at += 24 + name_len;
        }
        (entries, used)
    }

    #[test]
    fn entries_come_by_name_behind_the_dots() {
        let (mut host, mut memory) = host();
        open(&mut host, &mut memory, "aaa");
        let (entries, used) = read(&mut host, &mut memory, 0, 1000);
        let expected = [
            (1, 3, "."),
            (2, 3, ".."),
            (3, 4, "aaa"),
            (4, 3, "dir"),
            (5, 4, "in.txt"),
        ];
        let expected = expected.map(|(next, kind, name)| (next, kind, name.to_owned()));
        assert_eq!(entries, expected);
        assert_eq!(used, 5 * 24 + 1 + 2 + 3 + 3 + 6);
    }

    #[test]
    fn small_buffers_get_a_cut_entry_and_cookies_go_on() {
        let (mut host, mut memory) = host();
        let mut names = Vec::new();
        let mut cookie = 0;
        loop {
            let (entries, used) = read(&mut host, &mut memory, cookie, 33);
            for (next, _, name) in entries {
                cookie = next;
                names.push(name);
            }
            if used < 33 {
                break;
            }
        }
        assert_eq!(names, [".", "..", "dir", "in.txt"]);
        assert_eq!(read(&mut host, &mut memory, 0, 0).1, 0);
        assert_eq!(read(&mut host, &mut memory, u64::MAX, 99).1, 0);
    }

    #[test]
    fn removing_while_reading_misses_nothing() {
        let (mut host, mut memory) = host();
        for name in ["a", "b", "c"] {
            open(&mut host, &mut memory, name);
        }
        let (entries, _) = read(&mut host, &mut memory, 0, 24 * 3 + 4);
        assert_eq!(entries.last().map(|entry| &*entry.2), Some("a"));
        for gone in ["a", "b"] {
            let len = memory.put(1024, gone.as_bytes());
            assert_eq!(host.path_unlink_file(&mut memory, 3, 1024, len), OK);
        }
        let (entries, _) = read(&mut host, &mut memory, 3, 1000);
        let names: Vec<_> = entries.iter().map(|entry| &*entry.2).collect();
        assert_eq!(names, ["c", "dir", "in.txt"]);
    }

    #[test]
    fn only_directories_are_read() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "in.txt");
        for fd in [0, fd, 99] {
            let result = host.fd_readdir(&mut memory, fd, BUF, 99, 0, 8);
            assert_eq!(result, Ok(Errno::Badf));
        }
        let result = host.fd_readdir(&mut memory, 3, u32::MAX - 3, 99, 0, 8);
        assert_eq!(result, trap(BadCall::OutOfBounds));
    }
}
