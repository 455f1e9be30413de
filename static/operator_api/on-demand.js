/** Parts of the page that are loaded when they are first needed: most readers never open them. */

/**
 * A function that loads what is needed, once; null when that failed, and then the next call tries again.
 *
 * @template Part
 * @param {() => Promise<Part>} load
 * @param {() => void} [failed]
 */
export function onDemand(load, failed) {
  /** @type {Promise<Part> | null} */
  let loaded = null;
  return async () => {
    try {
      return await (loaded ??= load());
    } catch {
      loaded = null;
      failed?.();
      return null;
    }
  };
}
