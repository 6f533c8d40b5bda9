// What the guest's host can't do in wasm: touch two memories at once, throw,
// wait. Everything else is in ../src/runner/.

/** Places in the shared control words; see src/guests/shared.rs. */
const STARTED = 0;
const WRITTEN = 1;
const PAGES = 3;
const START_BYTE = 16;

const PAGE_BYTES = 65536;

/** Copies shorter than this are made byte by byte: making a view costs more. */
const SHORT = 32;

const sentinel = new Error('the guest has ended');

let hostMemory;
let host = new Uint8Array(0);
let guestMemory;
let guest = new Uint8Array(0);

/** Shared with the session's worker: control words, stdout, stderr. */
let shared;

const napping = self.crossOriginIsolated ? new Int32Array(new SharedArrayBuffer(4)) : undefined;

/** Takes the memory of this worker's own module. */
export function attachHost(memory) {
  hostMemory = memory;
}

function hostView() {
  // A memory that has grown detaches the views of it.
  if (host.length === 0) host = new Uint8Array(hostMemory.buffer);
  return host;
}

function guestView(end) {
  if (end > guest.length && guestMemory) guest = new Uint8Array(guestMemory.buffer);
  return guest;
}

function copy(from, start, into, at, length) {
  if (length < SHORT) {
    for (let i = 0; i < length; i++) into[at + i] = from[start + i];
  } else {
    into.set(from.subarray(start, start + length), at);
  }
}

globalThis.wasipoolAttach = (memory) => {
  guestMemory = memory instanceof WebAssembly.Memory ? memory : undefined;
  guest = new Uint8Array(0);
};

// Addresses come as signed numbers: wasm doesn't know the difference.
globalThis.wasipoolRead = (address, into, length) => {
  address >>>= 0;
  length >>>= 0;
  const from = guestView(address + length);
  if (address + length > from.length) return 0;
  copy(from, address, hostView(), into >>> 0, length);
  return 1;
};

globalThis.wasipoolWrite = (address, from, length) => {
  address >>>= 0;
  length >>>= 0;
  const into = guestView(address + length);
  if (address + length > into.length) return 0;
  copy(hostView(), from >>> 0, into, address, length);
  return 1;
};

globalThis.wasipoolSize = () => (guestMemory ? guestMemory.buffer.byteLength : 0);

globalThis.wasipoolHalt = () => {
  throw sentinel;
};

globalThis.wasipoolSleep = (ms) => {
  if (!napping) return 0;
  Atomics.wait(napping, 0, 0, ms);
  return 1;
};

globalThis.wasipoolShare = (control, stdout, stderr) => {
  shared = { control, start: new Float64Array(control.buffer, START_BYTE, 1), streams: [stdout, stderr] };
};

globalThis.wasipoolStarted = (ms) => {
  if (!shared) return;
  shared.start[0] = ms;
  wasipoolGrown(wasipoolSize() / PAGE_BYTES);
  Atomics.store(shared.control, STARTED, 1);
};

globalThis.wasipoolGrown = (pages) => {
  if (shared) Atomics.store(shared.control, PAGES, pages);
};

globalThis.wasipoolWritten = (stream, from, length) => {
  if (!shared) return;
  const buffer = shared.streams[stream];
  const at = Atomics.load(shared.control, WRITTEN + stream);
  const end = Math.min(at + (length >>> 0), buffer.maxByteLength);
  if (end > buffer.byteLength) {
    buffer.grow(Math.min(Math.max(end, 2 * buffer.byteLength), buffer.maxByteLength));
  }
  const start = from >>> 0;
  new Uint8Array(buffer).set(hostView().subarray(start, start + end - at), at);
  Atomics.store(shared.control, WRITTEN + stream, end);
};

globalThis.wasipoolThrown = (error) => {
  const text = (value) => (typeof value === 'string' ? value : '');
  if (error instanceof Error) return [text(error.name), text(error.message), text(error.stack)];
  const exception = self.WebAssembly.Exception;
  if (exception && error instanceof exception) return ['Exception', '', text(error.stack)];
  return ['', String(error), ''];
};

globalThis.wasipoolGlobal = (instance, name) => {
  const global = instance.exports[name];
  return global instanceof WebAssembly.Global ? Number(global.value) : 0;
};
