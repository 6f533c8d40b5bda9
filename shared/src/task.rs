//! What a task is for those who run it, and how it can end.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::limits::{ARCHIVE_ENTRIES_MAX, ARGS_MAX, ARTIFACT_PATTERNS_MAX, ENV_MAX};
use crate::wire::list::at_most;

/// A blob with its size, so that whoever fetches it knows what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// Its content address.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Bytes for a guest: small ones come along, large ones are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// The bytes themselves.
    Inline(bytes::Bytes),
    /// A blob that the provider asks for unless it has it.
    Blob(BlobRef),
}

impl Payload {
    /// No bytes.
    pub const EMPTY: Self = Self::Inline(bytes::Bytes::new());

    /// Size in bytes, wherever they are.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Blob(blob) => blob.size,
        }
    }
}

/// What the guest finds below `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Files {
    /// Nothing.
    None,
    /// What a zip, tar or gzipped tar holds.
    Archive(BlobRef),
    /// Single files: path below `/` (no leading slash) and content.
    Map(#[serde(deserialize_with = "at_most::<_, _, ARCHIVE_ENTRIES_MAX>")] Vec<(String, Payload)>),
}

/// What a guest may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLimits {
    /// Run time, in milliseconds.
    pub timeout_ms: u64,
    /// Linear memory, in bytes.
    pub memory_bytes: u64,
    /// stdout and stderr, each, in bytes.
    pub output_bytes: u64,
    /// All artifacts together, in bytes.
    pub artifact_bytes: u64,
}

/// Arguments with the program's own name.
const ARGV_MAX: usize = ARGS_MAX + 1;

/// One run of a module, complete: the same spec gives the same bytes anywhere,
/// as far as the guest itself is deterministic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Arguments, `argv[0]` first.
    #[serde(deserialize_with = "at_most::<_, _, ARGV_MAX>")]
    pub args: Vec<String>,
    /// Environment, sorted by name, each name once.
    #[serde(deserialize_with = "at_most::<_, _, ENV_MAX>")]
    pub env: Vec<(String, String)>,
    /// What the guest reads from stdin.
    pub stdin: Payload,
    /// What the guest finds below `/`.
    pub files: Files,
    /// Paths or globs below `/` of files to bring back.
    #[serde(deserialize_with = "at_most::<_, _, ARTIFACT_PATTERNS_MAX>")]
    pub artifacts: Vec<String>,
    /// What it may use.
    pub limits: TaskLimits,
    /// Where set, randomness comes from this seed and the clocks start at 0 and
    /// advance by each reading: see [`crate::deterministic`].
    pub seed: Option<u64>,
}

impl TaskSpec {
    /// The blobs that must be there before the guest can start, its module not
    /// among them.
    pub fn blobs(&self) -> impl Iterator<Item = BlobRef> {
        let stdin = match &self.stdin {
            Payload::Blob(blob) => Some(*blob),
            Payload::Inline(_) => None,
        };
        let archive = match &self.files {
            Files::Archive(blob) => Some(*blob),
            Files::None | Files::Map(_) => None,
        };
        let map = match &self.files {
            Files::Map(map) => map.as_slice(),
            Files::None | Files::Archive(_) => &[],
        };
        let map = map.iter().filter_map(|(_, payload)| match payload {
            Payload::Blob(blob) => Some(*blob),
            Payload::Inline(_) => None,
        });
        stdin.into_iter().chain(archive).chain(map)
    }
}

/// How a guest's run ended: each of these is the guest's own doing and is never
/// tried again. What went wrong on the provider's side is a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It ended with this code, 0 if it just returned.
    Exited(u32),
    /// It trapped. `reason` starts with one of the words of [`trap`], the same
    /// on every kind of provider; a backtrace may follow on further lines.
    Trapped {
        /// What happened.
        reason: String,
    },
    /// It ran over its time.
    TimedOut,
    /// It asked for more memory than allowed and ended because of it.
    OutOfMemory,
    /// It wrote more than allowed to stdout or stderr, or left more artifacts.
    OutputExceeded {
        /// `stdout`, `stderr` or `artifacts`.
        what: Exceeded,
    },
}

/// Which output was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Exceeded {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The files that the task asked for.
    Artifacts,
}

impl Exceeded {
    /// `stdout`, `stderr` or `artifacts`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Artifacts => "artifacts",
        }
    }
}

/// The words for traps: engines say the same thing in different ways, a
/// person's script should see one.
pub mod trap {
    /// The `unreachable` instruction.
    pub const UNREACHABLE: &str = "unreachable instruction executed";
    /// An access outside of linear memory.
    pub const MEMORY: &str = "memory access out of bounds";
    /// An access outside of a table, or a call through an empty entry of it.
    pub const TABLE: &str = "table access out of bounds";
    /// A call through a table to a function of another type or to none.
    pub const INDIRECT_CALL: &str = "indirect call to a wrong or missing function";
    /// Division by zero.
    pub const DIVIDE: &str = "integer divide by zero";
    /// A quotient that doesn't fit, e.g. of the smallest integer by -1.
    pub const OVERFLOW: &str = "integer overflow";
    /// A float that has no integer counterpart.
    pub const CONVERSION: &str = "invalid conversion to integer";
    /// Calls nested too deeply.
    pub const STACK: &str = "call stack exhausted";
    /// An exception of the guest's that it didn't catch.
    pub const EXCEPTION: &str = "uncaught exception";
    /// A start function or an active segment that failed, or anything else.
    pub const OTHER: &str = "trap";
}

/// What went wrong on the provider's side: the task is tried elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The provider's engine can't compile or instantiate the module.
    Module(String),
    /// A blob didn't come, or was not what its digest says.
    Blob(String),
    /// The files couldn't be unpacked.
    Files(String),
    /// The provider ran out of something of its own, or has a defect.
    Internal(String),
}

impl Fault {
    /// What happened.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Module(reason)
            | Self::Blob(reason)
            | Self::Files(reason)
            | Self::Internal(reason) => reason,
        }
    }
}

/// Where a task's time went on the provider, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// From its arrival until all its blobs were there.
    pub transfer_us: u64,
    /// From then until the guest's first instruction: waiting for a slot,
    /// compilation, instantiation, unpacking.
    pub prepare_us: u64,
    /// From the guest's first instruction to its last.
    pub run_us: u64,
}
