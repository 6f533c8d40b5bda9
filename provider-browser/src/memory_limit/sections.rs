//! Sections of a module: some as they are, some changed, some new.

use std::ops::Range;

use wasmparser::{BinaryReader, BinaryReaderError, MemoryType};

/// Section numbers.
pub(super) mod id {
    pub(crate) const TYPE: u8 = 1;
    pub(crate) const FUNCTION: u8 = 3;
    pub(crate) const TABLE: u8 = 4;
    pub(crate) const MEMORY: u8 = 5;
    pub(crate) const GLOBAL: u8 = 6;
    pub(crate) const EXPORT: u8 = 7;
    pub(crate) const CODE: u8 = 10;
}

/// One section.
pub(super) struct Section {
    pub(super) id: u8,
    pub(super) item: Item,
}

/// What is in it.
pub(super) enum Item {
    /// The content at this place of the original.
    Original(Range<u64>),
    /// That content with entries added at the end.
    Extended(Range<u64>, Vec<Vec<u8>>),
    /// Other content.
    Other(Vec<u8>),
}

/// The place of a section in a module; custom sections (0) may be anywhere.
fn rank(id: u8) -> u8 {
    match id {
        // Tags stand between memories and globals, the count of data segments
        // before the code.
        0..=5 => id * 2,
        13 => 11,
        6..=9 => id * 2,
        12 => 19,
        _ => id.saturating_mul(2),
    }
}

/// Replaces a section's content.
pub(super) fn replace(sections: &mut [Section], id: u8, content: Vec<u8>) {
    if let Some(section) = sections.iter_mut().find(|section| section.id == id) {
        section.item = Item::Other(content);
    }
}

/// Adds entries to the end of a section, which is made if it isn't there.
pub(super) fn append(sections: &mut Vec<Section>, id: u8, entries: Vec<Vec<u8>>) {
    if let Some(section) = sections.iter_mut().find(|section| section.id == id) {
        if let Item::Original(range) = &section.item {
            section.item = Item::Extended(range.clone(), entries);
        }
        return;
    }
    let after = sections
        .iter()
        .position(|section| section.id != 0 && rank(section.id) > rank(id));
    let mut content = Vec::new();
    write_u32(&mut content, entries.len() as u32);
    content.extend(entries.concat());
    let section = Section {
        id,
        item: Item::Other(content),
    };
    sections.insert(after.unwrap_or(sections.len()), section);
}

/// The module that consists of these sections.
pub(super) fn assemble(wasm: &[u8], sections: &[Section]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut module = Vec::with_capacity(wasm.len() + 256);
    module.extend_from_slice(&wasm[..8]);
    for section in sections {
        module.push(section.id);
        match &section.item {
            Item::Original(range) => write_bytes(&mut module, slice(wasm, range)),
            Item::Other(content) => write_bytes(&mut module, content),
            Item::Extended(range, entries) => {
                let original = slice(wasm, range);
                let mut reader = BinaryReader::new(original, 0);
                let count = reader.read_var_u32()?;
                let mut content = Vec::with_capacity(original.len() + 64);
                write_u32(&mut content, count + entries.len() as u32);
                let rest = reader.bytes_remaining();
                content.extend_from_slice(&original[original.len() - rest..]);
                content.extend(entries.concat());
                write_bytes(&mut module, &content);
            }
        }
    }
    Ok(module)
}

/// The bytes at a place that the parser gave.
pub(super) fn slice<'a>(wasm: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    &wasm[range.start as usize..range.end as usize]
}

/// An unsigned number (LEB128).
pub(super) fn write_u32(into: &mut Vec<u8>, value: u32) {
    write_u64(into, value.into());
}

fn write_u64(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// A signed number (LEB128) that isn't negative.
pub(super) fn write_s64(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x40 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Bytes with their count before them.
pub(super) fn write_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    write_u32(into, bytes.len() as u32);
    into.extend_from_slice(bytes);
}

/// A memory with that maximum.
pub(super) fn write_memory(into: &mut Vec<u8>, memory: &MemoryType, maximum: u64) {
    let mut flags = 0b0001;
    flags |= u8::from(memory.shared) << 1;
    flags |= u8::from(memory.memory64) << 2;
    flags |= u8::from(memory.page_size_log2.is_some()) << 3;
    into.push(flags);
    write_u64(into, memory.initial);
    write_u64(into, maximum);
    if let Some(log2) = memory.page_size_log2 {
        write_u32(into, log2);
    }
}
