// @ts-check
// The tasks of a job as a table, some at a time: what the grid shows, in words.

/** @import { Page, Task } from '../types/api' */

import { ask } from './api.js';
import { inWords } from './states.js';
import { byId, duration, element, number, plural, setText } from './text.js';

const AT_ONCE = 100;

export class TaskTable {
  #job;
  #opens;
  #state = '';
  /** @type {string | null} */
  #next = null;
  #count = 0;

  /**
   * @param {string} job its id
   * @param {(index: number) => void} opens is called with the task that was chosen
   */
  constructor(job, opens) {
    this.#job = job;
    this.#opens = opens;
    byId('table-more').addEventListener('click', () => this.#load(false));
  }

  /** @param {string} state shows those in that state, or all, from the first on */
  show(state) {
    this.#state = state;
    return this.#load(true);
  }

  /** @param {boolean} anew */
  async #load(anew) {
    const query = new URLSearchParams({ limit: String(AT_ONCE) });
    if (this.#state) query.set('state', this.#state);
    if (!anew && this.#next) query.set('cursor', this.#next);
    const said = byId('table-said');
    try {
      /** @type {Page<Task>} */
      const page = await ask(`/v1/jobs/${this.#job}/tasks?${query}`);
      const rows = page.items.map((task) => this.#row(task));
      if (anew) {
        byId('task-rows').replaceChildren();
        this.#count = 0;
      }
      byId('task-rows').append(...rows);
      this.#count += rows.length;
      this.#next = page.next;
      byId('table-more').hidden = page.next === null;
      setText(said, page.next === null ? plural(this.#count, 'task', 'tasks') : `The first ${number(this.#count)} tasks`);
    } catch (error) {
      setText(said, `The tasks can’t be listed: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** @param {Task} task */
  #row(task) {
    const opens = element('button', '', number(task.index));
    opens.type = 'button';
    opens.setAttribute('aria-label', `Open task ${task.index}`);
    opens.addEventListener('click', () => this.#opens(task.index));
    const figure = (/** @type {string} */ text) => element('td', 'number', text);
    return element('tr', '',
      element('td', '', opens),
      element('td', '', inWords(task.state)),
      element('td', 'name', task.provider?.name ?? '–'),
      figure(number(task.attempts)),
      figure(task.timing ? duration(task.timing.run_ms) : '–'),
      figure(task.timing ? duration(task.timing.total_ms) : '–'));
  }
}
