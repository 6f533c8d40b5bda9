// The worker: the host is the one that tabs in a pool have, `runAlone` its way in
// for pages without a session.
import { attachHost } from './guest-glue.js';
import init, { runAlone } from './wasipool_browser.js';

const exports = await init();
attachHost(exports.memory);
// From here on nothing in this worker reaches out of it.
await import('./guest-lockdown.js');

self.onmessage = ({ data: { wasm, args, env, stdin } }) => {
  try {
    self.postMessage(runAlone(wasm, args, env, stdin));
  } catch (error) {
    self.postMessage({ error: error.message });
  }
};
self.postMessage('ready');
