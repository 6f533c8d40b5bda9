// @ts-check
// A stream of events that comes back by itself. By fetch() and not by EventSource,
// which can't send a token.

import { Refusal, headers, refusal } from './api.js';
import { EventStream } from './event-stream.js';

/**
 * How it stands with the stream.
 * - `connecting`: for the first time, or again
 * - `live`: events come
 * - `waiting`: no connection; tries again after `inMs`; `said` if the broker itself said why
 * - `refused`: the broker said no and would again: `retry()` after a token was given
 * - `over`: nothing more will come
 * @typedef {{ state: 'connecting' | 'live' | 'over' }
 *   | { state: 'waiting', inMs: number, why: string, said: boolean }
 *   | { state: 'refused', why: Refusal }} Standing
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The broker sends something every 15 s: after this silence it is gone. */
const SILENCE_MS = 40_000;
/** A page that nobody sees gives its connection back after this time: a browser has
 * only a few for each broker. */
const REST_AFTER_MS = 60_000;
/** Answers of the broker that don't change by asking again. */
const FINAL = new Set([400, 401, 403, 404, 405, 406]);

export class Live {
  #path;
  #handlers;
  #onStanding;
  #lastId = '';
  #failures = 0;
  #over = false;
  /** @type {AbortController | undefined} */
  #request;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;
  #resting = false;

  /**
   * Begins to listen.
   * @param {string} path
   * @param {Record<string, (data: any) => void>} handlers by event name; the data is its JSON
   * @param {(standing: Standing) => void} onStanding
   * @param {{ rests?: boolean }} [how] whether it rests while nobody sees the page
   */
  constructor(path, handlers, onStanding, { rests = false } = {}) {
    this.#path = path;
    this.#handlers = handlers;
    this.#onStanding = onStanding;
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.#rest);
      if (!document.hidden) this.#hurry();
      else if (rests) this.#rest = setTimeout(() => this.#lieDown(), REST_AFTER_MS);
    });
    this.#connect();
  }

  /** Tries again at once. */
  retry() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#failures = 0;
    this.#over = false;
    this.#resting = false;
    this.#connect();
  }

  /** Nothing more is wanted. */
  close() {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#onStanding({ state: 'over' });
  }

  /** A wait or a rest that goes on is cut short. */
  #hurry() {
    if (this.#resting || (this.#timer !== undefined && !this.#over)) this.retry();
  }

  /** Gives the connection back until somebody looks. */
  #lieDown() {
    if (this.#over || !this.#request) return;
    this.#resting = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const request = this.#request;
    this.#request = undefined;
    request.abort();
  }

  async #connect() {
    this.#timer = undefined;
    const request = new AbortController();
    this.#request = request;
    this.#onStanding({ state: 'connecting' });
    let why;
    let said = false;
    try {
      await this.#listen(request);
      why = 'the connection ended';
    } catch (error) {
      if (error instanceof Refusal && FINAL.has(error.status)) {
        if (this.#request === request) this.#onStanding({ state: 'refused', why: error });
        return;
      }
      why = error instanceof Error ? error.message : String(error);
      said = error instanceof Refusal;
    }
    if (this.#over || this.#request !== request) return;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Pages that lost the same broker shouldn't come back all at once.
    const inMs = Math.round(longest * (0.5 + Math.random() / 2));
    this.#timer = setTimeout(() => this.#connect(), inMs);
    this.#onStanding({ state: 'waiting', inMs, why, said });
  }

  /** @param {AbortController} request */
  async #listen(request) {
    const sent = headers({ Accept: 'text/event-stream' });
    if (this.#lastId) sent.set('Last-Event-ID', this.#lastId);
    let watch = setTimeout(() => request.abort(), SILENCE_MS);
    try {
      const response = await fetch(this.#path, {
        headers: sent,
        cache: 'no-store',
        signal: request.signal,
      });
      if (!response.ok) throw await refusal(response);
      if (!response.body) return;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const stream = new EventStream();
      this.#onStanding({ state: 'live' });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(() => request.abort(), SILENCE_MS);
        for (const event of stream.push(value)) this.#take(event);
      }
    } finally {
      clearTimeout(watch);
    }
  }

  /** @param {import('./event-stream.js').StreamEvent} event */
  #take(event) {
    this.#failures = 0;
    this.#lastId = event.id;
    this.#handlers[event.name]?.(JSON.parse(event.data));
  }
}
