// What a volunteer sees and can do on the page that joins the pool.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible } from './lib/accessible.mjs';
import { DESKTOP, PHONE, launch, open, picture } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { until } from './lib/wait.mjs';

let browser, pool;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
  await pool.upload('hello', 'spin', 'work', 'noop');
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

const limit = { timeout: 180_000 };
const button = (page, name) => page.getByRole('button', { name, exact: true });
const standing = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();
const slot = (page, text) => page.locator('#slots-list > li', { hasText: text });

/** Opens the page and starts it. */
async function joined(name, query = '', look = {}) {
  const page = await open(browser, `${pool.url}/join?name=${name}${query}`, look);
  await button(page, 'Start').click();
  await standing(page, `In the pool as ${name}`);
  return page;
}

/** Leaves the pool, and sees that nothing went wrong. */
async function leave(page) {
  await button(page, 'Stop now').click();
  await standing(page, 'Stopped');
  assert.deepEqual(page.troubles, []);
  await page.context().close();
}

const attempts = async (job, index = 0) => (await pool.api(`/v1/jobs/${job}/tasks/${index}`)).attempts;

test('a tab joins with one click, runs a job, and says so', limit, async () => {
  const page = await open(browser, `${pool.url}/join?slots=2&name=lab-3`);
  await picture(page, 'join-before-desktop');
  const before = await pool.api('/v1/providers');
  assert.deepEqual(before.items, [], 'nothing starts without a click');
  await accessible(page, 'before the start');
  await button(page, 'Start').click();
  const provider = await pool.joined('lab-3');
  assert.equal(provider.kind, 'browser');
  assert.equal(provider.slots, 2);

  const { id } = await pool.submit({ module: 'hello.wasm', count: 5 });
  const job = await pool.ended(id);
  assert.equal(job.state, 'succeeded');
  await page.locator('#figure-done', { hasText: '5' }).waitFor();
  await leave(page);
});

