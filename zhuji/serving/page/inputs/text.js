// Text: what a person types. A modality's input is one module of this folder, found by the modality's name.

import { fresh, make } from "../dom.js";
import { label, say, spoken } from "../words.js";

/** Files whose rows such a model answers. */
export const files = ".csv,.tsv,.jsonl,.txt";

/** The input of a model: `element` to show, `read` gives what is in it, or null, `write` puts a value in, `rename` says what it is. */
export function input(model) {
  const area = make("textarea", { id: fresh("text"), rows: 5, spellcheck: "false", dir: "auto" });
  const title = spoken("label", model.answers === "tags" ? "text_tags" : model.generates ? "text_prompt" : "text", {}, { for: area.id });
  return {
    element: make("div", { class: "field" }, title, label(area, { placeholder: "text_hint" })),
    read: () => (area.value.trim() ? area.value : null),
    write: (value) => { area.value = Array.isArray(value) ? value.join(" ") : String(value ?? ""); },
    focus: () => area.focus(),
    rename: (key) => say(title, key),
  };
}

/** A value in one line. */
export const name = (value) => String(value).replace(/\s+/g, " ").trim();
