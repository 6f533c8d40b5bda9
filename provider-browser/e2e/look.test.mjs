// How the pages look and are used, over a made-up broker: thousands of providers,
// every state, keyboard, screen reader, light and dark.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible } from './lib/accessible.mjs';
import { launch, open, pictures } from './lib/browser.mjs';
import { job, provider, stats } from './lib/made-up.mjs';
import { Stage } from './lib/stage.mjs';
import { until } from './lib/wait.mjs';
import { TASK_STATES } from '../web/states.js';

const LIMIT = { timeout: 240_000 };

let browser, stage;
before(async () => {
  browser = await launch();
  stage = await Stage.start();
});
after(async () => {
  await browser?.close();
  await stage?.stop();
});

/** Sets what the dashboard is told first. */
function pool({ providers, beyond = 0, jobs = [], figures = {} }) {
  stage.onStream = (path, send) => {
    send('stats', stats({ providers: providers.length + beyond, slots: 52, busy: 31, ...figures }));
    send('providers', { all: true, changed: providers, left: [], more: beyond });
    send('jobs', { all: true, changed: jobs, removed: [] });
  };
}

const SOME = [
  ...Array.from({ length: 8 }, (_, number) => provider(number + 1)),
  provider(9, { name: 'a-very-long-name-that-somebody-gave-to-their-machine.example.org', slots: 96, busy: 71 }),
  provider(10, { state: 'cooled-down', reason: '3 attempts failed in a row: the guest could not be started', failures: 3 }),
  provider(11, { state: 'paused', busy: 0, transport: 'websocket' }),
  provider(12, { state: 'draining', round_trip_ms: null }),
];
const ENDED = '2026-01-01T00:02:00Z';
const BEGUN = '2026-01-01T00:00:00Z';
const JOBS = [
  job(1, { name: 'travelling salesman, all seeds' }),
  job(2, { state: 'queued', name: null, counts: { queued: 1000 }, progress: 0, tasks_per_second: null, eta_ms: null, started: null }),
  job(3, { state: 'succeeded', name: 'matrix products', counts: { succeeded: 1000 }, progress: 1, created: BEGUN, started: BEGUN, ended: ENDED, eta_ms: null }),
  job(4, { state: 'failed', name: 'a name without any blanks: '.repeat(4).replaceAll(' ', '_'), progress: 1, created: BEGUN, started: BEGUN, ended: ENDED, eta_ms: null, counts: Object.fromEntries(TASK_STATES.slice(2).map((state, at) => [state, at * 30 + 10])) }),
];

/** Sets what the page of job 1 is told: tasks in every state. */
function jobPage(tasks = 3_000) {
  const shown = job(1, {
    name: 'travelling salesman, all seeds', tasks, labels: { who: 'lab', run: '7' }, counts: { queued: tasks },
  });
  const ended = Math.floor(tasks * 0.6);
  const runs = [];
  for (let from = 0, nth = 0; from < ended; nth += 1) {
    const count = Math.min(ended - from, nth % 2 ? 1 + (nth % 3) : 7 + ((nth * 7919) % 23));
    runs.push([from, count, nth % 2 ? TASK_STATES[2 + ((nth >> 1) % 10)] : 'succeeded']);
    from += count;
  }
  runs.push([ended, 60, 'running'], [ended + 60, tasks - ended - 60, 'queued']);
  shown.counts = {};
  for (const [, count, state] of runs) shown.counts[state] = (shown.counts[state] ?? 0) + count;
  stage.onStream = (path, send) => {
    send('job', shown);
    send('tasks', { all: true, runs });
  };
  const path = `/v1/jobs/${shown.id}/tasks/17`;
  stage.answers.set(path, {
    task: `${shown.id}.17`, index: 17, state: 'trapped', exit_code: null,
    reason: 'unreachable instruction executed\n  innermost\n  middle\n  main',
    stdout: 'seed 17\ncities 9\n', stderr_base64: btoa('\x00\x01\x02 not a text \xff\xfe'),
    artifacts: [{ path: 'out/tour.txt', size: 1234, digest: `sha256:${'0'.repeat(64)}`, url: `${path}/artifacts/out/tour.txt` }],
    provider: { id: provider(1).id, name: 'lab-1', kind: 'native' }, attempts: 2,
    timing: { queued_ms: 210, transfer_ms: 12, prepare_ms: 3, run_ms: 181, total_ms: 420.3 },
  });
  const step = (after_ms, name, attempt = null, detail = null) => ({ at: BEGUN, after_ms, step: name, attempt, provider: attempt && provider(attempt).id, detail });
  stage.answers.set(`${path}/trace`, {
    task: `${shown.id}.17`, state: 'trapped',
    steps: [
      step(0, 'received'), step(0.4, 'queued'), step(60, 'sent', 1, 'tab-2 (browser)'), step(150, 'failed', 1, 'the session ended'),
      step(210, 'sent', 2, 'lab-1 (native)'), step(225, 'started', 2), step(406, 'ended', 2), step(420, 'stored'),
    ],
  });
  return shown;
}

