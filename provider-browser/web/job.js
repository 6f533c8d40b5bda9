// @ts-check
// The page of one job, live.

/** @import { Job, TasksEvent } from '../types/api' */

import { send } from './api.js';
import { copyButtons } from './copy.js';
import { Legend } from './legend.js';
import { Live } from './live.js';
import { saves } from './output.js';
import { fillStack, stack } from './stack.js';
import { showStanding } from './standing.js';
import { TASK_STATES, jobLook } from './states.js';
import { TaskGrid } from './task-grid.js';
import { TaskPanel } from './task-panel.js';
import { TaskStates } from './task-states.js';
import { TaskTable } from './task-table.js';
import { byId, clock, duration, number, plural, rate, setText } from './text.js';

const id = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const bar = stack();
const panel = new TaskPanel(id);
const table = new TaskTable(id, openTask);
let states = new TaskStates(0);
const grid = new TaskGrid(states, openTask);
let only = '';
let asTable = false;
const legend = new Legend((state) => {
  only = state;
  grid.only(TASK_STATES.indexOf(/** @type {any} */ (state)));
  if (asTable) table.show(only);
});

/** @param {Job} job */
function showJob(job) {
  const going = job.state === 'queued' || job.state === 'running';
  const title = job.name || job.module.ref;
  document.title = `${Math.floor(job.progress * 100)} % · ${title} · wasipool`;
  setText(byId('job-title'), title);
  const marks = Object.entries(job.labels).map(([name, value]) => `${name}=${value}`);
  const about = [`${job.module.ref}`, plural(job.tasks, 'task', 'tasks'), job.id, ...marks];
  if (job.priority !== 0) about.push(`priority ${job.priority}`);
  setText(byId('job-about'), about.join(' · '));
  const state = byId('job-state');
  setText(state, job.state);
  state.className = `tag ${jobLook(job.state)}`;
  byId('cancel').hidden = !going;
  byId('files-link').hidden = going;
  fillStack(bar, job);
  const done = job.tasks - (job.counts.queued ?? 0) - (job.counts.running ?? 0);
  setText(byId('figure-done'), `${number(done)} / ${number(job.tasks)}`);
  setText(byId('figure-rate'), rate(job.tasks_per_second));
  const took = Date.parse(job.ended ?? '') - Date.parse(job.started ?? job.created);
  setText(byId('figure-left-name'), going ? 'Time left' : 'Took');
  setText(byId('figure-left'), going ? duration(job.eta_ms ?? Number.NaN) : duration(took));
  setText(byId('figure-created'), clock(job.created));
  setText(byId('figure-started'), clock(job.started));
  setText(byId('figure-ended'), clock(job.ended));
  legend.show(job);
  if (states.length !== job.tasks) {
    states = new TaskStates(job.tasks);
    grid.reset(states);
  }
}

/** @param {TasksEvent} event */
function showTasks({ runs }) {
  const range = states.take(runs);
  if (!range) return;
  grid.changed(range);
  grid.say();
  // What is shown of a task may have become more.
  const touched = runs.some(([from, count]) => panel.index >= from && panel.index < from + count);
  if (touched && panel.index >= 0) panel.show(panel.index);
}

/** @param {number} index */
function openTask(index) {
  history.replaceState(null, '', `#task-${index}`);
  panel.show(index);
  const task = byId('task');
  task.focus({ preventScroll: true });
  // On a narrow page it lies below.
  const top = task.getBoundingClientRect().top;
  if (top < 0 || top > innerHeight * 0.7) task.scrollIntoView({ block: 'start' });
}

const live = new Live(`/v1/jobs/${id}/events`, {
  job: showJob,
  tasks: showTasks,
  end(job) {
    showJob(job);
    live.close();
    // What was read of the task before may be older than this.
    if (panel.index >= 0) panel.show(panel.index);
  },
}, showStanding(() => live.retry()));

for (const view of ['as-grid', 'as-table']) {
  byId(view).addEventListener('click', () => {
    asTable = view === 'as-table';
    byId('as-grid').setAttribute('aria-pressed', String(!asTable));
    byId('as-table').setAttribute('aria-pressed', String(asTable));
    byId('grid-view').hidden = asTable;
    byId('table-view').hidden = !asTable;
    if (asTable) table.show(only);
  });
}

const cancelDialog = byId('cancel-dialog', HTMLDialogElement);
byId('cancel').addEventListener('click', () => {
  cancelDialog.returnValue = '';
  cancelDialog.showModal();
});
cancelDialog.addEventListener('close', async () => {
  if (cancelDialog.returnValue !== 'yes') return;
  const button = byId('cancel', HTMLButtonElement);
  button.disabled = true;
  try {
    await send(`/v1/jobs/${id}`, { method: 'DELETE' });
  } catch (error) {
    setText(byId('job-about'), `It can’t be cancelled: ${error instanceof Error ? error.message : error}`);
  }
  button.disabled = false;
});

// Back to where the task was chosen.
byId('task').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') byId(asTable ? 'table-view' : 'grid').focus();
});

byId('job-bar').append(bar);
saves(byId('results-link', HTMLAnchorElement), `/v1/jobs/${id}/results`, `${id}.ndjson`);
saves(byId('files-link', HTMLAnchorElement), `/v1/jobs/${id}/artifacts.zip`, `${id}.zip`);
copyButtons(document);

/** The task that the address names. */
function openByAddress() {
  const named = /^#task-(\d+)$/.exec(location.hash);
  if (named) panel.show(Number(named[1]));
}
addEventListener('hashchange', openByAddress);
openByAddress();
