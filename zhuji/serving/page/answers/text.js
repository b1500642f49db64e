// Written text: a translation.

import { make } from "../dom.js";
import { copier } from "../copy.js";
import { spoken } from "../words.js";

export function show({ answer, score }) {
  const text = String(answer);
  return [
    make("p", { class: "written", dir: "auto", data: { answer: text } }, text),
    text ? null : spoken("p", "no_text", {}, { class: "quiet" }),
    make("div", { class: "row" }, text ? copier(() => text) : null,
      score === null || score === undefined ? null : spoken("span", "likely", { score }, { class: "quiet", "data-score": String(score) })),
  ];
}

export const told = ({ answer }) => ({ key: "plain", value: String(answer) });
export const cell = ({ answer }) => String(answer);
