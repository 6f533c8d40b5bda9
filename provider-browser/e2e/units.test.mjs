// Parts of the page that need no browser.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { roundUp } from '../web/charts.js';
import { EventStream } from '../web/event-stream.js';
import { History, SPAN_MS } from '../web/history.js';
import { Unfit, blobName, commands, plan } from '../web/job-request.js';
import { hex } from '../web/output.js';
import { quote, splitWords } from '../web/shell-words.js';
import { TaskStates } from '../web/task-states.js';
import { bytes, duration } from '../web/text.js';
import { spans } from '../web/waterfall.js';

const ODD = ['', 'plain', 'two words', "it's", '"', '$HOME `id` !x', '-n', '\\', 'a\nb', 'ü€😀', '{index}', "''", '*', '~', '#x', 'a=b'];

test('a shell reads quoted words as they were', () => {
  const script = `printf '%s\\0' ${ODD.map(quote).join(' ')}`;
  const read = execFileSync('sh', ['-c', script]).toString().split('\0').slice(0, -1);
  assert.deepEqual(read, ODD);
});

test('words are split as a shell splits them', () => {
  const lines = ['a b  c', "'a b' \"c d\"", 'a\\ b', '"a\\"b\\x"', "x'y'\"z\"", "''", 'rand 9 --seed {index}', ' \t '];
  for (const line of lines) {
    const script = `set -- ${line}\nfor word; do printf '%s\\0' "$word"; done`;
    const expected = execFileSync('sh', ['-c', script]).toString().split('\0').slice(0, -1);
    assert.deepEqual(splitWords(line), expected, line);
  }
  for (const line of ["'open", '"open', 'end\\']) assert.throws(() => splitWords(line), line);
  for (const word of ODD) assert.deepEqual(splitWords(quote(word)), [word]);
});

test('events come out whole, however the stream is cut', () => {
  const text = '\uFEFF: hello\n\nid: a-1\nevent: stats\ndata: {"a":\ndata: 1}\n\ndata:x\r\n\r\nid: a-2\rdata: y\r\revent: none\n\n';
  const expected = [
    { name: 'stats', data: '{"a":\n1}', id: 'a-1' },
    { name: 'message', data: 'x', id: 'a-1' },
    { name: 'message', data: 'y', id: 'a-2' },
  ];
  for (let size = 1; size <= text.length; size += 1) {
    const stream = new EventStream();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...stream.push(text.slice(at, at + size)));
    assert.deepEqual(events, expected, `pieces of ${size}`);
  }
});

test('what the form can’t send is refused with the field’s name', () => {
  const nothing = {
    moduleFile: undefined, moduleKnown: '', args: '', count: '1', timeout: '', memory: '', stdin: '', stdinFile: undefined,
    files: [], env: '', artifacts: '', name: '', kind: '',
  };
  const refused = (wish, field) => assert.throws(() => plan({ ...nothing, ...wish }), (error) => error instanceof Unfit && error.field === field);
  refused({}, 'module-file');
  const known = { moduleKnown: 'a.wasm' };
  refused({ ...known, args: "'" }, 'args');
  refused({ ...known, env: 'NAME' }, 'env');
  refused({ ...known, env: '=x' }, 'env');
  for (const count of ['0', '1.5', '', '-1', 'x']) refused({ ...known, count }, 'count');
  assert.deepEqual(plan({ ...nothing, ...known }), { uploads: [], job: { module: 'a.wasm', count: 1 } });

  const full = plan({
    ...nothing, moduleFile: { name: 'my app.wasm' }, args: 'a "b c"', count: '3', timeout: ' 5s ', memory: '1GiB', stdin: 'in\n',
    files: [{ name: 'my app.wasm' }, { name: 'ü.txt' }], env: 'A=1\n\nB=x=y\n', artifacts: 'out/*\n', name: 'n', kind: 'native',
  });
  assert.deepEqual(full.uploads.map(({ as }) => as), ['my-app.wasm', '2-my-app.wasm', 'u-.txt']);
  assert.deepEqual(full.job, {
    name: 'n', module: 'my-app.wasm', count: 3, requires: { kind: 'native' },
    defaults: {
      args: ['a', 'b c'], env: { A: '1', B: 'x=y' }, stdin: 'in\n', artifacts: ['out/*'], timeout: '5s', memory: '1GiB',
      files: { 'my app.wasm': { blob: '2-my-app.wasm' }, 'ü.txt': { blob: 'u-.txt' } },
    },
  });
  assert.match(commands(full, 'http://x', true), /Bearer \$TOKEN/);
});

