// A tab joins the pool and runs a job.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { DESKTOP, PHONE, launch, open, picture } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';

let browser, pool;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

test('a tab joins with one click, runs a job, and says so', { timeout: 180_000 }, async () => {
  const page = await open(browser, `${pool.url}/join?slots=2&name=lab-3`);
  await picture(page, 'join-before-desktop');
  await page.getByRole('button', { name: 'Start' }).click();
  const provider = await pool.joined('lab-3');
  assert.equal(provider.kind, 'browser');
  assert.equal(provider.slots, 2);

  await pool.upload('hello');
  const { id } = await pool.submit({ module: 'hello.wasm', count: 5 });
  const job = await pool.ended(id);
  assert.equal(job.state, 'succeeded');
  await page.locator('#figure-done', { hasText: '5' }).waitFor();
  for (const [size, name] of [[DESKTOP, 'desktop'], [PHONE, 'phone']]) {
    await page.setViewportSize(size);
    await picture(page, `join-${name}`);
  }
  assert.deepEqual(page.troubles, []);
});
