// The worker with the session. Everything is in wasm: see ../src/provider/.
import init, { session_main } from './wasipool_browser.js';

// What the page says before the wasm is there waits for it.
const early = [];
self.onmessage = (event) => early.push(event);

await init();
session_main();
for (const event of early) self.onmessage(event);
