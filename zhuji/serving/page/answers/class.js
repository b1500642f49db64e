// One class. An answer's kind is one module of this folder, found by its name: `show` draws it, `told` says it in a sentence (a key
// of words.json and its values), `cell` in a cell of a table.

import { make } from "../dom.js";
import { bars, sure } from "../pieces.js";

export function show(prediction) {
  const name = String(prediction.answer);
  return [
    make("p", { class: "big", dir: "auto", data: { answer: name } }, make("span", {}, name), sure(prediction.score)),
    prediction.scores ? bars(prediction.scores, new Set([name]), "bars_class") : null,
  ];
}

export const told = ({ answer, score }) => ({ key: "told_sure", answer: String(answer), score });
export const cell = ({ answer }) => String(answer);
