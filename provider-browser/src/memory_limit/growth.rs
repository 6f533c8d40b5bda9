//! `memory.grow` becomes a call of a function that notes what was denied, and
//! tells what the memory is then.

use wasmparser::{BinaryReaderError, FunctionBody, MemoryType, Operator};

use super::sections::{slice, write_bytes, write_s64, write_u32};
use super::{DENIED_EXPORT, GROWN_EXPORT};

/// What is there before the change.
pub(super) struct Growth<'a> {
    /// Types, and so the index of the first new one.
    pub(super) types: u32,
    /// Functions, imported ones included.
    pub(super) functions: u32,
    /// Globals, imported ones included.
    pub(super) globals: u32,
    /// Tables, imported ones included.
    pub(super) tables: u32,
    /// Memories, each with the most pages it can have.
    pub(super) memories: &'a [(MemoryType, u64)],
}

/// What is added, entry by entry, and the whole code.
pub(super) struct Changed {
    pub(super) types: Vec<Vec<u8>>,
    pub(super) functions: Vec<Vec<u8>>,
    pub(super) table: Vec<u8>,
    pub(super) global: Vec<u8>,
    pub(super) exports: Vec<Vec<u8>>,
    pub(super) code: Vec<u8>,
}

mod op {
    pub(super) const IF_EMPTY: [u8; 2] = [0x04, 0x40];
    pub(super) const END: u8 = 0x0b;
    pub(super) const CALL: u8 = 0x10;
    pub(super) const CALL_INDIRECT: u8 = 0x11;
    pub(super) const SELECT: u8 = 0x1b;
    pub(super) const LOCAL_GET: u8 = 0x20;
    pub(super) const LOCAL_TEE: u8 = 0x22;
    pub(super) const GLOBAL_SET: u8 = 0x24;
    pub(super) const TABLE_GET: u8 = 0x25;
    pub(super) const MEMORY_SIZE: u8 = 0x3f;
    pub(super) const MEMORY_GROW: u8 = 0x40;
    pub(super) const I32_CONST: u8 = 0x41;
    pub(super) const I64_CONST: u8 = 0x42;
    pub(super) const I32_EQZ: u8 = 0x45;
    pub(super) const I32_EQ: u8 = 0x46;
    pub(super) const I64_EQ: u8 = 0x51;
    pub(super) const I64_GT_U: u8 = 0x56;
    pub(super) const I64_ADD: u8 = 0x7c;
    pub(super) const I64_EXTEND_I32_U: u8 = 0xad;
    pub(super) const REF_IS_NULL: u8 = 0xd1;
    pub(super) const FUNCREF: u8 = 0x70;
    pub(super) const I32: u8 = 0x7f;
    pub(super) const I64: u8 = 0x7e;
    /// -1 as a signed number.
    pub(super) const MINUS_ONE: u8 = 0x7f;
}

