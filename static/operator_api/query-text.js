/** Changes to the text of a query by a press: values to include and to exclude. The rest of the text stays as it is. */

/**
 * @typedef {"include" | "exclude"} Choice
 * @typedef {{ start: number, end: number, negative: boolean, field: string, values: string[] }} Clause
 *   `field:value` or `field:(a,b)`, with or without a minus, that stands in the text for itself; values as written.
 */

/** Long names, and the short ones that are written. */
const SHORT = new Map([["event_type", "type"], ["correlation_id", "correlation"], ["event_id", "id"]]);
// Letters of any script, digits, "_" and "-": all but invisible signs, spaces and other signs of ASCII.
const PLAIN_KEY = /^[^\p{C}\p{Z}!-,.\/:-@\[-\^`{-~]+$/u;
const PLAIN_VALUE = /^[^\p{C}\p{Z}(),"*]+$/u;
const KEY = '(?:"(?:[^"\\\\]|\\\\.)*"|[^":\\s()<>.]+)';
const CLAUSE = new RegExp(`^(-?)(${KEY}(?:\\.${KEY})*):(.+)$`, "s");
const VALUES = /"(?:[^"\\]|\\.)*"\*?|[^,"\s]+/g;

/**
 * A value as it stands behind a colon.
 *
 * @param {string} value
 */
export function quoted(value) {
  return PLAIN_VALUE.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * `payload.http."odd key"`
 *
 * @param {string[]} keys
 */
export function payloadPath(keys) {
  const written = keys.map((key) => (PLAIN_KEY.test(key) ? key : `"${key.replace(/["\\]/g, "\\$&")}"`));
  return ["payload", ...written].join(".");
}

/**
 * The keys of which `payloadPath` makes this path.
 *
 * @param {string} path
 */
export function keysOf(path) {
  const parts = path.match(/"(?:[^"\\]|\\.)*"|[^."]+/g) ?? [];
  return parts.slice(1).map((key) => (key.startsWith('"') ? key.slice(1, -1).replace(/\\(["\\])/g, "$1") : key));
}

/**
 * @param {string} text
 * @param {string} field
 * @param {Choice} choice
 * @returns {Set<string>} the values of this field, as `quoted` writes them
 */
export function chosen(text, field, choice) {
  const clauses = clausesOf(text).filter((clause) => isFor(clause, field, choice));
  return new Set(clauses.flatMap(({ values }) => values));
}

/**
 * The text with this value included or excluded; without it, if it is not wanted or, where that is not said, if that
 * was so already.
 *
 * @param {string} text
 * @param {string} field
 * @param {string} value - as it is in events
 * @param {Choice} choice
 * @param {boolean} [wanted]
 */
export function choose(text, field, value, choice, wanted) {
  const written = quoted(value);
  const was = chosen(text, field, choice).has(written);
  if (was && wanted) return text;
  const cleared = rewritten(text, (clause) =>
    isFor(clause, field) ? clause.values.filter((other) => other !== written) : clause.values
  );
  if (was || wanted === false) return cleared;
  let added = false;
  const joined = rewritten(cleared, (clause) => {
    if (added || !isFor(clause, field, choice)) return clause.values;
    added = true;
    return [...clause.values, written];
  });
  if (added) return joined;
  const term = `${choice === "exclude" ? "-" : ""}${SHORT.get(field) ?? field}:${written}`;
  const ground = tokensOf(cleared).some(({ token }) => token === "OR") ? `(${cleared})` : cleared;
  return `${ground} ${term}`.trim();
}

/**
 * The text as if no value of this field were included.
 *
 * @param {string} text
 * @param {string} field
 */
export function without(text, field) {
  return rewritten(text, (clause) => (isFor(clause, field, "include") ? [] : clause.values));
}

/**
 * @param {Clause} clause
 * @param {string} field
 * @param {Choice} [choice]
 */
function isFor(clause, field, choice) {
  const same = clause.field === field || clause.field === SHORT.get(field);
  return same && (!choice || clause.negative === (choice === "exclude"));
}

/**
 * @param {string} text
 * @param {(clause: Clause) => string[]} valuesOf - none: the clause goes
 */
function rewritten(text, valuesOf) {
  let result = text;
  for (const clause of clausesOf(text).reverse()) {
    const values = valuesOf(clause);
    if (values.length === clause.values.length) continue;
    const list = values.length > 1 ? `(${values.join(",")})` : values[0];
    const term = values.length ? `${clause.negative ? "-" : ""}${clause.field}:${list}` : "";
    const [before, after] = [result.slice(0, clause.start), result.slice(clause.end)];
    result = term ? before + term + after : `${before.trimEnd()} ${after.trimStart()}`.trim();
  }
  return result;
}

/**
 * Those that everything must pass: none of a text in which OR stands.
 *
 * @param {string} text
 * @returns {Clause[]}
 */
function clausesOf(text) {
  const tokens = tokensOf(text);
  if (tokens.some(({ token }) => token === "OR" || token === "AND")) return [];
  return tokens.flatMap(({ token, start }, at) => {
    const [, minus, field, list] = CLAUSE.exec(token) ?? [];
    if (!field || tokens[at - 1]?.token === "NOT") return [];
    const values = (list.startsWith("(") ? list.slice(1, -1) : list).match(VALUES) ?? [];
    return [{ start, end: start + token.length, negative: minus === "-", field, values }];
  });
}

/**
 * What spaces outside of quotes and parentheses separate.
 *
 * @param {string} text
 */
export function tokensOf(text) {
  const tokens = [];
  let [start, depth, inQuotes] = [-1, 0, false];
  for (let at = 0; at <= text.length; at += 1) {
    const sign = text[at] ?? " ";
    if (at === text.length || (!inQuotes && depth <= 0 && /\s/.test(sign))) {
      if (start >= 0) tokens.push({ token: text.slice(start, at), start });
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (inQuotes && sign === "\\") at += 1;
    else if (sign === '"') inQuotes = !inQuotes;
    else if (!inQuotes) depth += Number(sign === "(") - Number(sign === ")");
  }
  return tokens;
}
