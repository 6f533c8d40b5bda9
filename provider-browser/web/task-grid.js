// @ts-check
// All tasks of a job as a grid of coloured cells. Each is one pixel of a small
// picture that is drawn enlarged, so that a hundred thousand cost little.

/** @import { TaskStates } from './task-states.js' */

import { TASK_STATES, inWords } from './states.js';
import { byId, number, setText } from './text.js';

/** From the largest to the smallest: the first that keeps the grid this low is taken;
 * if none does, the least that can still be pointed at. */
const CELLS = [22, 18, 14, 12, 10, 8, 7, 6, 5, 4, 3];
const HEIGHT_WANTED = 460;
/** Cells from this size on have gaps between them. */
const GAP_FROM = 5;
/** Of those that the legend doesn't choose. */
const DIMMED_ALPHA = 40;

export class TaskGrid {
  #box = byId('grid');
  #canvas = byId('grid-canvas', HTMLCanvasElement);
  #picture = document.createElement('canvas');
  /** @type {TaskStates} */
  #states;
  #opens;
  #columns = 1;
  #cell = 1;
  /** A colour for each code, as a pixel. */
  #palette = new Uint32Array(TASK_STATES.length + 1);
  /** The code that the legend chose, or -1. */
  #only = -1;
  /** Where the keyboard or the pointer is. */
  #at = -1;
  #frame = 0;
  /** Rows of the picture that are to be painted. @type {[number, number] | undefined} */
  #dirty;
  /** Times that the grid was drawn. */
  drawn = 0;