test('what runs is shown with its name, since when, and its memory', limit, async () => {
  const page = await joined('shows', '&slots=2');
  const { id } = await pool.submit({ name: 'sum of everything', module: 'spin.wasm', count: 1, defaults: { args: ['a', 'b'] } });
  await slot(page, 'sum of everything').waitFor();
  await slot(page, 'Free').waitFor();
  const text = await slot(page, 'sum of everything').innerText();
  assert.match(text, /of 256 MiB/);
  assert.match(text, /\d m?s/);
  await page.waitForFunction(() => document.title.startsWith('▶ 1/2'));
  assert.match(await page.locator('#icon').getAttribute('href'), /^data:image\/svg\+xml,/);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [size, name] of [[DESKTOP, 'desktop'], [PHONE, 'phone']]) {
      await page.setViewportSize(size);
      await picture(page, `join-running-${name}-${scheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `nothing is wider than the screen: ${wide} px`);
    }
    await accessible(page, `while it runs, ${scheme}`);
  }
  await pool.api(`/v1/jobs/${id}`, { method: 'DELETE' });
  await leave(page);
});

test('the memory of a guest is seen while it computes and calls nothing', limit, async () => {
  const grows = `(module (memory 1) (func (export "_start")
    (drop (memory.grow (i32.const 399))) (loop $again (br $again))))`;
  await pool.api('/v1/blobs/grows.wasm', { method: 'PUT', body: grows });
  const page = await joined('sees', '&slots=1');
  const { id } = await pool.submit({ module: 'grows.wasm', count: 1, defaults: { memory: '64MiB' } });
  await slot(page, '25 MiB of 64 MiB').waitFor();
  await pool.api(`/v1/jobs/${id}`, { method: 'DELETE' });
  await leave(page);
});

test('stop now gives running tasks back at once, and they are not lost', limit, async () => {
  const page = await joined('gives-back', '&slots=1');
  const { id } = await pool.submit({ module: 'spin.wasm', count: 1, retries: 0, placement_timeout: '10m' });
  await slot(page, 'spin.wasm').waitFor();
  await leave(page);
  const job = await until('the task waits again', async () => {
    const now = await pool.api(`/v1/jobs/${id}`);
    return now.counts.queued === 1 && now;
  });
  assert.equal(job.ended, null, 'though it may not be tried again after a loss');
  await pool.api(`/v1/jobs/${id}`, { method: 'DELETE' });
});

/** More tasks than any machine gets through while a button is clicked. */
const many = { module: 'work.wasm', count: 1_000, retries: 0, defaults: { args: ['100'] } };

/** How many of them have ended, once none runs any more and all others wait. */
const atRest = (id) => until('what ran has ended, and all others wait', async () => {
  const { counts } = await pool.api(`/v1/jobs/${id}`);
  assert.equal(counts.failed, 0);
  return counts.succeeded > 0 && counts.succeeded + counts.queued === many.count && counts.succeeded;
});

test('stop when tasks are done finishes what runs and takes no more', limit, async () => {
  const page = await joined('finishes', '&slots=1');
  const { id } = await pool.submit(many);
  await slot(page, 'work.wasm').waitFor();
  await button(page, 'Stop when tasks are done').click();
  await standing(page, 'Stopped');
  const ended = await atRest(id);
  assert.equal(await attempts(id, ended - 1), 1, 'what ran was not started again');
  assert.deepEqual(page.troubles, []);
  await pool.api(`/v1/jobs/${id}`, { method: 'DELETE' });
  await page.context().close();
});

test('a pause lets what runs end, gives back what waits, and can be ended', limit, async () => {
  const page = await joined('pauses', '&slots=1');
  const { id } = await pool.submit(many);
  await slot(page, 'work.wasm').waitFor();
  await button(page, 'Pause').click();
  await standing(page, 'Paused');
  const ended = await atRest(id);
  await slot(page, 'Free').waitFor();
  await page.waitForFunction(() => document.title.startsWith('⏸'));
  await until('no slot is offered', async () => (await pool.joined('pauses')).slots === 0);
  await picture(page, 'join-paused-desktop');
  await accessible(page, 'paused');
  assert.equal(await atRest(id), ended, 'nothing runs in a pause');
  await button(page, 'Resume').click();
  await until('it goes on', async () => (await pool.api(`/v1/jobs/${id}`)).counts.succeeded > ended);
  assert.equal(await attempts(id, ended), 1, 'what was given back is no failure');
  await pool.api(`/v1/jobs/${id}`, { method: 'DELETE' });
  await leave(page);
});

test('the sliders work while it runs, by keyboard, and are remembered', limit, async () => {
  const page = await open(browser, `${pool.url}/join?name=slides`);
  await button(page, 'Start').click();
  await standing(page, 'In the pool');
  const slots = page.getByLabel('Tasks at a time');
  await slots.focus();
  await page.keyboard.press('Home');
  await until('one slot is offered', async () => (await pool.joined('slides')).slots === 1);
  await page.keyboard.press('ArrowRight');
  await until('two slots are offered', async () => (await pool.joined('slides')).slots === 2);
  const share = page.getByLabel('Share of the time');
  await share.focus();
  await page.keyboard.press('Home');
  await page.locator('#share-text', { hasText: '25 %' }).waitFor();

  // At a quarter of the time a task is followed by a rest of three times its length.
  const { id } = await pool.submit({ module: 'work.wasm', count: 1, defaults: { args: ['400'] } });
  await pool.ended(id);
  await slot(page, 'Rests').waitFor();
  await picture(page, 'join-rests-desktop');
  await page.getByLabel('Share of the time').press('End');
  await slot(page, 'Rests').waitFor({ state: 'detached' });

  await share.press('Home');
  await button(page, 'Stop now').click();
  await standing(page, 'Stopped');
  await page.goto(`${pool.url}/join`);
  assert.equal(await page.getByLabel('Share of the time').inputValue(), '25');
  assert.equal(await page.getByLabel('Tasks at a time').inputValue(), '2');
  assert.equal(await page.getByLabel('Name of this tab').inputValue(), 'slides');
  assert.deepEqual(page.troubles, []);
  await page.context().close();
});

/** A battery and a connection that tests can change: `__machine(charging, saveData)`. */
function fakeMachine() {
  const battery = Object.assign(new EventTarget(), { charging: true });
  const connection = Object.assign(new EventTarget(), { saveData: false, type: 'wifi' });
  navigator.getBattery = async () => battery;
  Object.defineProperty(navigator, 'connection', { value: connection });
  globalThis.__machine = (charging, saveData) => {
    Object.assign(battery, { charging });
    Object.assign(connection, { saveData });
    battery.dispatchEvent(new Event('chargingchange'));
    connection.dispatchEvent(new Event('change'));
  };
}

test('on battery and on a metered connection it pauses at once, if so set', limit, async () => {
  const page = await open(browser, 'about:blank');
  await page.addInitScript(fakeMachine);
  await page.goto(`${pool.url}/join?name=mobile&slots=1`);
  await page.getByLabel('Pause while on battery').check();
  await page.getByLabel('Pause on a metered connection').check();
  await button(page, 'Start').click();
  await standing(page, 'In the pool');
  const { id } = await pool.submit({ module: 'spin.wasm', count: 1, retries: 0 });
  await slot(page, 'spin.wasm').waitFor();
  await page.evaluate(() => globalThis.__machine(false, false));
  await standing(page, 'Paused');
  await page.getByText('runs on its battery').waitFor();
  await slot(page, 'Free').waitFor();
  await until('the task waits again', async () => (await pool.api(`/v1/jobs/${id}`)).counts.queued === 1);
  await page.evaluate(() => globalThis.__machine(true, true));
  await page.getByText('connection is metered').waitFor();
  await page.getByLabel('Pause on a metered connection').uncheck();
  await slot(page, 'spin.wasm').waitFor();
  await pool.api(`/v1/jobs/${id}`, { method: 'DELETE' });
  await leave(page);
});

test('what this browser does not tell is not offered', limit, async () => {
  const page = await open(browser, 'about:blank');
  await page.addInitScript(() => {
    delete Navigator.prototype.getBattery;
    delete Navigator.prototype.wakeLock;
    Object.defineProperty(navigator, 'connection', { value: undefined });
  });
  await page.goto(`${pool.url}/join`);
  await page.getByLabel('Tasks at a time').waitFor();
  assert.equal(await page.getByLabel('Pause while on battery').isVisible(), false);
  assert.equal(await page.getByLabel('Pause on a metered connection').isVisible(), false);
  assert.equal(await page.getByLabel('Keep the screen on').isVisible(), false);
  await page.context().close();
});

test('the screen is kept on only while it works and only if wanted', limit, async () => {
  const page = await open(browser, 'about:blank');
  await page.addInitScript(() => {
    globalThis.__locks = [];
    const request = async () => {
      const lock = { released: false, release: () => { lock.released = true; } };
      globalThis.__locks.push(lock);
      return lock;
    };
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });
  });
  const held = () => page.evaluate(() => globalThis.__locks.filter((lock) => !lock.released).length);
  await page.goto(`${pool.url}/join?name=awake&slots=1`);
  await page.getByLabel('Keep the screen on').check();
  assert.equal(await held(), 0);
  await button(page, 'Start').click();
  await standing(page, 'In the pool');
  await until('it is held', async () => await held() === 1);
  // The browser takes it away when the page is hidden; it comes back.
  await page.evaluate(() => {
    globalThis.__locks.at(-1).released = true;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await until('it is held again', async () => await held() === 1);
  await page.getByLabel('Keep the screen on').uncheck();
  await until('it is let go', async () => await held() === 0);
  await leave(page);
});

test('the address starts it without a click, for kiosks', limit, async () => {
  const page = await open(browser, `${pool.url}/join?autostart=1&slots=3&share=50&name=kiosk`);
  await standing(page, 'In the pool as kiosk');
  assert.equal((await pool.joined('kiosk')).slots, 3);
  assert.equal(await page.getByLabel('Share of the time').inputValue(), '50');
  await leave(page);
});
