// Makes this tab a provider: starts the worker with the session, shows what it
// tells.
import { byId, bytes, duration, element, number, setText, speed } from './text.js';

const STANDINGS = {
  preparing: ['Finding out what this browser can do …', 'busy'],
  connecting: ['Connecting …', 'busy'],
  connected: ['In the pool', 'good'],
  draining: ['Finishing what runs …', 'warn'],
  waiting: ['Not connected, trying again', 'warn'],
  stopped: ['Stopped', ''],
  failed: ['Not in the pool', 'bad'],
};
const OVER = new Set(['stopped', 'failed']);

let worker;
/** Whether this tab is a provider, or tries to be. */
let active = false;
let draining = false;
let status;

const query = new URLSearchParams(location.search);

function tell(command) {
  worker?.postMessage(JSON.stringify(command));
}

function start() {
  if (active) return;
  if (!worker) {
    worker = new Worker('/session-worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => {
      const before = status?.state;
      status = JSON.parse(data);
      show();
      if (before === 'waiting' || before === 'connecting') renew();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      broken(event.message || 'The program of this page could not be loaded.');
    };
  }
  active = true;
  draining = false;
  tell({
    do: 'start',
    name: byId('name').value.trim(),
    slots: Math.min(256, Math.max(1, Math.trunc(Number(byId('slots').value)) || 1)),
    token: byId('token').value.trim(),
  });
  buttons();
}

/** The first press lets running tasks end, the second doesn't. */
function stop() {
  if (!active) return;
  tell({ do: draining ? 'leave' : 'stop' });
  draining = true;
  buttons();
}

/** The worker is gone for good: the next start makes a new one. */
function broken(why) {
  worker?.terminate();
  worker = undefined;
  status = { ...status, state: 'failed', detail: why, running: [], waiting: 0 };
  show();
}

function buttons() {
  byId('start').disabled = active;
  byId('stop').disabled = !active;
  setText(byId('stop'), active && draining ? 'Stop at once' : 'Stop');
  for (const id of ['name', 'slots', 'token']) byId(id).disabled = active;
}

function show() {
  const [text, look] = STANDINGS[status.state] ?? [status.state, ''];
  const standing = byId('standing');
  setText(standing, status.state === 'connected' ? `${text} as ${status.name}` : text);
  standing.className = `state standing ${look}`;
  setText(byId('detail'), status.detail ?? '');
  document.title = `${text} · wasipool`;

  setText(byId('figure-running'), number(status.running.length));
  setText(byId('figure-waiting'), number(status.waiting));
  setText(byId('figure-done'), number(status.done ?? 0));
  setText(byId('figure-speed'), speed(status.speed));
  setText(byId('figure-memory'), status.memory_bytes ? bytes(status.memory_bytes) : '–');

  byId('nothing-runs').hidden = status.running.length > 0;
  const now = Date.now();
  byId('running').replaceChildren(
    ...status.running.map((run) =>
      element('li', '',
        element('span', 'when', duration(now - run.since_ms)),
        element('span', 'mono', run.args || run.module.slice(0, 19)),
        element('div', 'soft small mono', run.task))),
  );

  const errors = status.errors ?? [];
  byId('errors-card').hidden = errors.length === 0;
  byId('errors').replaceChildren(
    ...errors.map((error) =>
      element('li', '',
        element('span', 'when', new Date(error.at_ms).toLocaleTimeString()),
        error.text)),
  );
  if (/not let in/.test(status.detail ?? '')) byId('token-label').hidden = false;

  const features = status.features?.length ? `WebAssembly here: ${status.features.join(', ')}. ` : '';
  const session = status.provider ? `Session ${status.provider}.` : '';
  setText(byId('about'), features + session);

  if (OVER.has(status.state)) active = false;
  draining = active && (draining || status.state === 'draining');
  buttons();
}

const PROGRAM = '/wasipool_browser.js';

async function version() {
  const response = await fetch(PROGRAM, { method: 'HEAD', cache: 'no-store' }).catch(() => undefined);
  return response?.ok ? response.headers.get('ETag') : null;
}

const loaded = version();

/** A broker that came back may be a newer one: its page has other workers. */
async function renew() {
  const [then, now] = await Promise.all([loaded, version()]);
  // Nobody should have to type a token again.
  if (!active || !then || !now || then === now || byId('token').value) return;
  const settings = { autostart: '1', slots: byId('slots').value, name: byId('name').value };
  location.replace(`/join?${new URLSearchParams(settings)}`);
}

/** Why this browser can't be a provider, if it can't. */
function lacking() {
  if (!isSecureContext) {
    return 'Browsers allow this only on pages that come over https, or from this very machine (http://127.0.0.1 or http://localhost).';
  }
  if (typeof WebTransport === 'undefined') {
    return 'It has no WebTransport. Current versions of Chrome, Chromium, Edge, Firefox and Safari have it.';
  }
  if (typeof WebAssembly === 'undefined') return 'It has no WebAssembly, or it is switched off.';
  return '';
}

byId('name').value = query.get('name') ?? '';
const half = Math.max(1, Math.floor((navigator.hardwareConcurrency || 2) / 2));
byId('slots').value = String(Number(query.get('slots')) || half);
byId('settings').addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
byId('stop').addEventListener('click', stop);
byId('token-label').hidden = !query.has('token');
addEventListener('pagehide', () => tell({ do: 'leave' }));
// Back from the browser's history: the session is gone, the page still shows it.
addEventListener('pageshow', (event) => {
  if (event.persisted && active) location.reload();
});

const why = lacking();
if (why) {
  byId('unable').hidden = false;
  setText(byId('unable-why'), why);
  byId('start').disabled = true;
} else if (query.get('autostart') === '1') {
  start();
}
