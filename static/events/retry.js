/** When an attempt has stopped: why, whether another makes sense, and how long to wait for it. */

/** The rule of the house: one attempt a second at most, whatever happens. */
export const ATTEMPT_FLOOR_MS = 1_000;
/** The random part of a wait doubles with each failure, up to this: a restarted server is found in half a minute. */
const JITTER_LIMIT_MS = 30_000;
/** A server that asks for more is asked again all the same. */
const RETRY_AFTER_LIMIT_MS = 3_600_000;
/** No right to it, or a question that is wrong however often it is asked. */
const FINAL_STATUS = new Set([401, 403]);
const FINAL_REASONS = new Set(["bad_cursor", "validation_error"]);

/** Why a step stopped, and what that means for the next one. */
export class Interruption extends Error {
  /**
   * @param {string} reason - a code, shown to the page
   * @param {{final?: boolean, planned?: boolean, stable?: boolean, buffered?: boolean, unreachable?: boolean,
   *   floorMs?: number, correlationId?: string, cause?: Error}} meaning
   *   `final`: no use in trying again. `planned`: no failure, nothing to count. `stable`: it had worked until now.
   *   `buffered`: a stream was opened and brought nothing at all. `unreachable`: no answer, so polling would fare no
   *   better. `floorMs`: the server asks to wait so long. `correlationId`: by which its log knows the refusal.
   */
  constructor(reason, meaning = {}) {
    super(reason, { cause: meaning.cause });
    const { final = false, planned = false, stable = false, correlationId } = meaning;
    const { buffered = false, unreachable = false, floorMs = 0 } = meaning;
    Object.assign(this, { reason, final, planned, stable, correlationId });
    Object.assign(this, { buffered, unreachable, floorMs, ofStream: false });
  }
}

/** What an HTTP answer other than 2xx means for the next attempt. */
export function refusal(response, body) {
  const reason = body.reason ?? `http_${response.status}`;
  const final = FINAL_STATUS.has(response.status) || FINAL_REASONS.has(reason);
  const correlationId = body.correlation_id ?? response.headers.get("X-Correlation-Id") ?? undefined;
  return new Interruption(reason, { final, correlationId, floorMs: retryAfterMs(response.headers.get("Retry-After")) });
}

/** A Retry-After header in milliseconds: it holds seconds or a date (so a time of day), or is missing. */
export function retryAfterMs(text) {
  const ms = /^\d+$/.test(text ?? "") ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Math.min(RETRY_AFTER_LIMIT_MS, Math.max(0, ms || 0));
}

/** What the server asks for, or a second, and a random part on top: all clients of a restarted server hear the same. */
export function waitMs(failures, floorMs) {
  const jitterMs = Math.min(JITTER_LIMIT_MS, ATTEMPT_FLOOR_MS * 2 ** failures);
  return Math.max(ATTEMPT_FLOOR_MS, floorMs) + Math.random() * jitterMs;
}

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.max(0, ms));
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
