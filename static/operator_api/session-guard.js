/**
 * Whose page this is. A browser may be used by one person after the other, and its requests always carry the session
 * of the last one: a page of an earlier session would show what one may see beside what the other may.
 */

const CHANNEL = "vx11-console-session";

export class SessionGuard {
  /**
   * @param {string} session - a name of the session that this page was made for
   * @param {() => void} replaced - a page of another session was opened in this browser
   */
  constructor(session, replaced) {
    if (typeof BroadcastChannel === "function") {
      const channel = new BroadcastChannel(CHANNEL);
      channel.addEventListener("message", ({ data }) => data !== session && replaced());
      channel.postMessage(session);
    }
    // A page kept for the "back" button hears nothing meanwhile: it comes back empty, and is asked for again.
    addEventListener("pagehide", ({ persisted }) => (document.documentElement.hidden = persisted));
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  }
}
