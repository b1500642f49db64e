// The playground: one page over the server's public routes. What an input is and how an answer looks are modules of their own, found
// by the model's modality (`inputs/`) and by the kind of its answers (`answers/`).

import { calls } from "./calls.js";
import { chosen, fill, find, make } from "./dom.js";
import * as drawing from "./draw.js";
import { explain } from "./explain.js";
import { answerFile, filePlace, form } from "./file.js";
import * as generation from "./generate.js";
import { asked, look, remember } from "./look.js";
import { nearest } from "./nearest.js";
import { draw as drawPast, note } from "./past.js";
import { data, useKey } from "./server.js";
import * as speaking from "./speak.js";
import { tell } from "./trouble.js";
import { hush, load, say, spoken } from "./words.js";

/** Milliseconds after which a request can be stopped. */
const SLOW = 300;

let models = [];
/** What is in use now: the model, the modules of its input and its answers, the input and what it is compared with. */
let now = null;
/** The request under way. */
let asking = null;

/** The part of the form for files; it stands once the words are there. */
let files = null;
/** How a model is used that makes something of its own, rather than to answer. */
const makerOf = (model) => (model.generates ? generation : model.draws ? drawing : model.speaks ? speaking : null);
const maker = () => (now?.maker && chosen(find("mode")) === "make" ? now.maker : null);

async function begin() {
  try {
    models = (await data("models")).found.models;
  } catch (trouble) {
    tell(find("result"), trouble, begin);
    return;
  }
  fill(find("model"), models.map(({ name }) => make("option", { value: name }, name)));
  find("model").disabled = models.length === 0;
  if (!models.length) {
    fill(find("result"), spoken("p", "no_models"));
    return;
  }
  await use(models.find(({ name }) => name === asked("model")) ?? models[0]);
}

/** Loads what a model needs. Where this page has no module for its kind, that is said. */
async function use(model) {
  asking?.abort();
  find("model").value = model.name;
  const kind = await module("answers", model.answers);
  const modality = await module("inputs", model.modality);
  // Another one was chosen while this one's modules came.
  if (find("model").value !== model.name) return;
  say(find("about"), "about", { task: model.task, modality: model.modality, version: model.version });
  for (const id of ["send", "example", "clear"]) find(id).disabled = !kind || !modality;
  if (!kind || !modality) {
    now = null;
    empty();
    fill(find("input"));
    find("mode").hidden = find("settings").hidden = true;
    files.accept(null);
    fill(find("result"), spoken("p", "no_module", { what: modality ? model.answers : model.modality }));
    return;
  }
  const field = () => modality.input(model);
  const before = now?.modality === modality ? now.input.read() : null;
  const making = makerOf(model);
  // A file is one input by itself: there is no second one to compare it with.
  const other = kind.compares && !modality.single ? field() : null;
  now = { model, kind, modality, input: field(), other, maker: making, settings: making?.settings(model) };
  now.other?.rename("text_other");
  if (before !== null) now.input.write(before);
  fill(find("input"), now.input.element, now.other?.element);
  fill(find("settings"), now.settings?.element);
  find("mode").hidden = !making;
  if (making) {
    say(find("mode-make"), making.words.mode);
    say(find("mode-predict"), making.words.judge);
  }
  find("ask").dataset.model = model.name;
  follow();
  empty();
}

async function module(folder, name) {
  if (!/^\w+$/.test(name ?? "")) return null;
  try {
    return await import(`./${folder}/${name}.js`);
  } catch (error) {
    // Not there, or not reachable: either way the page cannot show it, and says so.
    console.warn(error.message);
    return null;
  }
}

/** What stands in the form depends on what is to be done. */
function follow() {
  const making = maker();
  const { example } = now.model;
  say(find("send"), making ? making.words.send : now.other ? "embed" : "send");
  find("settings").hidden = !making;
  find("input").hidden = find("clear").hidden = Boolean(making?.alone);
  find("example").hidden = Boolean(making?.alone) || example === null || example === undefined;
  files.accept(making || !now.modality.files ? null : now.modality.files, now.modality.hint);
}

function empty() {
  fill(find("result"), spoken("p", maker()?.words.empty ?? now?.modality.empty ?? "empty", {}, { class: "quiet" }));
  find("calls").hidden = true;
  hush(find("said"));
}

/** Runs `work` with a signal by which it can be stopped, and tells what went wrong. `place` shows the trouble. */
async function during(work, place, again) {
  asking?.abort();
  const mine = (asking = new AbortController());
  find("answer").classList.add("busy");
  // What is quick needs no button to stop it.
  const slow = setTimeout(() => { find("stop").hidden = false; }, SLOW);
  try {
    await work(mine.signal);
  } catch (trouble) {
    if (trouble.name !== "AbortError") tell(place, trouble, again);
    else if (asking === mine) fill(place, spoken("p", "stopped", {}, { class: "quiet" }));
  } finally {
    clearTimeout(slow);
    if (asking === mine) {
      asking = null;
      find("answer").classList.remove("busy");
      find("stop").hidden = true;
    }
  }
}

