// What was asked in this tab, the last first. It lives in memory: closing the tab forgets it.

import { fill, make } from "./dom.js";
import { say, spoken } from "./words.js";

const MOST = 50;
let past = [];

/** Notes an input and its answer: `{name, told, model, back}`; `back` brings it back. What was asked twice stands once. */
export function note(place, entry) {
  past = [entry, ...past.filter(({ name, model }) => name !== entry.name || model !== entry.model)].slice(0, MOST);
  draw(place);
}

/** Draws the list; its card is not there before there is anything in it. */
export function draw(place) {
  place.closest("section").hidden = !past.length;
  if (!past.length) {
    fill(place);
    return;
  }
  const forget = spoken("button", "forget", {}, { type: "button", class: "plain", onclick: () => { past = []; draw(place); } });
  fill(place, make("ol", { class: "past" }, past.map((entry) => make("li", {}, line(entry)))), forget);
}

function line({ name, told: { key, ...values }, model, back }) {
  return make("button", { type: "button", class: "plain", onclick: back },
    make("span", { class: "name", dir: "auto" }, name),
    make("span", { class: "quiet" }, say(make("span"), key, values), ` · ${model}`));
}
