/** Numbers as they were written, compared exactly, as events/query/decimals.py does: 1e2 is 100. */

const NUMBER = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+\-]?)([0-9]+))?$/;
/** Exponents are exact up to so many digits, and larger ones all the same: a double holds them and their sums. */
const EXPONENT_LIMIT_DIGITS = 15;
const EXPONENT_LIMIT = 1e15;

/**
 * sign * 0.digits * 10**exponent, in one way only: without zeros at the ends. Zero is 0, 0, "".
 *
 * @typedef {{ sign: number, exponent: number, digits: string }} Decimal
 */

/**
 * Null for what JSON does not call a number.
 *
 * @param {string} text
 * @returns {Decimal | null}
 */
export function readDecimal(text) {
  const found = NUMBER.exec(text);
  if (!found) return null;
  const [, minus, whole, fraction = "", exponentSign = "", exponent = ""] = found;
  const written = whole + fraction;
  const digits = withoutLeadingZeros(written);
  if (!digits) return { sign: 0, exponent: 0, digits };
  const shift = exponentOf(exponent) * (exponentSign === "-" ? -1 : 1);
  const zeros = written.length - digits.length;
  return {
    sign: minus ? -1 : 1,
    exponent: whole.length - zeros + shift,
    digits: withoutZerosAtEnd(digits),
  };
}

/**
 * Less than 0 if `one` is the smaller, 0 if they are equal, else more.
 *
 * @param {Decimal} one
 * @param {Decimal} other
 */
export function orderOf(one, other) {
  if (one.sign !== other.sign) return one.sign - other.sign;
  if (one.exponent !== other.exponent) return one.exponent > other.exponent ? one.sign : -one.sign;
  if (one.digits === other.digits) return 0;
  return one.digits > other.digits ? one.sign : -one.sign;
}

/** @param {string} digits */
function exponentOf(digits) {
  const significant = withoutLeadingZeros(digits);
  return significant.length > EXPONENT_LIMIT_DIGITS ? EXPONENT_LIMIT : Number(significant);
}

/** @param {string} digits */
function withoutLeadingZeros(digits) {
  return digits.replace(/^0+/, "");
}

/**
 * Not by a pattern, which would begin anew at each zero.
 *
 * @param {string} digits
 */
function withoutZerosAtEnd(digits) {
  let end = digits.length;
  while (digits[end - 1] === "0") end -= 1;
  return digits.slice(0, end);
}
