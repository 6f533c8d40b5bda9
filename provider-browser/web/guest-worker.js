// A worker in which guests run, one after another. The first message brings
// the compiled module of the host, all others are its business.
import './guest-lockdown.js';
import { attachHost } from './guest-glue.js';
import { initSync, guest_main } from './wasipool_browser.js';

// Backtraces of guests are deeper than the ten frames that are the default.
Error.stackTraceLimit = 40;

self.onmessage = ({ data }) => {
  const exports = initSync({ module: data });
  attachHost(exports.memory);
  guest_main();
};
