// Pictures that a model draws: what of, how many, and from which chance.

import { fill, fresh, make } from "./dom.js";
import { bitmapOf, sheet } from "./picture.js";
import { Trouble, data } from "./server.js";
import { label, say, spoken } from "./words.js";

const PATH = "v1/images/generations";
const NUMBERS = [
  { name: "pictures", key: "n", value: 8, min: 1, max: 64 },
  { name: "seed", key: "seed", value: 0, min: 0, max: 2147483647 },
];

/** What the page says of this way of using a model, instead of what it says of answers. */
export const words = { mode: "mode_draw", judge: "mode_read", send: "draw", empty: "draw_empty" };
/** Nothing need be given to a model that draws. */
export const alone = true;

/** The settings' part of the form for a model. `read` gives what a request says. */
export function settings({ labels }) {
  const kind = make("select", { id: fresh("class") },
    spoken("option", "all_in_turn", {}, { value: "" }), labels.map((name) => make("option", { value: name }, name)));
  const boxOf = ({ name, value, min, max }) => make("input", { type: "number", id: fresh(name), inputmode: "numeric", min, max, value });
  const numbers = NUMBERS.map((each) => ({ ...each, box: boxOf(each) }));
  const field = (key, box) => make("div", { class: "field small" }, spoken("label", key, {}, { for: box.id }), box);
  const grid = make("div", { class: "grid" },
    labels.length ? field("class", kind) : null, numbers.map(({ name, box }) => field(name, box)));
  const given = ({ key, value, box }) => [key, box.value === "" ? value : Number(box.value)];
  const read = () => ({ prompt: kind.value, ...Object.fromEntries(numbers.map(given)) });
  return { element: grid, read };
}

/** What a request of these settings is. */
export const request = (model, _, given) => ({ path: PATH, body: { model: model.name, ...given } });

/** What was asked, in one line. */
export const named = ({ body: { prompt, n } }) => `${prompt || "∗"} × ${n}`;

/** Draws the pictures into `place`; gives what is said of them, and the times. */
export async function create(place, { path, body }, model, signal) {
  const { found, seconds } = await data(path, body, { signal });
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const bitmaps = await Promise.all(found.data.map((one) => bitmapOf(new Blob([bytes(one.b64_json)], { type: "image/png" }))));
  if (bitmaps.some((bitmap) => bitmap === null)) throw new Trouble("away");
  const names = model.labels.length ? bitmaps.map((_, at) => body.prompt || model.labels[at % model.labels.length]) : [];
  fill(place, make("ol", { class: "drawn" }, bitmaps.map((bitmap, at) => shown(bitmap, names[at], at))));
  return { told: { key: "told_drawn", count: bitmaps.length }, version: model.version, seconds };
}

function shown(bitmap, name, at) {
  const { canvas } = sheet(bitmap);
  canvas.setAttribute("role", "img");
  label(canvas, { "aria-label": name === undefined ? "drawn_is" : "drawn_of" }, { number: at + 1, name });
  const under = name === undefined ? null : make("figcaption", { class: "quiet", dir: "auto" }, name);
  return make("li", {}, make("figure", {}, canvas, under));
}