  /**
   * @param {TaskStates} states
   * @param {(index: number) => void} opens is called with the task that was chosen
   */
  constructor(states, opens) {
    this.#states = states;
    this.#opens = opens;
    this.#mix();
    new ResizeObserver(() => this.#lay()).observe(this.#box);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#mix();
      this.#paintAll();
    });
    this.#canvas.addEventListener('pointermove', (event) => this.#goTo(this.#under(event)));
    this.#canvas.addEventListener('pointerleave', () => this.#goTo(-1));
    this.#canvas.addEventListener('click', (event) => this.#open(this.#under(event)));
    this.#box.addEventListener('keydown', (event) => this.#key(event));
  }

  /** @param {TaskStates} states of another number of tasks */
  reset(states) {
    this.#states = states;
    this.#lay();
  }

  /** @param {[number, number]} range first and last task that have changed */
  changed([first, last]) {
    const [from, to] = [Math.floor(first / this.#columns), Math.floor(last / this.#columns)];
    this.#dirty = this.#dirty ? [Math.min(from, this.#dirty[0]), Math.max(to, this.#dirty[1])] : [from, to];
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** @param {number} code shows only those in that state; -1 shows all */
  only(code) {
    this.#only = code;
    this.#paintAll();
  }

  /** Reads the colours of the style sheet. */
  #mix() {
    const style = getComputedStyle(document.documentElement);
    const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (!pen) return;
    [...TASK_STATES, 'unknown'].forEach((state, code) => {
      pen.fillStyle = style.getPropertyValue(`--task-${state}`).trim() || '#888888';
      pen.fillRect(0, 0, 1, 1);
      this.#palette[code] = new Uint32Array(pen.getImageData(0, 0, 1, 1).data.buffer)[0] ?? 0;
    });
  }

  /** Chooses size and columns for the room that there is. */
  #lay() {
    const width = this.#box.clientWidth;
    const count = this.#states.length;
    if (width === 0 || count === 0) return;
    const fits = (/** @type {number} */ cell) => (
      Math.ceil(count / Math.max(1, Math.floor(width / cell))) * cell <= HEIGHT_WANTED
    );
    this.#cell = CELLS.find(fits) ?? (count > 300_000 ? 1 : 2);
    this.#columns = Math.max(1, Math.min(count, Math.floor(width / this.#cell)));
    const rows = Math.ceil(count / this.#columns);
    this.#picture.width = this.#columns;
    this.#picture.height = rows;
    const sharp = devicePixelRatio || 1;
    this.#canvas.width = Math.round(this.#columns * this.#cell * sharp);
    this.#canvas.height = Math.round(rows * this.#cell * sharp);
    this.#canvas.style.width = `${this.#columns * this.#cell}px`;
    this.#canvas.style.height = `${rows * this.#cell}px`;
    // At once: a canvas of another size is empty until it is drawn.
    cancelAnimationFrame(this.#frame);
    this.#dirty = [0, rows - 1];
    this.#draw();
  }

  #paintAll() {
    if (this.#states.length > 0) this.changed([0, this.#states.length - 1]);
  }

  #draw() {
    this.#frame = 0;
    const small = this.#picture.getContext('2d');
    const pen = this.#canvas.getContext('2d');
    if (!small || !pen || !this.#dirty) return;
    const rows = this.#picture.height;
    const [from, to] = [this.#dirty[0], Math.min(rows - 1, this.#dirty[1])];
    this.#dirty = undefined;
    if (to >= from) this.#paint(small, from, to);
    const { width, height } = this.#canvas;
    pen.clearRect(0, 0, width, height);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.#picture, 0, 0, width, height);
    if (this.#cell >= GAP_FROM) this.#gaps(pen, width, height, rows);
    if (this.#at >= 0) this.#mark(pen);
    this.drawn += 1;
  }

  /** @param {CanvasRenderingContext2D} small @param {number} from @param {number} to rows */
  #paint(small, from, to) {
    const columns = this.#columns;
    const image = small.createImageData(columns, to - from + 1);
    const pixels = new Uint32Array(image.data.buffer);
    const { codes } = this.#states;
    const last = Math.min(codes.length, (to + 1) * columns);
    for (let index = from * columns, at = 0; index < last; index += 1, at += 1) {
      const code = codes[index] ?? 0;
      const colour = this.#palette[code] ?? 0;
      const dimmed = this.#only >= 0 && code !== this.#only;
      pixels[at] = dimmed ? (colour & 0x00ffffff) | (DIMMED_ALPHA << 24) : colour;
    }
    small.putImageData(image, 0, from);
  }

  /**
   * Lines between the cells, cut out.
   * @param {CanvasRenderingContext2D} pen
   * @param {number} width
   * @param {number} height
   * @param {number} rows
   */
  #gaps(pen, width, height, rows) {
    const [wide, high] = [width / this.#columns, height / rows];
    const line = this.#cell >= 12 ? 2 : 1;
    for (let column = 1; column <= this.#columns; column += 1) pen.clearRect(Math.round(column * wide) - line, 0, line, height);
    for (let row = 1; row <= rows; row += 1) pen.clearRect(0, Math.round(row * high) - line, width, line);
  }

  /** @param {CanvasRenderingContext2D} pen a frame around the current task */
  #mark(pen) {
    const sharp = devicePixelRatio || 1;
    const size = this.#cell * sharp;
    const [x, y] = [(this.#at % this.#columns) * size, Math.floor(this.#at / this.#columns) * size];
    const room = Math.max(0, (8 * sharp - size) / 2);
    const style = getComputedStyle(this.#canvas);
    pen.strokeStyle = style.getPropertyValue('--ink');
    pen.lineWidth = 2 * sharp;
    pen.strokeRect(x - room, y - room, size + 2 * room - sharp, size + 2 * room - sharp);
  }

  /** @param {MouseEvent} event the task under the pointer, or -1 */
  #under(event) {
    const column = Math.floor(event.offsetX / this.#cell);
    const index = Math.floor(event.offsetY / this.#cell) * this.#columns + column;
    const inside = column >= 0 && column < this.#columns && index >= 0 && index < this.#states.length;
    return inside ? index : -1;
  }

  /** @param {number} index */
  #goTo(index) {
    if (index === this.#at) return;
    this.#at = index;
    // Only the frame around the task moves: nothing to paint.
    this.#dirty ??= [0, -1];
    this.#frame ||= requestAnimationFrame(() => this.#draw());
    this.say();
  }

  /** Says in words which task is the current one. */
  say() {
    const current = byId('grid-current');
    if (this.#at < 0) {
      setText(byId('grid-said'), 'Point at a task, or walk with the arrow keys; click or press Enter to open it.');
      return;
    }
    const text = `Task ${number(this.#at)}: ${inWords(this.#states.nameOf(this.#at))}`;
    setText(byId('grid-said'), text);
    setText(current, text);
    current.setAttribute('aria-posinset', String(this.#at + 1));
    current.setAttribute('aria-setsize', String(this.#states.length));
  }

  /** @param {number} index */
  #open(index) {
    if (index < 0) return;
    byId('grid-current').setAttribute('aria-selected', 'true');
    this.#opens(index);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const count = this.#states.length;
    const at = Math.max(0, this.#at);
    const page = this.#columns * 10;
    const next = {
      ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + this.#columns, ArrowUp: at - this.#columns,
      PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1,
    }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      byId('grid-current').setAttribute('aria-selected', 'false');
      this.#goTo(this.#at < 0 && event.key.startsWith('Arrow') ? 0 : Math.min(count - 1, Math.max(0, next)));
      const top = Math.floor(this.#at / this.#columns) * this.#cell;
      if (top < this.#box.scrollTop) this.#box.scrollTop = top;
      const over = top + this.#cell - this.#box.scrollTop - this.#box.clientHeight;
      if (over > 0) this.#box.scrollTop += over;
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#open(this.#at);
    }
  }
}
