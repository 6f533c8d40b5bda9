// How fast guests are in a tab, against the native daemon; what an empty guest
// costs there. Prints a table; PROFILE=release measures the release programs.

import { launch, open } from '../lib/browser.mjs';
import { Pool } from '../lib/pool.mjs';
import { quantile, table } from './table.mjs';

/** Guests with arguments that take them about a second. */
const WORKLOADS = [
  ['travelling salesman', 'tsp', ['rand', '11', '--seed', '7']],
  ['SHA-256', 'hash', ['20']],
  ['JSON', 'json', ['4000', '12']],
  ['matrix product', 'matrix', ['1000']],
];
const ROUNDS = Number(process.env.ROUNDS ?? 7);
const SINGLE_RUNS = Number(process.env.RUNS ?? 2_000);
const JOB_TASKS = Number(process.env.TASKS ?? 30_000);
/** What is asked for: a tab at most so much slower, and so quick. */
const RATIO_MAX = 1.3;
const TURNAROUND_MS_MAX = 2;

const browser = await launch();
const pool = await Pool.start();
try {
  const page = await open(browser, `${pool.url}/join?autostart=1&slots=2&name=tab`);
  await pool.joined('tab');
  await pool.upload('noop', ...WORKLOADS.map(([, guest]) => guest));
  await emptyGuests();
  await pool.native('native', 1);
  await ratios();
  if (page.troubles.length) throw new Error(page.troubles.join('\n'));
} finally {
  await browser.close();
  await pool.stop();
}

/** A run of one task, as its result tells it. */
async function run(guest, args, kind) {
  const job = { module: `${guest}.wasm`, count: 1, defaults: { args }, requires: { kind } };
  const { id } = await pool.submit(job);
  await pool.ended(id);
  const result = await pool.api(`/v1/jobs/${id}/tasks/0`);
  if (result.state !== 'succeeded') throw new Error(`${guest}: ${JSON.stringify(result)}`);
  return result;
}

async function ratios() {
  const rows = [];
  for (const [name, guest, args] of WORKLOADS) {
    const times = { native: [], browser: [] };
    const outputs = new Set();
    // One after the other: what the machine does otherwise hits both.
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const kind of ['native', 'browser']) {
        const { timing, stdout } = await run(guest, args, kind);
        outputs.add(stdout);
        // The first run pays for the compiler.
        if (round > 0) times[kind].push(timing.run_ms);
      }
    }
    if (outputs.size !== 1) throw new Error(`${guest}: the outputs differ: ${[...outputs]}`);
    const [native, tab] = [times.native, times.browser].map((all) => quantile(all, 0.5));
    rows.push([name, native, tab, tab / native]);
  }
  const median = quantile(rows.map((row) => row[3]), 0.5);
  console.log('guests in a tab against the native daemon (median run time)');
  table(['workload', 'native ms', 'tab ms', 'ratio'], rows.map(([name, native, tab, ratio]) =>
    [name, native.toFixed(1), tab.toFixed(1), ratio.toFixed(2)]));
  console.log(`  median of the ratios: ${median.toFixed(2)} (wanted: at most ${RATIO_MAX})`);
}

async function emptyGuests() {
  const inside = [];
  const outside = [];
  const once = async () => {
    const from = performance.now();
    const answer = await fetch(`${pool.url}/v1/run/noop.wasm`, { method: 'POST', headers: { Accept: 'application/json' } });
    const result = await answer.json();
    const took = performance.now() - from;
    if (result.state !== 'succeeded') throw new Error(JSON.stringify(result));
    return [result.timing.transfer_ms + result.timing.prepare_ms + result.timing.run_ms, took];
  };
  for (let warm = 0; warm < 200; warm += 1) await once();
  for (let number = 0; number < SINGLE_RUNS; number += 1) {
    const [tab, all] = await once();
    inside.push(tab);
    outside.push(all);
  }
  console.log('an empty guest in a tab (ms)');
  table(['what', 'p50', 'p90', 'p99'], [['task received to outcome sent', inside], ['/v1/run, for its client', outside]].map(
    ([name, all]) => [name, ...[0.5, 0.9, 0.99].map((q) => quantile(all, q).toFixed(3))]));
  console.log(`  wanted: a median of at most ${TURNAROUND_MS_MAX} inside of the tab`);

  const from = performance.now();
  const { id } = await pool.submit({ module: 'noop.wasm', count: JOB_TASKS });
  const job = await pool.ended(id);
  const seconds = (performance.now() - from) / 1000;
  if (job.state !== 'succeeded') throw new Error(JSON.stringify(job));
  console.log(`  ${Math.round(JOB_TASKS / seconds)} tasks a second in a job, on 2 slots`);
}
