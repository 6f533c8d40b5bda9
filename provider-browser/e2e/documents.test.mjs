// The tutorial and the cookbook say what is true: their commands run, in order
// and in one shell, and print what is shown. (The README has a test of its own.)

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { blocks, matches } from './lib/blocks.mjs';
import { launch, open } from './lib/browser.mjs';
import { Pool } from './lib/pool.mjs';
import { ROOT } from './lib/programs.mjs';

/** The address in the documents, of which the test's broker takes the place. */
const DOCUMENTED = 'http://127.0.0.1:4080';
const LIMIT_MS = 120_000;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** The pool that the documents speak of, with nothing in it yet; the caller stops it. */
async function newPool() {
  const pool = await Pool.start();
  try {
    await pool.native('native', 2);
    await open(browser, `${pool.url}/join?autostart=1&slots=1&name=tab`);
    await pool.joined('tab');
    return pool;
  } catch (error) {
    await pool.stop();
    throw error;
  }
}

/**
 * Runs a script as somebody does who follows the document, in the repository's
 * root.
 * @param {string} script
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}
 */
function run(script) {
  return new Promise((resolve, reject) => {
    const shell = spawn('bash', ['-e', '-o', 'pipefail'], { cwd: ROOT, timeout: LIMIT_MS });
    const said = { stdout: '', stderr: '' };
    shell.stdout.setEncoding('utf8').on('data', (text) => { said.stdout += text; });
    shell.stderr.setEncoding('utf8').on('data', (text) => { said.stderr += text; });
    shell.on('error', reject);
    shell.on('close', (code) => resolve({ code, ...said }));
    shell.stdin.end(script);
  });
}

/**
 * Runs a document's blocks one after another and compares what they print.
 * @param {string} document @param {Pool} pool
 */
async function check(document, pool) {
  const found = blocks(await readFile(join(ROOT, document), 'utf8'));
  assert.ok(found.length > 3, 'it has blocks to run');
  const mark = (line) => `=== of line ${line} ===`;
  // Commands must not read the script that follows them.
  const script = found.map(({ line, script }) => `echo '${mark(line)}'\n{\n${script}\n} </dev/null\n`).join('');
  const { code, stdout, stderr } = await run(script.replaceAll(DOCUMENTED, pool.url));
  for (const [at, { line, output }] of found.entries()) {
    const begin = stdout.indexOf(mark(line));
    assert.ok(begin >= 0, `${document} broke off (${code}) before line ${line}:\n${stdout.slice(-2_000)}\n${stderr}`);
    const next = found[at + 1];
    const end = next ? stdout.indexOf(mark(next.line)) : stdout.length;
    const printed = stdout.slice(begin + mark(line).length, end < 0 ? undefined : end).replaceAll(pool.url, DOCUMENTED);
    if (output !== undefined && end >= 0) {
      assert.ok(matches(output, printed), `${document}, line ${line}: it shows\n${output}\nbut prints\n${printed}\n${stderr}`);
    }
  }
  assert.equal(code, 0, `${document} ended with ${code}:\n${stdout.slice(-2_000)}\n${stderr}`);
}

for (const document of ['docs/TUTORIAL.md', 'docs/COOKBOOK.md']) {
  test(`the commands of ${document} print what it shows`, { timeout: 2 * LIMIT_MS }, async () => {
    const pool = await newPool();
    try {
      await check(document, pool);
    } finally {
      await pool.stop();
    }
  });
}

/** In the tables of errors, what isn't printed by these programs themselves. */
const FOREIGN = [/^unexpected argument /, /^invalid URL, /, /^ss -/, /^GET /];

/** The text of all sources below folders, as they print it: one line, escapes undone. */
async function sources(folders) {
  const texts = [];
  for (const folder of folders) {
    const entries = await readdir(join(ROOT, folder), { recursive: true });
    for (const entry of entries.filter((name) => /\.(rs|js)$/.test(name))) texts.push(await readFile(join(ROOT, folder, entry), 'utf8'));
  }
  return texts.join('\n').replaceAll(/\\\n\s*/g, '').replaceAll(/\s+/g, ' ').replaceAll('\\"', '"');
}

test('what docs/OPERATIONS.md says that programs print is what they print', async () => {
  const known = await sources(['broker/src', 'provider-native/src', 'provider-browser/src', 'provider-browser/web', 'shared/src']);
  const operations = await readFile(join(ROOT, 'docs/OPERATIONS.md'), 'utf8');
  const rows = operations.slice(operations.indexOf('## Troubleshooting')).split('\n').filter((line) => /^\| .*`/.test(line));
  let checked = 0;
  for (const row of rows) {
    for (const [, text] of row.matchAll(/`([^`]+)`/g)) {
      // Single words are settings and states; the rest are commands and what libraries print.
      if (FOREIGN.some((pattern) => pattern.test(text))) continue;
      const pieces = text.split(/…|: (?=\w)/).map((piece) => piece.replaceAll(/^[\s:;,.]+|[\s:;,.]+$/g, ''));
      for (const piece of pieces.filter((part) => /\w \w/.test(part))) {
        assert.ok(known.includes(piece), `nothing prints "${piece}", which stands in\n${row}`);
        checked += 1;
      }
    }
  }
  assert.ok(checked > 40, `the tables are read: ${checked}`);
});

test('dots stand for anything, and nothing else does', () => {
  assert.ok(matches('a …b… c', 'a xxb y c\n'));
  assert.ok(matches('a\n…\nz', 'a\nb\nc\nz'));
  assert.ok(matches('a\n…', 'a\n'));
  assert.ok(!matches('a', 'a\nb'));
  assert.ok(!matches('a…', 'b'));
  assert.ok(!matches('a.', 'ab'));
  assert.throws(() => blocks('<!-- run -->\ntext'));
  assert.throws(() => blocks('<!-- output -->\n```text\n1\n```'));
});
