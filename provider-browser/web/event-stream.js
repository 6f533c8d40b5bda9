// @ts-check
// The format of server-sent events, piece by piece as it comes.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

/**
 * @typedef {object} StreamEvent
 * @property {string} name
 * @property {string} data
 * @property {string} id the last id that was sent, in this event or before
 */

export class EventStream {
  #rest = '';
  #name = '';
  #id = '';
  /** @type {string[]} */
  #data = [];
  #begun = false;

  /**
   * Takes the next piece of text; gives the events that it completes.
   * @param {string} piece
   * @returns {StreamEvent[]}
   */
  push(piece) {
    if (!this.#begun && piece) {
      this.#begun = true;
      piece = piece.replace(/^\uFEFF/, '');
    }
    const text = this.#rest + piece;
    /** @type {StreamEvent[]} */
    const events = [];
    let from = 0;
    for (;;) {
      const end = endOfLine(text, from);
      if (!end) break;
      const event = this.#line(text.slice(from, end.at));
      if (event) events.push(event);
      from = end.next;
    }
    this.#rest = text.slice(from);
    return events;
  }

  /** @param {string} line @returns {StreamEvent | undefined} */
  #line(line) {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }

  /** @returns {StreamEvent | undefined} */
  #dispatch() {
    const name = this.#name || 'message';
    const data = this.#data;
    this.#name = '';
    this.#data = [];
    return data.length > 0 ? { name, data: data.join('\n'), id: this.#id } : undefined;
  }
}

/**
 * Where the line from `from` on ends, and where the next one begins.
 * @param {string} text
 * @param {number} from
 */
function endOfLine(text, from) {
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\n') return { at, next: at + 1 };
    if (character !== '\r') continue;
    // The second half of "\r\n" may still be on its way.
    if (at + 1 === text.length) return undefined;
    return { at, next: text[at + 1] === '\n' ? at + 2 : at + 1 };
  }
  return undefined;
}
