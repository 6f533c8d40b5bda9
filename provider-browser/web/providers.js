// @ts-check
// The pool as a picture: a tile for each provider; when they are many, a small
// cell for each, of which one can be chosen; or all as a table.

/** @import { PoolProvider, ProvidersEvent } from '../types/api' */

import { arrange } from './jobs.js';
import { Tile, stateWord, trip } from './provider-tile.js';
import { byId, bytes, element, number, plural, setText, speed } from './text.js';

/** More providers than this are cells; on a narrow page tiles fill the screen soon. */
const TILES_MAX = 48;
const TILES_MAX_NARROW = 10;
const CELLS_MAX = 2_000;
const ROWS_MAX = 200;

/** `lab-9` comes before `lab-10`. */
const BY_NAME = new Intl.Collator(undefined, { numeric: true });

export class Providers {
  /** @type {Map<string, PoolProvider>} */
  #known = new Map();
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Map<string, HTMLElement>} */
  #cells = new Map();
  /** @type {Set<string>} */
  #changed = new Set();
  /** Ids of those that are shown, in order, as long as that holds. @type {string[] | undefined} */
  #order;
  /** Connected, but not told of. */
  #beyond = 0;
  /** Whether the broker has said who there is. */
  #told = false;
  #filter = '';
  #asTable = false;
  #chosen = '';
  /** @type {Tile | undefined} */
  #chosenTile;
  #frame = 0;
  #narrow = matchMedia('(max-width: 40rem)');

  constructor() {
    this.#narrow.addEventListener('change', () => this.#show());
    const filter = byId('provider-filter', HTMLInputElement);
    filter.addEventListener('input', () => {
      this.#filter = filter.value.trim().toLowerCase();
      this.#order = undefined;
      this.#show();
    });
    for (const id of ['as-tiles', 'as-table']) {
      byId(id).addEventListener('click', () => {
        this.#asTable = id === 'as-table';
        byId('as-tiles').setAttribute('aria-pressed', String(!this.#asTable));
        byId('as-table').setAttribute('aria-pressed', String(this.#asTable));
        this.#show();
      });
    }
    const cells = byId('provider-cells');
    cells.addEventListener('keydown', (event) => this.#move(event));
    // What a cell stands for is a tip, made only for who points at it.
    cells.addEventListener('pointerover', ({ target }) => {
      if (target instanceof HTMLButtonElement) target.title = target.getAttribute('aria-label') ?? '';
    });
  }

  /** @param {ProvidersEvent} event */
  take({ all, changed, left, more }) {
    if (all) {
      this.#known.clear();
      this.#tiles.clear();
      this.#cells.clear();
    }
    const moved = left.length > 0 || changed.some(({ id }) => !this.#known.has(id));
    if (all || moved || this.#filter) this.#order = undefined;
    for (const id of left) {
      this.#known.delete(id);
      this.#tiles.delete(id);
      this.#cells.delete(id);
    }
    for (const provider of changed) {
      this.#known.set(provider.id, provider);
      this.#changed.add(provider.id);
    }
    this.#beyond = more;
    this.#told = true;
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #show() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (!this.#told) return;
    const empty = this.#known.size === 0;
    byId('empty-pool').hidden = !empty;
    byId('pool').hidden = empty;
    const shown = this.#found();
    const many = this.#known.size > (this.#narrow.matches ? TILES_MAX_NARROW : TILES_MAX);
    byId('provider-tiles').hidden = this.#asTable || many;
    byId('provider-cells').hidden = this.#asTable || !many;
    byId('provider-table').hidden = !this.#asTable;
    let limit = ROWS_MAX;
    if (this.#asTable) this.#showRows(shown.slice(0, limit));
    else if (many) this.#showCells(shown.slice(0, limit = CELLS_MAX));
    else this.#showTiles(shown);
    this.#showChosen(many && !this.#asTable);
    this.#showMore(shown.length, Math.max(0, shown.length - limit));
    this.#changed.clear();
  }

  /** Those that the filter lets through, the tabs last, by name. */
  #found() {
    this.#order ??= this.#sorted();
    return this.#order.flatMap((id) => this.#known.get(id) ?? []);
  }

  #sorted() {
    const wanted = this.#filter;
    const fits = (/** @type {PoolProvider} */ provider) => !wanted
      || [provider.name, provider.kind, stateWord(provider), provider.transport, provider.agent]
        .some((text) => text.toLowerCase().includes(wanted));
    return [...this.#known.values()]
      .filter(fits)
      .sort((a, b) => BY_NAME.compare(b.kind, a.kind) || BY_NAME.compare(a.name, b.name) || BY_NAME.compare(a.id, b.id))
      .map(({ id }) => id);
  }

  /** @param {PoolProvider[]} shown */
  #showTiles(shown) {
    arrange(byId('provider-tiles'), shown.map((provider) => {
      const { id } = provider;
      const known = this.#tiles.get(id);
      if (known && this.#changed.has(id)) known.show(provider);
      const tile = known ?? new Tile(provider);
      this.#tiles.set(id, tile);
      return tile.root;
    }));
  }

  /** @param {PoolProvider[]} shown */
  #showCells(shown) {
    const list = byId('provider-cells');
    arrange(list, shown.map((provider) => {
      const { id } = provider;
      const known = this.#cells.get(id);
      const cell = known ?? this.#cell(id);
      if (!known || this.#changed.has(id)) {
        const button = /** @type {HTMLElement} */ (cell.firstElementChild);
        button.style.setProperty('--load', String(Math.min(1, provider.busy / Math.max(1, provider.slots))));
        button.classList.toggle('cooled', provider.state !== 'ready');
        button.setAttribute('aria-label', `${provider.name}: ${provider.busy} of ${provider.slots} busy, ${stateWord(provider)}`);
      }
      return cell;
    }));
    // One stop for the tabulator key; arrows go on from there.
    if (list.querySelector('[tabindex="0"]')) return;
    list.querySelector('button')?.setAttribute('tabindex', '0');
  }

  /** @param {string} id */
  #cell(id) {
    const button = element('button', '');
    button.type = 'button';
    button.tabIndex = -1;
    button.setAttribute('aria-pressed', 'false');
    button.addEventListener('click', () => {
      this.#chosen = this.#chosen === id ? '' : id;
      this.#chosenTile = undefined;
      this.#show();
    });
    const cell = element('li', '', button);
    cell.dataset.id = id;
    this.#cells.set(id, cell);
    return cell;
  }

  /** @param {KeyboardEvent} event arrows go from cell to cell */
  #move(event) {
    const buttons = /** @type {HTMLElement[]} */ ([...byId('provider-cells').querySelectorAll('button')]);
    const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0) return;
    const top = buttons[at]?.offsetTop;
    const row = buttons.filter((button) => button.offsetTop === top).length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row }[event.key];
    const next = step === undefined ? undefined : buttons[at + step];
    if (!next) return;
    event.preventDefault();
    for (const button of buttons) button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  /** @param {boolean} wanted */
  #showChosen(wanted) {
    const provider = this.#known.get(this.#chosen);
    for (const pressed of byId('provider-cells').querySelectorAll('[aria-pressed="true"]')) pressed.setAttribute('aria-pressed', 'false');
    this.#cells.get(this.#chosen)?.firstElementChild?.setAttribute('aria-pressed', 'true');
    const place = byId('provider-chosen');
    place.hidden = !wanted;
    if (!provider) {
      this.#chosenTile = undefined;
      place.replaceChildren(element('p', 'soft small', 'Each cell is a provider, filled as far as it is busy. Choose one to see more of it.'));
      return;
    }
    if (this.#chosenTile) this.#chosenTile.show(provider);
    else {
      this.#chosenTile = new Tile(provider, 'div');
      place.replaceChildren(this.#chosenTile.root);
    }
  }

  /** @param {PoolProvider[]} shown */
  #showRows(shown) {
    byId('provider-rows').replaceChildren(...shown.map((provider) => {
      const figure = (/** @type {string} */ text) => element('td', 'number', text);
      return element('tr', '',
        element('th', 'name', provider.name),
        element('td', '', provider.kind),
        element('td', '', stateWord(provider)),
        figure(`${number(provider.busy)} / ${number(provider.slots)}`),
        figure(speed(provider.speed)),
        figure(trip(provider)),
        element('td', '', provider.transport),
        figure(bytes(provider.memory)),
        figure(number(provider.tasks_done)),
        figure(number(provider.failures)));
    }));
    for (const name of byId('provider-rows').querySelectorAll('th')) name.scope = 'row';
  }

  /** @param {number} found @param {number} hidden */
  #showMore(found, hidden) {
    const said = [];
    if (found === 0) said.push('No provider fits the filter.');
    const beyond = hidden + this.#beyond;
    if (beyond > 0) said.push(`… and ${plural(beyond, 'more provider', 'more providers')}, not shown here.`);
    setText(byId('provider-more'), said.join(' '));
    byId('provider-more').hidden = said.length === 0;
  }
}
