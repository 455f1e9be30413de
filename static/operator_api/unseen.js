/** Signs that cannot be seen, and that drive a terminal, or turn around or hide what stands beside them. */

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** A cell may have several lines and tabs in them. */
const CONTROL = /(?![\t\n])\p{Cc}/gu;

/**
 * The text with each of them as JSON may write it; JSON stays the same JSON.
 *
 * @param {string} words
 */
export function visible(words) {
  return words.replace(UNSEEN, escaped);
}

/**
 * The text without what drives a terminal, for a file that a person may print there.
 *
 * @param {string} words
 */
export function withoutControls(words) {
  return words.replace(CONTROL, escaped);
}

/** @param {string} sign */
function escaped(sign) {
  return sign.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}
