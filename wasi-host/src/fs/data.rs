//! The data of files: reading, writing and changing the size.

use super::super::types::Errno;
use super::node::{Content, Kind};
use super::{FileSystem, Inode};

/// No file reaches this size or offset: offsets are signed on native hosts.
const OFFSET_LIMIT: u64 = i64::MAX as u64;
/// A file that shrinks gives its spare room back if it is more than this.
const SPARE_LIMIT: usize = 64 * 1024;

impl FileSystem {
    /// Up to `len` bytes from `offset` on; fewer or none at the end.
    ///
    /// # Errors
    /// If the inode isn't a file or the offset can't be.
    pub fn read(&self, inode: Inode, offset: u64, len: u64) -> Result<&[u8], Errno> {
        let Kind::File(content) = &self.node(inode).kind else {
            return Err(Errno::Badf);
        };
        check_range(offset, len)?;
        let data = content.as_slice();
        // Both are at most the data's length, so they fit.
        let start = offset.min(data.len() as u64) as usize;
        let end = start + len.min((data.len() - start) as u64) as usize;
        Ok(&data[start..end])
    }

    /// Bytes in the file.
    #[must_use]
    pub fn size(&self, inode: Inode) -> u64 {
        match &self.node(inode).kind {
            Kind::File(content) => content.len(),
            Kind::Directory { .. } | Kind::Symlink(_) => 0,
        }
    }

    /// Writes the bytes at the offset, as many as there is room for.
    ///
    /// # Errors
    /// If there is no room for a single byte, and as [`FileSystem::read`].
    pub fn write(
        &mut self,
        inode: Inode,
        offset: u64,
        from: &[u8],
        now: u64,
    ) -> Result<u64, Errno> {
        self.write_with(inode, offset, from.len() as u64, now, |into| {
            into.copy_from_slice(&from[..into.len()]);
            Ok(())
        })
    }

    /// The same with bytes that `fill` copies straight into the file. If it
    /// fails, the file may have grown by zeros.
    ///
    /// # Errors
    /// As [`FileSystem::write`], and as `fill`.
    pub fn write_with<E: From<Errno>>(
        &mut self,
        inode: Inode,
        offset: u64,
        len: u64,
        now: u64,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        check_range(offset, len)?;
        let room = self.room();
        let Kind::File(content) = &mut self.node_mut(inode).kind else {
            return Err(Errno::Badf.into());
        };
        if len == 0 {
            return Ok(0);
        }
        let old = content.len();
        // Zeros between the old end and the offset take room as well.
        let end = offset.saturating_add(len).min(old.saturating_add(room));
        if end <= offset {
            return Err(Errno::Nospc.into());
        }
        let grown = end.saturating_sub(old);
        let data = grow(content, end)?;
        // The data has this length, so the numbers fit.
        let result = fill(&mut data[offset as usize..end as usize]);
        self.used += grown;
        result?;
        self.touch(inode, now);
        Ok(end - offset)
    }

    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    /// If there is no room, or the inode isn't a file.
    pub fn set_size(&mut self, inode: Inode, size: u64, now: u64) -> Result<(), Errno> {
        if size > OFFSET_LIMIT {
            return Err(Errno::Inval);
        }
        let room = self.room();
        let Kind::File(content) = &mut self.node_mut(inode).kind else {
            return Err(Errno::Inval);
        };
        let old = content.len();
        if size.saturating_sub(old) > room {
            return Err(Errno::Nospc);
        }
        if size > old {
            grow(content, size)?;
            self.used += size - old;
        } else {
            shrink(content, size as usize);
            self.refund(old - size);
        }
        self.touch(inode, now);
        Ok(())
    }
}

/// Whether there can be bytes in this range.
fn check_range(offset: u64, len: u64) -> Result<(), Errno> {
    match offset.checked_add(len) {
        Some(end) if end <= OFFSET_LIMIT => Ok(()),
        _ => Err(Errno::Inval),
    }
}

/// Makes the content at least this long and gives its bytes.
fn grow(content: &mut Content, len: u64) -> Result<&mut Vec<u8>, Errno> {
    let len = usize::try_from(len).map_err(|_| Errno::Nospc)?;
    let data = content.to_mut();
    if len > data.len() {
        // The host's own memory may be short: that is a full disk, not a
        // reason to fall over.
        data.try_reserve(len - data.len())
            .map_err(|_| Errno::Nospc)?;
        data.resize(len, 0);
    }
    Ok(data)
}

fn shrink(content: &mut Content, len: usize) {
    match content {
        Content::Shared(bytes) => bytes.truncate(len),
        Content::Owned(data) => {
            data.truncate(len);
            if data.capacity() - len > SPARE_LIMIT {
                data.shrink_to_fit();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ENTRY_COST, INODE_COST, Open};
    use super::*;

    fn with_file(room: u64) -> (FileSystem, Inode) {
        let mut fs = FileSystem::new(INODE_COST + ENTRY_COST + room, 0);
        let open = Open {
            write: true,
            create: true,
            ..Open::READ
        };
        let file = fs.open(FileSystem::ROOT, "f", open, 0).expect("room");
        (fs, file)
    }

    #[test]
    fn reads_are_cut_at_the_end() {
        let (mut fs, file) = with_file(100);
        fs.write(file, 0, b"hello", 0).expect("room");
        assert_eq!(fs.read(file, 0, 100), Ok(&b"hello"[..]));
        assert_eq!(fs.read(file, 3, 1), Ok(&b"l"[..]));
        assert_eq!(fs.read(file, 5, 1), Ok(&b""[..]));
        assert_eq!(fs.read(file, OFFSET_LIMIT, 0), Ok(&b""[..]));
        assert_eq!(fs.read(file, OFFSET_LIMIT, 1), Err(Errno::Inval));
        assert_eq!(fs.read(file, u64::MAX, 1), Err(Errno::Inval));
        assert_eq!(fs.read(FileSystem::ROOT, 0, 1), Err(Errno::Badf));
    }

    #[test]
    fn holes_are_zeros() {
        let (mut fs, file) = with_file(100);
        assert_eq!(fs.write(file, 3, b"x", 0), Ok(1));
        assert_eq!(fs.read(file, 0, 9), Ok(&b"\0\0\0x"[..]));
        assert_eq!(fs.set_size(file, 2, 0), Ok(()));
        assert_eq!(fs.set_size(file, 5, 0), Ok(()));
        assert_eq!(fs.read(file, 0, 9), Ok(&b"\0\0\0\0\0"[..]));
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let (mut fs, file) = with_file(10);
        assert_eq!(fs.write(file, 0, b"12345678", 0), Ok(8));
        assert_eq!(fs.write(file, 8, b"90ab", 0), Ok(2));
        assert_eq!(fs.write(file, 10, b"x", 0), Err(Errno::Nospc));
        assert_eq!(fs.write(file, 9, b"xy", 0), Ok(1));
        assert_eq!(fs.write(file, 1 << 40, b"x", 0), Err(Errno::Nospc));
        assert_eq!(fs.write(file, OFFSET_LIMIT, b"x", 0), Err(Errno::Inval));
        assert_eq!(fs.write(file, 10, b"", 0), Ok(0));
        assert_eq!(fs.set_size(file, 11, 0), Err(Errno::Nospc));
        assert_eq!(fs.set_size(file, u64::MAX, 0), Err(Errno::Inval));
        assert_eq!(fs.set_size(file, 0, 0), Ok(()));
        assert_eq!(fs.used(), INODE_COST + ENTRY_COST);
        assert_eq!(fs.write(file, 0, b"1234567890", 0), Ok(10));
    }
}
