// A picture: chosen, dropped or pasted. It is shown as it was given, upright.

import { base64, fileOf } from "../bytes.js";
import { fill, make } from "../dom.js";
import { legend } from "../explain.js";
import { bitmapOf, heat, sheet } from "../picture.js";
import { alternative, numberCell, rowsTable } from "../pieces.js";
import { label, spoken } from "../words.js";

/** What the file field of the page takes, and what it says of that. */
export const files = "image/*,.tif,.tiff,.dcm,.dicom";
export const hint = "picture_drop";
/** A file is one input, and no rows: what JSON calls it. */
export const single = "picture";
export const empty = "picture_empty";
export const missing = "choose_first";
/** How one asks for an explanation, and how it is headed. */
export const explains = ["explain_picture", "explanation_picture"];

const BEGINNINGS = [["\x89PNG", "png"], ["\xff\xd8\xff", "jpg"], ["GIF8", "gif"], ["RIFF", "webp"], ["BM", "bmp"],
  ["II*\x00", "tif"], ["MM\x00*", "tif"], ["II+\x00", "tif"], ["MM\x00+", "tif"]];

/** The input of a model; a value is `{file}`. */
export function input() {
  let value = null;
  const place = make("div", { class: "preview" });
  const element = make("div", { class: "field" }, spoken("h3", "picture"), place);
  const show = async () => {
    const mine = value;
    fill(place, mine ? null : spoken("p", "picture_none", {}, { class: "quiet" }));
    if (!mine) return;
    const bitmap = await bitmapOf(mine.file);
    // Another one was chosen while this one was read.
    if (mine !== value) return;
    fill(place, bitmap ? shown(bitmap, mine.file.name) : spoken("p", "picture_unseen", { name: mine.file.name }));
  };
  const write = (given) => {
    value = given?.picture ? { file: fileOf(given.picture, BEGINNINGS, "dcm") } : given?.file ? given : null;
    return show();
  };
  show();
  return {
    element,
    write,
    read: () => value,
    take: (file) => write({ file }),
    focus: () => document.querySelector("#file input")?.focus(),
    rename: () => {},
  };
}

function shown(bitmap, name) {
  const { canvas } = sheet(bitmap);
  canvas.setAttribute("role", "img");
  label(canvas, { "aria-label": "picture_is" }, { name, width: bitmap.width, height: bitmap.height });
  return make("figure", {}, canvas,
    spoken("figcaption", "picture_is", { name, width: bitmap.width, height: bitmap.height }, { class: "quiet" }));
}

/** A value in one line. */
export const name = ({ file }) => file.name;

/** The file that is sent. */
export const file = (value) => value.file;

/** A value as JSON has it, for routes that take no files. */
export const plain = async ({ file: given }) => ({ picture: await base64(given) });

/** How an explanation is drawn: laid over the picture, and its nine parts in a table. */
export async function drawing({ file: given }) {
  const bitmap = await bitmapOf(given);
  return (one) => laid(one, bitmap);
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
    legend(name, "heat"),
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
