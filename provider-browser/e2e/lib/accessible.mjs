// What axe finds wrong with a page for people who can't see or use it as most do.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const AXE = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Fails if axe finds something serious in the page as it is now.
 * @param {import('playwright-core').Page} page
 * @param {string} what the page is, for the message
 */
export async function accessible(page, what) {
  await page.evaluate(await AXE);
  const found = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
  const serious = found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('\n  ')}`);
  assert.deepEqual(serious, [], what);
}
