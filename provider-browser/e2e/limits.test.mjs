// Guests that break limits in a tab: each ends as it would in the daemon, and
// nobody else notices.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, open } from './lib/browser.mjs';
import { measureMemory, troubleMix } from './lib/load.mjs';
import { RECURSES, huge } from './lib/modules.mjs';
import { Pool } from './lib/pool.mjs';

const LIMIT = { timeout: 300_000 };
/** The page itself never stops for longer, on a busy machine. */
const STANDSTILL_MS_MAX = 500;
const MIB = 1024 * 1024;

let browser, pool, page;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
  await pool.upload('spin', 'hog', 'flood', 'work', 'hello', 'noop');
  await pool.api('/v1/blobs/recurses.wasm', { method: 'PUT', body: RECURSES });
  await pool.native('native', 1);
  page = await open(browser, 'about:blank');
  await page.addInitScript(watchStandstills);
  await page.goto(`${pool.url}/join?autostart=1&slots=2&name=tab`);
  await pool.joined('tab');
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

/** Notes how long the page's own thread did nothing but one thing. */
function watchStandstills() {
  globalThis.__standstill = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    globalThis.__standstill = Math.max(globalThis.__standstill, now - last - 20);
    last = now;
  }, 20);
}

const standstill = () => page.evaluate(() => {
  const longest = globalThis.__standstill;
  globalThis.__standstill = 0;
  return longest;
});

/** Runs one task there, and gives its result. */
async function run(module, task, kind) {
  const { id } = await pool.submit({ module, tasks: [task], requires: { kind } });
  await pool.ended(id);
  return pool.api(`/v1/jobs/${id}/tasks/0`);
}

const BAD = [
  ['never ends', 'spin.wasm', { timeout: '1s' }, 'timed_out'],
  ['takes memory without end', 'hog.wasm', { memory: '64MiB' }, 'out_of_memory'],
  ['floods its output', 'flood.wasm', { output: '1MiB' }, 'output_exceeded'],
  ['calls itself for ever', 'recurses.wasm', {}, 'trapped'],
];

for (const [what, module, task, expected] of BAD) {
  test(`a guest that ${what} ends as in the daemon, and others go on`, LIMIT, async () => {
    const others = await pool.submit({
      module: 'work.wasm', count: 20, defaults: { args: ['5'] }, retries: 0, requires: { kind: 'browser' },
    });
    await standstill();
    const [tab, native] = await Promise.all([run(module, task, 'browser'), run(module, task, 'native')]);
    assert.equal(tab.state, expected);
    assert.equal(native.state, expected);
    assert.equal(tab.attempts, 1);
    const first = (text) => text?.split('\n')[0];
    assert.equal(first(tab.reason), first(native.reason));
    assert.equal((await pool.ended(others.id)).state, 'succeeded');
    const longest = await standstill();
    assert.ok(longest < STANDSTILL_MS_MAX, `the page stood still for ${longest} ms`);
    assert.deepEqual(page.troubles, []);
  });
}

test('a module of 100,000 functions is compiled while others go on', LIMIT, async () => {
  const wasm = huge(100_000, 240);
  assert.ok(wasm.length > 20 * MIB);
  await pool.api('/v1/blobs/huge.wasm', { method: 'PUT', body: wasm });
  const others = await pool.submit({
    module: 'noop.wasm', count: 2_000, retries: 0, requires: { kind: 'browser' },
  });
  await standstill();
  const result = await run('huge.wasm', {}, 'browser');
  assert.equal(result.state, 'succeeded', result.reason);
  assert.equal((await pool.ended(others.id)).state, 'succeeded');
  const longest = await standstill();
  assert.ok(longest < STANDSTILL_MS_MAX, `the page stood still for ${longest} ms`);
  assert.equal((await run('hello.wasm', { args: ['it'] }, 'browser')).state, 'succeeded');
  assert.deepEqual(page.troubles, []);
});

test('memory and workers are back after a thousand tasks, bad ones among them', LIMIT, async () => {
  await troubleMix(pool, 300);
  const before = await measureMemory(page);
  await troubleMix(pool, 1_000);
  const after = await measureMemory(page);
  assert.equal(after.workers, before.workers);
  const grown = (after.bytes - before.bytes) / MIB;
  assert.ok(grown < 16, `${grown.toFixed(1)} MiB more than before`);
});
