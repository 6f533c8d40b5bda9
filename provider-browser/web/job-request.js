// @ts-check
// From what a form holds to what is sent: uploads, a job, and the commands that
// do the same.

/** @import { components } from '../types/requests' */

import { quote, splitWords } from './shell-words.js';

/**
 * A file that somebody chose.
 * @typedef {{ name: string }} Chosen
 *
 * What the form holds. Texts are as they were typed.
 * @typedef {object} Wish
 * @property {Chosen | undefined} moduleFile
 * @property {string} moduleKnown name of an uploaded module
 * @property {string} args
 * @property {string} count
 * @property {string} timeout
 * @property {string} memory
 * @property {string} stdin
 * @property {Chosen | undefined} stdinFile
 * @property {Chosen[]} files
 * @property {string} env
 * @property {string} artifacts
 * @property {string} name
 * @property {components['schemas']['ProviderKind'] | ''} kind
 */

/**
 * What is sent: first the uploads, then the job.
 * @typedef {components['schemas']['NewJob']} NewJob
 * @typedef {components['schemas']['NewTask']} NewTask
 * @typedef {{ uploads: { file: Chosen, as: string }[], job: NewJob }} Plan
 */

/** Something in the form that can't be sent; `field` is the id of its element. */
export class Unfit extends Error {
  /** @param {string} field @param {string} why */
  constructor(field, why) {
    super(why);
    this.field = field;
  }
}

/**
 * A name for a blob, made from a file's: what names may not hold becomes `-`.
 * @param {string} name
 */
export function blobName(name) {
  const plain = name.normalize('NFKD').replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '').slice(-128);
  return plain.replace(/^[.-]+/, '') || 'file';
}

/** @param {string} text its lines that hold something */
const lines = (text) => text.split('\n').map((line) => line.replace(/\r$/, '')).filter((line) => line.trim());

/**
 * @param {string} text
 * @returns {Record<string, string>}
 */
function environment(text) {
  return Object.fromEntries(lines(text).map((line) => {
    const at = line.indexOf('=');
    if (at < 1) throw new Unfit('env', `Environment: “${line}” is not NAME=value`);
    return [line.slice(0, at), line.slice(at + 1)];
  }));
}

/** @param {string} text */
function words(text) {
  try {
    return splitWords(text);
  } catch (error) {
    throw new Unfit('args', `Arguments: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {string} text */
function count(text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Unfit('count', 'Tasks: a number from 1 on');
  return value;
}

/**
 * What to send for a wish.
 * @param {Wish} wish
 * @returns {Plan}
 * @throws {Unfit} if something in it can't be sent
 */
export function plan(wish) {
  /** @type {Plan['uploads']} */
  const uploads = [];
  const taken = new Set();
  const upload = (/** @type {Chosen} */ file) => {
    let as = blobName(file.name);
    for (let number = 2; taken.has(as); number += 1) as = blobName(`${number}-${file.name}`);
    taken.add(as);
    uploads.push({ file, as });
    return as;
  };
  const module = wish.moduleFile ? upload(wish.moduleFile) : wish.moduleKnown;
  if (!module) throw new Unfit('module-file', 'Which module? Drop a .wasm file or choose an uploaded one');
  /** @type {NewTask} */
  const task = {};
  const args = words(wish.args);
  if (args.length > 0) task.args = args;
  const env = environment(wish.env);
  if (Object.keys(env).length > 0) task.env = env;
  if (wish.stdinFile) task.stdin = { blob: upload(wish.stdinFile) };
  else if (wish.stdin) task.stdin = wish.stdin;
  if (wish.files.length > 0) {
    task.files = Object.fromEntries(wish.files.map((file) => [file.name, { blob: upload(file) }]));
  }
  const artifacts = lines(wish.artifacts).map((line) => line.trim());
  if (artifacts.length > 0) task.artifacts = artifacts;
  if (wish.timeout.trim()) task.timeout = wish.timeout.trim();
  if (wish.memory.trim()) task.memory = wish.memory.trim();

  /** @type {NewJob} */
  const job = {
    ...(wish.name.trim() && { name: wish.name.trim() }),
    module,
    count: count(wish.count),
  };
  if (Object.keys(task).length > 0) job.defaults = task;
  if (wish.kind) job.requires = { kind: wish.kind };
  return { uploads, job };
}

/**
 * The commands that do the same, for a POSIX shell in the folder of the files.
 * @param {Plan} plan
 * @param {string} origin of the broker
 * @param {boolean} withToken whether the broker wants a token: never shown itself
 */
export function commands({ uploads, job }, origin, withToken) {
  const curl = withToken ? 'curl -sSf -H "Authorization: Bearer $TOKEN"' : 'curl -sSf';
  const all = uploads.map(({ file, as }) => {
    // "-" and "." are special to -T, and a name could look like a flag.
    const path = /^[-.]/.test(file.name) ? `./${file.name}` : file.name;
    // What -T would take for a list or range of names.
    const glob = /[[\]{}]/.test(path) ? ' -g' : '';
    return `${curl}${glob} -T ${quote(path)} ${quote(`${origin}/v1/blobs/${as}`)}`;
  });
  all.push([
    `${curl} ${quote(`${origin}/v1/jobs`)} -H 'Content-Type: application/json' \\`,
    `  -d ${quote(JSON.stringify(job))}`,
  ].join('\n'));
  return all.join('\n');
}
