// Buttons that copy.

import { find, make } from "./dom.js";
import { say } from "./words.js";

/** A button that copies what `read` gives when it is pressed, and says so. */
export function copier(read, key = "copy") {
  const button = say(make("button", { type: "button", class: "plain copy", onclick: press }), key);
  async function press() {
    const done = (await copied(read())) ? "copied" : "not_copied";
    say(button, done);
    say(find("said"), done);
    setTimeout(() => say(button, key), 1600);
  }
  return button;
}

/** Whether the browser let the text into its clipboard. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Over plain HTTP from another machine there is no clipboard to write to; a selection can still be copied.
    const area = make("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
