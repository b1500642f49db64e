// A picture: chosen, dropped or pasted. It is shown as it was given, upright.

import { fill, make } from "../dom.js";
import { bitmapOf, sheet } from "../picture.js";
import { label, spoken } from "../words.js";

/** What the file field of the page takes, and what it says of that. */
export const files = "image/*,.tif,.tiff,.dcm,.dicom";
export const hint = "picture_drop";
/** A file is one input, and no rows. */
export const single = true;
export const empty = "picture_empty";
export const missing = "choose_first";

const BEGINNINGS = [["\x89PNG", "png"], ["\xff\xd8\xff", "jpg"], ["GIF8", "gif"], ["RIFF", "webp"], ["BM", "bmp"]];

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
    value = given?.picture ? { file: decoded(given.picture) } : given?.file ? given : null;
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

/** A picture that came as JSON has it, as a file. */
function decoded(text) {
  const bytes = atob(text);
  const ending = BEGINNINGS.find(([beginning]) => bytes.startsWith(beginning))?.[1] ?? "picture";
  return new File([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], `example.${ending}`);
}

/** A value in one line. */
export const name = ({ file }) => file.name;

/** The file that is sent. */
export const file = (value) => value.file;

/** A value as JSON has it, for routes that take no files. */
export async function plain({ file: given }) {
  const bytes = new Uint8Array(await given.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { picture: btoa(text) };
}
