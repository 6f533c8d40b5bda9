// The pool at a glance: asks every two seconds, as long as somebody looks.
import { byId, bytes, duration, element, number, plural, setText, speed } from './text.js';

const EVERY_MS = 2_000;
const JOBS = 20;
const TOKEN = 'wasipool-token';

class Refused extends Error {}

async function ask(path) {
  const headers = {};
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { headers, signal: AbortSignal.timeout(10_000) });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  const said = problem.detail || problem.title || `${path} answered ${response.status}`;
  throw response.status === 401 || response.status === 403 ? new Refused(said) : new Error(said);
}

const STATES = {
  queued: '', running: 'busy', succeeded: 'good', failed: 'bad', cancelled: 'warn',
};

const cell = (...content) => element('td', '', ...content);
const figure = (text) => element('td', 'number', text);

function providerRow(it) {
  const row = element('tr', '');
  const look = it.state === 'ready' ? (it.busy > 0 ? 'busy' : 'good') : 'warn';
  const state = it.state === 'ready' ? '' : `${it.state} · `;
  const trip = it.round_trip_ms;
  row.append(
    element('td', 'name',
      element('span', `state ${look}`, it.name),
      element('div', 'soft small', state + it.agent)),
    cell(it.kind),
    figure(`${number(it.busy)} / ${number(it.slots)}`),
    figure(speed(it.speed)),
    figure(bytes(it.memory)),
    figure(number(it.tasks_done)),
    figure(Number.isFinite(trip) ? `${trip.toFixed(trip < 10 ? 1 : 0)} ms` : '–'),
  );
  return row;
}

function jobRow(job) {
  const row = element('tr', '');
  const title = element('td', 'name', job.name || job.module.ref);
  title.append(element('div', 'soft small mono', job.id));
  const part = Math.min(1, Math.max(0, job.progress));
  const bar = element('progress', '');
  bar.max = 1;
  bar.value = part;
  bar.setAttribute('aria-label', `Progress of ${job.name || job.id}`);
  const counts = Object.entries(job.counts).filter(([, count]) => count > 0);
  const counted = counts.map(([state, count]) => `${number(count)} ${state.replaceAll('_', ' ')}`);
  const going = job.state === 'running' || job.state === 'queued';
  row.append(
    title,
    cell(element('span', `state ${STATES[job.state] ?? ''}`, job.state)),
    cell(bar, element('div', 'soft small',
      `${Math.floor(part * 100)} % of ${plural(job.tasks, 'task', 'tasks')}`
      + (counted.length ? ` · ${counted.join(', ')}` : ''))),
    figure(going && job.tasks_per_second > 0 ? job.tasks_per_second.toFixed(1) : '–'),
    figure(going && Number.isFinite(job.eta_ms) ? duration(job.eta_ms) : '–'),
  );
  return row;
}

function show(providers, stats, jobs) {
  byId('unreachable').hidden = true;
  const people = providers.items;
  setText(byId('figure-providers'), number(stats.providers));
  setText(byId('figure-slots'), `${number(stats.busy)} / ${number(stats.slots)}`);
  setText(byId('figure-running'), number(stats.running));
  setText(byId('figure-queued'), number(stats.queued));
  setText(byId('figure-done'), number(stats.ended));

  byId('no-providers').hidden = people.length > 0;
  byId('providers').hidden = people.length === 0;
  byId('provider-rows').replaceChildren(...people.map(providerRow));

  const list = jobs.items;
  byId('no-jobs').hidden = list.length > 0;
  byId('jobs').hidden = list.length === 0;
  byId('job-rows').replaceChildren(...list.map(jobRow));
}

function trouble(error) {
  const refused = error instanceof Refused;
  byId('unreachable').hidden = false;
  setText(byId('trouble'), refused ? 'This pool asks for a token' : 'The broker doesn’t answer');
  setText(byId('advice'), refused
    ? `${error.message}. The token is kept in this tab only.`
    : `What stands below may be old. This page tries again every two seconds; if that doesn’t help, look whether the broker runs and is reachable at ${location.origin}. (${error.message})`);
  byId('token-form').hidden = !refused;
}

let asking = false;

async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    show(...await Promise.all([
      ask('/v1/providers'), ask('/v1/stats'), ask(`/v1/jobs?limit=${JOBS}`),
    ]));
  } catch (error) {
    trouble(error);
  } finally {
    asking = false;
  }
}

const here = location.origin;
setText(byId('provider-line'), `wasipool-provider --broker ${here}`);
setText(byId('upload-lines'), [
  `curl -T hello.wasm ${here}/v1/blobs/`,
  `curl -d '' '${here}/v1/run/hello.wasm?arg=world'`,
].join('\n'));
setText(byId('job-lines'), [
  `curl '${here}/v1/jobs?wait=30s' -H 'Content-Type: application/json' \\`,
  `  -d '{"module":"hello.wasm","count":10,"defaults":{"args":["task {index}"]}}'`,
].join('\n'));
byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId('token').value.trim());
  refresh();
});
document.addEventListener('visibilitychange', refresh);
setInterval(refresh, EVERY_MS);
refresh();
