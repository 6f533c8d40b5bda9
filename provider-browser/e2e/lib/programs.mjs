// Where the programs, the guests and the browsers are.

import { accessSync, constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Where what is built lies, as cargo has it. */
export const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');

/** @param {string} path */
function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The first of `names` that `PATH` has; a name with a slash is taken as it is.
 * @param {string[]} names
 */
export function find(names) {
  for (const name of names) {
    if (name.includes('/') && executable(name)) return name;
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name);
      if (!name.includes('/') && executable(path)) return path;
    }
  }
  throw new Error(`none of these is installed: ${names.join(', ')} (see scripts/ensure-tools)`);
}

/** Debian's Chromium, or what CHROMIUM names. */
export function chromium() {
  const named = process.env.CHROMIUM;
  return find(named ? [named] : ['chromium', 'google-chrome', 'chromium-browser']);
}

/**
 * A program of the workspace; PROFILE says of which build (default: debug).
 * @param {string} name
 */
export function program(name) {
  const profile = process.env.PROFILE === 'release' ? 'release' : 'debug';
  const path = join(TARGET, profile, name);
  if (!executable(path)) throw new Error(`${path} is not built: run \`make test\`, or cargo build --bins`);
  return path;
}

/**
 * The bytes of a guest.
 * @param {string} name without `.wasm`
 */
export async function guest(name) {
  return readFile(guestPath(name));
}

/** @param {string} name without `.wasm` */
export function guestPath(name) {
  return join(TARGET, 'guests', `${name}.wasm`);
}
