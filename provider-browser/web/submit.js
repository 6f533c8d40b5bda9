// @ts-check
// The form that submits a job: opened by its button, by `#submit` in the address,
// or by dropping a file anywhere on the page.

/** @import { Blob as StoredBlob, Job, Page } from '../types/api' */

import { ask, send, token } from './api.js';
import { Unfit, commands, plan } from './job-request.js';
import { byId, bytes, element, setText } from './text.js';

/** Modules to choose from. */
const KNOWN_MAX = 1_000;

/** @type {File | undefined} */
let moduleFile;
/** @type {File | undefined} */
let stdinFile;
/** @type {File[]} */
let files = [];

const value = (/** @type {string} */ id) => (
  /** @type {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} */ (byId(id)).value
);

/** @returns {import('./job-request.js').Wish} */
function wish() {
  return {
    moduleFile,
    moduleKnown: value('module-known'),
    args: value('args'),
    count: value('count'),
    timeout: value('timeout'),
    memory: value('memory'),
    stdin: value('stdin'),
    stdinFile,
    files,
    env: value('env'),
    artifacts: value('artifacts'),
    name: value('job-name'),
    kind: /** @type {'native' | 'browser' | ''} */ (value('kind')),
  };
}

/** Shows the commands, or what is missing for them. */
function refresh() {
  setText(byId('module-said'), moduleFile ? `${moduleFile.name} · ${bytes(moduleFile.size)}` : 'Drop a .wasm file or choose one');
  byId('module-drop').classList.toggle('full', moduleFile !== undefined);
  setText(byId('stdin-said'), stdinFile ? `${stdinFile.name} · ${bytes(stdinFile.size)}` : 'or drop a file to be the input');
  byId('stdin-drop').classList.toggle('full', stdinFile !== undefined);
  byId('stdin', HTMLTextAreaElement).disabled = stdinFile !== undefined;
  byId('files-list').replaceChildren(...files.map(fileRow));
  for (const field of document.querySelectorAll('#job-form [aria-invalid]')) field.removeAttribute('aria-invalid');
  byId('job-error').hidden = true;
  try {
    setText(byId('curl-lines'), commands(plan(wish()), location.origin, token() !== ''));
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    setText(byId('curl-lines'), `# ${error.message}`);
  }
}

/** @param {File} file */
function fileRow(file) {
  const remove = element('button', 'quiet tiny', 'Remove');
  remove.type = 'button';
  remove.setAttribute('aria-label', `Remove ${file.name}`);
  remove.addEventListener('click', () => {
    files = files.filter((other) => other !== file);
    refresh();
  });
  return element('li', '', element('span', 'mono', `/${file.name}`), element('span', 'soft', bytes(file.size)), remove);
}

/** @param {File[]} more */
function addFiles(more) {
  const names = new Set(more.map((file) => file.name));
  files = [...files.filter((file) => !names.has(file.name)), ...more];
}

/** @param {File | undefined} file */
function setModule(file) {
  moduleFile = file;
  if (file) byId('module-known', HTMLSelectElement).value = '';
}

async function loadKnown() {
  const select = byId('module-known', HTMLSelectElement);
  const chosen = select.value;
  /** @type {Page<StoredBlob>} */
  const page = await ask(`/v1/blobs?limit=${KNOWN_MAX}`);
  const names = page.items.filter((blob) => blob.kind === 'module' && blob.name).map((blob) => blob.name ?? '');
  select.replaceChildren(new Option('–', ''), ...names.sort().map((name) => new Option(name, name)));
  select.value = names.includes(chosen) ? chosen : '';
  refresh();
}

/** @param {string} said @param {string} [field] */
function fail(said, field) {
  setText(byId('job-error'), said);
  byId('job-error').hidden = false;
  if (!field) return;
  const target = byId(field);
  target.setAttribute('aria-invalid', 'true');
  target.closest('details')?.setAttribute('open', '');
  target.focus();
}

async function submit() {
  const button = byId('job-submit', HTMLButtonElement);
  const progress = byId('job-progress');
  button.disabled = true;
  byId('job-error').hidden = true;
  try {
    const { uploads, job } = plan(wish());
    for (const { file, as } of uploads) {
      setText(progress, `Uploading ${file.name} …`);
      await send(`/v1/blobs/${as}`, { method: 'PUT', body: /** @type {File} */ (file) });
    }
    setText(progress, 'Submitting …');
    const answer = await send('/v1/jobs', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(job),
    });
    /** @type {Job} */
    const made = await answer.json();
    location.assign(`/jobs/${made.id}`);
  } catch (error) {
    setText(progress, '');
    if (error instanceof Unfit) fail(error.message, error.field);
    else fail(`That was not accepted: ${error instanceof Error ? error.message : error}`);
  } finally {
    button.disabled = false;
  }
}

/** Opens the form, unless it is open. */
function open() {
  const dialog = byId('submit', HTMLDialogElement);
  if (!dialog.open) dialog.showModal();
  refresh();
  loadKnown().catch((error) => fail(`The uploaded modules can’t be listed: ${error.message}`));
}

/**
 * Makes an area take files: dropped on it, or by its input.
 * @param {string} name
 * @param {(files: File[]) => void} take
 */
function dropArea(name, take) {
  const area = byId(`${name}-drop`);
  const input = byId(`${name}-file`, HTMLInputElement);
  input.addEventListener('change', () => {
    if (input.files?.length) take([...input.files]);
    // So that the same file can be chosen again.
    input.value = '';
    refresh();
  });
  area.addEventListener('dragover', (event) => {
    event.preventDefault();
    area.classList.add('over');
  });
  area.addEventListener('dragleave', () => area.classList.remove('over'));
  area.addEventListener('drop', (event) => {
    event.preventDefault();
    event.stopPropagation();
    area.classList.remove('over');
    document.body.classList.remove('dropping');
    take([...(event.dataTransfer?.files ?? [])]);
    refresh();
  });
}

/** A file that is dropped on the page is a module, others come with it. */
function dropAnywhere() {
  const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    if (!byId('submit', HTMLDialogElement).open) document.body.classList.add('dropping');
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) document.body.classList.remove('dropping');
  });
  document.addEventListener('drop', (event) => {
    document.body.classList.remove('dropping');
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const dropped = [...(event.dataTransfer?.files ?? [])];
    const module = dropped.find((file) => /\.wa(sm|t)$/.test(file.name));
    if (module) setModule(module);
    addFiles(dropped.filter((file) => file !== module));
    open();
  });
}

/** Brings the form to life. */
export function submitDialog() {
  const dialog = byId('submit', HTMLDialogElement);
  byId('submit-open').addEventListener('click', open);
  byId('submit-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    if (location.hash === '#submit') history.replaceState(null, '', location.pathname);
  });
  const form = byId('job-form');
  form.addEventListener('input', (event) => {
    if (event.target === byId('module-known') && value('module-known')) moduleFile = undefined;
    refresh();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  dropArea('module', ([file]) => setModule(file));
  dropArea('stdin', ([file]) => { stdinFile = file; });
  dropArea('files', addFiles);
  dropAnywhere();
  const byAddress = () => {
    if (location.hash === '#submit') open();
  };
  addEventListener('hashchange', byAddress);
  byAddress();
}
