//! The guest's linear memory, seen through bounds checks.

use super::halt::{BadCall, Step};
use super::types::Errno;

/// The address is outside of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBounds;

impl From<OutOfBounds> for super::halt::Stop {
    fn from(_: OutOfBounds) -> Self {
        BadCall::OutOfBounds.into()
    }
}

/// Access to the linear memory of a guest. In the tab the host lives in a
/// memory of its own, so every access copies.
pub trait GuestMemory {
    /// Bytes in the memory now.
    fn size(&self) -> u64;

    /// Copies from the guest.
    ///
    /// # Errors
    /// If the range isn't wholly inside of the memory; nothing is copied then.
    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), OutOfBounds>;

    /// Copies to the guest.
    ///
    /// # Errors
    /// If the range isn't wholly inside of the memory; nothing is copied then.
    fn write(&mut self, address: u32, from: &[u8]) -> Result<(), OutOfBounds>;
}

/// A memory that is a slice of the host's.
#[derive(Debug)]
pub struct SliceMemory<'a>(pub &'a mut [u8]);

impl GuestMemory for SliceMemory<'_> {
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
        let start = address as usize;
        let end = start.checked_add(from.len()).ok_or(OutOfBounds)?;
        self.0
            .get_mut(start..end)
            .ok_or(OutOfBounds)?
            .copy_from_slice(from);
        Ok(())
    }
}

/// A range of guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) address: u32,
    pub(crate) len: u32,
}

/// How many bytes one call may make the host copy. Native hosts have the same
/// bound and the same answer to what is over it, and it keeps one call from
/// eating the tab's memory.
pub(crate) const CALL_LIMIT: u64 = 128 << 20;

/// What is left of [`CALL_LIMIT`] in a call.
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(CALL_LIMIT)
    }

    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), Errno> {
        self.0 = self.0.checked_sub(bytes).ok_or(Errno::Nomem)?;
        Ok(())
    }
}

/// Checks a range before memory of the host is set aside for it.
pub(crate) fn check(memory: &impl GuestMemory, range: Range) -> Result<(), BadCall> {
    if u64::from(range.address) + u64::from(range.len) > memory.size() {
        return Err(BadCall::OutOfBounds);
    }
    Ok(())
}

/// Reads a value of `N` bytes that must be aligned to `align`.
pub(crate) fn read_aligned<const N: usize>(
    memory: &impl GuestMemory,
    address: u32,
    align: u32,
) -> Step<[u8; N]> {
    let mut bytes = [0; N];
    check_align(address, align)?;
    memory.read(address, &mut bytes)?;
    Ok(bytes)
}

/// Writes a value that must be aligned to `align`.
pub(crate) fn write_aligned(
    memory: &mut impl GuestMemory,
    address: u32,
    align: u32,
    bytes: &[u8],
) -> Step<()> {
    check_align(address, align)?;
    Ok(memory.write(address, bytes)?)
}

fn check_align(address: u32, align: u32) -> Result<(), BadCall> {
    if address.is_multiple_of(align) {
        Ok(())
    } else {
        Err(BadCall::Misaligned)
    }
}

/// Writes a `u32`, most often a count or a descriptor that a call returns.
pub(crate) fn write_u32(memory: &mut impl GuestMemory, address: u32, value: u32) -> Step<()> {
    write_aligned(memory, address, 4, &value.to_le_bytes())
}

/// Writes a `u64`, most often a time or an offset that a call returns.
pub(crate) fn write_u64(memory: &mut impl GuestMemory, address: u32, value: u64) -> Step<()> {
    write_aligned(memory, address, 8, &value.to_le_bytes())
}

/// Finds the buffer that a read or write works on: the first that isn't empty,
/// as native hosts do it. Short reads and writes are legal, libraries loop.
pub(crate) fn first_buffer(memory: &impl GuestMemory, iovs: u32, count: u32) -> Step<Range> {
    let mut budget = Budget::new();
    budget.take(u64::from(count) * 8)?;
    for index in 0..count {
        // The budget holds `index * 8` far below 2^32.
        let address = iovs.checked_add(index * 8).ok_or(BadCall::OutOfBounds)?;
        let iov: [u8; 8] = read_aligned(memory, address, 4)?;
        let (buf, len) = iov.split_at(4);
        let range = Range {
            address: le_u32(buf),
            len: le_u32(len),
        };
        if range.len != 0 {
            budget.take(u64::from(range.len))?;
            return Ok(range);
        }
    }
    Ok(Range { address: 0, len: 0 })
}

