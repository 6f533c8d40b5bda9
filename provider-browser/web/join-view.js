// @ts-check
// Shows what the worker with the session says.
import { byId, bytes, duration, element, number, setText, speed } from './text.js';

/** @typedef {import('../types/worker.js').Status} Status */
/** @typedef {import('../types/worker.js').Slot} Slot */
/** @typedef {Status['state'] | 'paused'} Standing */

/**
 * Text, look, sign in the title, colour of the icon.
 * @type {Record<Standing, [string, string, string, string]>}
 */
const STANDINGS = {
  preparing: ['Finding out what this browser can do …', 'busy', '…', '#1f5fbf'],
  connecting: ['Connecting …', 'busy', '…', '#1f5fbf'],
  connected: ['In the pool', 'good', '▶', '#1b7744'],
  paused: ['Paused', 'warn', '⏸', '#b87400'],
  draining: ['Finishing what runs …', 'warn', '▶', '#b87400'],
  waiting: ['Not connected, trying again', 'warn', '⚠', '#b87400'],
  stopped: ['Stopped', '', '■', '#7a8594'],
  failed: ['Not in the pool', 'bad', '✕', '#b3261e'],
};

/** @type {Record<NonNullable<Status['paused']>, string>} */
const PAUSES = {
  person: 'Takes no new tasks until you resume.',
  battery: 'This machine runs on its battery. It goes on when it is plugged in.',
  metered: 'This connection is metered. It goes on when another one is used.',
};

/** @type {Partial<Record<Standing, string>>} */
const DETAILS = {
  connected: 'Tasks come by themselves. You may leave this tab in the background.',
  draining: 'Takes no more tasks, and leaves the pool after these.',
  stopped: 'Nothing runs here any more.',
};

/** @type {Status | undefined} */
let shown;

/** @param {Status} status */
const runningIn = (status) => status.doing.filter((slot) => slot.is === 'running').length;

/** @param {Status} status @returns {Standing} */
const standing = (status) => (status.state === 'connected' && status.paused ? 'paused' : status.state);

/** @param {Status} status */
export function show(status) {
  shown = status;
  const kind = standing(status);
  const [text, look, sign, colour] = STANDINGS[kind];
  const running = runningIn(status);
  setText(byId('standing'), kind === 'connected' ? `${text} as ${status.name}` : text);
  byId('standing').className = `state standing ${look}`;
  let detail = status.detail || (DETAILS[kind] ?? '');
  if (kind === 'paused' && status.paused) {
    detail = PAUSES[status.paused];
    if (running > 0) detail += ` ${running === 1 ? 'One task is' : `${running} tasks are`} still finishing.`;
  }
  setText(byId('detail'), detail);
  const share = ['▶', '⏸'].includes(sign) ? ` ${running}/${status.slots}` : '';
  setTitle(`${sign}${share} · wasipool`, colour);

  setText(byId('figure-running'), number(running));
  setText(byId('figure-waiting'), number(status.waiting));
  setText(byId('figure-done'), number(status.done));
  setText(byId('figure-speed'), speed(status.speed));
  setText(byId('figure-memory'), status.memory_bytes ? bytes(status.memory_bytes) : '–');
  showSlots(status.doing);
  showErrors(status.errors);
  const features = status.features.length ? `WebAssembly here: ${status.features.join(', ')}. ` : '';
  setText(byId('about'), features + (status.provider ? `Session ${status.provider}.` : ''));
}

/** @param {number} ms keeps times up to date, while somebody may look */
export function showEvery(ms) {
  setInterval(() => {
    if (shown && !document.hidden) showSlots(shown.doing);
  }, ms);
}

/** @param {boolean} active @param {Status | undefined} status which buttons there are */
export function buttons(active, status) {
  const draining = status?.state === 'draining';
  byId('start').hidden = active;
  byId('pause').hidden = !active || draining || ['battery', 'metered'].includes(status?.paused ?? '');
  byId('finish').hidden = !active || draining;
  byId('stop').hidden = !active;
  setText(byId('pause'), status?.paused === 'person' ? 'Resume' : 'Pause');
  for (const id of ['name', 'token']) byId(id, HTMLInputElement).disabled = active;
}

/** @param {string} title @param {string} colour of the dot in the icon */
function setTitle(title, colour) {
  if (document.title !== title) document.title = title;
  const circle = `<circle cx='25' cy='25' r='7' fill='${colour}' stroke='#fff' stroke-width='2'/>`;
  const mark = "<path d='M7 11l4 11 5-10 5 10 4-11' fill='none' stroke='#fff' stroke-width='3' stroke-linecap='round' stroke-linejoin='round'/>";
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' fill='#1f5fbf'/>${mark}${circle}</svg>`;
  const address = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  // Anew only when it differs: browsers load it each time.
  const icon = /** @type {HTMLLinkElement} */ (document.getElementById('icon'));
  if (icon.href !== address) icon.href = address;
}

/** @param {Slot[]} slots one line each, which stays the same while it changes */
function showSlots(slots) {
  const list = byId('slots-list');
  byId('no-slots').hidden = slots.length > 0;
  while (lines.length > slots.length) lines.pop()?.item.remove();
  while (lines.length < slots.length) {
    const made = line();
    lines.push(made);
    list.append(made.item);
  }
  slots.forEach((slot, index) => fill(/** @type {Line} */ (lines[index]), slot));
}

/** @typedef {ReturnType<typeof line>} Line */
/** @type {Line[]} */
const lines = [];

function line() {
  const label = element('span', 'label');
  const since = element('span', 'since');
  const what = element('span', 'what mono');
  const memory = element('span', 'memory');
  const bar = element('progress', 'bar-line');
  bar.setAttribute('aria-label', 'Memory');
  const item = element('li', '', label, since, what, memory, bar);
  return { item, label, since, what, memory, bar };
}

/** @param {Line} line @param {Slot} slot */
function fill({ item, label, since, what, memory, bar }, slot) {
  const now = Date.now();
  const running = slot.is === 'running';
  if (item.className !== slot.is) item.className = slot.is;
  for (const part of [what, memory, bar]) part.hidden = !running;
  if (slot.is === 'running') {
    setText(label, slot.label);
    setText(since, duration(Math.max(0, now - slot.since_ms)));
    since.title = `Since ${new Date(slot.since_ms).toLocaleTimeString()}`;
    setText(what, slot.args || slot.module.slice(0, 19));
    what.title = `${slot.args}\n${slot.module}\nTask ${slot.task}`;
    const known = slot.memory_bytes === null ? 'up to' : `${bytes(slot.memory_bytes)} of`;
    setText(memory, `${known} ${bytes(slot.memory_max_bytes)}`);
    bar.hidden = slot.memory_bytes === null;
    bar.max = slot.memory_max_bytes;
    bar.value = slot.memory_bytes ?? 0;
  } else if (slot.is === 'resting') {
    setText(label, 'Rests');
    setText(since, `${duration(Math.max(0, slot.until_ms - now))} left`);
  } else {
    setText(label, 'Free');
    setText(since, '');
  }
}

/** @param {Status['errors']} errors */
function showErrors(errors) {
  byId('errors-card').hidden = errors.length === 0;
  const key = JSON.stringify(errors);
  if (byId('errors').dataset.key === key) return;
  byId('errors').dataset.key = key;
  byId('errors').replaceChildren(...errors.map((error) =>
    element('li', '', element('span', 'when', new Date(error.at_ms).toLocaleTimeString()), error.text)));
}
