// A tab that stays in the pool, comes back to it, and leaves it cleanly.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchServer, open } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 240_000 };
/** Within this time a tab is back, once there is something to come back to. */
const BACK_MS = 20_000;

let chromium, browser, pool;
before(async () => {
  chromium = await launchServer();
  ({ browser } = chromium);
  pool = await Pool.start();
});
after(async () => {
  await chromium?.close();
  await pool?.stop();
});

const standing = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

/** A tab that is in the pool. */
async function joined(name, slots = 1) {
  const page = await open(browser, `${pool.url}/join?autostart=1&slots=${slots}&name=${name}`);
  await standing(page, `In the pool as ${name}`);
  return page;
}

/** Runs something and sees that it succeeds. */
async function works() {
  await pool.upload('hello');
  const { id } = await pool.submit({ module: 'hello.wasm', count: 4 });
  assert.equal((await pool.ended(id)).state, 'succeeded');
}

/** A task that runs in a tab for as long as the tab lives. */
async function running(name) {
  await pool.upload('spin');
  const { id } = await pool.submit({ module: 'spin.wasm', count: 1, defaults: { timeout: '10m' } });
  await until(`it runs on ${name}`, async () => (await pool.api(`/v1/jobs/${id}`)).counts.running === 1);
  return id;
}

/** When its first attempt ended, however, in milliseconds since 1970. */
function firstEnd(job) {
  return until('the attempt has ended', async () => {
    const { steps } = await pool.api(`/v1/jobs/${job}/tasks/0/trace`);
    const end = steps.find((step) => ['returned', 'failed'].includes(step.step));
    return end && { at: Date.parse(end.at), step: end.step };
  });
}

/** Lets a tab go by `act`, and sees that the pool takes its task back at once. */
async function taskIsBackAfter(name, act) {
  const page = await joined(name);
  const job = await running(name);
  const from = Date.now();
  await act(page);
  const end = await firstEnd(job);
  assert.ok(end.at - from < 1_000, `${end.step} after ${end.at - from} ms`);
  await pool.api(`/v1/jobs/${job}`, { method: 'DELETE' });
  await until('it is not listed any more', async () => {
    const { items } = await pool.api('/v1/providers');
    return !items.some((provider) => provider.name === name);
  });
  return end;
}

test('closing the tab gives its tasks back at once', LIMIT, async () => {
  const end = await taskIsBackAfter('closed', (page) => page.close({ runBeforeUnload: true }));
  assert.equal(end.step, 'returned', 'not counted as a loss');
});

test('going to another page does so, too', LIMIT, async () => {
  const end = await taskIsBackAfter('gone', (page) => page.goto(`${pool.url}/healthz`));
  assert.equal(end.step, 'returned');
});

test('a tab that crashes loses its tasks at once, not after a timeout', LIMIT, async () => {
  await taskIsBackAfter('crashed', async (page) => {
    const devtools = await page.context().newCDPSession(page);
    // It never answers.
    devtools.send('Page.crash').catch(() => {});
  });
});

test('a broker that is killed and comes back gets its tab back', LIMIT, async () => {
  const page = await joined('faithful', 2);
  await works();
  const before = (await pool.joined('faithful')).id;
  await pool.killBroker();
  await standing(page, 'Not connected, trying again');
  await page.waitForFunction(() => document.title.startsWith('⚠'));
  // With a new certificate: an ephemeral broker has a new one each time.
  await pool.startAgain();
  const from = Date.now();
  const provider = await pool.joined('faithful');
  assert.ok(Date.now() - from < BACK_MS, `back after ${Date.now() - from} ms`);
  assert.notEqual(provider.id, before);
  await works();
  await page.context().close();
});

test('a broker that falls silent is noticed, and found again', LIMIT, async () => {
  const page = await joined('patient');
  pool.signalBroker('SIGSTOP');
  try {
    await standing(page, 'Not connected, trying again');
  } finally {
    pool.signalBroker('SIGCONT');
  }
  const from = Date.now();
  // What tells the page that there is a network again lets it try at once.
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await standing(page, 'In the pool');
  assert.ok(Date.now() - from < BACK_MS, `back after ${Date.now() - from} ms`);
  await works();
  await page.context().close();
});

test('a machine that slept is back soon after it woke up', LIMIT, async () => {
  const page = await joined('sleeper');
  const before = (await pool.joined('sleeper')).id;
  chromium.signal('SIGSTOP');
  try {
    await until('the broker gave it up', async () => {
      const { items } = await pool.api('/v1/providers');
      return !items.some((provider) => provider.name === 'sleeper');
    });
  } finally {
    chromium.signal('SIGCONT');
  }
  const from = Date.now();
  const { id } = await pool.joined('sleeper');
  assert.ok(Date.now() - from < BACK_MS, `back after ${Date.now() - from} ms`);
  assert.notEqual(id, before);
  await works();
  await page.context().close();
});

test('a tab in the background works on in the same session', LIMIT, async () => {
  const page = await joined('background');
  const { id } = await pool.joined('background');
  const front = await page.context().newPage();
  await front.goto(`${pool.url}/healthz`);
  await front.bringToFront();
  // Longer than a session may be silent.
  const from = Date.now();
  await until('time has passed', () => Date.now() - from > 12_000);
  await works();
  assert.equal((await pool.joined('background')).id, id);
  await page.context().close();
});
