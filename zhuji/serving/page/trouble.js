// What went wrong, what it means and what one can do: wait, try again, give a key.

import { fill, find, fresh, make } from "./dom.js";
import { hasKey, useKey } from "./server.js";
import { say, spoken } from "./words.js";

let clock = null;

/** Draws a Trouble into `place`; `again` asks once more. Anything that is not a Trouble is a fault of this page and goes on. */
export function tell(place, trouble, again) {
  clearInterval(clock);
  if (!trouble.kind) throw trouble;
  const kind = trouble.kind === "key" && hasKey() ? "wrong_key" : trouble.kind;
  const retry = () => { clearInterval(clock); again(); };
  const button = spoken("button", "again", {}, { type: "button", onclick: retry });
  const waiting = make("p", { class: "quiet", "aria-hidden": "true" });
  fill(place, make("div", { class: "trouble", role: "alert", data: { trouble: trouble.kind, status: String(trouble.status) } },
    spoken("p", `trouble_${kind}`, {}, { class: "title" }),
    spoken("p", `trouble_${kind}_help`, { wait: trouble.wait ?? 0 }),
    trouble.said ? make("p", { class: "said", dir: "auto" }, trouble.said) : null),
  trouble.kind === "key" ? keyForm(retry) : make("div", { class: "row" }, trouble.kind === "refused" ? null : button, waiting));
  if (trouble.kind === "busy") countDown(waiting, trouble.wait);
}

/** The key's field where it is missed; it is the one of the page's head. */
function keyForm(retry) {
  const box = make("input", { type: "password", id: fresh("key"), autocomplete: "off", spellcheck: "false" });
  const give = (event) => {
    event.preventDefault();
    find("key-value").value = box.value;
    useKey(box.value);
    retry();
  };
  return make("form", { onsubmit: give }, spoken("label", "key_label", {}, { for: box.id }),
    make("div", { class: "row" }, box, spoken("button", "again", {}, { type: "submit" })),
    spoken("p", "key_note", {}, { class: "quiet" }));
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
