// What the words of an input spoke for: tinted by sign and strength, and once more in a table.

import { fill, make } from "./dom.js";
import { alternative, numberCell, rowsTable } from "./pieces.js";
import { data } from "./server.js";
import { spoken } from "./words.js";

/** Share of the largest weight below which a word hardly speaks. */
const SLIGHT = 0.02;

/** Asks for the explanation of an input and draws it into `place`. */
export async function explain(place, model, input, signal) {
  const { found } = await data("explain", { model: model.name, input }, { signal });
  const most = Math.max(...found.parts.map(({ weight }) => Math.abs(weight)), 1e-12);
  const about = String(found.about ?? found.prediction?.answer ?? "");
  fill(place,
    spoken("h3", "explanation"),
    make("p", { class: "explained", dir: "auto" },
      found.parts.flatMap((part, at) => [gap(found.parts, at, input), tinted(part, most)])),
    legend(about),
    table(found.parts, most));
}

/** The blank between two parts, unless the text has none there, as Chinese has. */
function gap(parts, at, input) {
  if (at === 0 || /\s$/.test(parts[at - 1].text) || /^\s/.test(parts[at].text)) return null;
  return String(input).includes(parts[at - 1].text + parts[at].text) ? null : " ";
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
