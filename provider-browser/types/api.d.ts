// Made by scripts/page-types from the types of shared/src/api; not to be changed
// by hand.

/** What a task can be. */
export type TaskStateName = "queued" | "running" | "succeeded" | "failed" | "trapped" | "timed_out" | "out_of_memory" | "output_exceeded" | "rejected" | "disputed" | "lost" | "cancelled";

/** What a job can be. */
export type JobStateName = "queued" | "running" | "succeeded" | "failed" | "cancelled";

/** What a provider can be. */
export type ProviderStateName = "ready" | "paused" | "draining" | "cooled-down";

/**
 * The name of a job.
 *
 * A [ULID](https://github.com/ulid/spec): 48 bits of Unix time in
 * milliseconds and 80 random bits, so that names sort by age. Shown as
 * 26 lower-case characters; on the wire a `u128` (varint).
 */
export type JobId = string;

/**
 * The name of a provider: one connected session that offers slots. A
 * provider that reconnects gets a new one.
 *
 * A [ULID](https://github.com/ulid/spec): 48 bits of Unix time in
 * milliseconds and 80 random bits, so that names sort by age. Shown as
 * 26 lower-case characters; on the wire a `u128` (varint).
 */
export type ProviderId = string;

/**
 * The SHA-256 digest (FIPS 180-4) of a blob's bytes; shown as
 * `sha256:<64 hex digits>`, on the wire 32 bytes.
 */
export type Digest = string;

/**
 * Where a provider runs.
 */
export type ProviderKind = "native" | "browser";

/**
 * What carries a session.
 */
export type TransportKind = "webtransport" | "websocket";

/**
 * Why a request was refused (RFC 9457). Some have further members.
 */
export type Problem = {
/**
 * The same for each problem of this code, in words.
 */
title: string,
/**
 * The status of the answer.
 */
status: number,
/**
 * What programs go by; stable.
 */
code: string,
/**
 * What happened, to which thing, and what to do.
 */
detail: string, };

/**
 * Part of a list.
 */
export type Page<T> = {
/**
 * What is in this part.
 */
items: Array<T>,
/**
 * The `cursor` of the next part, if there is one.
 */
next: string | null, };

/**
 * A stored blob.
 */
export type Blob = {
/**
 * The name that it was asked for by.
 */
name: string | null,
/**
 * Its content address.
 */
digest: Digest,
/**
 * Its size in bytes.
 */
size: number,
/**
 * `module`, `archive` or `data`.
 */
kind: string,
/**
 * What it needs and offers if it is a module.
 */
module: Module | null,
/**
 * When the name came to point to it, or it came first (RFC 3339, UTC).
 */
created: string, };

/**
 * What a module needs and offers.
 */
export type Module = {
/**
 * `module.name` of each import.
 */
imports: Array<string>,
/**
 * Name of each export.
 */
exports: Array<string>,
/**
 * Its linear memory, if it has one.
 */
memory: Memory | null,
/**
 * Names of the features that an engine must have to run it.
 */
features: Array<string>, };

/**
 * The size of a linear memory.
 */
export type Memory = {
/**
 * Pages of 64 KiB at the start.
 */
min_pages: number,
/**
 * Pages of 64 KiB at most.
 */
max_pages: number | null, };

/**
 * A job.
 */
export type Job = {
/**
 * Its name here.
 */
id: JobId,
/**
 * What its owner calls it.
 */
name: string | null,
/**
 * `queued`, `running`, `succeeded`, `failed` or `cancelled`.
 */
state: JobStateName,
/**
 * What it runs.
 */
module: JobModule,
/**
 * How many tasks it has.
 */
tasks: number,
/**
 * How many of them are in which state.
 */
counts: Partial<Record<TaskStateName, number>>,
/**
 * The part of the tasks that has ended, 0 to 1.
 */
progress: number,
/**
 * Tasks that end in a second, since the first started.
 */
tasks_per_second: number | null,
/**
 * When the job will have ended if that goes on, in milliseconds from now.
 */
eta_ms: number | null,
/**
 * When it came (RFC 3339, UTC).
 */
created: string,
/**
 * When its first task started.
 */
started: string | null,
/**
 * When its last task ended.
 */
ended: string | null,
/**
 * -100 to 100.
 */
priority: number,
/**
 * The owner's own marks.
 */
labels: { [key in string]: string },
/**
 * With `?wait=`, if the job ended in time: how its first tasks ended.
 */
results?: Array<Task> | null,
/**
 * Where all results are, if `results` doesn't hold them.
 */
results_url?: string | null, };

/**
 * What a job runs.
 */
export type JobModule = {
/**
 * As the owner named it.
 */
ref: string,
/**
 * What that stood for when the job came.
 */
digest: Digest, };

/**
 * A task and, once it has ended, its result.
 */
