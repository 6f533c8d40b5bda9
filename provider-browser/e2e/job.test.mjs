// The page of a job, with a real broker and a native provider.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { launch, open, pictures } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 300_000 };

let browser, pool;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
  await pool.native('lab', 2);
  await pool.upload('hello', 'exit', 'trap', 'cat', 'spin', 'noop', 'files');
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

const chip = (page, name) => page.locator('#legend').getByRole('button', { name });

test('a job runs before the reader’s eyes, and its tasks can be opened', LIMIT, async () => {
  const job = await pool.submit({
    module: 'exit.wasm', name: 'three ends',
    tasks: [{ args: ['0'] }, { args: ['3'] }, { args: ['0'] }, { args: ['4'] }],
  });
  const page = await open(browser, `${pool.url}/jobs/${job.id}`);
  await page.locator('#job-state', { hasText: 'failed' }).waitFor();
  await chip(page, 'succeeded 2').waitFor();
  await chip(page, 'failed 2').waitFor();
  assert.equal(await page.locator('#figure-done').textContent(), '4 / 4');
  assert.match(await page.title(), /^100 % · three ends/);

  // With the keyboard alone: to the second task, and open it.
  await page.locator('#grid').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.locator('#grid-said', { hasText: 'Task 1: failed' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Task 1' }).waitFor();
  await page.locator('#task-facts', { hasText: 'Exit code3' }).waitFor();
  await page.locator('#task-facts', { hasText: 'lab (native)' }).waitFor();
  await page.locator('.waterfall', { hasText: 'Attempt 1 at lab (native)' }).getByText('ran').waitFor();
  assert.match(page.url(), /#task-1$/);
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'grid');

  // A reload shows the same.
  await page.reload();
  await page.getByRole('heading', { name: 'Task 1' }).waitFor();
  await page.locator('#task-facts', { hasText: 'Exit code3' }).waitFor();

  // With the pointer: the first cell.
  await page.locator('#grid-canvas').click({ position: { x: 5, y: 5 } });
  await page.getByRole('heading', { name: 'Task 0' }).waitFor();
  await page.locator('#task-state', { hasText: 'succeeded' }).waitFor();
  assert.deepEqual(page.troubles, []);
});

test('what a task wrote and brought back', LIMIT, async () => {
  const job = await pool.submit({
    module: 'files.wasm', name: 'files come back', tasks: [{ artifacts: ['out/*'] }],
  });
  await pool.ended(job.id);
  const page = await open(browser, `${pool.url}/jobs/${job.id}#task-0`);
  const link = page.locator('#artifact-list a', { hasText: 'out/b.bin' });
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  assert.equal(download.suggestedFilename(), 'b.bin');
  assert.equal((await readFile(await download.path())).length, 100_000);
  for (const [name, file] of [['Save all (zip)', `${job.id}.0.zip`], ['All files that came back (zip)', `${job.id}.zip`]]) {
    const [archive] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name }).click()]);
    assert.equal(archive.suggestedFilename(), file);
    assert.equal((await readFile(await archive.path())).subarray(0, 2).toString(), 'PK');
  }
  await pictures(page, 'job-artifacts');
  assert.deepEqual(page.troubles, []);
});

test('bytes that are no text are shown in hex, text as text, markup as text', LIMIT, async () => {
  const markup = '<img src=x onerror="document.title=1">\n';
  const job = await pool.submit({
    module: 'cat.wasm', name: 'bytes', tasks: [{ stdin: { base64: 'AP8QSGVsbG8=' } }, { stdin: markup }],
  });
  await pool.ended(job.id);
  const page = await open(browser, `${pool.url}/jobs/${job.id}#task-0`);
  const stdout = page.getByRole('region', { name: 'stdout' });
  await stdout.getByText('0000  00 ff 10 48 65 6c 6c 6f  ...Hello').waitFor();
  await page.getByRole('button', { name: 'As text' }).click();
  assert.match(await stdout.textContent(), /Hello$/);
  await page.locator('#grid').focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Task 1' }).waitFor();
  await page.getByRole('region', { name: 'stdout' }).getByText(markup.trim()).waitFor();
  assert.equal(await page.locator('#task img').count(), 0);
  assert.deepEqual(page.troubles, []);
});

test('a trap shows where it happened', LIMIT, async () => {
  const job = await pool.submit({ module: 'trap.wasm', count: 1 });
  await pool.ended(job.id);
  const page = await open(browser, `${pool.url}/jobs/${job.id}#task-0`);
  await page.locator('#task-reason', { hasText: 'innermost' }).waitFor();
  await chip(page, 'trapped 1').waitFor();
});

