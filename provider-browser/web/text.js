// Small things that both pages need. Everything that comes from elsewhere goes
// into the page as text, never as HTML.

/** The element with that id. */
export const byId = (id) => document.getElementById(id);

/** An element with a class, and texts or elements in it. */
export function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** Changes a text only where it differs, so that screen readers stay calm. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 1536 becomes 1.5 KiB. */
export function bytes(count) {
  if (!Number.isFinite(count)) return '–';
  let unit = 0;
  while (count >= 1024 && unit < UNITS.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${count >= 100 || unit === 0 ? Math.round(count) : count.toFixed(1).replace(/\.0$/, '')} ${UNITS[unit]}`;
}

/** 83000 becomes 1 min 23 s. */
export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return '–';
  const seconds = Math.round(ms / 1000);
  if (ms < 950) return `${Math.round(ms)} ms`;
  if (seconds < 60) return ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** 12345 becomes 12,345 in the reader's own way. */
export const number = (count) => (Number.isFinite(count) ? count.toLocaleString() : '–');

/** A speed of 1000 is that of the reference: 1×. */
export const speed = (value) => (value > 0 ? `${(value / 1000).toFixed(1)}×` : '–');

/** 1 task, 2 tasks. */
export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;
