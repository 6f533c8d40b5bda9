// One child process: a group of its own, its log kept for a failure, gone with
// all its children when it is stopped or when the tests end.

import { spawn } from 'node:child_process';

import { PATIENCE_MS } from './wait.mjs';

const SHOWN_LINES = 60;

/** Kills the group of a process when this one ends, however it ends. */
const REAPER = 'read -r end; kill -s KILL -- "-$1" 2>/dev/null';

export class Process {
  #child;
  #reaper;
  #output = '';
  /** @type {string[]} */
  #log = [];
  /** @type {Set<() => void>} */
  #waiting = new Set();
  #ended;

  /**
   * @param {string} program
   * @param {string[]} args
   * @param {Record<string, string>} [environment] on top of this one's
   */
  constructor(program, args, environment = {}) {
    const plain = Object.entries(process.env).filter(([name]) => !name.startsWith('WASIPOOL_'));
    this.name = program.split('/').at(-1);
    this.#child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(plain), ...environment },
    });
    this.#reaper = spawn('sh', ['-c', REAPER, 'reaper', String(this.#child.pid)], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.#output += text;
      for (const wake of this.#waiting) wake();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#log.push(...text.split('\n').filter(Boolean));
      this.#log.splice(0, this.#log.length - SHOWN_LINES);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', resolve);
      this.#child.on('exit', resolve);
    });
    this.#ended.then(() => this.#waiting.forEach((wake) => wake()));
  }

  /** The last lines that it logged. */
  get log() {
    return this.#log.join('\n');
  }

  /**
   * The line of stdout that begins with `prefix`, once it is there.
   * @param {string} prefix
   * @returns {Promise<string>}
   */
  line(prefix) {
    return new Promise((resolve, reject) => {
      const done = (settle) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle();
      };
      const fail = (why) => done(() => reject(new Error(`${this.name} ${why}, no line ${prefix}…:\n${this.log}`)));
      const look = () => {
        const line = this.#output.split('\n').slice(0, -1).find((text) => text.startsWith(prefix));
        if (line) done(() => resolve(line));
        else if (this.#child.exitCode !== null || this.#child.pid === undefined) fail('ended');
      };
      const timer = setTimeout(() => fail('is late'), PATIENCE_MS);
      this.#waiting.add(look);
      look();
    });
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    process.kill(this.#child.pid ?? NaN, signal);
  }

  /**
   * Ends it, and with SIGKILL its children too; resolves when it is gone.
   * @param {NodeJS.Signals} [signal]
   */
  async stop(signal = 'SIGKILL') {
    const { pid } = this.#child;
    if (pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      process.kill(signal === 'SIGKILL' ? -pid : pid, signal);
    }
    await this.#ended;
    this.#reaper.kill('SIGKILL');
  }
}