test('a table says the same as the grid, also for one state', LIMIT, async () => {
  const tasks = Array.from({ length: 130 }, (_, index) => ({ args: [index < 120 ? '0' : '7'] }));
  const job = await pool.submit({ module: 'exit.wasm', name: 'a long table', tasks });
  await pool.ended(job.id);
  const page = await open(browser, `${pool.url}/jobs/${job.id}`);
  await page.getByRole('button', { name: 'Table' }).click();
  const rows = page.locator('#task-rows tr');
  await page.locator('#table-said', { hasText: 'The first 100 tasks' }).waitFor();
  assert.equal(await rows.count(), 100);
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.locator('#table-said', { hasText: '130 tasks' }).waitFor();
  await chip(page, 'failed 10').click();
  await page.locator('#table-said', { hasText: /^10 tasks/ }).waitFor();
  assert.equal(await rows.count(), 10);
  await page.getByRole('button', { name: 'Open task 120' }).click();
  await page.locator('#task-facts', { hasText: 'Exit code7' }).waitFor();
});

test('a job is cancelled after a question', LIMIT, async () => {
  const job = await pool.submit({ module: 'spin.wasm', name: 'without end', count: 5, defaults: { timeout: '10m' } });
  const page = await open(browser, `${pool.url}/jobs/${job.id}#task-0`);
  await chip(page, /^running [1-5]$/).waitFor();
  await page.locator('#task-state', { hasText: 'running' }).waitFor();
  const cancel = page.getByRole('button', { name: 'Cancel the job' });
  await cancel.click();
  await page.getByRole('button', { name: 'Let it go on' }).click();
  assert.equal((await pool.api(`/v1/jobs/${job.id}`)).state, 'running');
  await cancel.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
  await page.locator('#job-state', { hasText: 'cancelled' }).waitFor();
  await chip(page, 'cancelled 5').waitFor();
  // What the panel shows of the task follows.
  await page.locator('#task-state', { hasText: 'cancelled' }).waitFor();
  await cancel.waitFor({ state: 'hidden' });
  assert.deepEqual(page.troubles, []);
});

test('a job that isn’t there', LIMIT, async () => {
  const page = await open(browser, `${pool.url}/jobs/01h00000000000000000000000`);
  await page.locator('#trouble-advice', { hasText: 'there is no job' }).waitFor();
});

test('a hundred thousand tasks: all are drawn, and the page goes on answering', LIMIT, async (context) => {
  const job = await pool.submit({ module: 'noop.wasm', name: 'a hundred thousand', count: 100_000 });
  const page = await open(browser, `${pool.url}/jobs/${job.id}`);
  await chip(page, 'queued').waitFor();
  await page.evaluate(() => {
    window.gaps = [];
    let before = performance.now();
    const frame = (now) => {
      window.gaps.push(now - before);
      before = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  // Somebody moves the pointer over it while tasks end.
  const canvas = page.locator('#grid-canvas');
  const box = await canvas.boundingBox();
  let at = 0;
  const done = await until('a fifth of the tasks is done', async () => {
    at += 37;
    await page.mouse.move(box.x + (at % box.width), box.y + (at % Math.min(400, box.height)));
    const text = await page.locator('#figure-done').textContent();
    const count = Number(text.split('/')[0].replaceAll(/\D/g, ''));
    return count >= 20_000 && count;
  }, 200_000);
  await page.locator('#grid-said', { hasText: /^Task [\d,]+: \w+/ }).waitFor();
  const gaps = (await page.evaluate(() => window.gaps)).sort((a, b) => a - b);
  assert.ok(gaps.length > 10, 'frames were drawn');
  const part = (share) => gaps[Math.floor(gaps.length * share)].toFixed(0);
  context.diagnostic(`${done} done; time between frames: median ${part(0.5)} ms, 95 % ${part(0.95)} ms, longest ${part(0.9999)} ms`);

  // The picture is that of the states: as many pixels of each colour as tasks.
  await pool.api(`/v1/jobs/${job.id}`, { method: 'DELETE' });
  await page.locator('#job-state', { hasText: 'cancelled' }).waitFor();
  const counts = (await pool.api(`/v1/jobs/${job.id}`)).counts;
  await until('the grid shows how all of them ended', async () => {
    const drawn = await page.evaluate(() => {
      const shown = document.querySelector('#grid-canvas');
      const cell = Number.parseFloat(shown.style.width);
      const pixels = shown.getContext('2d').getImageData(0, 0, shown.width, shown.height).data;
      const colours = {};
      for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at + 3] !== 255) continue;
        const colour = `${pixels[at]},${pixels[at + 1]},${pixels[at + 2]}`;
        colours[colour] = (colours[colour] ?? 0) + 1;
      }
      return { colours: Object.values(colours).sort((a, b) => b - a), cell };
    });
    const area = drawn.colours.reduce((sum, count) => sum + count, 0);
    const shares = [counts.cancelled, counts.succeeded].map((count) => count / 100_000).sort((a, b) => b - a);
    return shares.every((share, index) => Math.abs((drawn.colours[index] ?? 0) / area - share) < 0.01);
  });
  await page.mouse.move(0, 0);
  await pictures(page, 'job-hundred-thousand');
  assert.deepEqual(page.troubles, []);
});
