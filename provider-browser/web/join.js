// @ts-check
// Makes this tab a provider: starts the worker with the session, tells it what
// the volunteer wants, shows what it says. Nothing is started without a click,
// but for `autostart` in the address.
import { machine } from './join-machine.js';
import { lacking } from './join-needs.js';
import { restore, remember, settings } from './join-settings.js';
import { buttons, show, showEvery } from './join-view.js';
import { byId, setText } from './text.js';

/** @typedef {import('../types/worker.js').Command} Command */
/** @typedef {import('../types/worker.js').Status} Status */

/** @type {Set<Status['state']>} */
const OVER = new Set(['stopped', 'failed']);
/** After this time a worker that doesn't stop by itself is ended. */
const STOP_MS = 3_000;
/** A worker's time to say goodbye. */
const LEAVE_MS = 60;
const PROGRAM = '/wasipool_browser.js';

/** What is known before the worker has said anything. @type {Status} */
const NOTHING = {
  state: 'stopped', detail: '', provider: null, name: '', slots: 0, paused: null, speed: 0, memory_bytes: 0,
  features: [], doing: [], waiting: 0, done: 0, faults: 0, errors: [],
};

const query = new URLSearchParams(location.search);

/** @type {Worker | undefined} */
let worker;
/** Whether this tab is a provider, or tries to be. */
let active = false;
/** @type {Status | undefined} */
let status;

/** @param {string} id */
const input = (id) => byId(id, HTMLInputElement);

/** @param {Command} command */
function tell(command) {
  worker?.postMessage(JSON.stringify(command));
}

function start() {
  if (active) return;
  worker ??= begin();
  active = true;
  status = undefined;
  tell({ do: 'surroundings', ...machine.surroundings });
  tell({ do: 'start', name: input('name').value.trim(), token: input('token').value.trim(), settings: settings() });
  machine.keepAwake(input('awake').checked);
  buttons(active, status);
}

function begin() {
  const begun = new Worker('/session-worker.js', { type: 'module' });
  begun.onmessage = ({ data }) => {
    const before = status?.state;
    take(JSON.parse(data));
    if (before === 'waiting' || before === 'connecting') renew();
  };
  begun.onerror = (event) => {
    event.preventDefault();
    end('failed', event.message || 'The program of this page could not be loaded.');
  };
  return begun;
}

/** @param {Status} said */
function take(said) {
  status = said;
  if (OVER.has(status.state)) {
    active = false;
    machine.keepAwake(false);
  }
  if (/not let in/.test(status.detail)) byId('token-label').hidden = false;
  show(status);
  buttons(active, status);
}

/**
 * The worker is gone for good: the next start makes a new one.
 * @param {'stopped' | 'failed'} state @param {string} detail
 */
function end(state, detail) {
  worker?.terminate();
  worker = undefined;
  take({ ...(status ?? NOTHING), state, detail, paused: null, doing: [], waiting: 0 });
}

function stopNow() {
  tell({ do: 'leave' });
  const told = worker;
  setTimeout(() => {
    if (active && worker === told) end('stopped', '');
  }, STOP_MS);
}

/**
 * Who leaves says so: the pool gives the tasks to others at once. A page that
 * may come back is frozen with its worker right after this, and its session
 * would seem alive: so the worker gets a moment, then it ends in any case.
 */
function leave() {
  if (!worker) return;
  tell({ do: 'leave' });
  const end = performance.now() + (active ? LEAVE_MS : 0);
  while (performance.now() < end);
  worker.terminate();
}

async function version() {
  const response = await fetch(PROGRAM, { method: 'HEAD', cache: 'no-store' }).catch(() => undefined);
  return response?.ok ? response.headers.get('ETag') : null;
}

const loaded = version();

/** A broker that came back may be a newer one: its page has other workers. */
async function renew() {
  const [then, now] = await Promise.all([loaded, version()]);
  // Nobody should have to type a token again, and a pause is kept.
  if (!active || !then || !now || then === now || input('token').value || status?.paused === 'person') return;
  const { slots, share } = settings();
  const address = { autostart: '1', slots: String(slots), share: String(share), name: input('name').value };
  location.replace(`/join?${new URLSearchParams(address)}`);
}

restore(query);
byId('token-label').hidden = !query.has('token');
machine.watch({
  changed: () => tell({ do: 'surroundings', ...machine.surroundings }),
  online: () => tell({ do: 'probe' }),
});

byId('settings').addEventListener('input', () => {
  remember();
  if (active) tell({ do: 'set', settings: settings() });
});
byId('awake').addEventListener('change', () => machine.keepAwake(active && input('awake').checked));
byId('settings').addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
byId('pause').addEventListener('click', () => tell({ do: status?.paused === 'person' ? 'resume' : 'pause' }));
byId('finish').addEventListener('click', () => tell({ do: 'stop' }));
byId('stop').addEventListener('click', stopNow);
addEventListener('pagehide', leave);
// Back from the browser's history: the session is gone, the page still shows it.
addEventListener('pageshow', (event) => {
  if (event.persisted && worker) location.reload();
});
showEvery(1_000);

const why = lacking();
if (why) {
  byId('unable').hidden = false;
  setText(byId('unable-why'), why);
  byId('start', HTMLButtonElement).disabled = true;
} else if (query.get('autostart') === '1') {
  start();
}
