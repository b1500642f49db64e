// Objects in a picture: framed where they stand, each with its class in letters, and once more in a table.

import { make } from "../dom.js";
import { bitmapOf, frame, sheet } from "../picture.js";
import { numberCell, rowsTable } from "../pieces.js";
import { label, shown, spoken } from "../words.js";

export function show({ answer }, { input, model }) {
  const place = make("div", { class: "preview", data: { answer: JSON.stringify(answer) } });
  draw(place, answer, input, model);
  return [place, answer.length ? table(answer) : spoken("p", "no_object", {}, { class: "big" })];
}

async function draw(place, answer, input, model) {
  const bitmap = input?.file ? await bitmapOf(input.file) : null;
  if (!bitmap) {
    place.append(spoken("p", "picture_unseen", { name: input?.file?.name ?? "" }, { class: "quiet" }));
    return;
  }
  const drawn = sheet(bitmap);
  frame(drawn, answer, model.labels, (score) => shown(score, "percent"));
  drawn.canvas.setAttribute("role", "img");
  drawn.canvas.dataset.scale = String(drawn.scale);
  label(drawn.canvas, { "aria-label": "objects_seen" }, { count: answer.length });
  place.append(drawn.canvas);
}

function table(answer) {
  const facts = ({ label: name, score, box }) => ({ label: name, score: String(score), box: JSON.stringify(box) });
  const rows = answer.map(({ label: name, score, box }, at) => make("tr", { data: facts(answer[at]) },
    make("td", { class: "number" }, String(at + 1)),
    make("th", { scope: "row", dir: "auto" }, name),
    numberCell(score, score, "percent"),
    make("td", { class: "number" }, box.map((side) => Math.round(side)).join(", "))));
  const whole = rowsTable(["-row", "kind", "-score", "-box"], rows, "objects");
  return label(make("div", { class: "scroll", tabindex: "0", role: "region" }, whole), { "aria-label": "objects_table" });
}

export const told = ({ answer }) => (answer.length ? { key: "told_objects", count: answer.length } : { key: "no_object" });
export const cell = ({ answer }) => answer.map(({ label: name }) => name).join(", ");
