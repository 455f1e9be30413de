/**
 * Which tab is to lead. Both kinds do the same: `stand` until elected or told that somebody leads, `force` when the
 * leader is there no more, `withdraw` to lead no longer. They say `onwin`, and `onlose` when another took the place.
 *
 * Locks are exact and know at once when a tab is gone, but pages without TLS have none. Without them two tabs may lead
 * for a moment; whoever hears of a better one then steps down.
 */

/** Time for a leader to answer; the random part, so that tabs opened together do not all stand. */
const STAND_MS = 200;
const STAND_JITTER_MS = 100;

export function election(name, onwin, onlose) {
  return navigator.locks ? new LockElection(name, onwin, onlose) : new ChannelElection(onwin);
}

class LockElection {
  // Takes over where a browser has locks and refuses them, as some do with storage that is blocked.
  #spare = null;
  #name;
  #onwin;
  #onlose;
  #waiting = null;
  #release = null;
  #round = 0;

  constructor(name, onwin, onlose) {
    this.#name = name;
    this.#onwin = onwin;
    this.#onlose = onlose;
  }

  stand() {
    if (this.#spare) return this.#spare.stand();
    if (this.#waiting || this.#release) return;
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
  }

  /** Others wait for the lock; being told of a leader changes nothing. */
  heard() {
    this.#spare?.heard();
  }

  force() {
    if (this.#spare) return this.#spare.force();
    this.withdraw();
    this.#request({ steal: true });
  }

  withdraw() {
    this.#spare?.withdraw();
    this.#round += 1;
    this.#waiting?.abort();
    this.#release?.();
    this.#waiting = this.#release = null;
  }

  async #request(options) {
    const round = ++this.#round;
    let held = false;
    const hold = () => {
      if (round !== this.#round) return null;
      held = true;
      return new Promise((resolve) => {
        this.#waiting = null;
        this.#release = resolve;
        this.#onwin();
      });
    };
    try {
      await navigator.locks.request(this.#name, options, hold);
    } catch {
      // Withdrawn while waiting, or the lock was stolen.
      if (round !== this.#round) return;
      this.#waiting = this.#release = null;
      if (held) return this.#onlose();
      this.#spare = new ChannelElection(this.#onwin);
      this.#spare.stand();
    }
  }
}

class ChannelElection {
  #onwin;
  #timer = null;

  constructor(onwin) {
    this.#onwin = onwin;
  }

  stand() {
    this.#timer ??= setTimeout(() => this.#win(), STAND_MS + Math.random() * STAND_JITTER_MS);
  }

  heard() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  force() {
    this.stand();
  }

  withdraw() {
    this.heard();
  }

  #win() {
    this.#timer = null;
    this.#onwin();
  }
}
