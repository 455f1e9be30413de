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

/** @import { QueryMistake } from "./event-client.d.ts" */

/** Why a step stopped, and what that means for the next one. */
export class Interruption extends Error {
  /** The stream, and not another request, has stopped. */
  ofStream = false;

  /**
   * @param {string} reason - a code, shown to the page
   * @param {object} meaning
   * @param {boolean} [meaning.final] - no use in trying again
   * @param {boolean} [meaning.planned] - no failure, nothing to count
   * @param {boolean} [meaning.stable] - it had worked until now
   * @param {boolean} [meaning.buffered] - a stream was opened and brought nothing at all
   * @param {boolean} [meaning.unreachable] - no answer, so polling would not work either
   * @param {number} [meaning.floorMs] - the server asks to wait so long
   * @param {string} [meaning.correlationId] - by which the server's log knows the refusal
   * @param {QueryMistake} [meaning.mistake] - why the server cannot read the query
   * @param {unknown} [meaning.cause]
   */
  constructor(reason, meaning = {}) {
    super(reason, { cause: meaning.cause });
    this.reason = reason;
    this.final = meaning.final ?? false;
    this.planned = meaning.planned ?? false;
    this.stable = meaning.stable ?? false;
    this.buffered = meaning.buffered ?? false;
    this.unreachable = meaning.unreachable ?? false;
    this.floorMs = meaning.floorMs ?? 0;
    this.correlationId = meaning.correlationId;
    this.mistake = meaning.mistake;
  }
}

/**
 * What an HTTP answer other than 2xx means for the next attempt.
 *
 * @param {Response} response
 * @param {{ reason?: string, correlation_id?: string, errors?: { q?: unknown } }} body
 */
export function refusal(response, body) {
  const reason = body.reason ?? `http_${response.status}`;
  const final = FINAL_STATUS.has(response.status) || FINAL_REASONS.has(reason);
  const correlationId = body.correlation_id ?? response.headers.get("X-Correlation-Id") ?? undefined;
  const floorMs = retryAfterMs(response.headers.get("Retry-After"));
  return new Interruption(reason, { final, correlationId, floorMs, mistake: mistakeIn(body.errors?.q) });
}

/**
 * The first mistake in the query, in the server's problems of `q`; undefined where there is none.
 *
 * @param {unknown} problems
 * @returns {QueryMistake | undefined}
 */
function mistakeIn(problems) {
  const { position, length, message } = Object([problems].flat()[0]);
  const isMistake = Number.isInteger(position) && Number.isInteger(length) && typeof message === "string";
  return isMistake ? { position, length, message } : undefined;
}

/**
 * A Retry-After header in milliseconds: it holds seconds or a date (so a time of day), or is missing.
 *
 * @param {string | null} text
 */
export function retryAfterMs(text) {
  const ms = /^\d+$/.test(text ?? "") ? Number(text) * 1000 : Date.parse(text ?? "") - Date.now();
  return Math.min(RETRY_AFTER_LIMIT_MS, Math.max(0, ms || 0));
}

/**
 * What the server asks for, or a second, and a random part on top: all clients of a restarted server are asked for the
 * same wait, and must not come back together.
 *
 * @param {number} failures
 * @param {number} floorMs
 */
export function waitMs(failures, floorMs) {
  const jitterMs = Math.min(JITTER_LIMIT_MS, ATTEMPT_FLOOR_MS * 2 ** failures);
  return Math.max(ATTEMPT_FLOOR_MS, floorMs) + Math.random() * jitterMs;
}

/** A person who does not want to wait ends waits by this. */
const wishes = new EventTarget();

/** Ends the waits of this page for the next attempt. */
export function tryNow() {
  wishes.dispatchEvent(new Event("now"));
}

/**
 * As `sleep`, but ends when there is a reason to try now: the network is back, the page is seen again, it was restored
 * from the back-forward cache, or its reader wants it. Never sooner than the server asks for, nor within a second.
 *
 * @param {number} ms
 * @param {number} floorMs
 * @param {AbortSignal} signal
 */
export async function sleepUnlessWoken(ms, floorMs, signal) {
  const woken = new AbortController();
  const earliestMs = performance.now() + Math.max(ATTEMPT_FLOOR_MS, floorMs);
  const wake = () => sleep(earliestMs - performance.now(), signal).then(() => woken.abort());
  const either = AbortSignal.any([signal, woken.signal]);
  // Outside of a browser there is no page that could tell.
  globalThis.addEventListener?.("online", wake, { signal: either });
  wishes.addEventListener("now", wake, { signal: either });
  globalThis.addEventListener?.("pageshow", ({ persisted }) => persisted && wake(), { signal: either });
  globalThis.document?.addEventListener("visibilitychange", () => document.hidden || wake(), { signal: either });
  await sleep(ms, either);
  woken.abort(); // Listens no more.
}

/**
 * Resolves after `ms`, or as soon as `signal` is aborted.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, Math.max(0, ms));
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
