// Sounds to be compared: side by side, each with its course, its spectrogram and a player, drawn on one scale.

import { make } from "./dom.js";
import { heard, peak, soundOf, toldOf } from "./sound.js";
import { bands, spectrogram } from "./spectrogram.js";
import { spoken } from "./words.js";

/** Elements for sounds, `{file, title, save}` each: `title`, the words above it, or none; `save`: whether it can be saved. `seconds`: of
 * each, null of one that this browser cannot decode. */
export async function listen(sounds) {
  const found = await Promise.all(sounds.map(async (one) => {
    const sound = await soundOf(one.file);
    return { ...one, sound, seen: sound && bands(sound) };
  }));
  const known = found.filter(({ sound }) => sound);
  const scale = {
    sample: Math.max(...known.map(({ sound }) => peak(sound))),
    band: Math.max(...known.map(({ seen }) => seen.loudest)),
  };
  const note = known.length ? spoken("p", "sound_scale", {}, { class: "quiet" }) : null;
  return {
    elements: [make("div", { class: "beside" }, found.map((one) => shown(one, scale))), note],
    seconds: found.map(({ sound }) => sound?.seconds ?? null),
  };
}

function shown({ file, title, save, sound, seen }, scale) {
  const [address, { name }] = [URL.createObjectURL(file), file];
  const link = save ? spoken("a", "sound_save", {}, { class: "link", href: address, download: name }) : null;
  const plate = () => make("div", { class: "plate" }, spectrogram(seen, scale.band, toldOf(sound, name)));
  return make("div", { class: "stack" },
    title ? spoken("h3", title) : null,
    sound
      ? heard(sound, address, name, { loudest: scale.sample, between: plate(), after: link })
      : [spoken("p", "sound_unheard", { name }), link]);
}
