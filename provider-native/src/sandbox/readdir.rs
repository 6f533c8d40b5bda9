//! `fd_readdir` in the order of names: the same on every machine and every
//! kind of provider, whatever order the file system keeps.

use wasmtime::Caller;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as p1;
use wiggle::GuestMemory;

use super::guest::Guest;
use super::host::{errno, finish, read_u32, split};

/// Bytes of an entry before its name: cookie of the next entry, inode, length
/// of the name, kind.
const HEADER_BYTES: usize = 24;
const LENGTH_AT: usize = 16;
/// Where the listing is put in the buffer that stands in for a guest's memory;
/// before it is its length.
const LISTING_AT: usize = 8;
/// Size of that buffer at first.
const BUFFER_BYTES: usize = 16 * 1024;

pub(super) fn fd_readdir(
    mut caller: Caller<'_, Guest>,
    fd: i32,
    buffer: i32,
    size: i32,
    cookie: i64,
    used: i32,
) -> wasmtime::Result<i32> {
    let (memory, guest) = split(&mut caller)?;
    let listing = match list(guest, fd)? {
        Ok(listing) => listing,
        Err(errno) => return Ok(errno),
    };
    let at = |pointer: i32| pointer.cast_unsigned() as usize;
    let end = at(buffer).checked_add(at(size));
    let Some(into) = end.and_then(|end| memory.get_mut(at(buffer)..end)) else {
        return Ok(errno::FAULT);
    };
    let skipped = usize::try_from(cookie).unwrap_or(usize::MAX);
    let written = write_entries(&listing, skipped, into);
    let count = u32::try_from(written).unwrap_or(u32::MAX).to_le_bytes();
    let Some(used) = memory
        .get_mut(at(used)..)
        .and_then(|rest| rest.first_chunk_mut())
    else {
        return Ok(errno::FAULT);
    };
    *used = count;
    Ok(errno::SUCCESS)
}

/// All entries of a folder as wasmtime-wasi encodes them, or an `errno`.
fn list(guest: &mut Guest, fd: i32) -> wasmtime::Result<Result<Vec<u8>, i32>> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let room = buffer.len() - LISTING_AT;
        let size = i32::try_from(room)?;
        let mut memory = GuestMemory::Unshared(&mut buffer);
        let start = LISTING_AT as i32;
        let errno = finish(p1::fd_readdir(
            guest.wasi(),
            &mut memory,
            fd,
            start,
            size,
            0,
            0,
        ))?;
        if errno != errno::SUCCESS {
            return Ok(Err(errno));
        }
        let used = read_u32(&buffer, 0).unwrap_or_default() as usize;
        // A full buffer may have cut the last entry.
        if used < room {
            buffer.truncate(LISTING_AT + used);
            buffer.drain(..LISTING_AT);
            return Ok(Ok(buffer));
        }
        let twice = buffer.len() * 2;
        buffer.resize(twice, 0);
    }
}

fn entries(mut listing: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    while let Some(length) = read_u32(listing, LENGTH_AT) {
        let Some((entry, rest)) = listing.split_at_checked(HEADER_BYTES + length as usize) else {
            break;
        };
        entries.push(entry);
        listing = rest;
    }
    entries
}

/// Writes entries as far as they fit, the last one cut, as WASI wants it; says
/// how many bytes they took.
fn write_entries(listing: &[u8], skipped: usize, into: &mut [u8]) -> usize {
    let mut entries = entries(listing);
    // The folder itself and the one above it come first, as they are.
    let own = entries.len().min(2);
    entries[own..].sort_unstable_by_key(|entry| &entry[HEADER_BYTES..]);
    let mut written = 0;
    for (cookie, entry) in (1_u64..).zip(entries).skip(skipped) {
        let next = cookie.to_le_bytes();
        let bytes = next.iter().chain(&entry[next.len()..]);
        let room = &mut into[written..];
        let length = entry.len().min(room.len());
        room.iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        written += length;
        if length < entry.len() {
            break;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cookie: u64, name: &str) -> Vec<u8> {
        let mut entry = cookie.to_le_bytes().to_vec();
        entry.extend([7; 8]);
        entry.extend((name.len() as u32).to_le_bytes());
        entry.extend([4, 0, 0, 0]);
        entry.extend(name.as_bytes());
        entry
    }

    #[test]
    fn entries_are_sorted_and_resumed_anywhere() {
        let listing = [entry(1, "."), entry(2, ".."), entry(3, "b"), entry(4, "a")].concat();
        let sorted = [entry(1, "."), entry(2, ".."), entry(3, "a"), entry(4, "b")].concat();
        let mut into = [0xff; 200];
        assert_eq!(write_entries(&listing, 0, &mut into), sorted.len());
        assert_eq!(&into[..sorted.len()], sorted);
        let last = entry(4, "b");
        assert_eq!(write_entries(&listing, 3, &mut into), last.len());
        assert_eq!(&into[..last.len()], last);
        assert_eq!(write_entries(&listing, 4, &mut into), 0);
        for cut in 0..sorted.len() {
            assert_eq!(write_entries(&listing, 0, &mut into[..cut]), cut);
            assert_eq!(&into[..cut], &sorted[..cut]);
        }
    }
}
