/** First steps, on the first screen and in the help: a line that publishes an event, and an event sent by hand. */

import { copy } from "./clipboard.js";
import { partsOf, slot } from "./dom.js";
import { ApiError } from "./requests.js";
import { text } from "./texts.js";

const EVENT = { event_type: "hello", severity: "info", summary: "Hello from a program" };

/**
 * @param {import("./requests.js").ConsoleApi} api
 * @param {string} apiUrl - of this server, with its origin
 */
export function offerFirstSteps(api, apiUrl) {
  const line = lineFor(apiUrl);
  for (const place of partsOf(HTMLElement, ".start-steps")) {
    const said = slot("start-said", place);
    slot("feed-line", place).textContent = line;
    const onClick = (/** @type {string} */ action, /** @type {() => Promise<string>} */ does) => {
      // Who may not send a test event is not offered it.
      for (const button of partsOf(HTMLButtonElement, `[data-action=${action}]`, place)) {
        button.addEventListener("click", async () => {
          said.textContent = "";
          button.ariaDisabled = "true";
          said.textContent = await does();
          button.ariaDisabled = null;
        });
      }
    };
    onClick("copy-line", async () => text((await copy(line)) ? "copied.yes" : "copied.no"));
    onClick("send-test", () => send(api));
  }
}

/** @param {import("./requests.js").ConsoleApi} api */
async function send(api) {
  try {
    await api.post("/test-event", {});
    return text("test.sent");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return `${error.sentence} ${error.correlationId ?? ""}`;
  }
}

/**
 * For any shell of POSIX: nothing in it has a quote.
 *
 * @param {string} apiUrl
 */
function lineFor(apiUrl) {
  const headers = ['-H "X-VX11-Token: $VX11_SERVICE_TOKEN"', '-H "Content-Type: application/json"'];
  return ["curl", ...headers, `-d '${JSON.stringify(EVENT)}'`, `'${apiUrl}/events'`].join(" ");
}
