// A sound that was cleaned, beside the one that was given.

import { fileOf } from "../bytes.js";
import { make } from "../dom.js";
import { course, heard, soundOf } from "../sound.js";
import { spoken } from "../words.js";

export function show({ answer, sound }) {
  const file = fileOf(sound, [], "wav");
  const place = make("div", { class: "preview", data: { answer: JSON.stringify(answer) } });
  const told = { name: "cleaned.wav" };
  soundOf(file).then((found) => {
    const address = URL.createObjectURL(file);
    place.append(heard(course(found), address, { ...told, seconds: Math.round(found.seconds * 100) / 100 }),
      spoken("a", "sound_save", {}, { href: address, download: told.name }));
  });
  return [place];
}

export const told = ({ answer }) => ({ key: "told_cleaned", count: answer.length });
export const cell = ({ answer }) => String(answer.length);
