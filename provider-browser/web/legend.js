// @ts-check
// The states that tasks of a job are in, with counts; each can be chosen, to see
// only its tasks.

/** @import { Job } from '../types/api' */

import { present } from './stack.js';
import { MEANINGS, TASK_STATES, colourOf, inWords } from './states.js';
import { byId, element, number, setText } from './text.js';

export class Legend {
  /** @type {Map<string, { button: HTMLButtonElement, count: HTMLElement }>} */
  #buttons = new Map();
  #chosen = '';
  #onChoice;

  /** @param {(state: string) => void} onChoice with the state that was chosen, or '' for all */
  constructor(onChoice) {
    this.#onChoice = onChoice;
  }

  /** @param {Job} job */
  show(job) {
    const states = present(job);
    const found = new Set(states.map(([state]) => /** @type {string} */ (state)));
    for (const [state, { button }] of this.#buttons) button.hidden = !found.has(state) && state !== this.#chosen;
    for (const [state, count] of states) setText(this.#button(state).count, number(count));
  }

  /** @param {import('../types/api').TaskStateName} state */
  #button(state) {
    const known = this.#buttons.get(state);
    if (known) return known;
    const count = element('b', '');
    const button = element('button', '', `${inWords(state)} `, count);
    button.type = 'button';
    button.title = MEANINGS[state];
    button.dataset.order = String(TASK_STATES.indexOf(state)).padStart(2, '0');
    button.style.setProperty('--colour', colourOf(state));
    button.setAttribute('aria-pressed', 'false');
    button.addEventListener('click', () => this.#choose(this.#chosen === state ? '' : state));
    const made = { button, count };
    this.#buttons.set(state, made);
    const box = byId('legend');
    const after = [...box.querySelectorAll('button')].find((other) => (other.dataset.order ?? '') > (button.dataset.order ?? ''));
    box.insertBefore(button, after ?? null);
    return made;
  }

  /** @param {string} state */
  #choose(state) {
    this.#chosen = state;
    for (const [name, { button }] of this.#buttons) button.setAttribute('aria-pressed', String(name === state));
    this.#onChoice(state);
  }
}
