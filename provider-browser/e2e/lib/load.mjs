// Tasks of all kinds, and what they leave behind in a tab.

import assert from 'node:assert/strict';

import { until } from './wait.mjs';

/** Of each hundred tasks so many are of this kind; the rest does nothing. */
const MIX = [
  [12, 'hello.wasm', { args: ['world'] }, 'succeeded'],
  [3, 'hog.wasm', { args: ['8'] }, 'succeeded'],
  [1, 'hog.wasm', { memory: '16MiB' }, 'out_of_memory'],
  [1, 'flood.wasm', { output: '256KiB' }, 'output_exceeded'],
  [1, 'recurses.wasm', {}, 'trapped'],
  [1, 'spin.wasm', { timeout: '20ms' }, 'timed_out'],
];

/** Runs so many tasks in tabs, good and bad ones, and sees that each ends as it should. */
export async function troubleMix(pool, tasks) {
  const submit = (module, count, defaults) =>
    pool.submit({ module, count, defaults, requires: { kind: 'browser' } });
  let rest = tasks;
  const jobs = [];
  for (const [percent, module, task, state] of MIX) {
    const count = Math.round((tasks * percent) / 100);
    rest -= count;
    jobs.push([(await submit(module, count, task)).id, state, count]);
  }
  jobs.push([(await submit('noop.wasm', rest, {})).id, 'succeeded', rest]);
  for (const [id, state, count] of jobs) {
    const { counts } = await pool.ended(id);
    assert.equal(counts[state], count, `${id}: ${JSON.stringify(counts)}`);
  }
}

/** What the tab with its workers holds, once it is at rest: bytes and workers. */
export async function measureMemory(page) {
  await until('nothing runs', async () => await page.locator('#figure-running').textContent() === '0');
  const expected = Number(await page.locator('#slots').inputValue()) + 2;
  await until('the workers are as many as they should be', () => page.workers().length === expected);
  const { bytes } = await page.evaluate(() => performance.measureUserAgentSpecificMemory());
  return { bytes, workers: page.workers().length };
}
