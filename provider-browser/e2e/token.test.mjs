// A broker that wants tokens: the page asks for one, keeps it in this tab, and
// never puts it into an address.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launch, open, pictures } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';

const LIMIT = { timeout: 240_000 };

let browser, pool, folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wasipool-tokens-'));
  await writeFile(join(folder, 'submit'), 's3cret-submit\n');
  await writeFile(join(folder, 'provide'), 's3cret-provide\n');
  browser = await launch();
  pool = await Pool.start({ args: ['--submit-tokens', join(folder, 'submit'), '--provide-tokens', join(folder, 'provide')] });
  pool.token = 's3cret-submit';
  await pool.native('lab', 2, ['--token-file', join(folder, 'provide')]);
});
after(async () => {
  await browser?.close();
  await pool?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the page asks for a token, and shows nothing without', LIMIT, async () => {
  const page = await open(browser, pool.url);
  const addresses = [];
  page.on('request', (request) => addresses.push(request.url()));
  await page.getByRole('heading', { name: 'This pool asks for a token' }).waitFor();
  await pictures(page, 'dashboard-token');
  assert.equal(await page.locator('main > :visible').count(), 1, 'nothing else is shown');
  const field = page.getByLabel('Token');
  assert.ok(await field.evaluate((input) => input === document.activeElement));
  await field.fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'The broker doesn’t take that token' }).waitFor();
  await field.fill('s3cret-submit');
  await page.keyboard.press('Enter');
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  await page.locator('.provider', { hasText: 'lab' }).waitFor();

  // The form works with it, and shows where it goes, never what it is.
  await pool.upload('files');
  await page.getByRole('button', { name: 'Submit a job' }).click();
  await page.locator('#module-known').selectOption('files.wasm');
  await page.getByText('Input, files, environment, and more').click();
  await page.locator('#artifacts').fill('out/*');
  const commands = await page.locator('#curl-lines').textContent();
  assert.match(commands, /-H "Authorization: Bearer \$TOKEN"/);
  assert.doesNotMatch(commands, /s3cret/);
  await page.getByRole('button', { name: 'Submit', exact: true }).click();
  await page.waitForURL(/\/jobs\//);
  await page.locator('#job-state', { hasText: 'succeeded' }).waitFor();

  // So does the page of the job: results and files to save.
  await page.locator('#grid').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  const link = page.locator('#artifact-list a', { hasText: 'out/a.txt' });
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  assert.equal(download.suggestedFilename(), 'a.txt');

  // Another page of this tab needs no token again; another tab does.
  await page.goto(pool.url);
  await page.locator('#standing', { hasText: 'Live' }).waitFor();
  const other = await open(browser, pool.url);
  await other.getByRole('heading', { name: 'This pool asks for a token' }).waitFor();
  assert.ok(addresses.every((address) => !address.includes('s3cret')), 'no token in an address');
});
