// @ts-check
// The pool at a glance, live.

/** @import { StatsEvent } from '../types/api' */

import { copyButtons } from './copy.js';
import { QueueChart, RateChart } from './charts.js';
import { History } from './history.js';
import { Jobs } from './jobs.js';
import { Live } from './live.js';
import { Providers } from './providers.js';
import { showStanding } from './standing.js';
import { submitDialog } from './submit.js';
import { byId, number, rate, setText } from './text.js';

const history = History.kept();
const charts = [new RateChart('chart-rate', history), new QueueChart('chart-queue', history)];
const providers = new Providers();
const jobs = new Jobs();

/** @param {StatsEvent} stats */
function figures(stats) {
  setText(byId('figure-providers'), number(stats.providers));
  setText(byId('figure-slots'), `${number(stats.busy)} / ${number(stats.slots)}`);
  setText(byId('figure-running'), number(stats.running));
  setText(byId('figure-queued'), number(stats.queued));
  setText(byId('figure-done'), number(stats.ended));
  setText(byId('figure-rate'), rate(stats.tasks_per_second));
  jobs.showOpen(stats.jobs);
}

const live = new Live('/v1/events', {
  stats(stats) {
    figures(stats);
    history.add(Date.now(), stats);
    for (const chart of charts) chart.draw();
  },
  providers: (event) => providers.take(event),
  jobs: (event) => jobs.take(event),
}, showStanding(() => live.retry()), { rests: true });

// Time goes on although nothing happens.
setInterval(() => {
  if (document.hidden) return;
  for (const chart of charts) chart.draw();
}, 1_000);

const here = location.origin;
setText(byId('provider-line'), `wasipool-provider --broker ${here}`);
setText(byId('begin-lines'), [
  `curl -T hello.wasm ${here}/v1/blobs/`,
  `curl -d '' '${here}/v1/run/hello.wasm?arg=world'`,
  `curl '${here}/v1/jobs?wait=30s' -H 'Content-Type: application/json' \\`,
  `  -d '{"module":"hello.wasm","count":10,"defaults":{"args":["task {index}"]}}'`,
].join('\n'));
copyButtons(document);
submitDialog();
