//! What an uploaded blob is, and whether it can run as a module.
//!
//! A module is core wasm that exports `_start` and imports nothing but functions
//! of WASI preview 1. Names are looked at before the code is validated, so that
//! what can't run is refused in milliseconds, whatever its size.

mod features;
mod preview1;
mod text;

use serde::{Deserialize, Serialize};
use wasipool_shared::archive::looks_like_archive;
use wasipool_shared::capacity::Features;
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, Validator};

pub use text::looks_like_text;

/// What a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlobKind {
    /// A WASI preview 1 command.
    Module,
    /// A zip, tar or gzipped tar.
    Archive,
    /// Anything else.
    Data,
}

impl BlobKind {
    /// `module`, `archive` or `data`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Archive => "archive",
            Self::Data => "data",
        }
    }
}

/// Bytes from the start of a blob that [`guess`] needs to be right, but for
/// text with longer comments ahead of `(module`.
pub const GUESS_BYTES: usize = 16 * 1024;

/// What the first bytes of a blob say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// Binary wasm, to be [inspected](inspect).
    Wasm,
    /// Wasm as text, to be [assembled](assemble) first.
    Text,
    /// An archive.
    Archive,
    /// Anything else.
    Data,
}

/// What `head`, the first bytes of a blob, says that it is.
#[must_use]
pub fn guess(head: &[u8]) -> Guess {
    if head.starts_with(b"\0asm") {
        Guess::Wasm
    } else if looks_like_text(head) {
        Guess::Text
    } else if looks_like_archive(head) {
        Guess::Archive
    } else {
        Guess::Data
    }
}

/// What a module needs and offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleInfo {
    /// `module.name` of each import, in the module's order.
    pub imports: Vec<String>,
    /// Name of each export, in the module's order.
    pub exports: Vec<String>,
    /// Its linear memory, if it has one.
    pub memory: Option<MemoryInfo>,
    /// What an engine must be able to do to run it.
    pub features: Features,
}

/// The size of a linear memory, in pages of 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryInfo {
    /// At the start.
    pub min_pages: u64,
    /// At most, if it says so.
    pub max_pages: Option<u64>,
}

/// Why bytes can't run as a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// Text that doesn't parse.
    #[error("the text is not a module: {message} (line {line}, column {column})")]
    Text {
        /// What is wrong.
        message: String,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// A component.
    #[error(
        "this is a component (WASI preview 2), only core modules for WASI preview 1 can run: \
         build for the target wasm32-wasip1"
    )]
    Component,
    /// Not valid wasm.
    #[error("not a valid module: {message} (at byte offset {offset})")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where, in bytes from the start.
        offset: u64,
    },
    /// An import that nothing here offers.
    #[error("the import {module}.{name} can't be satisfied: {reason}")]
    Import {
        /// Where it is imported from.
        module: String,
        /// What is imported.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No `_start`, or not as it must be.
    #[error("{0}")]
    Start(&'static str),
}

impl From<wasmparser::Error> for ModuleError {
    fn from(error: wasmparser::Error) -> Self {
        Self::Invalid {
            message: error.message().to_owned(),
            offset: error.offset(),
        }
    }
}

/// The binary of a module that is given as text.
///
/// # Errors
/// If it doesn't parse.
pub fn assemble(text: &[u8]) -> Result<Vec<u8>, ModuleError> {
    text::assemble(text)
}

/// Checks a module completely and says what it needs.
///
/// # Errors
/// If it can't run.
pub fn inspect(bytes: &[u8]) -> Result<ModuleInfo, ModuleError> {
    let mut info = outline(bytes)?;
    info.features = features::needed(bytes)?;
    Ok(info)
}

/// Imports and exports, checked by name and type; the code is not looked at.
fn outline(bytes: &[u8]) -> Result<ModuleInfo, ModuleError> {
    if Parser::is_component(bytes) {
        return Err(ModuleError::Component);
    }
    let mut outline = Outline::default();
    // The sections are validated on the way, with every feature: an index out
    // of bounds is found here and not by what is built on it.
    let mut validator = Validator::new_with_features(features::ALL);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::CodeSectionStart { .. } | Payload::DataSection(_) | Payload::End(_) => break,
            Payload::CustomSection(_) => continue,
            payload => validator.payload(payload)?,
        };
        outline.read(payload)?;
    }
    outline.finish(&validator)
}

#[derive(Default)]
struct Outline {
    imports: Vec<(String, String, TypeRef)>,
    exports: Vec<(String, ExternalKind, u32)>,
    memory: Option<MemoryInfo>,
}

impl Outline {
    fn read(&mut self, payload: Payload<'_>) -> Result<(), ModuleError> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let (module, name) = (import.module.to_owned(), import.name.to_owned());
                    self.imports.push((module, name, import.ty));
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    let info = MemoryInfo {
                        min_pages: memory.initial,
                        max_pages: memory.maximum,
                    };
                    self.memory.get_or_insert(info);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports
                        .push((export.name.to_owned(), export.kind, export.index));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, validator: &Validator) -> Result<ModuleInfo, ModuleError> {
        let types = validator.types(0);
        let function_type = |index: u32| -> Option<&FuncType> {
            let types = types.as_ref()?;
            types
                .get(types.core_function_at(index))?
                .unwrap_func_if_any()
        };
        for (index, (module, name, kind)) in (0..).zip(&self.imports) {
            let refuse = |reason: String| {
                let (module, name) = (module.clone(), name.clone());
                Err(ModuleError::Import {
                    module,
                    name,
                    reason,
                })
            };
            if module != preview1::MODULE {
                return refuse(format!(
                    "only functions of {} are offered",
                    preview1::MODULE
                ));
            }
            let Some(expected) = preview1::signature(name) else {
                return refuse("WASI preview 1 has no such function".to_owned());
            };
            if !matches!(kind, TypeRef::Func(_) | TypeRef::FuncExact(_)) {
                return refuse("it must be a function".to_owned());
            }
            if function_type(index).is_some_and(|found| !preview1::matches(expected, found)) {
                let expected = preview1::describe(expected);
                return refuse(format!("its type must be {expected}"));
            }
        }
        match self.exports.iter().find(|(name, ..)| name == "_start") {
            Some((_, ExternalKind::Func | ExternalKind::FuncExact, index)) => {
                let plain =
                    |found: &FuncType| found.params().is_empty() && found.results().is_empty();
                if !function_type(*index).is_some_and(plain) {
                    return Err(ModuleError::Start(
                        "the export `_start` must take and return nothing",
                    ));
                }
            }
            Some(_) => return Err(ModuleError::Start("the export `_start` must be a function")),
            None => {
                return Err(ModuleError::Start(
                    "the module exports no function `_start`: build a program, not a library",
                ));
            }
        }
        Ok(ModuleInfo {
            imports: self
                .imports
                .into_iter()
                .map(|(module, name, _)| format!("{module}.{name}"))
                .collect(),
            exports: self.exports.into_iter().map(|(name, ..)| name).collect(),
            memory: self.memory,
            features: Features::default(),
        })
    }
}

/// [`wasmparser::SubType`] that may be something else than a function.
trait UnwrapFunc {
    fn unwrap_func_if_any(&self) -> Option<&FuncType>;
}

impl UnwrapFunc for wasmparser::SubType {
    fn unwrap_func_if_any(&self) -> Option<&FuncType> {
        match &self.composite_type.inner {
            wasmparser::CompositeInnerType::Func(found) => Some(found),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