/// Reads a string, which must be UTF-8.
pub(crate) fn read_string(
    memory: &impl GuestMemory,
    budget: &mut Budget,
    address: u32,
    len: u32,
) -> Step<String> {
    budget.take(u64::from(len))?;
    check(memory, Range { address, len })?;
    let mut bytes = vec![0; len as usize];
    memory.read(address, &mut bytes)?;
    Ok(String::from_utf8(bytes).map_err(|_| Errno::Ilseq)?)
}

/// A little-endian `u32` from the first four bytes of a slice.
pub(crate) fn le_u32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .rev()
        .fold(0, |value, byte| (value << 8) | u32::from(*byte))
}

/// A little-endian `u64` from the first eight bytes of a slice.
pub(crate) fn le_u64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::super::halt::{Halt, Stop};
    use super::*;

    const TRAP: Stop = Stop::Halt(Halt::Trap(BadCall::OutOfBounds));

    #[test]
    fn slices_are_bounded() {
        let mut bytes = [1, 2, 3, 4];
        let mut memory = SliceMemory(&mut bytes);
        let mut two = [0; 2];
        assert_eq!(memory.read(2, &mut two), Ok(()));
        assert_eq!(two, [3, 4]);
        assert_eq!(memory.read(3, &mut two), Err(OutOfBounds));
        assert_eq!(memory.read(u32::MAX, &mut two), Err(OutOfBounds));
        assert_eq!(memory.read(4, &mut []), Ok(()));
        assert_eq!(memory.write(3, &[9, 9]), Err(OutOfBounds));
        assert_eq!(memory.write(3, &[9]), Ok(()));
        assert_eq!(bytes, [1, 2, 3, 9]);
    }

    #[test]
    fn the_first_buffer_that_is_not_empty_counts() {
        let mut bytes = [0; 32];
        // An empty one at 0, then {address 7, len 5}.
        bytes[8] = 7;
        bytes[12] = 5;
        let memory = SliceMemory(&mut bytes);
        let found = first_buffer(&memory, 0, 4);
        assert_eq!(found, Ok(Range { address: 7, len: 5 }));
        let found = first_buffer(&memory, 0, 1);
        assert_eq!(found, Ok(Range { address: 0, len: 0 }));
        assert_eq!(first_buffer(&memory, 16, 3), Err(TRAP));
        assert_eq!(
            first_buffer(&memory, 2, 1),
            Err(Stop::Halt(Halt::Trap(BadCall::Misaligned)))
        );
        assert_eq!(
            first_buffer(&memory, 0, u32::MAX),
            Err(Stop::Errno(Errno::Nomem))
        );
        assert_eq!(first_buffer(&memory, 0xffff_fff8, 2), Err(TRAP));
    }

    #[test]
    fn strings_are_checked() {
        let mut bytes = *b"caf\xc3\xa9\xff";
        let memory = SliceMemory(&mut bytes);
        let mut budget = Budget::new();
        let read = read_string(&memory, &mut budget, 0, 5);
        assert_eq!(read.as_deref(), Ok("caf\u{e9}"));
        let read = read_string(&memory, &mut budget, 0, 6);
        assert_eq!(read, Err(Stop::Errno(Errno::Ilseq)));
        assert_eq!(read_string(&memory, &mut budget, 3, 100), Err(TRAP));
        let read = read_string(&memory, &mut budget, 3, u32::MAX);
        assert_eq!(read, Err(Stop::Errno(Errno::Nomem)));
    }

    #[test]
    fn numbers_are_little_endian() {
        assert_eq!(le_u32(&[1, 2, 3, 4, 5]), 0x0403_0201);
        assert_eq!(le_u64(&[1, 2, 3, 4, 5, 6, 7, 8]), 0x0807_0605_0403_0201);
    }
}
