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
  ended: ['returned', 'var(--task-output_exceeded)'],
  lost: ['lost', 'var(--bad)'],
});

/**
 * @typedef {object} Span
 * @property {string} what
 * @property {string} colour
 * @property {number} from in milliseconds since the first step
 * @property {number} to
 * @property {number | null} attempt
 * @property {string | null} provider
 * @property {string | null} detail
 */

/**
 * From steps to spans: each lasts until the next step of its attempt; what
 * belongs to no attempt, until the next step at all.
 * @param {TraceStep[]} steps in the order of their time
 * @returns {Span[]}
 */
export function spans(steps) {
  /** @type {Span[]} */
  const found = [];
  steps.forEach((step, at) => {
    const later = steps.slice(at + 1);
    const next = later.find((other) => other.attempt === step.attempt) ?? later.at(-1);
    const end = step.attempt === null ? later[0] : next;
    if (!end) return;
    const [what, colour] = SPANS[step.step] ?? [step.step.replaceAll(/[-_]/g, ' '), 'var(--task-rejected)'];
    found.push({
      what, colour, from: step.after_ms, to: end.after_ms, attempt: step.attempt, provider: step.provider, detail: step.detail,
    });
  });
  return found;
}

/**
 * @param {Trace} trace
 * @param {Map<string, string>} names of providers, by id
 */
export function waterfall(trace, names) {
  const list = element('ol', 'waterfall');
  const all = spans(trace.steps);
  const total = Math.max(0.001, ...all.map((span) => span.to));
  const attempts = new Set(all.map((span) => span.attempt).filter((attempt) => attempt !== null));
  /** @type {number | null} */
  let attempt = null;
  let nth = 0;
  for (const span of all) {
    if (span.attempt !== null && span.attempt !== attempt && attempts.size > 1) {
      nth += 1;
      const where = span.provider === null ? '' : ` at ${names.get(span.provider) ?? span.provider}`;
      list.append(element('li', 'attempt', `Attempt ${nth}${where}`));
    }
    attempt = span.attempt;
    const bar = element('i', '');
    bar.style.setProperty('--from', String(span.from / total));
    bar.style.setProperty('--part', String((span.to - span.from) / total));
    bar.style.setProperty('--colour', span.colour);
    const what = element('span', 'what', span.what);
    if (span.detail) what.title = span.detail;
    list.append(element('li', '', what, element('span', 'lane', bar), element('span', 'took', duration(span.to - span.from))));
  }
  return list;
}
