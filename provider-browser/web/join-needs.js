// @ts-check
// What a browser must have to run this page's program.

/** A module that uses what the program's own code uses beyond the first WebAssembly. */
const PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0,
  // Two results: multi-value.
  1, 6, 1, 96, 0, 2, 127, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1,
  // memory.fill: bulk memory; i32.extend8_s: sign extension.
  10, 18, 1, 16, 0, 65, 0, 65, 0, 65, 0, 252, 11, 0, 65, 0, 192, 65, 0, 11,
]);

/** Whether workers may be modules: a browser that knows the option reads it. */
function hasModuleWorkers() {
  let asked = false;
  const options = {
    get type() {
      asked = true;
      return /** @type {const} */ ('module');
    },
  };
  try {
    new Worker('https://[', options);
  } catch {
    // This is no address: but the options are read before it.
  }
  return asked;
}

/** Why this browser can't be a provider; empty if it can. */
export function lacking() {
  if (!isSecureContext) {
    return 'Browsers allow this only on pages that come over https, or from this very machine (http://127.0.0.1 or http://localhost).';
  }
  if (typeof WebAssembly === 'undefined') return 'It has no WebAssembly, or it is switched off.';
  const features = /** @type {const} */ ([
    ['WebAssembly with multi-value, bulk memory and sign extension', WebAssembly.validate(PROBE)],
    ['module workers', hasModuleWorkers()],
    ['WebTransport or WebSocket', 'WebTransport' in globalThis || 'WebSocket' in globalThis],
    ['the crypto API', 'subtle' in crypto],
  ]);
  const missing = features.filter(([, there]) => !there).map(([name]) => name);
  if (missing.length === 0) return '';
  return `It lacks: ${missing.join(', ')}. Current versions of Chrome, Chromium, Edge, Firefox and Safari have all of it.`;
}
