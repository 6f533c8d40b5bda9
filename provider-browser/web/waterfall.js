// @ts-check
// Where the time of a task went: a bar for each step, under one another.

/** @import { Trace, TraceStep } from '../types/api' */

import { duration, element } from './text.js';

/** What goes on from a step to the next of the same attempt, and its colour. */
const SPANS = /** @type {Record<string, [string, string]>} */ ({
  received: ['taken in', 'var(--task-cancelled)'],
  queued: ['waited', 'var(--waiting)'],
  sent: ['prepared', 'var(--task-output_exceeded)'],
  started: ['ran', 'var(--task-running)'],
  ended: ['handed in', 'var(--task-output_exceeded)'],
});

/** Steps with which an attempt is over: nothing goes on after them. */
const LAST = /** @type {Record<string, string>} */ ({
  failed: 'failed', returned: 'given back', revoked: 'taken back', lost: 'lost',
});

/**
 * @typedef {object} Span
 * @property {string} what
 * @property {string} colour
 * @property {number} from in milliseconds since the first step
 * @property {number} to
 * @property {number | null} attempt
 * @property {string | null} detail
 */

/**
 * From steps to spans: each lasts until the next step of its attempt, or until the
 * last of all; what belongs to no attempt, until the next step at all.
 * @param {TraceStep[]} steps in the order of their time
 * @param {number} [now] what is the end of the last one, if it goes on
 * @returns {Span[]}
 */
export function spans(steps, now) {
  /** @type {Span[]} */
  const found = [];
  steps.forEach(({ step, attempt, after_ms: from, detail }, at) => {
    const later = steps.slice(at + 1);
    const next = attempt === null ? later[0] : later.find((other) => other.attempt === attempt) ?? later.at(-1);
    const end = step in LAST ? from : next?.after_ms ?? now;
    if (end === undefined) return;
    const [what, colour] = SPANS[step] ?? [LAST[step] ?? step.replaceAll(/[-_]/g, ' '), 'var(--bad)'];
    found.push({ what, colour, from, to: Math.max(from, end), attempt, detail });
  });
  return found;
}

/** @param {Trace} trace */
export function waterfall(trace) {
  const list = element('ol', 'waterfall');
  const first = trace.steps[0];
  const open = trace.state === 'queued' || trace.state === 'running';
  const all = spans(trace.steps, open && first ? Date.now() - Date.parse(first.at) : undefined);
  const total = Math.max(0.001, ...all.map((span) => span.to));
  /** @type {Map<number, number>} */
  const attempts = new Map();
  for (const span of all) {
    const { attempt } = span;
    if (attempt !== null && !attempts.has(attempt)) {
      attempts.set(attempt, attempts.size + 1);
      const where = span.detail ? ` at ${span.detail}` : '';
      list.append(element('li', 'attempt', `Attempt ${attempts.size}${where}`));
    }
    list.append(row(span, total));
    if (attempt !== null && span.detail && span.from === span.to) list.append(element('li', 'attempt', span.detail));
  }
  return list;
}

/** @param {Span} span @param {number} total */
function row({ what, colour, from, to }, total) {
  const bar = element('i', '');
  bar.style.setProperty('--from', String(Math.min(0.995, from / total)));
  bar.style.setProperty('--part', String((to - from) / total));
  bar.style.setProperty('--colour', colour);
  const took = from === to ? '' : duration(to - from);
  return element('li', '', element('span', 'what', what), element('span', 'lane', bar), element('span', 'took', took));
}
