// @ts-check
// What a guest wrote, as text or, where it isn't that, in hexadecimal digits.

import { send, token } from './api.js';
import { bytes, element, setText } from './text.js';

/** Bytes that are shown; the rest can be downloaded. */
const SHOWN_MAX = 256 * 1024;
/** Bytes that are shown in hexadecimal digits: each takes four characters. */
const HEX_MAX = 16 * 1024;
/** Bytes in a row: they must fit into a column of the page. */
const ROW = 8;

/**
 * Offset, bytes and characters, a row each.
 * @param {Uint8Array} data
 */
export function hex(data) {
  const rows = [];
  for (let at = 0; at < data.length; at += ROW) {
    const row = [...data.subarray(at, at + ROW)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ').padEnd(ROW * 3 - 1);
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    rows.push(`${at.toString(16).padStart(4, '0')}  ${digits}  ${text}`);
  }
  return rows.join('\n');
}

/**
 * Saves what is at a path: a link can't send a token.
 * @param {string} path
 * @param {string} name
 */
async function save(path, name) {
  const response = await send(path);
  const address = URL.createObjectURL(await response.blob());
  const link = element('a', '');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * Makes a link save what it leads to, under that name.
 * @param {HTMLAnchorElement} link
 * @param {string} path
 * @param {string} name
 */
export function saves(link, path, name) {
  link.href = path;
  link.download = name;
  link.addEventListener('click', async (event) => {
    if (!token()) return;
    event.preventDefault();
    try {
      await save(path, name);
    } catch (error) {
      link.after(element('span', 'soft', ` ${error instanceof Error ? error.message : error}`));
    }
  });
}

/** @param {string} base64 */
export function decoded(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/**
 * What is known of an output: a text, bytes, or where it is.
 * @typedef {{ text: string | null | undefined, base64: string | null | undefined, url: string | null | undefined }} Output
 */

/**
 * @param {Output} output
 * @returns {Promise<{ text: string } | { data: Uint8Array }>}
 */
async function content({ text, base64, url }) {
  if (typeof text === 'string') return { text };
  if (typeof base64 === 'string') return { data: decoded(base64) };
  if (typeof url !== 'string') return { text: '' };
  const headers = { Range: `bytes=0-${SHOWN_MAX - 1}` };
  const data = new Uint8Array(await (await send(url, { headers })).arrayBuffer());
  try {
    // A character that the cut hit must not make it look like bytes.
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(data, { stream: true }) };
  } catch {
    return { data };
  }
}

/**
 * A part of the page that shows an output.
 * @param {string} title
 * @param {Output} output
 * @param {string} path where its bytes are
 * @param {string} name of the file if it is saved
 */
export async function outputView(title, output, path, name) {
  const found = await content(output);
  const data = 'data' in found ? found.data : new TextEncoder().encode(found.text);
  const box = element('pre', 'output');
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', title);
  const head = element('div', 'output-head', element('h3', '', title));
  if (data.length === 0) {
    head.append(element('span', 'soft small', 'empty'));
    return [head];
  }
  const size = element('span', 'soft small', output.url ? `the first ${bytes(data.length)}` : bytes(data.length));
  const mode = element('button', 'quiet tiny');
  mode.type = 'button';
  let asHex = 'data' in found;
  const show = () => {
    box.classList.toggle('hex', asHex);
    const cut = asHex && data.length > HEX_MAX ? `\n… ${bytes(data.length - HEX_MAX)} more` : '';
    setText(box, asHex ? hex(data.subarray(0, HEX_MAX)) + cut : 'text' in found ? found.text : new TextDecoder().decode(data));
    setText(mode, asHex ? 'As text' : 'As hex');
  };
  mode.addEventListener('click', () => {
    asHex = !asHex;
    show();
  });
  show();
  const download = element('a', 'button quiet tiny', 'Save');
  download.setAttribute('aria-label', `Save ${title}`);
  saves(download, path, name);
  head.append(size, mode, download);
  return [head, box];
}
