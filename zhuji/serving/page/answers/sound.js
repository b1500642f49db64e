// A sound that was cleaned, beside the one that was given.

import { fileOf } from "../bytes.js";
import { fill, make } from "../dom.js";
import { listen } from "../listen.js";

export function show({ answer, sound }, { input }) {
  const cleaned = new File([fileOf(sound, [], "wav")], "cleaned.wav", { type: "audio/wav" });
  const place = make("div", { class: "stack", data: { answer: JSON.stringify(answer) } });
  listen([{ file: input.file, title: "before" }, { file: cleaned, title: "after", save: true }])
    .then(({ elements }) => fill(place, elements));
  return [place];
}

export const told = ({ answer }) => ({ key: "told_cleaned", count: answer.length });
export const cell = ({ answer }) => String(answer.length);