test('the dashboard in every state, light and dark, is good for everybody', LIMIT, async () => {
  for (const scheme of ['light', 'dark']) {
    pool({ providers: SOME, jobs: JOBS, figures: { queued: 340, running: 31, ended: 12_345, jobs: 2, tasks_per_second: 18.2 } });
    const page = await open(browser, stage.url, { scheme });
    await page.locator('.provider').nth(11).waitFor();
    // A load that comes and goes, for the charts.
    await page.clock.install({ time: Date.now() });
    for (let second = 0; second < 400; second += 2) {
      const wave = Math.max(0, Math.sin(second / 40));
      stage.send('/v1/events', 'stats', stats({ providers: 12, slots: 170, busy: 120, queued: Math.round(900 * wave), running: 30 + (second % 7), ended: 12_345 + second * 18, jobs: 2, tasks_per_second: 18 * (0.6 + wave / 2) }));
      await page.locator('#figure-done', { hasText: (12_345 + second * 18).toLocaleString('en-GB') }).waitFor();
      await page.clock.runFor(2_000);
    }
    await accessible(page, `dashboard, ${scheme}`);
    await pictures(page, `dashboard-${scheme}`);
    await page.getByRole('button', { name: 'Table' }).click();
    await page.getByRole('row', { name: /tab-8/ }).waitFor();
    await accessible(page, `table of providers, ${scheme}`);
    await page.getByRole('button', { name: 'Submit a job' }).click();
    await page.getByText('Input, files, environment, and more').click();
    await accessible(page, `form, ${scheme}`);
    await page.context().close();

    pool({ providers: [] });
    const empty = await open(browser, stage.url, { scheme });
    await empty.getByRole('heading', { name: 'Nobody is in the pool yet' }).waitFor();
    await accessible(empty, `empty pool, ${scheme}`);
    await empty.context().close();
  }
});

test('the page of a job, light and dark, is good for everybody', LIMIT, async () => {
  for (const scheme of ['light', 'dark']) {
    const { id } = jobPage();
    const page = await open(browser, `${stage.url}/jobs/${id}#task-17`, { scheme });
    await page.locator('#outputs h3').first().waitFor();
    await page.locator('#legend button').nth(11).waitFor();
    await accessible(page, `job, ${scheme}`);
    await pictures(page, `job-${scheme}`);
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await accessible(page, `question, ${scheme}`);
    assert.deepEqual(page.troubles, []);
    await page.context().close();
  }
});

test('a disputed task shows the results that differ', LIMIT, async () => {
  const { id } = jobPage(40);
  const path = `/v1/jobs/${id}/tasks/3`;
  const variant = (nth, more) => ({
    digest: `sha256:${nth}`, provider: { id: provider(nth).id, name: provider(nth).name, kind: provider(nth).kind }, state: 'succeeded', exit_code: 0, reason: null,
    stdout_digest: `sha256:${nth}`, stdout_size: 5, stderr_digest: `sha256:${nth}`, stderr_size: 0, artifacts: [], ...more,
  });
  stage.answers.set(path, {
    task: `${id}.3`, index: 3, state: 'disputed', exit_code: null, reason: '3 results, all of them different', artifacts: [], provider: null, attempts: 3,
    timing: { queued_ms: 1, transfer_ms: 0, prepare_ms: 0, run_ms: 0, total_ms: 9 }, stdout: '', stderr: '',
    variants: [variant(1, { stdout: 'four\n' }), variant(2, { stdout_base64: btoa('\xfffive') }), variant(4, { state: 'failed', exit_code: 7, stdout_size: 400_000 })],
  });
  stage.answers.set(`${path}/trace`, { task: `${id}.3`, state: 'disputed', steps: [] });
  const page = await open(browser, `${stage.url}/jobs/${id}#task-3`);
  const rows = page.locator('#variant-list > li');
  await rows.nth(2).waitFor();
  await rows.filter({ hasText: 'lab-1 (native): succeeded, exit code 0' }).getByText('four').waitFor();
  await rows.filter({ hasText: 'tab-2 (browser)' }).getByText('0000  ff 66 69 76 65').waitFor();
  await rows.filter({ hasText: 'lab-4 (native): failed, exit code 7' }).getByText('stdout: 391 KiB, sha256:4').waitFor();
  await accessible(page, 'disputed');
  await pictures(page, 'job-disputed');
  assert.deepEqual(page.troubles, []);
});

