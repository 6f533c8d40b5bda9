// Pages name all scripts that they will need: what isn't named is found only after
// the script that imports it has come.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { ROOT } from './lib/programs.mjs';

const WEB = join(ROOT, 'provider-browser/web');

/** All scripts that one imports, itself first. */
async function imports(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const text = await readFile(join(WEB, name), 'utf8');
  for (const [, other] of text.matchAll(/^(?:import|export) .*?from '\.\/([\w.-]+)';$/gms)) await imports(other, found);
  return found;
}

for (const page of ['index', 'job']) {
  test(`${page}.html names its scripts`, async () => {
    const html = await readFile(join(WEB, `${page}.html`), 'utf8');
    const [, entry] = /<script type="module" src="\/([\w.-]+)">/.exec(html);
    const named = [...html.matchAll(/<link rel="modulepreload" href="\/([\w.-]+)">/g)].map(([, name]) => name);
    const needed = [...await imports(entry)].filter((name) => name !== entry);
    assert.deepEqual(named.sort(), needed.sort());
    assert.ok(needed.length > 5);
  });
}
