// Several classes at once, or none.

import { make } from "../dom.js";
import { bars } from "../pieces.js";
import { spoken } from "../words.js";

export function show(prediction) {
  const names = prediction.answer.map(String);
  const chips = names.map((name) => make("li", { class: "chip", dir: "auto" }, name));
  const given = names.length ? make("ul", { class: "chips" }, chips) : spoken("p", "no_class", {}, { class: "big" });
  given.dataset.answer = JSON.stringify(names);
  return [given, prediction.scores ? bars(prediction.scores, new Set(names), "bars_classes") : null];
}

export const told = ({ answer }) => (answer.length ? { key: "plain", value: answer.join(", ") } : { key: "no_class" });
export const cell = ({ answer }) => answer.join(", ");
