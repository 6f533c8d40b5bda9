//! Runs a module with wasmtime, linked to the host by its import table.

use std::fmt;
use std::sync::LazyLock;

use wasipool_wasi::for_each_import;
use wasipool_wasi::{Config, FromErrno, Halt, Host, Outputs, SliceMemory, World};
use wasmtime::{Caller, Engine, Extern, Linker, Module, Store};

/// Where and when tests run: nowhere, at the start of 1970.
#[derive(Debug, Default)]
pub(crate) struct TestWorld {
    pub(crate) now: u64,
    random: u64,
}

impl World for TestWorld {
    fn monotonic_ns(&mut self) -> u64 {
        self.now
    }

    fn wall_ns(&mut self) -> u64 {
        self.now
    }

    fn random(&mut self, into: &mut [u8]) {
        for byte in into {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.random >> 56) as u8;
        }
    }

    fn sleep_until(&mut self, monotonic_ns: u64) {
        self.now = self.now.max(monotonic_ns);
    }
}

/// How a guest ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Returned,
    Halted(Halt),
    Trapped(String),
}

pub(crate) struct Run {
    pub(crate) end: End,
    pub(crate) now: u64,
    pub(crate) outputs: Outputs,
}

impl Run {
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.outputs.stdout).expect("stdout is text")
    }

    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.outputs.stderr).expect("stderr is text")
    }
}

type State = Host<TestWorld>;

/// Carries a halt through wasmtime.
#[derive(Debug)]
struct Halted(Halt);

impl fmt::Display for Halted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

impl std::error::Error for Halted {}

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);
static LINKER: LazyLock<Linker<State>> = LazyLock::new(|| link().expect("no name is there twice"));

macro_rules! link {
    ([$linker:ident] $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
        $linker.func_wrap(
            "wasi_snapshot_preview1",
            stringify!($name),
            |mut caller: Caller<'_, State>, $($arg: $ty),*| -> wasmtime::Result<$ret> {
                let memory = caller.get_export("memory").and_then(Extern::into_memory);
                let Some(memory) = memory else {
                    return Err(wasmtime::Error::msg("the guest exports no memory"));
                };
                let (memory, host) = memory.data_and_store_mut(&mut caller);
                match host.$name(&mut SliceMemory(memory), $($arg),*) {
                    Ok(errno) => Ok(FromErrno::from_errno(errno)),
                    Err(halt) => Err(wasmtime::Error::new(Halted(halt))),
                }
            },
        )?;
    )*};
}

fn link() -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(&ENGINE);
    for_each_import!(link, linker);
    Ok(linker)
}

/// A configuration with room for everything.
pub(crate) fn config(args: &[&str]) -> Config {
    Config {
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        output_limit: 16 << 20,
        fs_limit: 16 << 20,
        ..Config::default()
    }
}

/// Runs a module, as binary or text.
pub(crate) fn run(module: &[u8], config: Config) -> Run {
    let module = Module::new(&ENGINE, wat::parse_bytes(module).expect("a module"));
    let module = module.expect("a valid module");
    let host = Host::new(config, TestWorld::default()).expect("files that make a tree");
    let mut store = Store::new(&ENGINE, host);
    let instance = LINKER
        .instantiate(&mut store, &module)
        .expect("all imports are there");
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .expect("a command");
    let end = match start.call(&mut store, ()) {
        Ok(()) => End::Returned,
        Err(error) => match error.downcast_ref::<Halted>() {
            Some(Halted(halt)) => End::Halted(*halt),
            None => End::Trapped(format!("{error:?}")),
        },
    };
    let mut host = store.into_data();
    Run {
        end,
        now: host.world_mut().now,
        outputs: host.into_outputs(),
    }
}

macro_rules! wat_type {
    (u32) => {
        " i32"
    };
    (u64) => {
        " i64"
    };
    (i64) => {
        " i64"
    };
    (i32) => {
        " (result i32)"
    };
    (()) => {
        ""
    };
}

macro_rules! wat_imports {
    ([] $($name:ident($($arg:ident: $ty:tt),*) -> $ret:tt;)*) => {
        concat!($(
            "(import \"wasi_snapshot_preview1\" \"", stringify!($name), "\" (func $",
            stringify!($name), " (param", $(wat_type!($ty),)* ")", wat_type!($ret), "))\n",
        )*)
    };
}

/// Every import under its own name, a memory of one page, and `$expect`: it
/// ends the guest with 1000 times the step and the number that came, if this
/// is not the wanted one.
const PRELUDE: &str = for_each_import!(wat_imports);
const EXPECT: &str = "(memory (export \"memory\") 1)
    (func $expect (param $step i32) (param $want i32) (param $got i32)
        (if (i32.ne (local.get $want) (local.get $got)) (then (call $proc_exit
            (i32.add (i32.mul (local.get $step) (i32.const 1000)) (local.get $got))))))";

/// A step of a guest: the number that is wanted, and the expression for it.
pub(crate) type Step<'a> = (u32, &'a str);

/// Runs a guest that takes these steps, over a memory with this data.
/// Expressions may leave `i32.const` away: `[1]` is `(i32.const 1)`.
pub(crate) fn run_steps(data: &[(u32, &str)], steps: &[Step<'_>], config: Config) -> Run {
    let mut text = format!("(module {PRELUDE}\n{EXPECT}\n");
    for (address, bytes) in data {
        text += &format!("(data (i32.const {address}) \"{bytes}\")\n");
    }
    text += "(func (export \"_start\")\n";
    for (index, (want, expression)) in steps.iter().enumerate() {
        let got = expression
            .replace('[', "(i32.const ")
            .replace('{', "(i64.const ")
            .replace([']', '}'], ")");
        let step = index + 1;
        text += &format!("(call $expect (i32.const {step}) (i32.const {want}) {got})\n");
    }
    text += "))";
    run(text.as_bytes(), config)
}

/// The same for guests that shall go through all their steps.
pub(crate) fn pass_steps(data: &[(u32, &str)], steps: &[Step<'_>], config: Config) -> Run {
    let run = run_steps(data, steps, config);
    if let End::Halted(Halt::Exit(code)) = run.end {
        let (step, got) = (code / 1000, code % 1000);
        let (want, expression) = steps[step as usize - 1];
        panic!("step {step} gave {got}, not {want}: {expression}");
    }
    assert_eq!(run.end, End::Returned);
    run
}