async function send() {
  if (!now) return;
  const { input, other } = now;
  const making = maker();
  const value = making?.alone ? "" : input.read();
  if (value === null) {
    say(find("said"), now.modality.missing ?? "type_first");
    input.focus();
    return;
  }
  await during((signal) => (making ? create(making, value, signal) : predict(value, other?.read() ?? null, signal)), find("result"), send);
}

async function create(making, value, signal) {
  const { model, settings } = now;
  const request = making.request(model, value, settings.read());
  calls(find("calls-body"), request);
  const place = make("div", { class: "stack" });
  fill(find("result"), place);
  const { told, ...took } = await making.create(place, request, model, signal);
  place.append(times(took));
  const { key, ...values } = told;
  say(find("said"), key, values);
  remembered(value, null, told, making.named(request));
}

async function predict(value, other, signal) {
  const { model, kind, modality } = now;
  const body = other === null ? { model: model.name, input: value } : { model: model.name, inputs: [value, other] };
  const file = modality.file?.(value);
  const given = file ? { file: file.name, model: model.name, single: modality.single } : { body };
  calls(find("calls-body"), { path: "predict", ...given });
  const { found, seconds } = await data("predict", file ? form(model, file) : body, { signal });
  const [prediction, second] = found.predictions;
  const context = { input: value, model, other: second };
  const unread = prediction.cut ? spoken("p", "not_read", { seconds: prediction.cut }, { class: "quiet" }) : null;
  fill(find("result"), make("div", { class: `shown ${model.answers}` }, kind.show(prediction, context)), unread, more(value),
    times({ server: found.seconds, seconds, version: found.version }));
  const told = kind.told(prediction, context);
  const { key, ...values } = told;
  say(find("said"), key, values);
  remembered(value, other, told);
}

function remembered(value, other, told, named = null) {
  const { model, modality } = now;
  const back = async () => {
    if (now?.model !== model) await use(model);
    if (value) now.input.write(value);
    now.other?.write(other ?? "");
    now.input.focus();
  };
  note(find("history-body"), { name: named ?? modality.name(value), told, model: model.name, back });
}

/** What else can be asked about an input, each under a button of its own. */
function more(value) {
  const { model, modality } = now;
  const explaining = [modality.explains?.[0] ?? "explain", explain];
  const ways = [model.explains ? explaining : null, model.nearest ? ["show_nearest", nearest] : null].filter(Boolean);
  if (!ways.length) return null;
  const buttons = make("div", { class: "row" });
  const places = ways.map(([key, work]) => {
    const place = make("div", { class: "more", "aria-live": "polite" });
    const act = () => during((signal) => work(place, model, value, { signal, modality }), place, act);
    buttons.append(spoken("button", key, {}, { type: "button", onclick: act }));
    return place;
  });
  return make("div", {}, buttons, places);
}

function times({ server, seconds, version }) {
  const took = server === undefined ? spoken("span", "took_here", { seconds }) : spoken("span", "took", { server, seconds });
  return make("p", { class: "quiet times" }, took, version ? spoken("span", "version", { version }) : null);
}

async function takeFile(file) {
  if (!now) return;
  if (now.modality.single) {
    await now.input.take(file);
    await send();
    return;
  }
  const { model, kind } = now;
  calls(find("calls-body"), { path: "predict", file: file.name, model: model.name });
  const place = make("div", { class: "stack" });
  fill(find("result"), place);
  await during(async (signal) => {
    const { count, server, seconds, version } = await answerFile(place, model, kind, file, signal);
    place.append(times({ server, seconds, version }));
    say(find("said"), "file_rows", { name: file.name, count });
  }, place, () => takeFile(file));
}

function closeKey() {
  find("key").open = false;
  find("key").firstElementChild.focus();
}

function listen() {
  find("ask").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  find("ask").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(); }
  });
  find("stop").addEventListener("click", () => asking?.abort());
  find("mode").addEventListener("change", () => { follow(); empty(); });
  find("example").addEventListener("click", () => { now.input.write(now.model.example); now.input.focus(); });
  find("clear").addEventListener("click", () => { now.input.write(""); now.other?.write(""); empty(); now.input.focus(); });
  document.addEventListener("paste", (event) => {
    const [pasted] = event.clipboardData?.files ?? [];
    if (!pasted || !now?.modality.single) return;
    event.preventDefault();
    takeFile(pasted);
  });
  find("key-value").addEventListener("input", ({ target }) => useKey(target.value));
  find("key-form").addEventListener("submit", (event) => { event.preventDefault(); closeKey(); });
  find("key").addEventListener("keydown", (event) => { if (event.key === "Escape") closeKey(); });
  document.addEventListener("pointerdown", ({ target }) => { if (!find("key").contains(target)) find("key").open = false; });
  find("model").addEventListener("change", ({ target }) => {
    remember("model", target.value);
    use(models.find(({ name }) => name === target.value));
  });
}

await load(new URL("words.json", import.meta.url));
look();
files = filePlace(takeFile);
fill(find("file"), files.element);
listen();
drawPast(find("history-body"));
await begin();
document.documentElement.dataset.ready = "true";
