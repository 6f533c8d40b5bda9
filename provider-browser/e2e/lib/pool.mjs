// A broker with its providers: real processes on free ports of the loopback.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Process } from './process.mjs';
import { guest, program } from './programs.mjs';
import { until } from './wait.mjs';

/** @param {string} line @param {string} name the value of `name=…` in a ready line */
function word(line, name) {
  const found = line.split(/\s+/).find((part) => part.startsWith(`${name}=`));
  if (!found) throw new Error(`no ${name}= in: ${line}`);
  return found.slice(name.length + 1);
}

export class Pool {
  /** @type {Process} */
  #broker;
  /** @type {Map<string, Process>} */
  #natives = new Map();
  #folder = '';
  /** @type {string[]} */
  #args = [];
  /** Where HTTP is. */
  url = '';
  /** Where WebTransport is. */
  transport = '';
  /** Sent with each request of `api`, if set. */
  token = '';

  /**
   * Starts a broker alone; `args` are added to its command line.
   * @param {{ args?: string[] }} [setup]
   */
  static async start({ args = [] } = {}) {
    const pool = new Pool();
    pool.#folder = await mkdtemp(join(tmpdir(), 'wasipool-e2e-'));
    pool.#args = args;
    await pool.#startBroker('127.0.0.1:0', '127.0.0.1:0');
    return pool;
  }

  /** @param {string} http @param {string} transport */
  async #startBroker(http, transport) {
    const fixed = ['--http', http, '--transport', transport, '--ephemeral', '--session-idle', '5s'];
    this.#broker = new Process(program('wasipool-broker'), [...fixed, ...this.#args]);
    const line = await this.#broker.line('wasipool-broker ready ');
    this.url = word(line, 'http');
    this.transport = word(line, 'transport');
  }

  /** A folder that goes when the pool stops. */
  get folder() {
    return this.#folder;
  }

  /** What the broker logged last. */
  get log() {
    return this.#broker.log;
  }

  /** Kills the broker; `startAgain` brings one back at the same addresses. */
  killBroker() {
    return this.#broker.stop();
  }

  /** @param {NodeJS.Signals} signal */
  signalBroker(signal) {
    this.#broker.signal(signal);
  }

  startAgain() {
    const address = (url) => url.replace(/^https?:\/\//, '');
    return this.#startBroker(address(this.url), address(this.transport));
  }

  /**
   * Adds a native provider and waits until it is connected.
   * @param {string} name @param {number} slots @param {string[]} [args]
   */
  async native(name, slots, args = []) {
    const fixed = ['--broker', this.url, '--name', name, '--slots', String(slots)];
    const cache = ['--cache-dir', join(this.#folder, 'cache')];
    const process = new Process(program('wasipool-provider'), [...fixed, ...cache, ...args]);
    this.#natives.set(name, process);
    await process.line('wasipool-provider ready ');
    await this.joined(name);
    return process;
  }

  /** @param {string} name kills that native provider */
  async kill(name) {
    await this.#natives.get(name)?.stop();
    this.#natives.delete(name);
  }

  /**
   * What the API answers, as JSON where it is that; throws if it is an error.
   * @param {string} path @param {RequestInit} [request]
   * @returns {Promise<any>}
   */
  async api(path, request = {}) {
    const headers = new Headers(request.headers);
    if (this.token) headers.set('Authorization', `Bearer ${this.token}`);
    const response = await fetch(this.url + path, { ...request, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return /json/.test(response.headers.get('Content-Type') ?? '') ? JSON.parse(text) : text;
  }

  /** @param {string} name waits until that provider is listed, and gives it @param {number} [limitMs] */
  joined(name, limitMs = undefined) {
    return until(`${name} is in the pool`, async () => {
      const { items } = await this.api('/v1/providers');
      return items.find((provider) => provider.name === name);
    }, limitMs);
  }

  /** @param {string[]} names guests to upload, without `.wasm` */
  async upload(...names) {
    for (const name of names) {
      await this.api(`/v1/blobs/${name}.wasm`, { method: 'PUT', body: await guest(name) });
    }
  }

  /** @param {object} job what `POST /v1/jobs` takes; gives the job */
  submit(job) {
    const headers = { 'Content-Type': 'application/json' };
    return this.api('/v1/jobs', { method: 'POST', headers, body: JSON.stringify(job) });
  }

  /** @param {string} id waits until that job has ended, and gives it */
  ended(id) {
    return until(`the job ${id} has ended`, async () => {
      const job = await this.api(`/v1/jobs/${id}`);
      return job.ended && job;
    }, 180_000);
  }

  /** Stops all of it. */
  async stop() {
    await Promise.all([...this.#natives.values()].map((process) => process.stop()));
    await this.#broker?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
