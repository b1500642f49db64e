// A number.

import { make } from "../dom.js";
import { scored } from "../pieces.js";
import { say, spoken } from "../words.js";

export function show({ answer, score }) {
  if (answer === null) return [spoken("p", "no_number", {}, { class: "big" })];
  const number = say(make("span"), "plain", { value: answer });
  return [make("p", { class: "big", title: String(answer), data: { answer: String(answer) } }, number), scored(score, "likely")];
}

export const told = ({ answer }) => (answer === null ? { key: "no_number" } : { key: "plain", value: answer });
export const cell = ({ answer }) => (answer === null ? "" : String(answer));
