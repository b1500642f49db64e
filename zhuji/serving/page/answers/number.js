// A number.

import { make } from "../dom.js";
import { say, spoken } from "../words.js";

export function show({ answer, score }) {
  if (answer === null) return [spoken("p", "no_number", {}, { class: "big" })];
  const big = make("p", { class: "big", title: String(answer), data: { answer: String(answer) } }, say(make("span"), "plain", { value: answer }));
  const likely = score === null || score === undefined ? null : spoken("p", "likely", { score }, { class: "quiet", "data-score": String(score) });
  return [big, likely];
}

export const told = ({ answer }) => (answer === null ? { key: "no_number" } : { key: "plain", value: answer });
export const cell = ({ answer }) => (answer === null ? "" : String(answer));