test('a page that nobody sees gives its connection back, and comes back when it is seen', LIMIT, async () => {
  let streams = 0;
  stage.onStream = (path, send) => {
    streams += 1;
    send('stats', stats({ providers: streams }));
  };
  const page = await open(browser, 'about:blank');
  await page.clock.install();
  await page.goto(stage.url);
  const figure = (text) => page.locator('#figure-providers', { hasText: text }).waitFor();
  await figure('1');
  assert.equal(stage.listening('/v1/events'), 1);
  const see = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await see(true);
  await page.clock.fastForward(35_000);
  // Something comes now and then, or the broker would be taken for gone.
  stage.send('/v1/events', 'stats', stats({ providers: 77 }));
  await figure('77');
  assert.equal(stage.listening('/v1/events'), 1, 'not at once');
  await page.clock.fastForward(30_000);
  await until('the connection is given back', () => stage.listening('/v1/events') === 0);
  await see(false);
  await figure('2');
  assert.equal(stage.listening('/v1/events'), 1);
});

test('five thousand providers', LIMIT, async () => {
  const many = Array.from({ length: 2_000 }, (_, number) => provider(number + 1, number === 700 ? { state: 'cooled-down', reason: 'it failed' } : {}));
  pool({ providers: many, beyond: 3_000 });
  const page = await open(browser, stage.url);
  const cells = page.locator('#provider-cells button');
  await until('a cell for each that is told of', async () => (await cells.count()) === 2_000);
  await page.locator('#provider-more', { hasText: '3,000 more providers' }).waitFor();
  await accessible(page, 'many providers');

  // One stop for the keyboard; arrows go on, Enter shows one.
  await page.locator('#provider-filter').focus();
  for (const name of ['Tiles', 'Table']) {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), name);
  }
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  const chosen = page.locator('#provider-chosen');
  const [, second] = [...many].filter(({ kind }) => kind === 'native');
  await chosen.getByText(second.name, { exact: true }).waitFor();
  await pictures(page, 'dashboard-many');

  // All of them change at once, ten times: each is shown.
  for (let round = 1; round <= 10; round += 1) {
    stage.send('/v1/events', 'providers', { all: false, left: [], more: 3_000, changed: many.map((one) => ({ ...one, busy: round % 9, tasks_done: round })) });
  }
  await chosen.getByText('10', { exact: true }).waitFor();
  stage.send('/v1/events', 'providers', { all: false, changed: [], left: many.slice(10).map(({ id }) => id), more: 0 });
  await until('those that left are gone', async () => (await page.locator('.provider:visible').count()) === 10);

  await page.locator('#provider-filter').fill('tab');
  await until('the filter holds', async () => (await page.locator('#provider-tiles .provider').count()) === 3);
  await page.locator('#provider-filter').fill('nobody');
  await page.getByText('No provider fits the filter.').waitFor();
  assert.deepEqual(page.troubles, []);
});

test('the keyboard reaches everything, in the order of the page, and is seen', LIMIT, async () => {
  pool({ providers: SOME, jobs: JOBS });
  const page = await open(browser, stage.url);
  await page.locator('.job').nth(3).waitFor();
  const walk = [];
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const focused = document.activeElement;
      const style = getComputedStyle(focused);
      return {
        name: focused.getAttribute('aria-label') ?? focused.textContent.trim() ?? '',
        id: focused.id,
        body: focused === document.body,
        seen: style.outlineStyle !== 'none' && focused.getBoundingClientRect().width > 0,
      };
    });
    if (at.body) break;
    assert.ok(at.seen, `the focus is seen on ${at.id || at.name}`);
    walk.push(at.id || at.name);
  }
  assert.deepEqual(walk.slice(0, 7), [
    'To the content', 'wasipool', 'submit-open', 'Join with this browser', 'provider-filter', 'as-tiles', 'as-table',
  ]);
  assert.deepEqual(walk.slice(7, 11), [...JOBS].reverse().map(({ name, module }) => name ?? module.ref));

  // A dialog keeps the focus, Escape gives it back.
  await page.locator('#submit-open').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  for (let step = 0; step < 12; step += 1) {
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement === document.body || document.querySelector('dialog').contains(document.activeElement)));
  }
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'submit-open');
});

test('a broker that isn’t there', LIMIT, async () => {
  const gone = await Stage.start();
  gone.onStream = (path, send) => send('stats', stats());
  const page = await open(browser, gone.url);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  await gone.stop();
  await page.getByRole('heading', { name: 'The broker doesn’t answer' }).waitFor();
  await page.getByRole('button', { name: 'Try now' }).waitFor();
  assert.equal(await page.locator('#trouble-line').textContent(), `wasipool-broker --http ${new URL(gone.url).host}`);
  await accessible(page, 'unreachable');
  await pictures(page, 'dashboard-unreachable');
});
