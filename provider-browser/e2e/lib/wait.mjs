// Waiting for conditions: never for a time.

/** A busy machine takes its time; a test that fails shouldn't take for ever. */
export const PATIENCE_MS = 60_000;

/**
 * Asks `condition` until it gives something; what it throws counts as "not yet".
 * @template T
 * @param {string} what what is waited for, for the message
 * @param {() => T | Promise<T>} condition
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, condition, patienceMs = PATIENCE_MS) {
  const deadline = Date.now() + patienceMs;
  let last;
  for (;;) {
    try {
      const found = await condition();
      if (found) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`not within ${patienceMs / 1000} s: ${what}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
