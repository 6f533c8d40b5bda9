// The page: takes what is in the form, gives it to a worker, shows the answer.

const at = (id) => document.getElementById(id);
const lines = (text) => text.split('\n').filter((line) => line !== '');

/** A worker with the host in it, once it listens. */
function ready() {
  return new Promise((resolve, reject) => {
    const worker = new Worker('worker.js', { type: 'module' });
    worker.onmessage = () => resolve(worker);
    worker.onerror = (event) => reject(new Error(event.message || 'worker.js could not be loaded'));
  });
}

async function module() {
  const file = at('file').files[0];
  if (file) return { name: file.name, wasm: await file.arrayBuffer() };
  const name = `${at('sample').value}.wasm`;
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return { name, wasm: await response.arrayBuffer() };
}

async function run() {
  const { name, wasm } = await module();
  const worker = await ready();
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
      worker.onerror = (event) => reject(new Error(event.message));
      // What a guest can't be asked, its worker needn't be: it ends at once.
      at('stop').onclick = () => resolve({ state: 'cancelled', stdout: new Uint8Array(), stderr: new Uint8Array() });
      at('stop').disabled = false;
      worker.postMessage({
        wasm: new Uint8Array(wasm),
        args: [name, ...lines(at('args').value)],
        env: lines(at('env').value),
        stdin: new TextEncoder().encode(at('stdin').value),
      });
    });
  } finally {
    at('stop').disabled = true;
    worker.terminate();
  }
}

function show(result) {
  const parts = [result.state];
  if (result.exitCode !== undefined) parts.push(`exit code ${result.exitCode}`);
  if (result.ms !== undefined) parts.push(`${result.ms.toFixed(1)} ms`);
  if (result.reason) parts.push(result.reason);
  at('state').textContent = parts.join(', ');
  at('stdout').textContent = new TextDecoder().decode(result.stdout);
  at('stderr').textContent = new TextDecoder().decode(result.stderr);
}

at('form').onsubmit = async (event) => {
  event.preventDefault();
  at('run').disabled = true;
  at('state').textContent = 'running';
  try {
    show(await run());
  } catch (error) {
    at('state').textContent = `can't be run: ${error.message}`;
  }
  at('run').disabled = false;
};
