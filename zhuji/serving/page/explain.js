// What the parts of an input spoke for, and once more in a table. Words are tinted by sign and strength; a modality of files draws its own
// (`drawing`).

import { fill, make } from "./dom.js";
import { alternative, numberCell, rowsTable } from "./pieces.js";
import { data } from "./server.js";
import { spoken } from "./words.js";

/** Share of the largest weight below which a word hardly speaks. */
const SLIGHT = 0.02;

/** Asks what speaks for each thing that was answered about an input (a class, each of several, the tag of each span), and draws it. */
export async function explain(place, model, value, { signal, modality }) {
  const input = modality.plain ? await modality.plain(value) : value;
  const { found } = await data("explain", { model: model.name, input }, { signal });
  const all = [found, ...found.others].filter(({ parts, map }) => parts.length || map);
  const draw = modality.drawing && all.length ? await modality.drawing(value) : words;
  fill(place, spoken("h3", modality.explains?.[1] ?? "explanation"), all.length ? all.map(draw) : spoken("p", "nothing_explained"));
}

/** An explanation on the words. The texts of its parts joined are the input. */
function words({ about, of, parts, complete }) {
  const most = strongest(parts);
  return weights(of ? `${of} → ${about}` : String(about), parts, complete,
    make("p", { class: "explained", dir: "auto" }, parts.map((part) => tinted(part, most))), "");
}

const strongest = (parts) => Math.max(...parts.map(({ weight }) => Math.abs(weight)), 1e-12);

/** An explanation as `shown` shows it, with what its colours mean and its parts in a table. `scale`: the kind of colours. */
export function weights(about, parts, complete, shown, scale = "heat") {
  return make("div", { class: "stack", data: { about } }, shown,
    legend(about, scale),
    complete ? null : spoken("p", "incomplete", {}, { class: "quiet" }),
    table(parts, strongest(parts), scale ? "place" : "part"));
}

function tinted({ text, weight }, most) {
  const side = weight < 0 ? "part against" : "part for";
  const part = make("span", { class: side, title: weight.toPrecision(3), data: { weight: String(weight) } }, text);
  part.style.setProperty("--strength", String(Math.abs(weight) / most));
  return part;
}

/** What the colours mean; `scale`: `heat` where they are those of maps. */
export function legend(about, scale = "") {
  return make("div", { class: "legend" }, make("div", { class: `scale ${scale}`.trim(), "aria-hidden": "true" }),
    spoken("span", "against", { about }), spoken("span", "speaks_for", { about }));
}

function table(parts, most, head) {
  const words = parts.filter(({ text }) => text.trim()).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const rows = words.map(({ text, weight }) =>
    make("tr", { data: { weight: String(weight) } },
      make("th", { scope: "row", dir: "auto" }, text.trim()),
      spoken("td", Math.abs(weight) / most < SLIGHT ? "direction_none" : weight < 0 ? "direction_against" : "direction_for"),
      numberCell(weight.toPrecision(3), weight)));
  return alternative(rowsTable([head, "direction", "-weight"], rows));
}
