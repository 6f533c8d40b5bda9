// A made-up broker for what a real one can't be brought to at will: thousands of
// providers, states that are rare, a broker that is gone. It serves the page's
// own files and whatever a test tells.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';

import { ROOT } from './programs.mjs';

const WEB = join(ROOT, 'provider-browser/web');

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** @param {string} path the file that stands behind it */
function fileOf(path) {
  if (path === '/') return 'index.html';
  if (path === '/join') return 'join.html';
  return path.startsWith('/jobs/') ? 'job.html' : path.slice(1);
}

export class Stage {
  url = '';
  /** Called with each event stream that is opened: path and how to send.
   * @type {(path: string, send: (name: string, data: unknown) => void) => void} */
  onStream = () => {};
  /** JSON by path, query left out. @type {Map<string, unknown>} */
  answers = new Map();
  /** @type {Map<string, Set<import('node:http').ServerResponse>>} */
  #streams = new Map();
  #server = createServer((request, response) => this.#serve(request, response));
  #events = 0;

  static async start() {
    const stage = new Stage();
    await new Promise((resolve) => stage.#server.listen(0, '127.0.0.1', () => resolve(undefined)));
    const address = /** @type {import('node:net').AddressInfo} */ (stage.#server.address());
    stage.url = `http://127.0.0.1:${address.port}`;
    return stage;
  }

  /** Sends an event to all that listen to that path. */
  send(path, name, data) {
    for (const response of this.#streams.get(path) ?? []) this.#event(response, name, data);
  }

  /** How many listen to that path. */
  listening(path) {
    return this.#streams.get(path)?.size ?? 0;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #event(response, name, data) {
    this.#events += 1;
    response.write(`id: stage-${this.#events}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #serve(request, response) {
    const { pathname } = new URL(request.url, this.url);
    if (pathname.endsWith('/events')) return this.#stream(pathname, response);
    if (this.answers.has(pathname)) {
      response.setHeader('Content-Type', 'application/json');
      return response.end(JSON.stringify(this.answers.get(pathname)));
    }
    try {
      const name = fileOf(pathname);
      const content = await readFile(join(WEB, name));
      response.setHeader('Content-Type', TYPES[extname(name)] ?? 'application/octet-stream');
      return response.end(content);
    } catch {
      response.writeHead(404, { 'Content-Type': 'application/problem+json' });
      return response.end(JSON.stringify({ status: 404, code: 'not-found', detail: `there is nothing at ${pathname}` }));
    }
  }

  #stream(path, response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const streams = this.#streams.get(path) ?? new Set();
    this.#streams.set(path, streams.add(response));
    response.on('close', () => streams.delete(response));
    response.write(':\n\n');
    this.onStream(path, (name, data) => this.#event(response, name, data));
  }
}
