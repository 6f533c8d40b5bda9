//! What a provider can do: slots, memory, features, speed.

use serde::{Deserialize, Serialize};

/// Where a provider runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// A daemon.
    Native,
    /// A browser tab.
    Browser,
}

impl ProviderKind {
    /// `native` or `browser`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Browser => "browser",
        }
    }
}

/// WebAssembly features beyond the 1.0 core, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Features(pub u32);

macro_rules! features {
    ($($(#[$doc:meta])* $constant:ident = $bit:literal, $name:literal;)*) => {
        impl Features {
            $($(#[$doc])* pub const $constant: Self = Self(1 << $bit);)*

            /// Each feature with its name, in the order of their bits.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$constant, $name)),*];
        }
    };
}

features! {
    /// Values of more than one type from blocks and functions.
    MULTI_VALUE = 0, "multi-value";
    /// Sign extension operators.
    SIGN_EXTENSION = 1, "sign-extension";
    /// Conversions of floats that saturate instead of trapping.
    SATURATING_FLOAT = 2, "saturating-float-to-int";
    /// `memory.copy` and its like.
    BULK_MEMORY = 3, "bulk-memory";
    /// Import and export of mutable globals.
    MUTABLE_GLOBAL = 4, "mutable-global";
    /// Reference types.
    REFERENCE_TYPES = 5, "reference-types";
    /// 128-bit vectors.
    SIMD = 6, "simd";
    /// Vector operations that may differ between machines.
    RELAXED_SIMD = 7, "relaxed-simd";
    /// Tail calls.
    TAIL_CALL = 8, "tail-call";
    /// More than one memory.
    MULTI_MEMORY = 9, "multi-memory";
    /// Constant expressions with arithmetic.
    EXTENDED_CONST = 10, "extended-const";
    /// Exceptions with `exnref`.
    EXCEPTIONS = 11, "exceptions";
    /// Shared memory and atomic operations.
    THREADS = 12, "threads";
    /// 64-bit memories.
    MEMORY64 = 13, "memory64";
    /// Typed function references and garbage collection.
    GC = 14, "gc";
}

impl Features {
    /// Whether every feature of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in this set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what is in this set; bits without a name are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED
            .iter()
            .filter(move |(bit, _)| self.contains(*bit))
            .map(|(_, name)| *name)
    }

    /// The feature of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(bit, _)| *bit)
    }
}

/// What a provider offers, as it reports it at the start and whenever it
/// changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Tasks that can run at the same time, 1 to [`crate::limits::SLOTS_MAX`];
    /// 0 while the provider is paused.
    pub slots: u16,
    /// Guest memory for all slots together, in bytes.
    pub memory_bytes: u64,
    /// Features that its engine has.
    pub features: Features,
    /// How fast one slot is: 1,000 is [`REFERENCE_ROUNDS_PER_MS`] rounds of the
    /// [benchmark](BENCHMARK_WASM) in a millisecond.
    pub speed: u32,
}

/// The module that providers time to find their speed: it exports
/// `rounds(n: i32) -> i64`, which mixes integers and touches 64 KiB of memory
/// `n` times. Its source is `benchmark.wat` beside this file.
pub const BENCHMARK_WASM: &[u8] = include_bytes!("benchmark.wasm");
/// What [`BENCHMARK_WASM`] returns for 1,000 rounds: who gets something else
/// computes wrongly.
pub const BENCHMARK_1000_ROUNDS: i64 = 5_631_557_574_659_241_377;
/// Rounds in a millisecond that make a speed of 1,000.
pub const REFERENCE_ROUNDS_PER_MS: u64 = 100;
/// Time for which a provider repeats the benchmark, in milliseconds.
pub const BENCHMARK_MS: u64 = 60;

/// The speed of `rounds` done in `elapsed_us` microseconds.
#[must_use]
pub fn speed(rounds: u64, elapsed_us: u64) -> u32 {
    let speed = rounds.saturating_mul(1_000_000) / (REFERENCE_ROUNDS_PER_MS * elapsed_us.max(1));
    u32::try_from(speed).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_speed_is_a_thousand() {
        assert_eq!(speed(REFERENCE_ROUNDS_PER_MS * 60, 60_000), 1_000);
        assert_eq!(speed(0, 0), 1, "a speed is never 0: it is divided by");
    }

    #[test]
    fn features_have_names_both_ways() {
        for (bit, name) in Features::NAMED {
            assert_eq!(Features::from_name(name), Some(*bit));
        }
        let both = Features::SIMD.union(Features::GC);
        assert_eq!(both.names().collect::<Vec<_>>(), ["simd", "gc"]);
        assert!(both.contains(Features::GC) && !Features::GC.contains(both));
        assert_eq!(Features::from_name("jetpack"), None);
    }

    #[test]
    fn the_benchmark_is_what_its_source_says() {
        let wasm = wat::parse_str(include_str!("benchmark.wat")).unwrap();
        assert_eq!(
            wasm, BENCHMARK_WASM,
            "run `cargo xtask wat` on benchmark.wat again"
        );
    }
}
