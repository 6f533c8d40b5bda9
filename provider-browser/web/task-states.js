// @ts-check
// The states of all tasks of a job: a byte each, told as runs of equal ones.

/** @import { TaskRun } from '../types/api' */

import { TASK_STATES } from './states.js';

/** Of states that this page doesn't know. */
export const UNKNOWN = TASK_STATES.length;

const CODES = new Map(TASK_STATES.map((state, code) => [/** @type {string} */ (state), code]));

export class TaskStates {
  /** The code of each task's state: its place in `TASK_STATES`. */
  codes;

  /** @param {number} tasks */
  constructor(tasks) {
    this.codes = new Uint8Array(tasks);
  }

  get length() {
    return this.codes.length;
  }

  /**
   * Takes changes; gives the first and the last index that they touch.
   * @param {TaskRun[]} runs
   * @returns {[number, number] | undefined}
   */
  take(runs) {
    let first = Infinity;
    let last = -1;
    for (const [from, count, state] of runs) {
      const end = Math.min(this.codes.length, from + count);
      if (end <= from) continue;
      this.codes.fill(CODES.get(state) ?? UNKNOWN, from, end);
      first = Math.min(first, from);
      last = Math.max(last, end - 1);
    }
    return last < 0 ? undefined : [first, last];
  }

  /** @param {number} index @returns {string} */
  nameOf(index) {
    return TASK_STATES[this.codes[index] ?? UNKNOWN] ?? 'unknown';
  }
}