test('names of blobs hold what names may hold', () => {
  for (const name of ['.hidden', '-x', 'a/b c', 'ä', '..', '€', 'x'.repeat(200), `.${'x'.repeat(127)}.`]) {
    assert.match(blobName(name), /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, name);
  }
});

test('runs of states fill the tasks', () => {
  const states = new TaskStates(10);
  assert.deepEqual(states.take([[2, 3, 'running'], [8, 100, 'failed']]), [2, 9]);
  assert.deepEqual([0, 2, 4, 5, 9].map((index) => states.nameOf(index)), ['queued', 'running', 'running', 'queued', 'failed']);
  assert.equal(states.take([[10, 1, 'lost']]), undefined);
  states.take([[0, 1, 'of a later version']]);
  assert.equal(states.nameOf(0), 'unknown');
});

test('the history keeps ten minutes, and what held before them', () => {
  const history = new History();
  const add = (at, rate) => history.add(at, { tasks_per_second: rate, queued: 0, running: 0 });
  add(0, 1);
  add(100, 2);
  assert.deepEqual(history.points.map((point) => point.rate), [2], 'the nearest is replaced');
  add(1_000, 3);
  add(SPAN_MS + 5_000, 4);
  assert.deepEqual(history.points.map((point) => point.rate), [3, 4]);
  assert.equal(history.held(SPAN_MS)?.rate, 3);
  assert.equal(history.held(0), undefined);
  assert.deepEqual([50_000, 61_001, 1e6].map((now) => history.span(now)), [60_000, 120_000, SPAN_MS]);
});

test('spans last until the next step of their attempt', () => {
  const step = (after_ms, name, attempt = null) => ({ at: '', after_ms, step: name, attempt, provider: null, detail: null });
  const found = spans([
    step(0, 'received'), step(1, 'queued'), step(5, 'sent', 1), step(6, 'sent', 2), step(9, 'failed', 1), step(10, 'ended', 2), step(12, 'stored'),
  ], 99);
  assert.deepEqual(found.map(({ from, to, attempt }) => [from, to, attempt]), [
    [0, 1, null], [1, 5, null], [5, 9, 1], [6, 10, 2], [9, 9, 1], [10, 12, 2], [12, 99, null],
  ]);
  assert.deepEqual(spans([step(0, 'received'), step(1, 'queued')]).map(({ to }) => to), [1], 'what has no end isn’t shown');
});

test('figures are written for people', () => {
  assert.deepEqual([0, 1023, 1536, 123 * 2 ** 20, 2 ** 50].map(bytes), ['0 B', '1023 B', '1.5 KiB', '123 MiB', '1024 TiB']);
  assert.deepEqual([0, 0.2, 4.13, 830, 4_200, 83_000, 7_260_000, 90_000_000, -1, Number.NaN].map(duration), [
    '0 ms', '0.20 ms', '4.1 ms', '830 ms', '4.2 s', '1 min 23 s', '2 h 1 min', '1 d 1 h', '–', '–',
  ]);
  assert.deepEqual([0.3, 1, 3, 4.5, 11, 79, 81].map(roundUp), [1, 1, 4, 6, 20, 80, 100]);
  assert.equal(hex(new TextEncoder().encode('Hello\0 there')), '0000  48 65 6c 6c 6f 00 20 74  Hello. t\n0008  68 65 72 65              here');
});
