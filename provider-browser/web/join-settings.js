// @ts-check
// What the volunteer has set: read from the form, remembered for the next time.
// What the address says counts more than what is remembered.
import { machine } from './join-machine.js';
import { byId, plural, setText } from './text.js';

/** @typedef {import('../types/worker.js').Settings} Settings */

const PLACE = 'wasipool.join';
const SLOTS_MAX = 256;

const cores = navigator.hardwareConcurrency || 2;

/** @param {string} id */
const input = (id) => byId(id, HTMLInputElement);
const CHOICES = /** @type {const} */ (['battery', 'metered', 'awake']);

/** @returns {Settings} what is offered */
export function settings() {
  return {
    slots: Number(input('slots').value),
    share: Number(input('share').value),
    pause_on_battery: machine.knowsBattery && input('battery').checked,
    pause_on_metered: machine.knowsMetered && input('metered').checked,
  };
}

/** @param {URLSearchParams} query fills the form */
export function restore(query) {
  const known = remembered();
  // The address may ask for more than the slider would offer.
  const slots = whole(query.get('slots')) ?? whole(known.slots) ?? Math.max(1, Math.floor(cores / 2));
  input('slots').max = String(Math.min(SLOTS_MAX, Math.max(cores, whole(query.get('slots')) ?? 0)));
  input('slots').value = String(slots);
  input('share').value = String(whole(query.get('share')) ?? whole(known.share) ?? 100);
  input('name').value = query.get('name') ?? (typeof known.name === 'string' ? known.name : '');
  for (const id of CHOICES) input(id).checked = known[id] === true;
  byId('battery-label').hidden = !machine.knowsBattery;
  byId('metered-label').hidden = !machine.knowsMetered;
  byId('awake-label').hidden = !machine.canStayAwake;
  say();
}

/** Keeps what the form says, but for the token. */
export function remember() {
  say();
  /** @type {Record<string, string | boolean>} */
  const kept = { name: input('name').value, slots: input('slots').value, share: input('share').value };
  for (const id of CHOICES) kept[id] = input(id).checked;
  try {
    localStorage.setItem(PLACE, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing: then it is set anew each time.
  }
}

/** @returns {Record<string, unknown>} */
function remembered() {
  try {
    const known = JSON.parse(localStorage.getItem(PLACE) ?? '{}');
    return typeof known === 'object' && known !== null ? known : {};
  } catch {
    return {};
  }
}

/** @param {unknown} text gives the number, if it is a whole one of at least 1 */
function whole(text) {
  const number = Math.trunc(Number(text));
  return number >= 1 ? number : undefined;
}

function say() {
  const slots = Number(input('slots').value);
  const share = Number(input('share').value);
  const slotsText = `${slots} of ${plural(cores, 'core', 'cores')}`;
  setText(byId('slots-text'), slotsText);
  setText(byId('share-text'), `${share} %`);
  byId('slots').setAttribute('aria-valuetext', slotsText);
  byId('share').setAttribute('aria-valuetext', `${share} percent`);
}
