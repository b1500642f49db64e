// What went wrong, what it means and what one can do: wait, try again, give a key.

import { fill, find, make } from "./dom.js";
import { hasKey } from "./server.js";
import { say, spoken } from "./words.js";

let clock = null;

/** Draws a Trouble into `place`; `again` asks once more. Anything that is not a Trouble is a fault of this page and goes on. */
export function tell(place, trouble, again) {
  clearInterval(clock);
  if (!trouble.kind) throw trouble;
  const kind = trouble.kind === "key" && hasKey() ? "wrong_key" : trouble.kind;
  const button = spoken("button", "again", {}, { type: "button", onclick: () => { clearInterval(clock); again(); } });
  const waiting = make("p", { class: "quiet", "aria-hidden": "true" });
  fill(place, make("div", { class: "trouble", role: "alert", data: { trouble: trouble.kind, status: String(trouble.status) } },
    spoken("p", `trouble_${kind}`, {}, { class: "title" }),
    spoken("p", `trouble_${kind}_help`, { wait: trouble.wait ?? 0 }),
    trouble.said ? make("p", { class: "said", dir: "auto" }, trouble.said) : null),
  make("div", { class: "row" }, trouble.kind === "refused" ? null : button, waiting));
  if (trouble.kind === "key") openKey();
  if (trouble.kind === "busy") countDown(waiting, trouble.wait);
}

function openKey() {
  find("key").open = true;
  find("key-value").focus();
}

function countDown(place, seconds) {
  const show = () => say(place, seconds > 0 ? "wait" : "wait_over", { seconds });
  show();
  clock = setInterval(() => {
    seconds -= 1;
    show();
    if (seconds <= 0) clearInterval(clock);
  }, 1000);
}
