// A vector: its size, its first numbers, all of them as a strip; and how alike two inputs are.

import { make } from "../dom.js";
import { copier } from "../copy.js";
import { spoken } from "../words.js";

const FIRST = 8;

/** Two inputs can be compared. */
export const compares = true;

const dot = (a, b) => a.reduce((sum, value, place) => sum + value * b[place], 0);
const norm = (vector) => Math.sqrt(dot(vector, vector));

/** The cosine of two vectors; 0 where one of them is zero. */
export function likeness(a, b) {
  const sizes = norm(a) * norm(b);
  return sizes ? dot(a, b) / sizes : 0;
}

export function show({ answer }, { other } = {}) {
  const first = answer.slice(0, FIRST).map((value) => make("li", { data: { value: String(value) } }, value.toFixed(4)));
  return [
    other ? alike(likeness(answer, other.answer)) : null,
    make("dl", { class: "facts", data: { answer: JSON.stringify(answer) } },
      fact("dimensions", answer.length), fact("norm", norm(answer))),
    strip(answer),
    spoken("p", "first_numbers", { count: Math.min(FIRST, answer.length) }, { class: "quiet" }),
    make("ol", { class: "numbers" }, first),
    make("div", { class: "row" }, copier(() => JSON.stringify(answer), "copy_vector")),
  ];
}

export function told({ answer }, { other } = {}) {
  if (other) return { key: "told_alike", score: likeness(answer, other.answer).toFixed(3) };
  return { key: "told_vector", count: answer.length, norm: norm(answer) };
}

export function cell({ answer }) {
  const first = answer.slice(0, 3).map((value) => value.toFixed(3));
  return `[${[...first, ...(answer.length > 3 ? ["…"] : [])].join(", ")}]`;
}

function alike(score) {
  const meter = make("div", { class: "meter", "aria-hidden": "true" }, make("span", { class: "fill" }));
  meter.firstChild.style.setProperty("--share", String(Math.max(0, Math.min(1, score))));
  return make("div", { class: "alike", data: { likeness: String(score) } }, spoken("p", "alike_is", {}, { class: "quiet" }),
    spoken("p", "plain", { value: score.toFixed(3) }, { class: "big" }), meter, spoken("p", "alike_note", {}, { class: "quiet" }));
}

const fact = (name, value) => make("div", {}, spoken("dt", name), spoken("dd", "plain", { value }, { "data-value": String(value) }));

/** All numbers side by side: upwards and in the accent above zero, downwards below. */
function strip(vector) {
  const most = Math.max(...vector.map(Math.abs), 1e-12);
  const bars = vector.map((value) => {
    const bar = make("i", { class: value < 0 ? "below" : "above" });
    bar.style.setProperty("--share", String(Math.abs(value) / most));
    return bar;
  });
  return make("div", { class: "strip", "aria-hidden": "true" }, bars);
}
