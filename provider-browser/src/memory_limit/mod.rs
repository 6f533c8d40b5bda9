//! Gives a module a limit of memory, and makes it tell when it ran into it.
//!
//! An engine in a browser has no setting for how much memory a guest may take,
//! and doesn't tell whether a `memory.grow` was denied. So the module is changed
//! before it is compiled:
//!
//! - each memory's maximum becomes the limit, unless it is smaller already;
//! - each `memory.grow` becomes a call of a function that grows the memory and,
//!   if that was denied, notes in a global how many pages were wanted. The
//!   global is exported as [`DENIED_EXPORT`]. It also calls the function in the
//!   table [`GROWN_EXPORT`], if there is one: a memory that grows can't be seen
//!   from elsewhere.
//!
//! What is added goes to the end of its section, so that no index changes.

mod growth;
mod sections;

#[cfg(test)]
mod tests;

use wasmparser::{
    BinaryReaderError, FunctionBody, MemoryType, Parser, Payload, TypeRef, TypeSectionReader,
};

use growth::Growth;
use sections::{Item, Section, id};

/// Bytes of a page, as a power of two.
pub const PAGE_LOG2: u32 = 16;
/// The export of the global with what the last denied `memory.grow` wanted:
/// pages in all that are over the memory's maximum, or -1 if they are within it
/// and the engine itself had no memory left. 0 while none was denied. Modules
/// without `memory.grow` don't have it.
pub const DENIED_EXPORT: &str = "wasipool:denied-pages";

/// The export of a table with one place, empty at first: for a function that
/// takes an `i64`, the pages of a memory after each `memory.grow`.
pub const GROWN_EXPORT: &str = "wasipool:grown";

/// What became of a module.
#[derive(Debug, PartialEq, Eq)]
pub enum Limited {
    /// The changed module.
    Module(Vec<u8>),
    /// It wants more than the limit from the start.
    TooLarge,
}

/// A module that can't be changed: no engine will take it either.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// It isn't wasm.
    #[error(transparent)]
    Malformed(#[from] BinaryReaderError),
    /// It takes its memory from outside.
    #[error("the module imports its memory")]
    ImportedMemory,
}

/// Limits each memory of a module to `limit` bytes: see the [module](self).
///
/// # Errors
/// If it isn't a module, or imports its memory.
pub fn limit_memory(wasm: &[u8], limit: u64) -> Result<Limited, LimitError> {
    let module = Module::read(wasm)?;
    let pages = |memory: &MemoryType| limit >> memory.page_size_log2.unwrap_or(PAGE_LOG2);
    if module
        .memories
        .iter()
        .any(|memory| memory.initial > pages(memory))
    {
        return Ok(Limited::TooLarge);
    }
    let mut sections = module.sections;
    let maximum = |memory: &MemoryType| {
        let limit = pages(memory);
        memory.maximum.map_or(limit, |maximum| maximum.min(limit))
    };
    let memories: Vec<_> = module
        .memories
        .iter()
        .map(|memory| (*memory, maximum(memory)))
        .collect();
    if !memories.is_empty() {
        let mut content = Vec::new();
        sections::write_u32(&mut content, memories.len() as u32);
        for (memory, maximum) in &memories {
            sections::write_memory(&mut content, memory, *maximum);
        }
        sections::replace(&mut sections, id::MEMORY, content);
    }
    let growth = Growth {
        types: module.types,
        functions: module.functions,
        globals: module.globals,
        tables: module.tables,
        memories: &memories,
    };
    if let Some(changed) = growth.apply(wasm, &module.bodies)? {
        sections::append(&mut sections, id::TYPE, changed.types);
        sections::append(&mut sections, id::FUNCTION, changed.functions);
        sections::append(&mut sections, id::TABLE, vec![changed.table]);
        sections::append(&mut sections, id::GLOBAL, vec![changed.global]);
        sections::append(&mut sections, id::EXPORT, changed.exports);
        sections::replace(&mut sections, id::CODE, changed.code);
    }
    Ok(Limited::Module(sections::assemble(wasm, &sections)?))
}

/// What has to be known of a module.
#[derive(Default)]
struct Module<'a> {
    sections: Vec<Section>,
    types: u32,
    /// Functions, imported ones first.
    functions: u32,
    /// Globals, imported ones first.
    globals: u32,
    /// Tables, imported ones first.
    tables: u32,
    memories: Vec<MemoryType>,
    bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Module<'a> {
    fn read(wasm: &'a [u8]) -> Result<Self, LimitError> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                module.sections.push(Section {
                    id,
                    item: Item::Original(range),
                });
            }
            module.note(payload)?;
        }
        Ok(module)
    }

    fn note(&mut self, payload: Payload<'a>) -> Result<(), LimitError> {
        match payload {
            Payload::TypeSection(types) => self.types = count_types(types)?,
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => self.functions += 1,
                        TypeRef::Global(_) => self.globals += 1,
                        TypeRef::Memory(_) => return Err(LimitError::ImportedMemory),
                        TypeRef::Table(_) => self.tables += 1,
                        TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(functions) => self.functions += functions.count(),
            Payload::TableSection(tables) => self.tables += tables.count(),
            Payload::MemorySection(memories) => {
                self.memories = memories.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::GlobalSection(globals) => self.globals += globals.count(),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => {}
        }
        Ok(())
    }
}

/// Types, those in recursive groups each.
fn count_types(types: TypeSectionReader<'_>) -> Result<u32, BinaryReaderError> {
    let groups = types
        .into_iter()
        .map(|group| Ok(group?.types().len() as u32));
    groups.sum()
}
