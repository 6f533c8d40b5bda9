// What a guest, and the page, can't do; what a browser keeps.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, open } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 180_000 };

let browser, pool;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
  await pool.upload('hello');
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

const address = (name) => `${pool.url}/join?autostart=1&slots=2&name=${name}`;

async function runsHello(count = 4) {
  const { id } = await pool.submit({ module: 'hello.wasm', count, requires: { kind: 'browser' } });
  assert.equal((await pool.ended(id)).state, 'succeeded');
}

test('the page runs no script but its own, and connects only to its broker', LIMIT, async () => {
  const page = await open(browser, address('strict'));
  await pool.joined('strict');
  const violations = () => page.evaluate(() => globalThis.__violations);
  await page.evaluate(() => {
    globalThis.__violations = [];
    addEventListener('securitypolicyviolation', (event) => globalThis.__violations.push(event.effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'globalThis.__ran = true';
    document.head.append(script);
    const style = document.createElement('style');
    style.textContent = 'body { color: red }';
    document.head.append(style);
  });
  assert.equal(await page.evaluate(() => globalThis.__ran), undefined);
  // Another port is another origin.
  const other = await Pool.start();
  try {
    const reached = await page.evaluate((url) => fetch(url, { mode: 'no-cors' }).then(() => true, () => false), `${other.url}/healthz`);
    assert.equal(reached, false);
  } finally {
    await other.stop();
  }
  await until('each was refused by the policy', async () => (await violations()).length >= 3);
  assert.deepEqual((await violations()).sort(), ['connect-src', 'script-src-elem', 'style-src-elem']);
  assert.equal(await page.evaluate(() => globalThis.crossOriginIsolated), true);
  await page.context().close();
});

test('a worker with guests reaches nothing', LIMIT, async () => {
  const page = await open(browser, address('alone'));
  await pool.joined('alone');
  const guests = await until('the workers are there', () => {
    const found = page.workers().filter((worker) => worker.url().endsWith('/guest-worker.js'));
    return found.length === 3 && found;
  });
  for (const worker of guests) {
    await until('it has begun', () => worker.evaluate(() => typeof globalThis.wasipoolHalt === 'function'));
    const left = await worker.evaluate(() => ['fetch', 'XMLHttpRequest', 'WebSocket', 'WebTransport', 'EventSource',
      'Worker', 'BroadcastChannel', 'indexedDB', 'caches', 'navigator', 'importScripts', 'document', 'localStorage']
      .filter((name) => globalThis[name] !== undefined));
    assert.deepEqual(left, []);
    // Even code that is loaded anew isn't loaded from elsewhere.
    const loaded = await worker.evaluate((url) => import(url).then(() => true, () => false), 'data:text/javascript,0');
    assert.equal(loaded, false);
  }
  await runsHello();
  assert.deepEqual(page.troubles.filter((text) => !/Content Security Policy/.test(text)), []);
  await page.context().close();
});

test('a module that wants more than WASI is not even taken', LIMIT, async () => {
  for (const wanted of ['"env" "fetch"', '"wasi_snapshot_preview1" "fetch"', '"wasipool" "read"']) {
    const body = `(module (import ${wanted} (func)) (func (export "_start")))`;
    const answer = await fetch(`${pool.url}/v1/blobs`, { method: 'POST', body });
    assert.equal(answer.status, 422);
    assert.equal((await answer.json()).code, 'invalid-module');
  }
});

test('a module is sent once: the next page load finds it in the browser', LIMIT, async () => {
  const sent = async () => {
    const metrics = await pool.api('/metrics');
    return Number(/^wasipool_blob_bytes_sent_total (\d+)$/m.exec(metrics)?.[1] ?? 0);
  };
  const before = await sent();
  const page = await open(browser, address('keeps'));
  const first = await pool.joined('keeps');
  await runsHello();
  const once = await sent();
  assert.ok(once > before, 'it had to come');
  await page.reload();
  await until('it is a new session', async () => (await pool.joined('keeps')).id !== first.id);
  await runsHello();
  assert.equal(await sent(), once, 'nothing more was sent');
  await page.context().close();
});
