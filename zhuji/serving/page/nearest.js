// The training examples that are most like an input.

import { fill, make } from "./dom.js";
import { data } from "./server.js";
import { say, spoken } from "./words.js";

/** Asks for the nearest examples of an input and draws them into `place`. */
export async function nearest(place, model, input, signal) {
  const { found } = await data("nearest", { model: model.name, input, k: 5 }, { signal });
  const rows = found.rows.map(({ text, label, likeness }) => make("tr", { data: { likeness: String(likeness) } },
    make("th", { scope: "row", dir: "auto" }, text),
    make("td", {}, labelled(label)),
    make("td", { class: "number", title: String(likeness) }, say(make("span"), "three", { value: likeness.toFixed(3) }))));
  const head = make("tr", {}, spoken("th", "example_text", {}, { scope: "col" }), spoken("th", "label", {}, { scope: "col" }),
    spoken("th", "likeness", {}, { scope: "col", class: "number" }));
  fill(place, spoken("h3", "nearest"),
    rows.length ? make("table", { class: "rows nearest" }, make("thead", {}, head), make("tbody", {}, rows)) : spoken("p", "no_rows"));
}

const labelled = (label) => (label === null || label === undefined ? "" : Array.isArray(label) ? label.join(", ") : String(label));
