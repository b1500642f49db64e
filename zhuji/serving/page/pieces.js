// Pieces that several answers are made of: probabilities as bars, a score in a sentence, a table of rows.

import { fresh, make } from "./dom.js";
import { say, spoken } from "./words.js";

const FIRST = 8;

const missing = (score) => score === null || score === undefined;

/** How sure the model is, beside its answer; nothing where it does not say. */
export function sure(score) {
  return missing(score) ? null : spoken("span", "percent", { score }, { class: "sure", "data-score": String(score) });
}

/** What a score means, in a sentence; nothing where there is none. */
export function scored(score, key, tag = "p") {
  return missing(score) ? null : spoken(tag, key, { score }, { class: "quiet", "data-score": String(score) });
}

/** A cell with a number of few digits; `value` is the whole of it. */
export function numberCell(shown, value, key = "plain") {
  const values = key === "plain" ? { value: shown } : { score: shown };
  return make("td", { class: "number", title: String(value) }, say(make("span"), key, values));
}

/** A table. `heads`: keys of words, those of columns of numbers with a minus before them; `more` goes into its class. */
export function rowsTable(heads, rows, more = "") {
  const head = heads.map((key) => (key.startsWith("-")
    ? spoken("th", key.slice(1), {}, { scope: "col", class: "number" })
    : spoken("th", key, {}, { scope: "col" })));
  return make("table", { class: `rows ${more}`.trim() }, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows));
}

/** A table that says in words and numbers what a picture above it shows. */
export const alternative = (table) => make("details", {}, spoken("summary", "as_table"), table);

/** Probabilities by name, the likeliest first; what is far down is one click away. `given`: the names that are the answer. */
export function bars(scores, given, key) {
  const names = Object.entries(scores).sort(([a, p], [b, q]) => q - p || (a < b ? -1 : 1));
  const body = make("tbody", { id: fresh("bars") }, names.map(([name, score]) => bar(name, score, given.has(name))));
  const table = make("table", { class: "bars" }, spoken("caption", key, {}, { class: "quiet" }), body);
  if (names.length <= FIRST + 1) return table;
  const rest = [...body.children].slice(FIRST).filter((each) => !each.classList.contains("given"));
  return make("div", {}, table, more(body, rest, names.length));
}

function bar(name, score, given) {
  const fill = make("span", { class: "fill" });
  // A property set from a script keeps to the policy that forbids style attributes.
  fill.style.setProperty("--share", String(Math.max(0, Math.min(1, score))));
  const mark = given ? spoken("span", "given", {}, { class: "hidden" }) : null;
  return make("tr", { class: given ? "given" : null, data: { label: name, score: String(score) } },
    make("th", { scope: "row", dir: "auto" }, make("span", {}, name), mark),
    make("td", { class: "bar", "aria-hidden": "true" }, fill),
    numberCell(score, score, "percent"));
}

function more(body, rest, count) {
  const button = make("button", { type: "button", class: "plain", "aria-controls": body.id });
  const turn = (open) => {
    for (const each of rest) each.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    say(button, open ? "fewer" : "all_classes", { count });
  };
  button.addEventListener("click", () => turn(button.getAttribute("aria-expanded") !== "true"));
  turn(false);
  return button;
}
