// Texts that a model says: by whom, and how fast.

import { fill, fresh, make } from "./dom.js";
import { listen } from "./listen.js";
import { sound } from "./server.js";
import { spoken } from "./words.js";

const PATH = "v1/audio/speech";
const FILE = "speech.wav";
const SPEED = { value: 1, min: 0.25, max: 4, step: 0.05 };
/** The voice of a model that knows of no names. */
const ANY = "default";

/** What the page says of this way of using a model, instead of what it says of answers. */
export const words = { mode: "mode_speak", judge: "mode_lasting", send: "speak", empty: "speak_empty" };

/** The settings' part of the form for a model. `read` gives what a request says. */
export function settings({ voices }) {
  const who = make("select", { id: fresh("voice") }, voices.map((name) => make("option", { value: name }, name)));
  const speed = make("input", { type: "number", id: fresh("speed"), inputmode: "decimal", ...SPEED });
  const field = (key, box) => make("div", { class: "field small" }, spoken("label", key, {}, { for: box.id }), box);
  const grid = make("div", { class: "grid" }, voices.length > 1 ? field("voice", who) : null, field("speed", speed));
  const read = () => ({
    voice: voices.length > 1 ? who.value : ANY,
    speed: speed.value === "" ? SPEED.value : Number(speed.value),
  });
  return { element: grid, read };
}

/** What a request of these settings is. */
export const request = (model, text, { voice, speed }) =>
  ({ path: PATH, body: { model: model.name, input: text, voice, speed, response_format: "wav" }, save: FILE });

/** What was asked, in one line. */
export const named = ({ body }) => body.input;

/** Puts the sound into `place`; gives what is said of it, and the times. */
export async function create(place, { path, body }, model, signal) {
  const { found, seconds } = await sound(path, body, { signal });
  const { elements, seconds: [lasting] } = await listen([{ file: new File([found], FILE, { type: found.type }), save: true }]);
  fill(place, elements);
  // A sound of few samples a second is none that every browser plays.
  const told = lasting === null ? { key: "sound_unheard", name: FILE } : { key: "told_spoken", seconds: Math.round(lasting * 100) / 100 };
  return { told, version: model.version, seconds };
}
