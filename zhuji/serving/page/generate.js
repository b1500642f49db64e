// Text that a model goes on with: the settings that matter, and the text as it grows.

import { copier } from "./copy.js";
import { fill, fresh, make } from "./dom.js";
import { Trouble, data, events } from "./server.js";
import { spoken } from "./words.js";

const PATH = "generate";
const HOW = ["sample", "greedy", "beam"];

// Name, default, limits; those of `sampling` mean nothing to the other ways.
const NUMBERS = [
  { name: "max_units", value: 128, min: 1, max: 1024, step: 1 },
  { name: "temperature", value: 1, min: 0.05, max: 5, step: 0.05, sampling: true },
  { name: "top_p", value: 1, min: 0.01, max: 1, step: 0.01, sampling: true },
  { name: "top_k", value: "", min: 1, max: 100000, step: 1, sampling: true },
  { name: "repetition_penalty", value: 1, min: 1, max: 10, step: 0.05 },
  { name: "seed", value: 0, min: 0, max: 2147483647, step: 1, sampling: true },
];

/** What the page says of this way of using a model, instead of what it says of answers. */
export const words = { mode: "mode_generate", judge: "mode_predict", send: "write" };

/** The settings' part of the form. `read` gives what differs from the server's defaults. */
export function settings() {
  const how = make("select", { id: fresh("how") }, HOW.map((name) => spoken("option", `how_${name}`, {}, { value: name })));
  const boxOf = (each) => make("input", { ...limits(each), type: "number", id: fresh(each.name), inputmode: "decimal" });
  const numbers = NUMBERS.map((each) => ({ ...each, box: boxOf(each) }));
  const stop = make("input", { type: "text", id: fresh("stop"), autocomplete: "off", spellcheck: "false" });
  const follow = () => { for (const each of numbers) each.box.disabled = Boolean(each.sampling) && how.value !== "sample"; };
  const field = (key, box) => make("div", { class: "field small" }, spoken("label", key, {}, { for: box.id }), box);
  const grid = make("div", { class: "grid", onchange: follow },
    field("how", how), numbers.map(({ name, box }) => field(name, box)), field("stop_at", stop));
  follow();
  const read = () => {
    const given = numbers.filter(({ box, value }) => !box.disabled && box.value !== "" && Number(box.value) !== value);
    return {
      ...(how.value === "sample" ? {} : { how: how.value }),
      ...Object.fromEntries(given.map(({ name, box }) => [name, Number(box.value)])),
      ...(stop.value ? { stop: [stop.value] } : {}),
    };
  };
  return { element: make("details", {}, spoken("summary", "settings"), grid), read };
}

const limits = ({ value, min, max, step }) => ({ value: String(value), min: String(min), max: String(max), step: String(step) });

/** What a request of these settings is. A beam search knows its text at the end and cannot be streamed. */
export function request(model, prompt, given) {
  return { path: PATH, body: { model: model.name, prompt, ...given, ...(given.how === "beam" ? {} : { stream: true }) } };
}

/** What was asked, in one line. */
export const named = ({ body }) => body.prompt;

/** Writes on and draws the text into `place` as it grows; gives what is said of it, version and times. An abort leaves what was
 * written. */
export async function create(place, { path, body }, _, signal) {
  const text = make("span", { class: "new" });
  const begun = make("span", { class: "prompt" }, body.prompt);
  const page = make("p", { class: "written", dir: "auto", "aria-busy": "true" }, begun, text);
  const end = make("div", { class: "row" });
  fill(place, page, end);
  const from = performance.now();
  let done = null;
  try {
    if (body.stream) done = await streamed(text, path, body, signal);
    else {
      done = (await data(path, body, { signal })).found;
      text.textContent = done.text;
    }
  } catch (trouble) {
    if (trouble.name !== "AbortError") throw trouble;
  } finally {
    page.removeAttribute("aria-busy");
    page.dataset.answer = text.textContent;
  }
  fill(end, copier(() => text.textContent), done ? null : spoken("span", "stopped", {}, { class: "quiet" }));
  const seconds = (performance.now() - from) / 1000;
  return { told: { key: "plain", value: text.textContent }, server: done?.seconds, version: done?.version, seconds };
}

/** Adds pieces to `text` as they come; gives what the server says at the end. Without an end it went away. */
async function streamed(text, path, body, signal) {
  for await (const { name, data: told } of events(path, body, { signal })) {
    if (name === "done") return told;
    text.textContent += told.text;
  }
  throw new Trouble("away");
}
