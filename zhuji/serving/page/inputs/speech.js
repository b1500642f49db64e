// A sound: chosen, dropped or recorded. It can be listened to, and its course is seen.

import { base64, fileOf } from "../bytes.js";
import { fill, make } from "../dom.js";
import { weights } from "../explain.js";
import { recorder } from "../record.js";
import { course, heard, shade, soundOf } from "../sound.js";
import { label, spoken } from "../words.js";

/** What the file field of the page takes, and what it says of that. */
export const files = "audio/*,.wav,.flac,.ogg,.oga,.opus,.mp3";
export const hint = "sound_drop";
/** A file is one input, and no rows: what JSON calls it. */
export const single = "sound";
export const empty = "sound_empty";
export const missing = "sound_first";
/** How one asks for an explanation, and how it is headed. */
export const explains = ["explain_sound", "explanation_sound"];

const BEGINNINGS = [["RIFF", "wav"], ["fLaC", "flac"], ["OggS", "ogg"], ["ID3", "mp3"], ["\xff", "mp3"]];

/** The input of a model; a value is `{file}`. */
export function input() {
  let value = null;
  let address = null;
  const place = make("div", { class: "preview" });
  const button = recorder(async (file) => {
    await write({ file });
    element.closest("form").requestSubmit();
  });
  const element = make("div", { class: "field" }, spoken("h3", "sound"), place, button);
  const show = async () => {
    const mine = value;
    fill(place, mine ? null : spoken("p", "sound_none", {}, { class: "quiet" }));
    if (address) URL.revokeObjectURL(address);
    address = mine ? URL.createObjectURL(mine.file) : null;
    if (!mine) return;
    const sound = await soundOf(mine.file);
    // Another one was chosen while this one was read.
    if (mine !== value) return;
    fill(place, sound ? heard(sound, address, mine.file.name) : spoken("p", "sound_unheard", { name: mine.file.name }));
  };
  const write = (given) => {
    value = given?.sound ? { file: fileOf(given.sound, BEGINNINGS, "wav") } : given?.file ? given : null;
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

/** A value in one line. */
export const name = ({ file }) => file.name;

/** The file that is sent. */
export const file = (value) => value.file;

/** A value as JSON has it, for routes that take no files. */
export const plain = async ({ file: given }) => ({ sound: await base64(given) });

/** How an explanation is drawn: laid under the course of the sound, and its parts in a table. */
export async function drawing({ file: given }) {
  const sound = await soundOf(given);
  return ({ about, parts, complete }) => {
    const timed = parts.map(({ text, weight }) => ({ weight, span: /^([\d.]+)–([\d.]+) s$/.exec(text) })).filter(({ span }) => span)
      .map(({ weight, span: [, begin, end] }) => ({ weight, begin: Number(begin), end: Number(end) }));
    return weights(about, parts, complete, sound ? make("div", { class: "preview" }, laid(sound, timed, about)) : null);
  };
}

function laid(sound, timed, about) {
  const canvas = course(sound);
  shade(canvas, timed, sound.seconds);
  canvas.setAttribute("role", "img");
  return label(canvas, { "aria-label": "shade_is" }, { about });
}
