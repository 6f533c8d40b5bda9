// @ts-check
// One provider as a tile: what it is, how busy, how fast, how far away.

/** @import { PoolProvider } from '../types/api' */

import { bytes, duration, element, number, plural, setText, speed } from './text.js';

const SVG = 'http://www.w3.org/2000/svg';
/** More slots than this are a bar, not squares. */
const SQUARES_MAX = 14;

/** Outlines for a kind, in a square of 16. */
const OUTLINES = {
  native: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01M8 5h3M8 11h3',
  browser: 'M2 3.5h12v9.5h-12zM2 6.3h12M4 4.9h.01M5.8 4.9h.01',
};

/** @param {PoolProvider['kind']} kind */
function icon(kind) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('viewBox', '0 0 16 16');
  drawing.setAttribute('class', 'kind');
  drawing.setAttribute('role', 'img');
  drawing.setAttribute('aria-label', kind === 'browser' ? 'browser tab' : 'native daemon');
  const path = document.createElementNS(SVG, 'path');
  for (const [name, value] of Object.entries({
    d: OUTLINES[kind] ?? OUTLINES.native, fill: 'none', stroke: 'currentColor',
    'stroke-width': '1.3', 'stroke-linecap': 'round', 'stroke-linejoin': 'round',
  })) path.setAttribute(name, value);
  drawing.append(path);
  return drawing;
}

const LOOKS = /** @type {Record<string, string>} */ ({
  ready: 'good', paused: '', draining: 'warn', 'cooled-down': 'warn',
});

/** @param {PoolProvider} provider why it gets no tasks at the moment, if it gets none */
export function whyIdle(provider) {
  const reason = provider.reason ?? '';
  switch (provider.state) {
    case 'cooled-down': return reason ? `Not used for a while: ${reason}` : 'Not used for a while after failures';
    case 'paused': return 'Paused by its owner';
    case 'draining': return 'Finishes what runs, then leaves';
    default: return reason;
  }
}

/** @param {PoolProvider} provider */
export const stateLook = (provider) => LOOKS[provider.state] ?? '';

/** @param {PoolProvider} provider */
export const stateWord = (provider) => provider.state.replaceAll('-', ' ');

/** @param {PoolProvider} provider */
export const trip = (provider) => (provider.round_trip_ms === null ? '–' : duration(provider.round_trip_ms));

/** @param {string} value @param {string} what */
const fact = (value, what) => [element('dt', '', what), element('dd', '', value)];

export class Tile {
  #name = element('span', 'name');
  #tag = element('span', 'tag');
  #slots = element('div', 'slots');
  #used = element('span', '');
  #facts = element('dl', 'facts');
  #sub = element('div', 'sub');
  #why = element('div', 'why');
  root;

  /** @param {PoolProvider} provider @param {'li' | 'div'} [as] */
  constructor(provider, as = 'li') {
    this.#slots.setAttribute('aria-hidden', 'true');
    this.root = element(as, 'provider',
      element('div', 'provider-head', icon(provider.kind), this.#name, this.#tag),
      element('div', 'slots-line', this.#slots, this.#used),
      this.#facts, this.#sub, this.#why);
    this.show(provider);
  }

  /** @param {PoolProvider} provider */
  show(provider) {
    const { busy, slots } = provider;
    setText(this.#name, provider.name);
    this.#name.title = `${provider.name} · ${provider.agent}`;
    setText(this.#tag, stateWord(provider));
    this.#tag.className = `tag ${stateLook(provider)}`;
    this.root.classList.toggle('cooled', provider.state !== 'ready');
    this.#slots.classList.toggle('many', slots > SQUARES_MAX);
    this.#slots.style.setProperty('--slots', String(Math.max(1, slots)));
    this.#slots.style.setProperty('--busy', String(Math.min(busy, slots)));
    setText(this.#used, `${number(busy)} of ${number(slots)} busy`);
    this.#facts.replaceChildren(
      ...fact(speed(provider.speed), 'speed'),
      ...fact(trip(provider), 'round trip'),
      ...fact(number(provider.tasks_done), 'tasks done'),
    );
    const about = [bytes(provider.memory), provider.transport, provider.agent];
    if (provider.failures > 0) about.unshift(plural(provider.failures, 'failure', 'failures'));
    setText(this.#sub, about.filter(Boolean).join(' · '));
    this.#sub.title = this.#sub.textContent;
    setText(this.#why, whyIdle(provider));
    this.#why.hidden = this.#why.textContent === '';
  }
}
