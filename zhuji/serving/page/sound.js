// Sounds as this page shows them: their course drawn on a canvas. A sound is decoded by the browser, at a rate that is enough to be seen.

import { make } from "./dom.js";
import { FOR, AGAINST, stripe } from "./picture.js";
import { label, spoken } from "./words.js";

/** Samples a second at which sounds are decoded and recorded. */
const RATE = 16000;
const WIDTH = 640;
const HEIGHT = 128;
const INK = "#71808a";

/** The sound in a file: `samples` of all channels' mean, `rate`, `seconds`; null where this browser cannot decode its kind. */
export async function soundOf(file) {
  try {
    return mean(await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer()));
  } catch {
    // The server may still read it: then it is answered without being heard here.
    return null;
  }
}

function mean(decoded) {
  const samples = new Float32Array(decoded.length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
    decoded.getChannelData(channel).forEach((value, at) => { samples[at] += value / decoded.numberOfChannels; });
  }
  return { samples, rate: decoded.sampleRate, seconds: decoded.duration };
}

/** How far the loudest sample is from silence. */
export const peak = ({ samples }) => samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);

/** A canvas with the course of a sound: of each column the highest and the lowest sample; one of `loudest` is as high as the canvas. */
export function course(sound, loudest = peak(sound)) {
  const { samples } = sound;
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  const middle = HEIGHT / 2;
  context.fillStyle = INK;
  for (let column = 0; column < WIDTH; column += 1) {
    const first = Math.floor((column * samples.length) / WIDTH);
    const past = Math.max(first + 1, Math.floor(((column + 1) * samples.length) / WIDTH));
    let [low, high] = [0, 0];
    for (const value of samples.subarray(first, past)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const reach = (value) => (value / loudest) * (middle - 2);
    context.fillRect(column, middle - reach(high) - 0.5, 1, reach(high) - reach(low) + 1);
  }
  return canvas;
}

/** Lays over a course what parts of it speak for (orange) and against (blue, striped). `parts`: `{begin, end, weight}` in seconds. */
export function shade(canvas, parts, seconds) {
  const most = Math.max(...parts.map(({ weight }) => Math.abs(weight)), 1e-12);
  const context = canvas.getContext("2d");
  for (const [sign, colour] of [[1, FOR], [-1, AGAINST]]) {
    const layer = document.createElement("canvas");
    layer.width = canvas.width;
    layer.height = canvas.height;
    const on = layer.getContext("2d");
    for (const { begin, end, weight } of parts) {
      if (weight * sign <= 0) continue;
      on.fillStyle = `rgb(${colour.join(" ")} / ${(0.85 * Math.abs(weight)) / most})`;
      on.fillRect((begin / seconds) * canvas.width, 0, ((end - begin) / seconds) * canvas.width, canvas.height);
    }
    if (sign < 0) stripe(on, layer);
    // Behind the course, which stays to be seen.
    context.globalCompositeOperation = "destination-over";
    context.drawImage(layer, 0, 0);
  }
  context.globalCompositeOperation = "source-over";
}

/** What is said of a sound of that name. */
export const toldOf = ({ seconds }, name) => ({ name, seconds: Math.round(seconds * 100) / 100 });

/** The course of a sound with a player below it and what it is. `loudest` as of `course`; `between` stands above the player, `after` behind
 * what the sound is. */
export function heard(sound, address, name, { loudest, between = null, after = null } = {}) {
  const told = toldOf(sound, name);
  const canvas = course(sound, loudest);
  canvas.setAttribute("role", "img");
  label(canvas, { "aria-label": "sound_course" }, told);
  const player = label(make("audio", { controls: true, src: address }), { "aria-label": "sound_play" }, told);
  const caption = make("figcaption", { class: "row between" }, spoken("span", "sound_is", told, { class: "quiet" }), after);
  return make("figure", { class: "heard" }, canvas, between, player, caption);
}

/** What a recorder gave as a WAV file of 16 bits and one channel, which every server reads; null where it cannot be decoded. */
export async function asWav(recorded, name) {
  const sound = await soundOf(recorded);
  if (!sound) return null;
  const { samples, rate } = sound;
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const letters = (at, text) => [...text].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  const long = (at, value) => view.setUint32(at, value, true);
  const short = (at, value) => view.setUint16(at, value, true);
  letters(0, "RIFF");
  long(4, 36 + 2 * samples.length);
  letters(8, "WAVEfmt ");
  long(16, 16);
  [[20, 1], [22, 1], [32, 2], [34, 16]].forEach(([at, value]) => short(at, value));
  long(24, rate);
  long(28, 2 * rate);
  letters(36, "data");
  long(40, 2 * samples.length);
  samples.forEach((value, at) => view.setInt16(44 + 2 * at, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true));
  return new File([view], name, { type: "audio/wav" });
}
