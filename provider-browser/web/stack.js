// @ts-check
// How many tasks of a job are in which state, as a bar of colours.

/** @import { Job } from '../types/api' */

import { TASK_STATES, colourOf, inWords } from './states.js';
import { element, number, plural, setText } from './text.js';

/** What ended comes first, what waits last. */
const ORDER = [...TASK_STATES.slice(2), ...TASK_STATES.slice(0, 2).reverse()];

/** @param {Job} job states that tasks are in, with their counts */
export const present = (job) => ORDER
  .map((state) => /** @type {const} */ ([state, job.counts[state] ?? 0]))
  .filter(([, count]) => count > 0);

/** An empty bar, for `fillStack`. */
export function stack() {
  const bar = element('div', 'stack');
  bar.setAttribute('role', 'progressbar');
  bar.setAttribute('aria-valuemin', '0');
  bar.setAttribute('aria-valuemax', '100');
  return bar;
}

/** @param {HTMLElement} bar @param {Job} job */
export function fillStack(bar, job) {
  const parts = present(job).map(([state, count]) => {
    const part = element('i', '');
    part.style.setProperty('--share', String(count));
    part.style.setProperty('--colour', colourOf(state));
    part.title = `${number(count)} ${inWords(state)}`;
    return part;
  });
  bar.replaceChildren(...parts);
  bar.setAttribute('aria-label', `Progress of ${job.name || job.id}`);
  bar.setAttribute('aria-valuenow', String(Math.floor(job.progress * 100)));
}

/** @param {Node} target @param {Job} job "12 of 20 tasks · 11 succeeded, 1 failed" */
export function sayCounts(target, job) {
  const counts = present(job).map(([state, count]) => `${number(count)} ${inWords(state)}`);
  setText(target, counts.join(' · ') || plural(job.tasks, 'task', 'tasks'));
}
