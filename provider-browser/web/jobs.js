// @ts-check
// The newest jobs, each a row that leads to its page.

/** @import { Job, JobsEvent } from '../types/api' */

import { fillStack, sayCounts, stack } from './stack.js';
import { jobLook } from './states.js';
import { byId, clock, duration, element, plural, rate, setText } from './text.js';

/** Rows that the page holds. */
const SHOWN_MAX = 50;

class Row {
  #link = element('a', '');
  #state = element('span', 'tag');
  #when = element('span', 'soft small');
  #bar = stack();
  #counts = element('div', 'soft small');
  #rate = element('div', 'figure');
  #left = element('div', 'figure left');
  root;

  constructor() {
    const name = element('div', 'job-name', this.#link, element('div', 'sub', this.#state, this.#when));
    const progress = element('div', 'job-progress', this.#bar, this.#counts);
    this.root = element('li', 'job', name, progress, this.#rate, this.#left);
  }

  /** @param {Job} job */
  show(job) {
    const going = job.state === 'running' || job.state === 'queued';
    this.#link.href = `/jobs/${job.id}`;
    setText(this.#link, job.name || job.module.ref);
    setText(this.#state, job.state);
    this.#state.className = `tag ${jobLook(job.state)}`;
    setText(this.#when, clock(job.created));
    fillStack(this.#bar, job);
    sayCounts(this.#counts, job);
    figure(this.#rate, rate(job.tasks_per_second), 'tasks/s');
    const took = job.ended && (job.started ?? job.created);
    if (going) figure(this.#left, job.eta_ms === null ? '–' : duration(job.eta_ms), 'left');
    else figure(this.#left, took ? duration(Date.parse(job.ended ?? '') - Date.parse(took)) : '–', 'took');
  }
}

/** @param {HTMLElement} target @param {string} value @param {string} unit */
function figure(target, value, unit) {
  target.replaceChildren(value, element('span', '', unit));
}

export class Jobs {
  /** @type {Map<string, { job: Job, row: Row }>} */
  #known = new Map();

  /** @param {JobsEvent} event */
  take({ all, changed, removed }) {
    if (all) this.#known.clear();
    for (const id of removed) this.#known.delete(id);
    for (const job of changed) {
      const row = this.#known.get(job.id)?.row ?? new Row();
      row.show(job);
      this.#known.set(job.id, { job, row });
    }
    // The ids sort by age.
    const ids = [...this.#known.keys()].sort().reverse();
    for (const id of ids.slice(SHOWN_MAX)) this.#known.delete(id);
    arrange(byId('job-rows'), ids.slice(0, SHOWN_MAX).map((id) => this.#known.get(id)?.row.root));
    byId('no-jobs').hidden = ids.length > 0;
  }

  /** @param {number} count jobs that haven't ended */
  showOpen(count) {
    setText(byId('jobs-count'), count > 0 ? `${plural(count, 'job', 'jobs')} not ended` : '');
  }
}

/**
 * Puts rows into that order; those in their place stay untouched, and so does
 * the focus.
 * @param {HTMLElement} list
 * @param {(HTMLElement | undefined)[]} rows
 */
export function arrange(list, rows) {
  let at = list.firstElementChild;
  for (const row of rows) {
    if (!row) continue;
    if (row === at) at = at.nextElementSibling;
    else list.insertBefore(row, at);
  }
  while (at) {
    const next = at.nextElementSibling;
    at.remove();
    at = next;
  }
}