export type Task = {
/**
 * `<job>.<index>`.
 */
task: string,
/**
 * Its place in its job, from 0.
 */
index: number,
/**
 * `queued`, `running`, or how it ended.
 */
state: TaskStateName,
/**
 * What the guest returned, if it came that far.
 */
exit_code: number | null,
/**
 * Why it ended, in words.
 */
reason: string | null,
/**
 * What it wrote to stdout, if that is UTF-8 and not too long.
 */
stdout?: string | null,
/**
 * The same in base64, if it isn't UTF-8.
 */
stdout_base64?: string | null,
/**
 * Where it is, if it is long.
 */
stdout_url?: string | null,
/**
 * What it wrote to stderr, if that is UTF-8 and not too long.
 */
stderr?: string | null,
/**
 * The same in base64, if it isn't UTF-8.
 */
stderr_base64?: string | null,
/**
 * Where it is, if it is long.
 */
stderr_url?: string | null,
/**
 * Files that came back.
 */
artifacts: Array<Artifact>,
/**
 * The results that differ, of a disputed task.
 */
variants?: Array<Variant>,
/**
 * Who ran it in the end.
 */
provider: Provider | null,
/**
 * How often it was tried.
 */
attempts: number,
/**
 * Where its time went.
 */
timing: Timing | null, };

/**
 * A file that came back.
 */
export type Artifact = {
/**
 * Its path below `/`, without a leading slash.
 */
path: string,
/**
 * Its size in bytes.
 */
size: number,
/**
 * The digest of its content.
 */
digest: Digest,
/**
 * Where it is.
 */
url: string, };

/**
 * Who ran a task.
 */
export type Provider = {
/**
 * Its name for that session.
 */
id: ProviderId,
/**
 * What people call it.
 */
name: string,
/**
 * Where it runs.
 */
kind: ProviderKind, };

/**
 * Where a task's time went, in milliseconds.
 */
export type Timing = {
/**
 * Until it was sent to the provider that ran it in the end.
 */
queued_ms: number,
/**
 * Until all its blobs were there.
 */
transfer_ms: number,
/**
 * Until the guest's first instruction.
 */
prepare_ms: number,
/**
 * Until the guest's last instruction.
 */
run_ms: number,
/**
 * From submission to the end, all included.
 */
total_ms: number, };

/**
 * One of several results that differ.
 */
export type Variant = {
/**
 * Digest of outcome, stdout, stderr and artifacts together: equal ones are
 * the same result.
 */
digest: Digest,
/**
 * Who gave it.
 */
provider: Provider,
/**
 * How the guest ended there.
 */
state: string,
/**
 * What the guest returned, if it came that far.
 */
exit_code: number | null,
/**
 * Why it ended, in words.
 */
reason: string | null,
/**
 * Digest of what it wrote to stdout.
 */
stdout_digest: Digest,
/**
 * How much that is, in bytes.
 */
stdout_size: number,
/**
 * What it wrote to stdout, if that is UTF-8 and not too long.
 */
stdout?: string | null,
/**
 * The same in base64, if it isn't UTF-8.
 */
stdout_base64?: string | null,
/**
 * Digest of what it wrote to stderr.
 */
stderr_digest: Digest,
/**
 * How much that is, in bytes.
 */
stderr_size: number,
/**
 * What it wrote to stderr, if that is UTF-8 and not too long.
 */
stderr?: string | null,
/**
 * The same in base64, if it isn't UTF-8.
 */
stderr_base64?: string | null,
/**
 * Files that came back.
 */
artifacts: Array<VariantArtifact>, };

/**
 * A file that came back with one of several results that differ.
 */
export type VariantArtifact = {
/**
 * Its path below `/`, without a leading slash.
 */
path: string,
/**
 * Its size in bytes.
 */
size: number,
/**
 * The digest of its content.
 */
digest: Digest, };

/**
 * What happened to a task, step by step.
 */
export type Trace = {
/**
 * `<job>.<index>`.
 */
task: string,
/**
 * `queued`, `running`, or how it ended.
 */
state: TaskStateName,
/**
 * In the order of their time; of a task that hasn't ended, those until now.
 */
steps: Array<TraceStep>, };

/**
 * One thing that happened to a task.
 */
export type TraceStep = {
/**
 * When (RFC 3339, UTC).
 */
at: string,
/**
 * The same in milliseconds since the first step, with their fraction.
 */
after_ms: number,
/**
 * What.
 */
step: string,
/**
 * To which attempt.
 */
attempt: number | null,
/**
 * At which provider.
 */
provider: string | null,
/**
 * Further words.
 */
detail: string | null, };

/**
 * How the transport is reached.
 */
export type Transport = {
/**
 * Where the WebTransport session is opened.
 */
url: string,
/**
 * Certificates to expect; none if they are to be checked the usual way.
 */
certificate_hashes: Array<CertificateHash>,
/**
 * Protocol versions, oldest and newest.
 */
protocol: [number, number], };

/**
 * The hash of a certificate.
 */
