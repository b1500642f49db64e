// Written text: a translation.

import { copier } from "../copy.js";
import { make } from "../dom.js";
import { scored } from "../pieces.js";
import { spoken } from "../words.js";

export function show({ answer, score }) {
  const text = String(answer);
  return [
    text ? null : spoken("p", "no_text", {}, { class: "quiet" }),
    make("p", { class: "written", dir: "auto", data: { answer: text } }, text),
    make("div", { class: "row" }, text ? copier(() => text) : null, scored(score, "likely", "span")),
  ];
}

export const told = ({ answer }) => (answer ? { key: "plain", value: String(answer) } : { key: "no_text" });
export const cell = ({ answer }) => String(answer);
