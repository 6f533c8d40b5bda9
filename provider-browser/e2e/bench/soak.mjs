// Ten thousand tasks in one tab, good and bad ones: what grows?

import { launch, open } from '../lib/browser.mjs';
import { measureMemory, troubleMix } from '../lib/load.mjs';
import { RECURSES } from '../lib/modules.mjs';
import { Pool } from '../lib/pool.mjs';
import { table } from './table.mjs';

const TASKS = Number(process.env.TASKS ?? 10_000);
const PARTS = 5;
const MIB = 1024 * 1024;
/** More than this is growth, less is chance. */
const GROWTH_MIB_MAX = 16;

const browser = await launch();
const pool = await Pool.start();
try {
  await pool.upload('spin', 'hog', 'flood', 'hello', 'noop');
  await pool.api('/v1/blobs/recurses.wasm', { method: 'PUT', body: RECURSES });
  const page = await open(browser, `${pool.url}/join?autostart=1&slots=2&name=tab`);
  await pool.joined('tab');
  const rows = [];
  const measure = async (done) => {
    const { bytes, workers } = await measureMemory(page);
    rows.push([done, bytes / MIB, workers]);
  };
  // All code is compiled, all workers are warm.
  await troubleMix(pool, 500);
  await measure(0);
  const from = performance.now();
  for (let part = 1; part <= PARTS; part += 1) {
    await troubleMix(pool, TASKS / PARTS);
    await measure((TASKS / PARTS) * part);
  }
  const seconds = (performance.now() - from) / 1000;
  console.log(`memory of a tab over ${TASKS} tasks, one in twenty-five of them a bad one (${seconds.toFixed(0)} s)`);
  table(['tasks', 'MiB', 'workers'], rows.map(([done, mib, workers]) => [String(done), mib.toFixed(1), String(workers)]));
  const grown = rows.at(-1)[1] - rows[0][1];
  console.log(`  grown by ${grown.toFixed(1)} MiB (wanted: less than ${GROWTH_MIB_MAX})`);
  if (grown > GROWTH_MIB_MAX || rows.at(-1)[2] !== rows[0][2]) process.exitCode = 1;
} finally {
  await browser.close();
  await pool.stop();
}
