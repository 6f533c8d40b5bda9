// @ts-check
// One task: how it ended, what it wrote, what it brought back, where its time went.

/** @import { Artifact, Task, Trace } from '../types/api' */

import { ask } from './api.js';
import { outputView, saves } from './output.js';
import { inWords } from './states.js';
import { byId, bytes, duration, element, number, setText } from './text.js';
import { variantRow } from './variants.js';
import { waterfall } from './waterfall.js';

const LOOKS = /** @type {Record<string, string>} */ ({ queued: '', running: 'busy', succeeded: 'good', cancelled: 'warn' });

export class TaskPanel {
  #job;
  #index = -1;
  /** Counts what was asked for: answers may overtake each other. */
  #asked = 0;

  /** @param {string} job its id */
  constructor(job) {
    this.#job = job;
  }

  /** The task that is shown, or -1. */
  get index() {
    return this.#index;
  }

  /** @param {number} index */
  async show(index) {
    this.#index = index;
    this.#asked += 1;
    const asked = this.#asked;
    const path = `/v1/jobs/${this.#job}/tasks/${index}`;
    setText(byId('task-title'), `Task ${number(index)}`);
    try {
      const [task, trace] = await Promise.all([
        /** @type {Promise<Task>} */ (ask(path)), /** @type {Promise<Trace>} */ (ask(`${path}/trace`)),
      ]);
      const outputs = await this.#outputs(task, path);
      // Another one may have been chosen meanwhile, or more be known of this one.
      if (this.#asked === asked) this.#fill(task, trace, outputs, path);
    } catch (error) {
      if (this.#asked !== asked) return;
      byId('task-shown').hidden = true;
      byId('task-none').hidden = false;
      setText(byId('task-none'), `It can’t be shown: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** @param {Task} task @param {string} path */
  async #outputs(task, path) {
    if (!task.timing) return [];
    const name = (/** @type {string} */ what) => `${task.task}.${what}.txt`;
    const parts = await Promise.all([
      outputView('stdout', { text: task.stdout, base64: task.stdout_base64, url: task.stdout_url }, `${path}/stdout`, name('stdout')),
      outputView('stderr', { text: task.stderr, base64: task.stderr_base64, url: task.stderr_url }, `${path}/stderr`, name('stderr')),
    ]);
    return parts.flat();
  }

  /** @param {Task} task @param {Trace} trace @param {HTMLElement[]} outputs @param {string} path */
  #fill(task, trace, outputs, path) {
    byId('task-none').hidden = true;
    byId('task-shown').hidden = false;
    const state = byId('task-state');
    setText(state, inWords(task.state));
    state.className = `tag ${LOOKS[task.state] ?? 'bad'}`;
    const reason = byId('task-reason');
    reason.hidden = !task.reason;
    setText(reason, task.reason ?? '');

    byId('task-facts').replaceChildren(...facts(task).flatMap(([name, value]) => [
      element('dt', '', name), element('dd', '', value),
    ]));
    const steps = trace.steps.length > 0 ? waterfall(trace) : element('p', 'soft small', 'Nothing has happened yet.');
    byId('waterfall').replaceChildren(steps);
    const variants = task.variants ?? [];
    byId('variants').hidden = variants.length === 0;
    byId('variant-list').replaceChildren(...variants.map(variantRow));
    byId('outputs').replaceChildren(...outputs);
    byId('artifacts').hidden = task.artifacts.length === 0;
    const all = element('a', 'button quiet tiny', 'Save all (zip)');
    saves(all, `${path}/artifacts.zip`, `${task.task}.zip`);
    byId('artifacts-all').replaceChildren(all);
    byId('artifact-list').replaceChildren(...task.artifacts.map(artifactRow));
  }
}

/** @param {Task} task @returns {[string, string][]} */
function facts(task) {
  /** @type {[string, string][]} */
  const found = [];
  if (task.exit_code !== null) found.push(['Exit code', String(task.exit_code)]);
  if (task.provider) found.push(['Ran at', `${task.provider.name} (${task.provider.kind})`]);
  if (task.attempts > 0) found.push(['Attempts', number(task.attempts)]);
  if (task.timing) {
    found.push(['Run time', duration(task.timing.run_ms)]);
    found.push(['In all', duration(task.timing.total_ms)]);
  }
  return found;
}

/** @param {Artifact} artifact */
function artifactRow(artifact) {
  const name = artifact.path.split('/').at(-1) ?? artifact.path;
  const link = element('a', '', artifact.path);
  saves(link, artifact.url, name);
  const row = element('li', 'file', link, element('span', 'soft', bytes(artifact.size)));
  row.title = artifact.digest;
  return row;
}
