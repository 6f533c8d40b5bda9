// What watches a pool asks for metrics that a broker really gives.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Pool } from './lib/pool.mjs';
import { ROOT } from './lib/programs.mjs';
import { until } from './lib/wait.mjs';

/** Labels that Prometheus adds to whatever it asks. */
const ADDED = ['instance', 'job'];
/** All values of the label `state`. */
const STATES = [
  'succeeded', 'failed', 'trapped', 'timed_out', 'out_of_memory', 'output_exceeded', 'rejected', 'disputed', 'lost', 'cancelled',
];

const read = (path) => readFile(join(ROOT, 'deploy', path), 'utf8');

/** All queries of the dashboard, and of the rules without their comments. */
async function queries() {
  const dashboard = JSON.parse(await read('grafana/wasipool.json'));
  const variables = dashboard.templating.list.map(({ query }) => query.query ?? query);
  const shown = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const rules = (await read('prometheus/wasipool.rules.yml')).split('\n');
  const exprs = rules.filter((line) => /^ +expr: /.test(line));
  assert.ok(shown.length > 10 && exprs.length > 5, 'the files are read');
  return [...variables, ...shown, ...exprs];
}

/** @param {string} text what `/metrics` says: the labels of each name */
function served(text) {
  const found = new Map();
  for (const [, name, labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = found.get(name) ?? new Set(ADDED);
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label);
    found.set(name, known);
  }
  return found;
}

/** What a broker says that has done whatever it counts. */
async function metrics() {
  const pool = await Pool.start();
  try {
    await pool.native('native', 1);
    await pool.upload('noop');
    const ended = await pool.submit({ module: 'noop.wasm', count: 2 });
    await pool.ended(ended.id);
    // An outcome that comes too late: of a job that is cancelled while outcomes of
    // it are on their way.
    await until('a late outcome is dropped', async () => {
      const job = await pool.submit({ module: 'noop.wasm', count: 5_000 });
      await until('it runs', async () => (await pool.api(`/v1/jobs/${job.id}`)).counts.succeeded > 0);
      await pool.api(`/v1/jobs/${job.id}`, { method: 'DELETE' });
      return (await pool.api('/v1/stats')).dropped > 0;
    });
    return served(await pool.api('/metrics'));
  } finally {
    await pool.stop();
  }
}

/** @type {Promise<Map<string, Set<string>>>} */
let given;
before(() => {
  given = metrics();
  return given;
});

test('docs/OPERATIONS.md lists the metrics that a broker gives', async () => {
  const rows = (await readFile(join(ROOT, 'docs/OPERATIONS.md'), 'utf8')).matchAll(/^\| (`wasipool_[^|]*)\|([^|]*)\|/gm);
  const code = (text) => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  const listed = [...rows].flatMap(([, names, labels]) => code(names).map((name) => `${name} ${code(labels).sort()}`));
  const there = [...await given].map(([name, labels]) => `${name} ${[...labels].filter((label) => !ADDED.includes(label)).sort()}`);
  assert.deepEqual(listed.sort(), there.sort());
});

test('dashboard and alerts ask for metrics and labels that a broker gives', async () => {
  const there = await given;
  for (const query of await queries()) {
    for (const [, name, selector = ''] of query.matchAll(/\b(wasipool_[a-z_]+)(?:\{([^}]*)\})?/g)) {
      const labels = there.get(name);
      assert.ok(labels, `${name} isn't among ${[...there.keys()].join(', ')}; asked for in\n${query}`);
      const asked = [...selector.matchAll(/(\w+) *=~? *"([^"]*)"/g)];
      for (const [, label] of asked) assert.ok(labels.has(label), `${name} has no label ${label}; asked for in\n${query}`);
      const states = asked.filter(([, label]) => label === 'state').flatMap(([, , values]) => values.split('|'));
      for (const state of states) assert.ok(STATES.includes(state), `there is no state ${state}; asked for in\n${query}`);
    }
    for (const [, list] of query.matchAll(/\bby \(([^)]*)\)/g)) {
      const names = [...query.matchAll(/\b(wasipool_[a-z_]+)/g)].map(([, name]) => name);
      const known = new Set(names.flatMap((name) => [...(there.get(name) ?? [])]).concat(ADDED));
      for (const label of list.split(/, */)) assert.ok(known.has(label), `by ${label}, which nothing has, in\n${query}`);
    }
  }
});
