/**
 * What a word is, as events/query/words.py on the server has it: a run of letters and digits without differences of
 * case and marks; in scripts without spaces between words each letter is one, and so is each picture.
 */

/** Longer ones are cut, as in the server's index. In code points. */
const WORD_LIMIT_CHARACTERS = 64;
/** Marks over and around letters; and what steers others: joiners, directions, variants of pictures. */
const MARKS = /[\p{Mn}\p{Me}\p{Cf}]/gv;
/** Pictures and ideographs, also those of a Unicode that is newer than the server's. */
const PICTURES = "[[[\\u{1f000}-\\u{1faff}]--\\p{Sk}]\\u{20000}-\\u{3ffff}]";
const LETTERS = "[\\p{L}\\p{N}\\p{Mc}]";
/** Thai and Lao, Burmese, Khmer, radicals, ideographs, kana, bopomofo. */
const SINGLE = "[\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u2e80-\\u2fdf\\u3005-\\u3007\\u3040-\\u30ff" +
  "\\u3100-\\u312f\\u31a0-\\u31ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff]";
const WORD = new RegExp(
  `[\\p{So}${PICTURES}[${LETTERS}&&${SINGLE}]]|[${LETTERS}--[${SINGLE}${PICTURES}\\p{So}]]+`,
  "gv",
);

/**
 * The words of a text, folded, in order.
 *
 * @param {string} text
 */
export function words(text) {
  return (fold(text).match(WORD) ?? []).map(cut);
}

/**
 * Without differences of case, of marks over letters, and of ways to write the same letter.
 *
 * @param {string} text
 */
function fold(text) {
  const plain = text.normalize("NFKD").toUpperCase().toLowerCase().normalize("NFKD");
  return plain.replaceAll("ς", "σ").replace(MARKS, "");
}

/** @param {string} word */
function cut(word) {
  return word.length > WORD_LIMIT_CHARACTERS ? [...word].slice(0, WORD_LIMIT_CHARACTERS).join("") : word;
}