impl Growth<'_> {
    /// The change; nothing if no function grows a memory.
    pub(super) fn apply(
        &self,
        wasm: &[u8],
        bodies: &[FunctionBody<'_>],
    ) -> Result<Option<Changed>, BinaryReaderError> {
        let mut code = Vec::new();
        // One function for each memory, whether it is ever grown or not: there
        // is hardly ever more than one.
        write_u32(&mut code, (bodies.len() + self.memories.len()) as u32);
        let mut grows = false;
        for body in bodies {
            match self.rewrite(wasm, body)? {
                Some(changed) => {
                    grows = true;
                    write_bytes(&mut code, &changed);
                }
                None => write_bytes(&mut code, slice(wasm, &body.range())),
            }
        }
        if !grows {
            return Ok(None);
        }
        let mut functions = Vec::new();
        for (index, (memory, maximum)) in (0..).zip(self.memories) {
            let mut function = Vec::new();
            write_u32(&mut function, self.types + u32::from(memory.memory64));
            functions.push(function);
            write_bytes(&mut code, &self.helper(index, memory, *maximum));
        }
        let [grow32, grow64] = [op::I32, op::I64].map(|number| vec![0x60, 1, number, 1, number]);
        let export = |name: &str, kind, index| {
            let mut export = Vec::new();
            write_bytes(&mut export, name.as_bytes());
            export.push(kind);
            write_u32(&mut export, index);
            export
        };
        Ok(Some(Changed {
            types: vec![grow32, grow64, vec![0x60, 1, op::I64, 0]],
            functions,
            // One place, at first empty, and never more.
            table: vec![op::FUNCREF, 1, 1, 1],
            // i64, mutable, 0.
            global: vec![op::I64, 1, op::I64_CONST, 0, op::END],
            exports: vec![
                export(DENIED_EXPORT, 3, self.globals),
                export(GROWN_EXPORT, 1, self.tables),
            ],
            code,
        }))
    }

    /// A function's body with its `memory.grow` changed, if it has one.
    fn rewrite(
        &self,
        wasm: &[u8],
        body: &FunctionBody<'_>,
    ) -> Result<Option<Vec<u8>>, BinaryReaderError> {
        let range = body.range();
        let mut changed: Option<Vec<u8>> = None;
        let mut copied = range.start;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, start) = operators.read_with_offset()?;
            if let Operator::MemoryGrow { mem } = operator {
                let into = changed.get_or_insert_default();
                into.extend_from_slice(slice(wasm, &(copied..start)));
                into.push(op::CALL);
                write_u32(into, self.functions + mem);
                copied = operators.original_position();
            }
        }
        if let Some(into) = &mut changed {
            into.extend_from_slice(slice(wasm, &(copied..range.end)));
        }
        Ok(changed)
    }

    /// ```text
    /// old = memory.grow(delta);
    /// if old == -1 {
    ///     wanted = memory.size + delta;
    ///     denied = if wanted > maximum { wanted } else { -1 };
    /// }
    /// if grown[0] != null { grown[0](memory.size) }
    /// old
    /// ```
    fn helper(&self, index: u32, memory: &MemoryType, maximum: u64) -> Vec<u8> {
        const DELTA: u8 = 0;
        const OLD: u8 = 1;
        const WANTED: u8 = 2;
        let (number, constant, equal, extend): (_, _, _, &[u8]) = if memory.memory64 {
            (op::I64, op::I64_CONST, op::I64_EQ, &[])
        } else {
            (op::I32, op::I32_CONST, op::I32_EQ, &[op::I64_EXTEND_I32_U])
        };
        let mut body = vec![2, 1, number, 1, op::I64];
        body.extend([op::LOCAL_GET, DELTA, op::MEMORY_GROW]);
        write_u32(&mut body, index);
        body.extend([op::LOCAL_TEE, OLD, constant, op::MINUS_ONE, equal]);
        body.extend(op::IF_EMPTY);
        body.push(op::MEMORY_SIZE);
        write_u32(&mut body, index);
        body.extend_from_slice(extend);
        body.extend([op::LOCAL_GET, DELTA]);
        body.extend_from_slice(extend);
        body.extend([
            op::I64_ADD,
            op::LOCAL_TEE,
            WANTED,
            op::I64_CONST,
            op::MINUS_ONE,
        ]);
        body.extend([op::LOCAL_GET, WANTED, op::I64_CONST]);
        write_s64(&mut body, maximum);
        body.extend([op::I64_GT_U, op::SELECT, op::GLOBAL_SET]);
        write_u32(&mut body, self.globals);
        body.push(op::END);
        body.extend([op::I32_CONST, 0, op::TABLE_GET]);
        write_u32(&mut body, self.tables);
        body.extend([op::REF_IS_NULL, op::I32_EQZ]);
        body.extend(op::IF_EMPTY);
        body.push(op::MEMORY_SIZE);
        write_u32(&mut body, index);
        body.extend_from_slice(extend);
        body.extend([op::I32_CONST, 0, op::CALL_INDIRECT]);
        write_u32(&mut body, self.types + 2);
        write_u32(&mut body, self.tables);
        body.extend([op::END, op::LOCAL_GET, OLD, op::END]);
        body
    }
}
