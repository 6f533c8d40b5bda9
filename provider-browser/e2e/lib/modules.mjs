// Modules made for tests.

/** Calls itself for ever. */
export const RECURSES = '(module (func $f (export "_start") (call $f)))';

/** An unsigned number (LEB128). */
function unsigned(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value > 0);
  return bytes;
}

function section(id, content) {
  return Buffer.concat([Buffer.from([id, ...unsigned(content.length)]), content]);
}

/**
 * A module of that many functions, each of about that many bytes, that does
 * nothing when it is run.
 * @param {number} functions @param {number} bytes
 */
export function huge(functions, bytes) {
  // i32.const 1, drop; so often as it takes.
  const body = Buffer.from([0, ...Array(Math.floor(bytes / 3)).fill([0x41, 1, 0x1a]).flat(), 0x0b]);
  const entry = Buffer.concat([Buffer.from(unsigned(body.length)), body]);
  const count = Buffer.from(unsigned(functions));
  return Buffer.concat([
    Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    section(1, Buffer.from([1, 0x60, 0, 0])),
    section(3, Buffer.concat([count, Buffer.alloc(functions)])),
    section(7, Buffer.concat([Buffer.from([1, 6]), Buffer.from('_start'), Buffer.from([0, 0])])),
    section(10, Buffer.concat([count, ...Array(functions).fill(entry)])),
  ]);
}
