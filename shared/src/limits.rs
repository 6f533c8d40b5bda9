//! Every limit on what comes from outside, in one place. Those that operators
//! may change are defaults here and settings of the broker.

/// Bytes of one frame on the control stream, header not counted.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Bytes of payload (stdin, stdout, stderr, files, artifacts) that one message
/// carries itself; what is larger goes on a stream of its own.
pub const INLINE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of one message that is too large for a frame and goes on a stream of
/// its own: room for the largest arguments and environment, escaped or not.
pub const BULK_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of the header of a bulk stream.
pub const BULK_HEADER_BYTES_MAX: usize = 256;
/// Unidirectional streams that one end may have open at a time.
pub const BULK_STREAMS_MAX: u32 = 32;
/// Bytes of the control stream or of a bulk stream in one message of a
/// WebSocket.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one bulk stream on a WebSocket that its receiver hasn't taken yet.
pub const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of all bulk streams of one direction of a WebSocket that their
/// receivers haven't taken yet: what a session costs in memory at most, and how
/// much there is before a ping.
pub const SOCKET_WINDOW_BYTES: u32 = 2 * STREAM_WINDOW_BYTES;
/// Bytes of one blob.
pub const BLOB_BYTES_MAX: u64 = 512 * MIB;
/// Bytes of all blobs.
pub const STORED_BYTES_MAX: u64 = 16 * GIB;
/// Bytes of all blobs that one owner brought.
pub const OWNER_STORED_BYTES_MAX: u64 = 4 * GIB;
/// Bytes of a JSON request.
pub const REQUEST_JSON_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Tasks of one job.
pub const JOB_TASKS_MAX: u32 = 1_000_000;
/// Tasks that wait or run, over all jobs.
pub const QUEUED_TASKS_MAX: u64 = 4_000_000;
/// Tasks of one owner that wait or run.
pub const OWNER_QUEUED_TASKS_MAX: u64 = 1_000_000;
/// Requests of one owner in a second.
pub const OWNER_REQUESTS_MAX: u32 = 10_000;
/// Arguments of a task.
pub const ARGS_MAX: usize = 1_024;
/// Bytes of all arguments of a task.
pub const ARGS_BYTES_MAX: usize = 128 * 1024;
/// Variables in a task's environment.
pub const ENV_MAX: usize = 1_024;
/// Bytes of all names and values in a task's environment.
pub const ENV_BYTES_MAX: usize = 128 * 1024;
/// Files and folders in an archive.
pub const ARCHIVE_ENTRIES_MAX: usize = 10_000;
/// Bytes of an archive, unpacked.
pub const ARCHIVE_BYTES_MAX: u64 = GIB;
/// Unpacked bytes for each packed one.
pub const ARCHIVE_RATIO_MAX: u64 = 100;
/// Bytes of a path in an archive, in `files` and of an artifact.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Artifact patterns of a task.
pub const ARTIFACT_PATTERNS_MAX: usize = 256;
/// Artifacts of a task.
pub const ARTIFACTS_MAX: usize = 1_024;
/// Bytes of all artifacts of a task.
pub const ARTIFACT_BYTES_MAX: u64 = 64 * MIB;
/// Bytes of a running guest's files, names and folders included, on top of its
/// linear memory: they are in the provider's memory.
pub const GUEST_FILES_BYTES_MAX: u64 = ARCHIVE_BYTES_MAX + 256 * MIB;
/// Descriptors that a guest may have open.
pub const GUEST_DESCRIPTORS_MAX: usize = 4_096;
/// Guest run time of a task that names none, in milliseconds.
pub const TIMEOUT_MS_DEFAULT: u64 = 60_000;
/// The longest guest run time that a task may ask for: a day, in milliseconds.
pub const TIMEOUT_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Linear memory of a task that names none.
pub const MEMORY_BYTES_DEFAULT: u64 = 256 * MIB;
/// The most linear memory there is: all that wasm32 can address.
pub const MEMORY_BYTES_MAX: u64 = 4 * GIB;
/// Bytes of stdout, and of stderr, of a task that names none.
pub const OUTPUT_BYTES_DEFAULT: u64 = 16 * MIB;
/// The most bytes of stdout, and of stderr, that a task may ask for.
pub const OUTPUT_BYTES_MAX: u64 = BLOB_BYTES_MAX;
/// Bytes of the reason that a provider gives for a trap or a refusal.
pub const REASON_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a provider's name and of its agent text.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of what an assignment is called.
pub const LABEL_BYTES_MAX: usize = 64;
/// Providers that are connected at a time.
pub const PROVIDERS_MAX: usize = 100_000;
/// Slots of one provider.
pub const SLOTS_MAX: u16 = 1_024;
/// Assignments that wait at one provider beyond those that run.
pub const PREFETCH_MAX: u16 = 1_024;
/// Time that a new session has for its first message, in milliseconds.
pub const FIRST_MESSAGE_MS: u64 = 5_000;
/// Silence after which a session is over, in milliseconds.
pub const SESSION_IDLE_MS: u64 = 15_000;
/// Streams of server-sent events and of followed results that are open at a time.
pub const EVENT_STREAMS_MAX: usize = 1_024;

/// Bytes of results that are kept of jobs that have ended.
pub const KEPT_BYTES_MAX: u64 = 16 * GIB;
/// The same where all is kept in memory.
pub const KEPT_BYTES_MAX_IN_MEMORY: u64 = 2 * GIB;

/// 2^20 bytes.
pub const MIB: u64 = 1024 * 1024;
/// 2^30 bytes.
pub const GIB: u64 = 1024 * MIB;