export type CertificateHash = {
/**
 * `sha-256`.
 */
algorithm: string,
/**
 * In hexadecimal digits.
 */
value: string, };

/**
 * What lets one provider in, once.
 */
export type Ticket = {
/**
 * What the provider's hello must hold.
 */
ticket: string,
/**
 * When it ends (RFC 3339, UTC).
 */
expires: string, };

/**
 * A connected provider.
 */
export type PoolProvider = {
/**
 * Its name for this session.
 */
id: ProviderId,
/**
 * What people call it.
 */
name: string,
/**
 * Where it runs.
 */
kind: ProviderKind,
/**
 * What carries its session.
 */
transport: TransportKind,
/**
 * Program and version, or the browser's.
 */
agent: string,
/**
 * `ready`, `paused`, `draining` or `cooled-down`.
 */
state: ProviderStateName,
/**
 * Tasks that can run there at the same time.
 */
slots: number,
/**
 * Slots in use.
 */
busy: number,
/**
 * Assignments that wait there for a slot.
 */
queued: number,
/**
 * Guest memory of all slots together, in bytes.
 */
memory: number,
/**
 * How fast a slot is: 1,000 is the reference.
 */
speed: number,
/**
 * Features of its engine.
 */
features: Array<string>,
/**
 * Round trip of its connection, in milliseconds, once measured.
 */
round_trip_ms: number | null,
/**
 * Tasks that it ended.
 */
tasks_done: number,
/**
 * Attempts that failed by its fault.
 */
failures: number,
/**
 * Why it gets nothing at present, if it failed too often.
 */
reason: string | null,
/**
 * Where results of strangers are checked, what its account or address counts
 * for: `new`, `trusted` or `distrusted`.
 */
trust: string | null,
/**
 * When it joined (RFC 3339, UTC).
 */
connected: string,
/**
 * Digests of modules that it was given.
 */
modules: Array<string>, };

/**
 * What the broker does as a whole.
 */
export type Stats = {
/**
 * Connected providers.
 */
providers: number,
/**
 * Their slots.
 */
slots: number,
/**
 * Slots in use.
 */
busy: number,
/**
 * Tasks that wait for a provider.
 */
queued: number,
/**
 * Tasks that are at a provider.
 */
running: number,
/**
 * Tasks that ended since the start.
 */
ended: number,
/**
 * Late outcomes that were dropped since the start.
 */
dropped: number,
/**
 * Jobs that haven't ended.
 */
jobs: number,
/**
 * Whether jobs, results and blobs are in memory only and end with the
 * broker.
 */
ephemeral: boolean,
/**
 * Bytes of all stored blobs and results.
 */
stored_bytes: number,
/**
 * Since the start, in seconds.
 */
uptime_s: number, };

/**
 * `event: stats`: at most once a second, when something has changed.
 */
export type StatsEvent = {
/**
 * Tasks that ended in a second, of late.
 */
tasks_per_second: number,
/**
 * Connected providers.
 */
providers: number,
/**
 * Their slots.
 */
slots: number,
/**
 * Slots in use.
 */
busy: number,
/**
 * Tasks that wait for a provider.
 */
queued: number,
/**
 * Tasks that are at a provider.
 */
running: number,
/**
 * Tasks that ended since the start.
 */
ended: number,
/**
 * Late outcomes that were dropped since the start.
 */
dropped: number,
/**
 * Jobs that haven't ended.
 */
jobs: number,
/**
 * Whether jobs, results and blobs are in memory only and end with the
 * broker.
 */
ephemeral: boolean,
/**
 * Bytes of all stored blobs and results.
 */
stored_bytes: number,
/**
 * Since the start, in seconds.
 */
uptime_s: number, };

/**
 * `event: providers`: at most every 500 ms, when something has changed.
 */
export type ProvidersEvent = {
/**
 * `changed` is the whole pool: whatever was known before is forgotten.
 */
all: boolean,
/**
 * New ones and those that changed, as they are now.
 */
changed: Array<PoolProvider>,
/**
 * Those that are gone.
 */
left: Array<ProviderId>,
/**
 * How many are connected beyond those that are shown.
 */
more: number, };

/**
 * `event: jobs`: at most every 500 ms, when something has changed.
 */
export type JobsEvent = {
/**
 * `changed` holds the newest jobs: whatever was known before is forgotten.
 */
all: boolean,
/**
 * New ones and those that changed, as they are now.
 */
changed: Array<Job>,
/**
 * Those that the broker no longer keeps.
 */
removed: Array<JobId>, };

/**
 * `[from_index, count, "state"]`: that many tasks from that index on are in that
 * state.
 */
export type TaskRun = [number, number, string];

/**
 * `event: tasks` of a job.
 */
export type TasksEvent = {
/**
 * The first of the events that tell the states of all tasks: whatever was
 * known before is forgotten.
 */
all: boolean,
/**
 * Tasks in a row that are in the same state.
 */
runs: Array<TaskRun>, };
