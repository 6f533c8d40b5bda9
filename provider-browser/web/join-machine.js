// @ts-check
// What the browser tells of the machine: battery, connection, screen. Each is
// missing in some browser; then there is nothing to choose.

/** Parts of it are not in every browser. @type {any} */
const browser = navigator;
const { connection } = browser;

/** @type {any} */
let battery;
/** @type {any} */
let lock;
let awake = false;

export const machine = {
  knowsBattery: typeof browser.getBattery === 'function',
  knowsMetered: connection !== undefined && ('saveData' in connection || 'type' in connection),
  canStayAwake: 'wakeLock' in navigator,

  /** @returns {import('../types/worker.js').Surroundings} */
  get surroundings() {
    return {
      on_battery: battery ? !battery.charging : false,
      metered: connection?.saveData === true || connection?.type === 'cellular',
    };
  },

  /** @param {{ changed: () => void, online: () => void }} tell */
  watch({ changed, online }) {
    connection?.addEventListener?.('change', changed);
    addEventListener('online', online);
    if (this.knowsBattery) {
      browser.getBattery().then((/** @type {any} */ found) => {
        battery = found;
        battery.addEventListener('chargingchange', changed);
        changed();
      }, () => {});
    }
    document.addEventListener('visibilitychange', hold);
  },

  /** @param {boolean} wanted keeps the screen on while it is wanted */
  keepAwake(wanted) {
    awake = wanted;
    hold();
  },
};

/** Browsers drop the lock whenever the page is hidden. */
async function hold() {
  if (!awake || !machine.canStayAwake) {
    lock?.release();
    lock = undefined;
  } else if (document.visibilityState === 'visible' && (!lock || lock.released)) {
    lock = await browser.wakeLock.request('screen').catch(() => undefined);
    if (!awake) hold();
  }
}
