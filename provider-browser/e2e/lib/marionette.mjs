// Firefox's own remote protocol: each message is its length in bytes, a colon,
// and JSON: [0, id, command, parameters] there, [1, id, error, result] back. See
// https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html

import { connect } from 'node:net';

/** A connection to it. Answers come in the order of the commands. */
export class Marionette {
  #socket;
  #last = 0;
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #received = Buffer.alloc(0);

  /** @param {import('node:net').Socket} socket connected */
  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('Firefox has closed the connection')));
  }

  /** @param {number} port @returns {Promise<Marionette>} */
  static connect(port) {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Marionette(socket)));
      socket.once('error', reject);
    });
  }

  /**
   * Gives what the command gives.
   * @param {string} command @param {object} [parameters]
   * @returns {Promise<any>}
   */
  send(command, parameters = {}) {
    const id = this.#last += 1;
    const text = JSON.stringify([0, id, command, parameters]);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
  }

  close() {
    this.#socket.destroy();
  }

  /** @param {Buffer} bytes */
  #receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const colon = this.#received.indexOf(':');
      if (colon < 0) return;
      const end = colon + 1 + Number(this.#received.subarray(0, colon));
      if (this.#received.length < end) return;
      const message = JSON.parse(this.#received.subarray(colon + 1, end).toString());
      this.#received = this.#received.subarray(end);
      // The first one says what is spoken.
      if (Array.isArray(message)) this.#answer(message);
    }
  }

  /** @param {[number, number, { error: string, message: string } | null, any]} answer */
  #answer([, id, error, result]) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(`${error.error}: ${error.message}`));
    else waiting?.resolve(result);
  }

  /** @param {Error} error */
  #end(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
