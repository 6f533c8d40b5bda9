// What the pages weigh as they are sent, all of them together.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, open } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';

const KIB_MAX = 600;

let browser, pool;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

/** Counts the bytes that a page takes from the network, headers included. */
async function weigh(page, total) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  const addresses = new Map();
  session.on('Network.responseReceived', ({ requestId, response }) => addresses.set(requestId, response.url));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const address = addresses.get(requestId);
    if (address && !new URL(address).pathname.startsWith('/v1/')) total.set(address, encodedDataLength);
  });
}

test('all pages with all that they load weigh at most 600 KiB, and come from the broker alone', { timeout: 180_000 }, async (context) => {
  const total = new Map();
  const hosts = new Set();
  const page = await open(browser, 'about:blank');
  await weigh(page, total);
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  await page.goto(pool.url);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  await page.goto(`${pool.url}/jobs/01h00000000000000000000000`);
  await page.locator('#trouble').waitFor();
  await page.goto(`${pool.url}/join?autostart=1&slots=1&name=scales`);
  await pool.joined('scales');
  // What workers load isn't the page's traffic: it is asked for once more.
  for (const path of await workerFiles(page)) {
    const response = await fetch(new URL(path, pool.url), { headers: { 'Accept-Encoding': 'br' } });
    assert.equal(response.status, 200, path);
    const length = Number(response.headers.get('Content-Length'));
    assert.ok(length > 0, `${path} has a length`);
    total.set(new URL(path, pool.url).href, length);
  }
  const sum = [...total.values()].reduce((all, length) => all + length, 0);
  const largest = [...total].sort((a, b) => b[1] - a[1]).slice(0, 5);
  context.diagnostic(`${(sum / 1024).toFixed(1)} KiB in ${total.size} files; ${largest.map(([address, length]) => `${new URL(address).pathname} ${(length / 1024).toFixed(1)}`).join(', ')}`);
  assert.ok(total.size > 20, 'the files were seen');
  assert.ok([...total.keys()].some((address) => address.endsWith('.wasm')), 'the wasm was seen');
  assert.ok(sum <= KIB_MAX * 1024, `${sum} bytes`);
  assert.deepEqual([...hosts], [new URL(pool.url).host]);
});

/** The files that the workers of the page have loaded, by their own account. */
async function workerFiles(page) {
  const files = new Set();
  for (const worker of page.workers()) {
    files.add(worker.url());
    const loaded = await worker.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name));
    for (const address of loaded) files.add(address);
  }
  return [...files].filter((address) => address.startsWith('http') && !new URL(address).pathname.startsWith('/v1/'));
}

test('files are sent once: a second visit asks for the pages alone', { timeout: 180_000 }, async () => {
  const page = await open(browser, pool.url);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  const again = [];
  page.on('response', (response) => {
    if (!response.fromServiceWorker()) again.push(response);
  });
  await page.goto(`${pool.url}/?again`);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  const sizes = await page.evaluate(() => performance.getEntriesByType('resource')
    .filter((entry) => entry.name.includes('/~'))
    .map((entry) => entry.transferSize));
  assert.ok(sizes.length > 10);
  assert.ok(sizes.every((size) => size === 0), `from the cache: ${sizes}`);
});
