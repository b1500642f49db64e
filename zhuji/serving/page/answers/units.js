// What stands where units were hidden; of a text in which nothing is, how well the model guesses its units.

import { make } from "../dom.js";
import { scored } from "../pieces.js";
import { spoken } from "../words.js";

const filled = (answer) => (Array.isArray(answer) ? answer.join(" ") : String(answer ?? ""));

export function show({ answer, score }) {
  const text = filled(answer);
  const big = text ? make("p", { class: "big", dir: "auto" }, text) : spoken("p", "nothing_hidden");
  big.dataset.answer = text;
  return [big, scored(score, text ? "least_sure" : "guessed")];
}

export function told({ answer, score }) {
  const text = filled(answer);
  if (text) return { key: "plain", value: text };
  return score === null ? { key: "nothing_hidden" } : { key: "guessed", score };
}

export const cell = ({ answer }) => filled(answer);
