// Probabilities by name, the likeliest first; what is far down is one click away.

import { fresh, make } from "./dom.js";
import { say, spoken } from "./words.js";

const FIRST = 8;

/** A table of names and their probabilities. `given`: the names that are the answer; `key` says what the table shows. */
export function bars(scores, given, key) {
  const names = Object.entries(scores).sort(([a, p], [b, q]) => q - p || (a < b ? -1 : 1));
  const body = make("tbody", { id: fresh("bars") }, names.map(([name, score]) => row(name, score, given.has(name))));
  const table = make("table", { class: "bars" }, spoken("caption", key, {}, { class: "quiet" }), body);
  if (names.length <= FIRST + 1) return table;
  const rest = [...body.children].slice(FIRST).filter((each) => !each.classList.contains("given"));
  return make("div", {}, table, more(body, rest, names.length));
}

function row(name, score, given) {
  const fill = make("span", { class: "fill" });
  // A property set from a script keeps to the policy that forbids style attributes.
  fill.style.setProperty("--share", String(Math.max(0, Math.min(1, score))));
  const mark = given ? spoken("span", "given", {}, { class: "hidden" }) : null;
  return make("tr", { class: given ? "given" : null, data: { label: name, score: String(score) } },
    make("th", { scope: "row", dir: "auto" }, make("span", {}, name), mark),
    make("td", { class: "bar", "aria-hidden": "true" }, fill),
    make("td", { class: "number", title: String(score) }, say(make("span"), "percent", { score })));
}

function more(body, rest, count) {
  const button = make("button", { type: "button", class: "plain", "aria-controls": body.id, onclick: () => turn(button.getAttribute("aria-expanded") !== "true") });
  const turn = (open) => {
    for (const each of rest) each.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    say(button, open ? "fewer" : "all_classes", { count });
  };
  turn(false);
  return button;
}

/** How sure the model is, beside its answer; nothing where it does not say. */
export function sure(score) {
  return score === null || score === undefined ? null : spoken("span", "percent", { score }, { class: "sure", "data-score": String(score) });
}
