// Firefox joins the pool and runs a job, by WebTransport and by WebSocket.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { DESKTOP, PHONE } from './lib/browser.mjs';
import { Firefox } from './lib/firefox.mjs';
import { Pool } from './lib/pool.mjs';
import { until } from './lib/wait.mjs';

/** Providers are told of an address where nobody is: as if UDP were blocked. */
const NO_UDP = { args: ['--public-host', '127.0.0.2'] };

let firefox;
before(async () => {
  firefox = await Firefox.launch();
});
after(() => firefox?.close());

/** Joins, runs a job of five, and gives the provider. @param {Pool} pool @param {string} name */
async function joinsAndRuns(pool, name) {
  const page = await firefox.open(`${pool.url}/join?autostart=1&slots=2&name=${name}`, DESKTOP);
  const provider = await pool.joined(name);
  assert.match(provider.agent, /Firefox/);
  await pool.upload('hello', 'cat');
  const { id } = await pool.submit({ module: 'hello.wasm', count: 5 });
  const job = await pool.ended(id);
  assert.equal(job.state, 'succeeded');
  await until('the page has counted them', async () => await page.text('#figure-done') === '5');
  return { page, provider };
}

/** @param {Pool} pool a large input comes back as it went */
async function echoes(pool) {
  const input = new Uint8Array(3 << 20).map((_, at) => (at * 31 + (at >> 8)) & 255);
  const response = await fetch(`${pool.url}/v1/run/cat.wasm`, { method: 'POST', body: input });
  assert.equal(response.status, 200, await response.clone().text().catch(() => ''));
  const output = Buffer.from(await response.arrayBuffer());
  assert.ok(output.equals(Buffer.from(input)), 'other bytes came back');
}

test('Firefox joins by WebTransport and runs a job', { timeout: 180_000 }, async () => {
  const pool = await Pool.start();
  try {
    const { page, provider } = await joinsAndRuns(pool, 'fox');
    assert.equal(provider.transport, 'webtransport');
    await echoes(pool);
    await page.picture('firefox-join-desktop');
    await page.resize(PHONE);
    await page.picture('firefox-join-phone');
    const dashboard = await firefox.open(pool.url, DESKTOP);
    await until('the dashboard shows the tab', async () => (await dashboard.text('main')).includes('fox'));
    await dashboard.picture('firefox-dashboard-desktop');
    await dashboard.resize(PHONE);
    await dashboard.picture('firefox-dashboard-phone');
    assert.deepEqual(await page.troubles(), []);
  } finally {
    await pool.stop();
  }
});

test('Firefox joins by WebSocket where UDP is blocked', { timeout: 180_000 }, async () => {
  const pool = await Pool.start(NO_UDP);
  try {
    const { page, provider } = await joinsAndRuns(pool, 'fox-ws');
    assert.equal(provider.transport, 'websocket');
    await echoes(pool);
    // Leaving is seen at once.
    await page.close();
    await until('it has left', async () => {
      const { items } = await pool.api('/v1/providers');
      return items.length === 0;
    });
  } finally {
    await pool.stop();
  }
});
