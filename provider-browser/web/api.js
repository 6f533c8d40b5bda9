// @ts-check
// Requests to the broker. Where it wants a token, that is kept in this tab only.

/** @import { Problem as ProblemDocument } from '../types/api' */

const TOKEN = 'wasipool-token';
const TIMEOUT_MS = 15_000;

/** An answer that says no: a problem document (RFC 9457), or what stands for one. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   */
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }

  /** Whether a token, or another one, would help. */
  get wantsToken() {
    return this.status === 401 || this.status === 403;
  }
}

export const token = () => sessionStorage.getItem(TOKEN) ?? '';

/** @param {string} text */
export function setToken(text) {
  if (text) sessionStorage.setItem(TOKEN, text);
  else sessionStorage.removeItem(TOKEN);
}

/**
 * What to send with each request.
 * @param {HeadersInit} [more]
 */
export function headers(more) {
  const all = new Headers(more);
  if (token()) all.set('Authorization', `Bearer ${token()}`);
  return all;
}

/**
 * The refusal that an answer stands for.
 * @param {Response} response
 */
export async function refusal(response) {
  /** @type {Partial<ProblemDocument>} */
  const problem = await response.json().catch(() => ({}));
  const said = problem.detail || problem.title || `the broker answered ${response.status}`;
  return new Refusal(response.status, problem.code ?? '', said);
}

/**
 * The answer to a request, whatever its body is.
 * @param {string} path
 * @param {RequestInit} [request]
 */
export async function send(path, request = {}) {
  const response = await fetch(path, { ...request, headers: headers(request.headers) });
  if (!response.ok) throw await refusal(response);
  return response;
}

/**
 * The JSON that is at a path.
 * @template T
 * @param {string} path
 * @returns {Promise<T>}
 */
export async function ask(path) {
  const response = await send(path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return response.json();
}
