// The form that submits a job, to its end; and the commands that it shows.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { launch, open, picture, pictures } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { guestPath } from './lib/programs.mjs';

const LIMIT = { timeout: 240_000 };
const run = promisify(execFile);

let browser, pool, folder;
before(async () => {
  browser = await launch();
  pool = await Pool.start();
  await pool.native('lab', 2);
  folder = join(pool.folder, 'files');
  await mkdir(folder);
  await copyFile(guestPath('hello'), join(folder, "it's hello.wasm"));
  await writeFile(join(folder, 'input [1].txt'), 'what is in the file\n');
});
after(async () => {
  await browser?.close();
  await pool?.stop();
});

/** Fills the form with everything that is hard to quote. */
async function fill(page) {
  await page.getByRole('button', { name: 'Submit a job' }).click();
  await page.locator('#module-file').setInputFiles(join(folder, "it's hello.wasm"));
  await page.locator('#args').fill(`--task {index} "it's" '$HOME \`id\`' 'ü "q"'`);
  await page.locator('#count').fill('3');
  await page.locator('#timeout').fill('20s');
  await page.locator('#memory').fill('64MiB');
  await page.getByText('Input, files, environment, and more').click();
  await page.locator('#files-file').setInputFiles(join(folder, 'input [1].txt'));
  await page.locator('#env').fill("FILE=/input [1].txt\nWHO=it's me\n");
  await page.locator('#job-name').fill("somebody's job");
}

/** What the guest says of its world, as task `index` of that job. */
async function said(job, index) {
  return pool.api(`/v1/jobs/${job}/tasks/${index}`).then((task) => task.stdout);
}

const EXPECTED = [
  'arg[1]=--task', 'arg[2]=1', "arg[3]=it's", 'arg[4]=$HOME `id`', 'arg[5]=ü "q"', "WHO=it's me", '/input [1].txt 20', 'what is in the file',
];

test('the form submits, and leads to the job', LIMIT, async () => {
  const page = await open(browser, pool.url);
  await fill(page);
  await page.locator('#files-list', { hasText: '/input [1].txt' }).waitFor();
  await pictures(page, 'submit', { whole: false });
  await page.getByRole('button', { name: 'Submit', exact: true }).click();
  await page.waitForURL(/\/jobs\/[0-9a-z]{26}$/);
  await page.getByRole('heading', { name: "somebody's job" }).waitFor();
  await page.locator('#job-state', { hasText: 'succeeded' }).waitFor();
  const id = page.url().split('/').at(-1);
  const stdout = await said(id, 1);
  for (const line of EXPECTED) assert.ok(stdout.split('\n').includes(line), `${line} in:\n${stdout}`);
  assert.deepEqual(page.troubles, []);
});

test('the commands that it shows do the same', LIMIT, async () => {
  const page = await open(browser, pool.url);
  await fill(page);
  const commands = await page.locator('#curl-lines').textContent();
  const { stdout } = await run('sh', ['-e', '-c', commands], { cwd: folder });
  const answers = stdout.match(/\{"id":"[0-9a-z]{26}".*/);
  assert.ok(answers, stdout);
  const job = JSON.parse(answers[0]);
  assert.equal(job.name, "somebody's job");
  assert.equal((await pool.ended(job.id)).state, 'succeeded');
  const out = await said(job.id, 1);
  for (const line of EXPECTED) assert.ok(out.split('\n').includes(line), `${line} in:\n${out}`);
});

test('what can’t be sent is said where it is', LIMIT, async () => {
  const page = await open(browser, `${pool.url}/#submit`);
  const error = page.locator('#job-error');
  const send = page.getByRole('button', { name: 'Submit', exact: true });
  await page.locator('#curl-lines', { hasText: '# Which module?' }).waitFor();
  await send.click();
  await error.filter({ hasText: 'Which module?' }).waitFor();
  await page.locator('#module-file').setInputFiles({ name: 'bad.wasm', mimeType: 'application/wasm', buffer: Buffer.from('\0asm no') });
  await page.locator('#args').fill("'open");
  await send.click();
  await error.filter({ hasText: "a ' has no end" }).waitFor();
  assert.equal(await page.locator('#args').getAttribute('aria-invalid'), 'true');
  assert.ok(await page.locator('#args').evaluate((field) => field === document.activeElement));
  await page.locator('#args').fill('');
  await send.click();
  await error.filter({ hasText: 'That was not accepted' }).waitFor();
  await picture(page, 'submit-refused-desktop', { whole: false });
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
});

test('a file that is dropped on the page opens the form, uploaded modules can be chosen', LIMIT, async () => {
  await pool.upload('cat');
  const page = await open(browser, pool.url);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['(module (func (export "_start")))'], 'dropped.wat'));
    data.items.add(new File(['x'], 'beside.txt'));
    const drop = (name) => document.body.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
    drop('dragover');
    drop('drop');
  });
  await page.getByRole('dialog', { name: 'Submit a job' }).waitFor();
  await page.locator('#curl-lines', { hasText: '/v1/blobs/dropped.wat' }).waitFor();
  await page.locator('#curl-lines', { hasText: '"/beside.txt"' }).waitFor({ state: 'detached' });
  await page.locator('#curl-lines', { hasText: '"files":{"beside.txt":{"blob":"beside.txt"}}' }).waitFor();
  await page.locator('#module-known').selectOption('cat.wasm');
  await page.locator('#curl-lines', { hasText: '"module":"cat.wasm"' }).waitFor();
  assert.ok(!(await page.locator('#curl-lines').textContent()).includes('dropped.wat'));
  await page.getByText('Input, files, environment, and more').click();
  await page.getByRole('button', { name: 'Remove beside.txt' }).click();
  await page.locator('#stdin').fill('to the cat\n');
  await page.getByRole('button', { name: 'Submit', exact: true }).click();
  await page.waitForURL(/\/jobs\//);
  await page.locator('#job-state', { hasText: 'succeeded' }).waitFor();
  assert.equal(await said(page.url().split('/').at(-1), 0), 'to the cat\n');
  assert.deepEqual(page.troubles, []);
});
