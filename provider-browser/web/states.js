// @ts-check
// What tasks and jobs can be, in words and colours.

/** @import { JobStateName, TaskStateName } from '../types/api' */

/** In the order in which they are listed. The type makes sure that none is missing.
 * @type {Record<TaskStateName, string>} */
const WORDS = {
  queued: 'queued',
  running: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  trapped: 'trapped',
  timed_out: 'timed out',
  out_of_memory: 'out of memory',
  output_exceeded: 'output exceeded',
  rejected: 'rejected',
  disputed: 'disputed',
  lost: 'lost',
  cancelled: 'cancelled',
};

/** What each means, for whoever points at it.
 * @type {Record<TaskStateName, string>} */
export const MEANINGS = {
  queued: 'waits for a provider',
  running: 'is at a provider',
  succeeded: 'ended with exit code 0',
  failed: 'ended with another exit code',
  trapped: 'ran into a WebAssembly trap',
  timed_out: 'ran longer than its time limit',
  out_of_memory: 'wanted more memory than its limit',
  output_exceeded: 'wrote more than its output limit',
  rejected: 'no provider of the pool could run it',
  disputed: 'providers gave different results',
  lost: 'its providers were lost too often',
  cancelled: 'was cancelled',
};

/** All states of a task; a state’s place in this list is its code. */
export const TASK_STATES = /** @type {TaskStateName[]} */ (Object.keys(WORDS));

/** @param {string} state */
export const inWords = (state) => WORDS[/** @type {TaskStateName} */ (state)] ?? state.replaceAll('_', ' ');

/** @param {string} state the name of its colour in style.css */
export const colourOf = (state) => `var(--task-${state})`;

/** How the states of a job look.
 * @type {Record<JobStateName, string>} */
const JOB_LOOKS = { queued: '', running: 'busy', succeeded: 'good', failed: 'bad', cancelled: 'warn' };

/** @param {string} state */
export const jobLook = (state) => JOB_LOOKS[/** @type {JobStateName} */ (state)] ?? '';
