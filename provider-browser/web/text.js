// @ts-check
// Small things that all pages need. Everything that comes from elsewhere goes
// into the page as text, never as HTML.

/**
 * The element with that id, which the page has; with a class, of that class.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!found || (kind && !(found instanceof kind))) throw new Error(`the page has no #${id} of that kind`);
  return /** @type {T} */ (found);
}

/**
 * An element with a class, and texts or elements in it.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} className
 * @param {...(string | Node)} content
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/**
 * Changes a text only where it differs, so that screen readers stay calm.
 * @param {Node} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/**
 * 1536 becomes 1.5 KiB.
 * @param {number} count
 */
export function bytes(count) {
  if (!Number.isFinite(count)) return '–';
  let unit = 0;
  while (count >= 1024 && unit < UNITS.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${count >= 100 || unit === 0 ? Math.round(count) : count.toFixed(1).replace(/\.0$/, '')} ${UNITS[unit]}`;
}

/**
 * 83000 becomes 1 min 23 s.
 * @param {number} ms
 */
export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return '–';
  if (ms > 0 && ms < 9.95) return `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms`;
  const seconds = Math.round(ms / 1000);
  if (ms < 950) return `${Math.round(ms)} ms`;
  if (seconds < 60) return ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/**
 * 12345 becomes 12,345 in the reader's own way.
 * @param {number} count
 */
export const number = (count) => (Number.isFinite(count) ? count.toLocaleString() : '–');

/**
 * A rate with as many digits as it deserves.
 * @param {number | null | undefined} value
 */
export function rate(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  return value.toLocaleString(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/**
 * A speed of 1000 is that of the reference: 1×.
 * @param {number} value
 */
export const speed = (value) => (value > 0 ? `${(value / 1000).toFixed(1)}×` : '–');

/**
 * 1 task, 2 tasks.
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

/**
 * The clock's time of a moment, with the date unless it was today.
 * @param {string | null | undefined} moment RFC 3339
 */
export function clock(moment) {
  if (!moment) return '–';
  const at = new Date(moment);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString() : at.toLocaleString();
}
