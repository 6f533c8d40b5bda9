//! Compiled modules: each is compiled once, whichever worker needs it first,
//! and loaded by the others.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;
use wasmtime::Module;

use super::Engine;
use super::disk::Disk;

/// Machine code that is kept in memory for workers that haven't loaded it yet.
const MEMORY_BYTES: u64 = 256 * MIB;

/// Modules up to this size are compiled on a thread of their own: in the pool that
/// all others share, a no-op would wait behind each function of a large one.
const SMALL_BYTES: usize = 512 * 1024;

/// The machine code of modules, for all engines of one configuration.
#[derive(Debug)]
pub struct Modules {
    disk: Option<Disk>,
    memory: Mutex<Lru<Digest, Arc<Vec<u8>>>>,
    /// Held while a module is being read or compiled: who needs the same
    /// module waits for it instead of compiling it as well.
    in_work: Mutex<HashMap<Digest, Arc<Mutex<()>>>>,
    compiled: AtomicU64,
    /// Where small modules are compiled.
    small: Option<ThreadPool>,
}

impl Modules {
    /// Keeps machine code in memory, and on disk below `cache` if it is given
    /// and can be used.
    #[must_use]
    pub fn new(engine: &Engine, cache: Option<&Path>) -> Self {
        let disk = cache.and_then(|cache| {
            let opened = Disk::open(cache, &engine.compatibility());
            opened
                .inspect_err(|error| {
                    tracing::warn!(path = %cache.display(), %error, "no cache of compiled modules");
                })
                .ok()
        });
        let small = ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "compile-small".to_owned())
            .build();
        Self {
            small: small.ok(),
            disk,
            memory: Mutex::new(Lru::new(MEMORY_BYTES)),
            in_work: Mutex::default(),
            compiled: AtomicU64::new(0),
        }
    }

    /// How many modules were compiled so far, not found.
    #[must_use]
    pub fn compiled(&self) -> u64 {
        self.compiled.load(Relaxed)
    }

    /// The module of that digest, ready for `engine`.
    ///
    /// # Errors
    /// If wasmtime can't compile it.
    pub fn load(&self, engine: &Engine, digest: Digest, wasm: &[u8]) -> wasmtime::Result<Module> {
        let code = self.code(engine, digest, wasm)?;
        deserialize(engine, &code)
    }

    fn code(&self, engine: &Engine, digest: Digest, wasm: &[u8]) -> wasmtime::Result<Arc<Vec<u8>>> {
        if let Some(code) = self.memory.lock().get(&digest) {
            return Ok(Arc::clone(code));
        }
        let work = Arc::clone(self.in_work.lock().entry(digest).or_default());
        let _working = work.lock();
        if let Some(code) = self.memory.lock().get(&digest) {
            return Ok(Arc::clone(code));
        }
        let code = self.find_or_compile(engine, digest, wasm).map(Arc::new);
        if let Ok(code) = &code {
            self.memory
                .lock()
                .insert(digest, Arc::clone(code), code.len() as u64);
        }
        self.in_work.lock().remove(&digest);
        code
    }

    fn find_or_compile(
        &self,
        engine: &Engine,
        digest: Digest,
        wasm: &[u8],
    ) -> wasmtime::Result<Vec<u8>> {
        if let Some(code) = self.disk.as_ref().and_then(|disk| disk.read(digest)) {
            return Ok(code);
        }
        let compile = || engine.wasmtime().precompile_module(wasm);
        let code = match &self.small {
            Some(small) if wasm.len() <= SMALL_BYTES => small.install(compile)?,
            _ => compile()?,
        };
        self.compiled.fetch_add(1, Relaxed);
        if let Some(disk) = &self.disk
            && let Err(error) = disk.write(digest, &code)
        {
            tracing::warn!(%digest, %error, "can't keep a compiled module on disk");
        }
        Ok(code)
    }
}

/// Loads machine code that this program made.
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: `code` comes from `precompile_module`, either of this process or,
    // through the user's own cache directory, of an earlier one with the same
    // compatibility hash; in that case its digest was checked. Wasmtime checks
    // version and configuration once more.
    #[expect(unsafe_code, reason = "wasmtime can't know that the code is its own")]
    unsafe {
        Module::deserialize(engine.wasmtime(), code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Ticker;

    fn module() -> (Digest, Vec<u8>) {
        let wasm = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
        (Digest::of(&wasm), wasm)
    }

    fn only_file(directory: &Path) -> std::path::PathBuf {
        let mut paths: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        let path = paths.remove(0);
        if path.is_dir() {
            only_file(&path)
        } else {
            path
        }
    }

    #[test]
    fn a_second_start_loads_from_disk_and_damage_is_repaired() {
        let cache = tempfile::tempdir().unwrap();
        let ticker = Ticker::start().unwrap();
        let engine = || Engine::new(&ticker, 1).unwrap();
        let (digest, wasm) = module();
        let compiles = |expected: u64| {
            let engine = engine();
            let modules = Modules::new(&engine, Some(cache.path()));
            modules.load(&engine, digest, &wasm).unwrap();
            assert_eq!(modules.compiled(), expected);
        };
        compiles(1);
        compiles(0);
        let path = only_file(cache.path());
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() / 2], &whole[..7], &[]] {
            std::fs::write(&path, damaged).unwrap();
            compiles(1);
            compiles(0);
        }
        assert_eq!(only_file(cache.path()), path, "no temporary file is left");
    }

    #[test]
    fn workers_share_one_compilation() {
        let ticker = Ticker::start().unwrap();
        let engines: Vec<_> = (0..4).map(|_| Engine::new(&ticker, 4).unwrap()).collect();
        let modules = Modules::new(&engines[0], None);
        let (digest, wasm) = module();
        std::thread::scope(|scope| {
            for engine in &engines {
                scope.spawn(|| modules.load(engine, digest, &wasm).unwrap());
            }
        });
        assert_eq!(modules.compiled(), 1);
    }

    #[test]
    fn what_cannot_be_compiled_is_an_error_each_time() {
        let engine = Engine::new(&Ticker::start().unwrap(), 1).unwrap();
        let modules = Modules::new(&engine, None);
        for _ in 0..2 {
            modules
                .load(&engine, Digest::of(b""), b"no module")
                .unwrap_err();
        }
        assert_eq!(modules.compiled(), 0);
    }
}
