// Made by scripts/page-types from the types of src/page.rs; not to be changed by
// hand.

/**
 * From the page.
 */
export type Command = { "do": "start",
/**
 * What people call it; made up if empty.
 */
name: string,
/**
 * What proves that this tab may join, where the broker asks for it.
 */
token: string,
/**
 * How much it gives.
 */
settings: Settings, } | { "do": "set",
/**
 * How much.
 */
settings: Settings, } | { "do": "surroundings" } & Surroundings | { "do": "pause" } | { "do": "resume" } | { "do": "stop" } | { "do": "leave" } | { "do": "probe" };

/**
 * How much the volunteer gives.
 */
export type Settings = {
/**
 * Tasks at the same time.
 */
slots: number,
/**
 * The share of its time that a slot works, in percent.
 */
share: number,
/**
 * Take no tasks while the machine runs on its battery.
 */
pause_on_battery: boolean,
/**
 * Take no tasks while data is paid for by volume.
 */
pause_on_metered: boolean, };

/**
 * What the machine lives on, as far as the browser tells.
 */
export type Surroundings = {
/**
 * It runs on its battery.
 */
on_battery: boolean,
/**
 * Data is paid for by volume, or is to be saved.
 */
metered: boolean, };

/**
 * Why it takes no tasks though it could.
 */
export type Pause = "person" | "battery" | "metered";

/**
 * Where the provider stands.
 */
export type State = "preparing" | "connecting" | "connected" | "draining" | "waiting" | "stopped" | "failed";

/**
 * What the page shows.
 */
export type Status = {
/**
 * Where the provider stands.
 */
state: State,
/**
 * Why, where there is something to say.
 */
detail: string,
/**
 * The name that the broker gave this session.
 */
provider: string | null,
/**
 * What people call it.
 */
name: string,
/**
 * Tasks that can run at the same time.
 */
slots: number,
/**
 * Why it takes no tasks, if so.
 */
paused: Pause | null,
/**
 * The measured speed.
 */
speed: number,
/**
 * Guest memory that it offers.
 */
memory_bytes: number,
/**
 * Features of the engine.
 */
features: Array<string>,
/**
 * What each slot does.
 */
doing: Array<Slot>,
/**
 * Tasks that wait for a blob or a slot.
 */
waiting: number,
/**
 * Tasks that ended, however they ended.
 */
done: number,
/**
 * Tasks that couldn't be run here.
 */
faults: number,
/**
 * The last things that went wrong, newest first.
 */
errors: Array<Problem>, };

/**
 * What a slot does.
 */
export type Slot = { "is": "idle" } | { "is": "running" } & Running | { "is": "resting",
/**
 * Until then, in milliseconds since 1970.
 */
until_ms: number, };

/**
 * A task that runs.
 */
export type Running = {
/**
 * Its name.
 */
task: string,
/**
 * What people call it: the job's name, or the module's.
 */
label: string,
/**
 * The digest of its module.
 */
module: string,
/**
 * What the guest is called with.
 */
args: string,
/**
 * Since when, in milliseconds since 1970.
 */
since_ms: number,
/**
 * The guest's memory now, in bytes, where the browser lets this be seen.
 */
memory_bytes: number | null,
/**
 * The memory that it may have, in bytes.
 */
memory_max_bytes: number, };

/**
 * Something that went wrong.
 */
export type Problem = {
/**
 * When, in milliseconds since 1970.
 */
at_ms: number,
/**
 * What.
 */
text: string, };
