// @ts-check
// The last ten minutes as areas and lines, drawn on a canvas. A value holds until
// the next one comes: the broker speaks only when something changes.

/** @import { History, Point } from './history.js' */

import { rate } from './text.js';

/** @typedef {{ of: (point: Point) => number, colour: string, name: string, filled: boolean }} Line */

const LEFT = 44;
const BOTTOM = 20;
const TOP = 8;
/** How often what the chart shows is said to who can't see it. */
const SAY_EVERY_MS = 10_000;

/**
 * A round number, not below `value`, whose half is round too.
 * @param {number} value
 */
export function roundUp(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 6, 8, 10].find((factor) => value <= factor * power) ?? 10;
  return step * power;
}

class Chart {
  #canvas;
  #history;
  #lines;
  #saidAt = 0;
  /** Where the pointer is, from the left, if it is there. */
  #pointer = -1;

  /**
   * @param {string} id of the canvas
   * @param {History} history
   * @param {Line[]} lines
   */
  constructor(id, history, lines) {
    this.#canvas = /** @type {HTMLCanvasElement} */ (document.getElementById(id));
    this.#history = history;
    this.#lines = lines;
    new ResizeObserver(() => this.draw()).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    this.#canvas.addEventListener('pointermove', (event) => {
      this.#pointer = event.offsetX;
      this.draw();
    });
    this.#canvas.addEventListener('pointerleave', () => {
      this.#pointer = -1;
      this.draw();
    });
  }

  draw(now = Date.now()) {
    const canvas = this.#canvas;
    const { clientWidth: width, clientHeight: height } = canvas;
    const pen = canvas.getContext('2d');
    if (!pen || width === 0) return;
    const sharp = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(height * sharp)) {
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.round(height * sharp);
    }
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const points = this.#history.points;
    const values = points.flatMap((point) => this.#lines.map((line) => line.of(point)));
    const top = roundUp(Math.max(2, ...values));
    const span = this.#history.span(now);
    const x = (/** @type {number} */ at) => width - ((now - at) / span) * (width - LEFT);
    const y = (/** @type {number} */ value) => TOP + (1 - value / top) * (height - TOP - BOTTOM);
    this.#axes(pen, style, top, x, y, width, height, now, span);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT, height);
    pen.clip();
    for (const line of this.#lines) trace(pen, style, line, points, x, y, now);
    pen.restore();
    if (this.#pointer > LEFT) this.#readOut(pen, style, x, width, height, now, span);
    this.#say(now);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {CSSStyleDeclaration} style
   * @param {number} top
   * @param {(at: number) => number} x
   * @param {(value: number) => number} y
   * @param {number} width
   * @param {number} height
   * @param {number} now
   * @param {number} span
   */
  #axes(pen, style, top, x, y, width, height, now, span) {
    pen.font = `12px ${style.fontFamily}`;
    pen.fillStyle = style.getPropertyValue('--soft');
    pen.strokeStyle = style.getPropertyValue('--line');
    pen.lineWidth = 1;
    pen.textBaseline = 'middle';
    pen.textAlign = 'right';
    for (const value of [0, top / 2, top]) {
      const level = Math.round(y(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(LEFT, level);
      pen.lineTo(width, level);
      pen.stroke();
      pen.fillText(short(value), LEFT - 8, level);
    }
    pen.textBaseline = 'alphabetic';
    const minutes = (/** @type {number} */ ago) => `${ago / 60_000} min ago`;
    for (const [ago, text, align] of /** @type {const} */ ([
      [span, minutes(span), 'left'], [span / 2, span === 60_000 ? '30 s ago' : minutes(span / 2), 'center'], [0, 'now', 'right'],
    ])) {
      pen.textAlign = align;
      pen.fillText(text, x(now - ago), height - 4);
    }
  }

  /**
   * What held where the pointer is.
   * @param {CanvasRenderingContext2D} pen
   * @param {CSSStyleDeclaration} style
   * @param {(at: number) => number} x
   * @param {number} width
   * @param {number} height
   * @param {number} now
   * @param {number} span
   */
  #readOut(pen, style, x, width, height, now, span) {
    const ago = ((width - this.#pointer) / (width - LEFT)) * span;
    const held = this.#history.held(now - ago);
    if (!held) return;
    const at = x(now - ago);
    pen.strokeStyle = style.getPropertyValue('--soft');
    pen.beginPath();
    pen.moveTo(at, TOP);
    pen.lineTo(at, height - BOTTOM);
    pen.stroke();
    const text = this.#lines.map((line) => `${rate(line.of(held))} ${line.name}`).join(' · ');
    const wide = pen.measureText(text).width + 12;
    const left = Math.min(Math.max(LEFT, at - wide / 2), width - wide);
    pen.fillStyle = style.getPropertyValue('--raised');
    pen.fillRect(left, TOP, wide, 20);
    pen.strokeRect(left + 0.5, TOP + 0.5, wide - 1, 19);
    pen.fillStyle = style.getPropertyValue('--ink');
    pen.textAlign = 'left';
    pen.textBaseline = 'middle';
    pen.fillText(text, left + 6, TOP + 10.5);
  }

  /** @param {number} now */
  #say(now) {
    if (now - this.#saidAt < SAY_EVERY_MS) return;
    this.#saidAt = now;
    const said = this.#lines.map((line) => {
      const values = this.#history.points.map(line.of);
      return `${line.name}: ${rate(values.at(-1) ?? 0)} now, at most ${rate(Math.max(0, ...values))}`;
    });
    this.#canvas.setAttribute('aria-label', `The last ten minutes. ${said.join('. ')}.`);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {CSSStyleDeclaration} style
 * @param {Line} line
 * @param {Point[]} points
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} now
 */
function trace(pen, style, line, points, x, y, now) {
  const first = points[0];
  if (!first) return;
  pen.beginPath();
  pen.moveTo(x(first.at), y(line.of(first)));
  let level = y(line.of(first));
  for (const point of points) {
    pen.lineTo(x(point.at), level);
    level = y(line.of(point));
    pen.lineTo(x(point.at), level);
  }
  pen.lineTo(x(now), level);
  pen.strokeStyle = style.getPropertyValue(line.colour);
  pen.lineWidth = 1.75;
  pen.lineJoin = 'round';
  pen.stroke();
  if (!line.filled) return;
  pen.lineTo(x(now), y(0));
  pen.lineTo(x(first.at), y(0));
  pen.globalAlpha = 0.14;
  pen.fillStyle = pen.strokeStyle;
  pen.fill();
  pen.globalAlpha = 1;
}

/** @param {number} value for the axis: 1500 becomes 1.5k */
function short(value) {
  for (const [unit, letter] of /** @type {const} */ ([[1e6, 'M'], [1e3, 'k']])) {
    if (value >= unit) return `${Number((value / unit).toFixed(1))}${letter}`;
  }
  return String(Number(value.toFixed(1)));
}

/** Tasks that ended in a second. */
export class RateChart extends Chart {
  /** @param {string} id @param {History} history */
  constructor(id, history) {
    super(id, history, [{ of: (point) => point.rate, colour: '--good', name: 'a second', filled: true }]);
  }
}

/** Tasks that wait, and those that are at a provider. */
export class QueueChart extends Chart {
  /** @param {string} id @param {History} history */
  constructor(id, history) {
    super(id, history, [
      { of: (point) => point.queued, colour: '--waiting', name: 'waiting', filled: true },
      { of: (point) => point.running, colour: '--task-running', name: 'running', filled: false },
    ]);
  }
}
