// The dashboard with a real broker, a native provider and a tab.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible } from './lib/accessible.mjs';
import { launch, open, picture, pictures } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 240_000 };

let browser, pool;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

/** What a figure of the dashboard shows. */
const figure = (page, name) => page.locator(`#figure-${name}`);

test('an empty pool says so, and how to join', LIMIT, async () => {
  const page = await open(browser, pool.url);
  await page.getByRole('heading', { name: 'Nobody is in the pool yet' }).waitFor();
  await figure(page, 'providers').filter({ hasText: /^0$/ }).waitFor();
  assert.equal(await page.locator('#provider-line').textContent(), `wasipool-provider --broker ${pool.url}`);
  assert.equal(await page.locator('#empty-pool a').getAttribute('href'), '/join');
  await pictures(page, 'dashboard-empty');
  assert.deepEqual(page.troubles, []);
});

test('providers come, work and go before the reader’s eyes', LIMIT, async () => {
  const page = await open(browser, pool.url);
  await figure(page, 'providers').filter({ hasText: /^0$/ }).waitFor();
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));

  await pool.native('lab', 2);
  const tile = page.locator('.provider', { hasText: 'lab' });
  await tile.getByRole('img', { name: 'native daemon' }).waitFor();
  await tile.getByText('0 of 2 busy').waitFor();

  const tab = await open(browser, `${pool.url}/join?autostart=1&slots=2&name=tab-1`);
  await pool.joined('tab-1');
  await page.locator('.provider', { hasText: 'tab-1' }).getByRole('img', { name: 'browser tab' }).waitFor();
  await figure(page, 'slots').filter({ hasText: '0 / 4' }).waitFor();

  await pool.upload('spin');
  const job = await pool.submit({ module: 'spin.wasm', name: 'without end', count: 6, defaults: { timeout: '10m' } });
  await figure(page, 'slots').filter({ hasText: '4 / 4' }).waitFor();
  await tile.getByText('2 of 2 busy').waitFor();
  const row = page.locator('.job', { hasText: 'without end' });
  await row.getByText(/[4-6] running/).waitFor();
  await pictures(page, 'dashboard-busy');

  await accessible(page, 'dashboard');
  await accessible(tab, 'tab at work');
  await pool.api(`/v1/jobs/${job.id}`, { method: 'DELETE' });
  await row.getByText('cancelled', { exact: true }).waitFor();
  await figure(page, 'slots').filter({ hasText: '0 / 4' }).waitFor();
  await tab.close();
  await page.locator('.provider', { hasText: 'tab-1' }).waitFor({ state: 'detached' });
  assert.deepEqual(asked.filter((path) => path.startsWith('/v1/')), [], 'nothing is polled');
  assert.deepEqual(page.troubles, []);
});

test('a job’s row shows its progress, and leads to its page', LIMIT, async () => {
  await pool.upload('work', 'exit');
  const page = await open(browser, pool.url, { scheme: 'dark' });
  const job = await pool.submit({ module: 'work.wasm', name: 'hashes', count: 300, defaults: { args: ['2'] } });
  const bad = await pool.submit({ module: 'exit.wasm', name: 'failures', count: 20, defaults: { args: ['3'] } });
  await Promise.all([pool.ended(job.id), pool.ended(bad.id)]);
  await page.locator('.job', { hasText: 'hashes' }).getByText('300 succeeded').waitFor();
  await page.locator('.job', { hasText: 'failures' }).getByText('20 failed').waitFor();
  const bar = page.getByRole('progressbar', { name: 'Progress of hashes' });
  assert.equal(await bar.getAttribute('aria-valuenow'), '100');
  // The curve has drawn something that isn't background.
  await until('the chart shows a peak', () => page.locator('#chart-rate').evaluate((canvas) => /at most (?!0)/.test(canvas.getAttribute('aria-label'))));
  await picture(page, 'dashboard-dark-desktop');
  await page.getByRole('link', { name: 'hashes' }).click();
  await page.waitForURL(`${pool.url}/jobs/${job.id}`);
  await page.getByRole('heading', { name: 'hashes' }).waitFor();
  assert.deepEqual(page.troubles, []);
});

test('a broker that is gone and comes back', LIMIT, async () => {
  const page = await open(browser, pool.url);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  await pool.killBroker();
  await page.getByRole('heading', { name: 'The broker doesn’t answer' }).waitFor();
  assert.match(await page.locator('#trouble-advice').textContent(), new RegExp(pool.url.replaceAll('.', '\\.')));
  await pool.startAgain();
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  await page.locator('#trouble').waitFor({ state: 'hidden' });
  // The provider comes back by itself, and so does its tile.
  await page.locator('.provider', { hasText: 'lab' }).waitFor();
});
