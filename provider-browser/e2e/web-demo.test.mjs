// The web demo of wasi-apps: a module runs in a tab without a broker, from plain
// files.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { launch, open, picture } from './lib/browser.mjs';
import { ROOT, guestPath } from './lib/programs.mjs';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

let folder, server, browser, page;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wasipool-web-demo-'));
  await promisify(execFile)(join(ROOT, 'wasi-apps/web-demo/assemble'), [folder]);
  server = createServer(async (request, response) => {
    const name = request.url === '/' ? 'index.html' : request.url.slice(1);
    try {
      const content = await readFile(join(folder, name));
      response.setHeader('Content-Type', TYPES[extname(name)] ?? 'application/octet-stream');
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await launch();
  page = await open(browser, `http://127.0.0.1:${server.address().port}/`);
});
after(async () => {
  await browser?.close();
  server?.close();
  if (folder) await rm(folder, { recursive: true });
});

const text = (id) => page.textContent(`#${id}`);

/** Fills the form, runs, and gives how it ended. */
async function run(fields) {
  for (const id of ['args', 'env', 'stdin']) await page.fill(`#${id}`, fields[id] ?? '');
  if (fields.sample) await page.selectOption('#sample', fields.sample);
  await page.click('#run');
  await page.waitForSelector('#run:enabled');
  return text('state');
}

test('a guest sees what the form says, and its output is shown', { timeout: 180_000 }, async () => {
  const state = await run({ sample: 'hello', args: 'one\nzwei ü', env: 'B=2\nA=1=1', stdin: 'over\nstdin' });
  assert.match(state, /^succeeded, exit code 0, [\d.]+ ms$/);
  assert.equal(await text('stdout'), 'hello from rust\narg[0]=hello.wasm\narg[1]=one\narg[2]=zwei ü\nA=1=1\nB=2\n--- stdin\nover\nstdin');
  assert.equal(await text('stderr'), '');
  await picture(page, 'web-demo');
});

test('each way to end is told', { timeout: 180_000 }, async () => {
  assert.match(await run({ sample: 'tsp', args: 'dance' }), /^failed, exit code 2, /);
  assert.match(await text('stderr'), /usage: tsp/);
  assert.match(await run({ sample: 'trap' }), /^trapped, .*unreachable/s);
  assert.match(await run({ sample: 'tsp', args: 'rand\n7\n--seed\n42' }), /^succeeded/);
  assert.match(await text('stdout'), /^length 3017\.160$/m);
});

test('a guest that never ends is stopped', { timeout: 180_000 }, async () => {
  await page.fill('#args', '');
  await page.selectOption('#sample', 'spin');
  await page.click('#run');
  await page.click('#stop:enabled');
  await page.waitForSelector('#run:enabled');
  assert.equal(await text('state'), 'cancelled');
});

test('a file of ones own runs, and what is no module is said to be none', { timeout: 180_000 }, async () => {
  await page.setInputFiles('#file', guestPath('hello-wat'));
  assert.match(await run({}), /^succeeded/);
  assert.equal(await text('stdout'), 'hello from wat\narg[0]=hello-wat.wasm\n');
  await page.setInputFiles('#file', { name: 'text.wasm', mimeType: 'application/wasm', buffer: Buffer.from('text') });
  assert.match(await run({}), /^can't be run: /);
  assert.deepEqual(page.troubles, []);
});
