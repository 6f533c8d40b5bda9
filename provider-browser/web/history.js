// @ts-check
// What the pool did of late.

/** @typedef {{ at: number, rate: number, queued: number, running: number }} Point */

export const SPAN_MS = 10 * 60_000;

/** Points nearer than this to the one before take its place. */
const NEAREST_MS = 500;

export class History {
  /** @type {Point[]} */
  points = [];

  /**
   * @param {number} at
   * @param {{ tasks_per_second: number, queued: number, running: number }} stats
   */
  add(at, { tasks_per_second: rate, queued, running }) {
    const last = this.points.at(-1);
    if (last && at - last.at < NEAREST_MS) this.points.pop();
    this.points.push({ at, rate, queued, running });
    // One point before the span is kept: it says how the span begins.
    const begin = this.points.findIndex((point) => point.at >= at - SPAN_MS);
    if (begin > 1) this.points.splice(0, begin - 1);
  }

  /**
   * What held at a moment: that of the last point before it.
   * @param {number} at
   */
  held(at) {
    return this.points.findLast((point) => point.at <= at);
  }
}
