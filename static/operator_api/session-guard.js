/**
 * Ends a page when another session begins in the same browser. Two people may use a browser one after the other, and
 * its requests carry the session of the last one: an old page would show events of both.
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
    // A page kept for the "back" button receives nothing meanwhile: it comes back empty, and is loaded again.
    addEventListener("pagehide", ({ persisted }) => (document.documentElement.hidden = persisted));
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  }
}
