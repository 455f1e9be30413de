/**
 * Ends a page when another session begins in the same browser. Two people may use a browser one after the other, and
 * its requests carry the session of the last one: an old page would show events of both. When it is the same person
 * who has signed in again, the page is loaded again, and goes on with the new session.
 */

const CHANNEL = "vx11-console-session";

export class SessionGuard {
  /**
   * @param {{ session: string, user: string }} mine - names of the session that this page was made for, and of its user
   * @param {() => void} replaced - a page of another user's session was opened in this browser
   */
  constructor(mine, replaced) {
    if (typeof BroadcastChannel === "function") {
      const channel = new BroadcastChannel(CHANNEL);
      channel.addEventListener("message", ({ data }) => {
        if (data.session === mine.session) return;
        if (data.user === mine.user) location.reload();
        else replaced();
      });
      channel.postMessage(mine);
    }
    // A page kept for the "back" button receives nothing meanwhile: it comes back empty, and is loaded again.
    addEventListener("pagehide", ({ persisted }) => (document.documentElement.hidden = persisted));
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  }
}
