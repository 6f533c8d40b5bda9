// @ts-check
// The results of a task about which its providers don't agree.

/** @import { Variant } from '../types/api' */

import { decoded, hex } from './output.js';
import { inWords } from './states.js';
import { bytes, element } from './text.js';

/** @param {Variant} variant what it wrote to stdout, as far as it is shown */
function written({ stdout, stdout_base64: base64, stdout_size: size, stdout_digest: digest }) {
  if (size === 0) return element('span', 'soft', 'stdout is empty');
  const text = typeof stdout === 'string' ? stdout : typeof base64 === 'string' ? hex(decoded(base64)) : undefined;
  if (text === undefined) return element('span', 'soft mono', `stdout: ${bytes(size)}, ${digest}`);
  const box = element('pre', 'output', text);
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', 'stdout of this result');
  return box;
}

/** @param {Variant} variant */
export function variantRow(variant) {
  const { provider, state, exit_code: code, reason } = variant;
  const how = [inWords(state), code === null ? '' : `exit code ${code}`, reason ?? ''].filter(Boolean).join(', ');
  return element('li', '', element('div', '', element('strong', '', provider.name), ` (${provider.kind}): ${how}`), written(variant));
}
