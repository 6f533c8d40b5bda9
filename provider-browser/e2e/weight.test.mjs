// What the pages weigh as they are sent, all of them together.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launch, open } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { TARGET } from './lib/programs.mjs';

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

test('all that the broker serves as pages weighs at most 600 KiB as it is sent', { timeout: 180_000 }, async (context) => {
  const files = await readdir(join(TARGET, 'web'), { recursive: true });
  const sizes = await Promise.all(files.map(async (file) => {
    const response = await fetch(`${pool.url}/${file}`, { headers: { 'Accept-Encoding': 'br' } });
    assert.equal(response.status, 200, file);
    const length = Number(response.headers.get('Content-Length'));
    assert.ok(length > 0, `${file} has a length`);
    return /** @type {const} */ ([file, length]);
  }));
  const sum = sizes.reduce((all, [, length]) => all + length, 0);
  const largest = sizes.sort((a, b) => b[1] - a[1]).slice(0, 5);
  context.diagnostic(`${(sum / 1024).toFixed(1)} KiB in ${sizes.length} files; ${largest.map(([file, length]) => `${file} ${(length / 1024).toFixed(1)}`).join(', ')}`);
  for (const file of ['index.html', 'job.html', 'join.html', 'wasipool_browser_bg.wasm']) assert.ok(files.includes(file), file);
  assert.ok(sum <= KIB_MAX * 1024, `${sum} bytes`);
});

test('pages take from the network no more than that, and from the broker alone', { timeout: 180_000 }, async (context) => {
  const hosts = new Set();
  const page = await open(browser, 'about:blank');
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
  await page.goto(pool.url);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  await page.goto(`${pool.url}/jobs/01h00000000000000000000000`);
  await page.locator('#trouble').waitFor();
  await page.goto(`${pool.url}/join?autostart=1&slots=1&name=scales`);
  await pool.joined('scales');
  context.diagnostic(`${(bytes / 1024).toFixed(1)} KiB, without what workers load`);
  assert.ok(bytes > 20 * 1024 && bytes <= KIB_MAX * 1024, `${bytes} bytes`);
  assert.deepEqual([...hosts], [new URL(pool.url).host]);
});

test('files are sent once: a second visit asks for the pages alone', { timeout: 180_000 }, async () => {
  const page = await open(browser, pool.url);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  await page.goto(`${pool.url}/?again`);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  const sizes = await page.evaluate(() => performance.getEntriesByType('resource')
    .filter((entry) => entry.name.includes('/~'))
    .map((entry) => entry.transferSize));
  assert.ok(sizes.length > 10);
  assert.ok(sizes.every((size) => size === 0), `from the cache: ${sizes}`);
});
