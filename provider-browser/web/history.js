// @ts-check
// What the pool did of late.

/** @typedef {{ at: number, rate: number, queued: number, running: number }} Point */

export const SPAN_MS = 10 * 60_000;

/** What is shown at first, while there is little. */
const SPANS_MS = [1, 2, 5].map((minutes) => minutes * 60_000);

/** Points nearer than this to the one before take its place. */
const NEAREST_MS = 500;

/** Where it waits while this tab shows another page. */
const KEPT = 'wasipool-history';

export class History {
  /** @type {Point[]} */
  points = [];

  /** Goes on where the page was left, in this tab. */
  static kept() {
    const history = new History();
    try {
      history.points = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]');
    } catch {
      // Of another version: it begins anew.
    }
    addEventListener('pagehide', () => sessionStorage.setItem(KEPT, JSON.stringify(history.points)));
    return history;
  }

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
   * The shortest of some usual spans that shows all of it.
   * @param {number} now
   */
  span(now) {
    const age = now - (this.points[0]?.at ?? now);
    return SPANS_MS.find((span) => span >= age) ?? SPAN_MS;
  }

  /**
   * What held at a moment: that of the last point before it.
   * @param {number} at
   */
  held(at) {
    return this.points.findLast((point) => point.at <= at);
  }
}
