// The training examples that are most like an input.

import { fill, make } from "./dom.js";
import { numberCell, rowsTable } from "./pieces.js";
import { data } from "./server.js";
import { spoken } from "./words.js";

/** Asks for the nearest examples of an input and draws them into `place`. */
export async function nearest(place, model, input, { signal }) {
  const { found } = await data("nearest", { model: model.name, input, k: 5 }, { signal });
  const rows = found.rows.map(({ text, label, likeness }) => make("tr", { data: { likeness: String(likeness) } },
    make("th", { scope: "row", dir: "auto" }, text),
    make("td", {}, labelled(label)),
    numberCell(likeness.toFixed(3), likeness)));
  fill(place, spoken("h3", "nearest"),
    rows.length ? rowsTable(["example_text", "label", "-likeness"], rows, "nearest") : spoken("p", "no_rows"));
}

const labelled = (label) => (Array.isArray(label) ? label.join(", ") : String(label ?? ""));
