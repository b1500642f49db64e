// Language and theme: what the browser prefers until a person chooses. A choice stands in the address: nothing needs to be stored.

import { find } from "./dom.js";
import { speak } from "./words.js";

const LANGUAGES = ["en", "zh"];
const THEMES = ["auto", "light", "dark"];

/** A word of the address, such as the model's name. */
export const asked = (name) => new URLSearchParams(location.search).get(name);

/** Puts a word into the address without going anywhere; null takes it out. */
export function remember(name, value) {
  const address = new URL(location.href);
  if (value === null) address.searchParams.delete(name);
  else address.searchParams.set(name, value);
  history.replaceState(null, "", address);
}

/** Sets the switches and follows them. */
export function look() {
  const preferred = navigator.languages.find((each) => /^(zh|en)\b/i.test(each))?.slice(0, 2).toLowerCase() ?? "en";
  follow("language", "lang", LANGUAGES, preferred, speak);
  follow("theme", "theme", THEMES, "auto", (theme) => { document.documentElement.dataset.theme = theme; });
}

function follow(id, word, known, preferred, act) {
  const now = known.includes(asked(word)) ? asked(word) : preferred;
  const fieldset = find(id);
  fieldset.querySelector(`[value="${now}"]`).checked = true;
  act(now);
  fieldset.addEventListener("change", ({ target }) => {
    remember(word, target.value);
    act(target.value);
  });
}
