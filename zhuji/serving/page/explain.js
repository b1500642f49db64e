// What the words of an input, or the parts of a picture, spoke for: tinted by sign and strength, and once more in a table.

import { fill, make } from "./dom.js";
import { bitmapOf, heat, sheet } from "./picture.js";
import { alternative, numberCell, rowsTable } from "./pieces.js";
import { data } from "./server.js";
import { label, spoken } from "./words.js";

/** Share of the largest weight below which a word hardly speaks. */
const SLIGHT = 0.02;

/** Asks what speaks for each thing that was answered about an input (a class, each of several, the tag of each span), and draws it. */
export async function explain(place, model, value, { signal, modality }) {
  const input = modality.plain ? await modality.plain(value) : value;
  const { found } = await data("explain", { model: model.name, input }, { signal });
  const all = [found, ...found.others].filter(({ parts, map }) => parts.length || map);
  const bitmap = value.file && all.length ? await bitmapOf(value.file) : null;
  fill(place, spoken("h3", value.file ? "explanation_picture" : "explanation"),
    all.length ? all.map((one) => (one.map ? laid(one, bitmap) : drawn(one))) : spoken("p", "nothing_explained"));
}

/** An explanation laid over its picture, and its nine parts in a table. */
function laid({ about, of, map, covers, size, complete }, bitmap) {
  const name = of ? `${of}: ${about}` : String(about);
  const under = sheet(bitmap, size, "grayscale(1) contrast(.65) brightness(1.15)");
  heat(under, map, covers);
  under.canvas.setAttribute("role", "img");
  label(under.canvas, { "aria-label": "heat_is" }, { about: name });
  return make("div", { class: "stack", data: { about: name, map: JSON.stringify(map) } },
    make("div", { class: "preview" }, under.canvas),
    make("div", { class: "legend" }, make("div", { class: "scale heat", "aria-hidden": "true" }),
      spoken("span", "against", { about: name }), spoken("span", "speaks_for", { about: name })),
    complete === false ? spoken("p", "incomplete", {}, { class: "quiet" }) : null,
    alternative(ninths(map, covers, size)));
}

/** The sums of nine parts of the picture. */
function ninths(map, [left, top, right, bottom], [width, height]) {
  const sums = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  const third = (place, whole) => Math.max(0, Math.min(2, Math.floor((3 * place) / whole)));
  map.forEach((row, y) => row.forEach((weight, x) => {
    const across = third(left + ((x + 0.5) * (right - left)) / row.length, width);
    sums[third(top + ((y + 0.5) * (bottom - top)) / map.length, height)][across] += weight;
  }));
  const rows = sums.map((row, at) => make("tr", {}, spoken("th", ["at_top", "at_middle", "at_bottom"][at], {}, { scope: "row" }),
    row.map((weight) => numberCell(weight.toPrecision(3), weight))));
  return rowsTable(["place", "-at_left", "-at_middle", "-at_right"], rows, "ninths");
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
