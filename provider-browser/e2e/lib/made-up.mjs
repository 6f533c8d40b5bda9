// Providers, jobs and figures in the shapes of the API, for the stage.

const id = (number) => `01jdashb0ard${String(number).padStart(14, '0')}`;

/** @param {number} number @param {object} [more] */
export function provider(number, more = {}) {
  const browser = number % 3 === 2;
  return {
    id: id(number),
    name: browser ? `tab-${number}` : `lab-${number}`,
    kind: browser ? 'browser' : 'native',
    agent: browser ? 'Chrome 156' : 'wasipool-provider 0.1.0',
    state: 'ready',
    reason: null,
    transport: 'webtransport',
    slots: browser ? 4 : 8,
    busy: (number * 5) % (browser ? 5 : 9),
    queued: 0,
    memory: (browser ? 8 : 32) * 2 ** 30,
    speed: 900 + ((number * 137) % 900),
    features: ['simd'],
    round_trip_ms: 0.4 + ((number * 37) % 400) / 10,
    tasks_done: number * 311,
    failures: 0,
    connected: '2026-01-01T00:00:00Z',
    modules: [],
    ...more,
  };
}

/** @param {number} number @param {object} [more] */
export function job(number, more = {}) {
  return {
    id: id(1_000_000 + number),
    name: `job ${number}`,
    state: 'running',
    module: { ref: 'tsp.wasm', digest: `sha256:${'0'.repeat(64)}` },
    tasks: 1000,
    counts: { queued: 300, running: 40, succeeded: 640, failed: 20 },
    progress: 0.66,
    tasks_per_second: 12.5,
    eta_ms: 27_000,
    created: new Date().toISOString(),
    started: new Date().toISOString(),
    ended: null,
    priority: 0,
    labels: {},
    ...more,
  };
}

/** @param {object} [more] */
export function stats(more = {}) {
  return {
    providers: 0, slots: 0, busy: 0, queued: 0, running: 0, ended: 0, dropped: 0, jobs: 0, uptime_s: 1, tasks_per_second: 0, ...more,
  };
}
