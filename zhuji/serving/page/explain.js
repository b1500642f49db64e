// What the words of an input spoke for: tinted by sign and strength, and once more in a table.

import { fill, make } from "./dom.js";
import { alternative, numberCell, rowsTable } from "./pieces.js";
import { data } from "./server.js";
import { spoken } from "./words.js";

/** Share of the largest weight below which a word hardly speaks. */
const SLIGHT = 0.02;

/** Asks what speaks for each thing that was answered about an input (a class, each of several, the tag of each span), and draws it. */
export async function explain(place, model, input, signal) {
  const { found } = await data("explain", { model: model.name, input }, { signal });
  const all = [found, ...found.others].filter(({ parts }) => parts.length);
  fill(place, spoken("h3", "explanation"), all.length ? all.map(drawn) : spoken("p", "nothing_explained"));
}

/** One explanation. The texts of its parts joined are the input. */
function drawn({ about, of, parts, complete }) {
  const most = Math.max(...parts.map(({ weight }) => Math.abs(weight)), 1e-12);
  const name = of ? `${of} → ${about}` : String(about);
  return make("div", { class: "stack", data: { about: name } },
    make("p", { class: "explained", dir: "auto" }, parts.map((part) => tinted(part, most))),
    legend(name),
    complete ? null : spoken("p", "incomplete", {}, { class: "quiet" }),
    table(parts, most));
}

function tinted({ text, weight }, most) {
  const side = weight < 0 ? "part against" : "part for";
  const part = make("span", { class: side, title: weight.toPrecision(3), data: { weight: String(weight) } }, text);
  part.style.setProperty("--strength", String(Math.abs(weight) / most));
  return part;
}

function legend(about) {
  return make("div", { class: "legend" }, make("div", { class: "scale", "aria-hidden": "true" }),
    spoken("span", "against", { about }), spoken("span", "speaks_for", { about }));
}

function table(parts, most) {
  const words = parts.filter(({ text }) => text.trim()).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const rows = words.map(({ text, weight }) =>
    make("tr", { data: { weight: String(weight) } },
      make("th", { scope: "row", dir: "auto" }, text.trim()),
      spoken("td", Math.abs(weight) / most < SLIGHT ? "direction_none" : weight < 0 ? "direction_against" : "direction_for"),
      numberCell(weight.toPrecision(3), weight)));
  return alternative(rowsTable(["part", "direction", "-weight"], rows));
}
