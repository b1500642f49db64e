// A file of rows: chosen or dropped, answered row by row, its answers as a table and as a CSV file.

import { fill, fresh, make } from "./dom.js";
import { ask, data } from "./server.js";
import { label, say, spoken } from "./words.js";

const SHOWN = 200;
const LONGEST = 240;

/** Where files are taken. `element` to show; `take` is called with each file; anything dropped anywhere on the page counts. */
export function filePlace(take) {
  const input = make("input", { type: "file", id: fresh("file"), class: "hidden", onchange: () => { given(input.files); input.value = ""; } });
  const place = make("label", { class: "drop", for: input.id }, spoken("span", "file_choose", {}, { class: "link" }), " ", spoken("span", "file_drop", {}, { class: "quiet" }));
  const given = (files) => { if (files.length) take(files[0]); };
  let accepts = false;
  const over = (event, on) => {
    if (!accepts || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.documentElement.classList.toggle("dropping", on);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(event, false); });
  document.addEventListener("drop", (event) => { over(event, false); if (event.defaultPrevented) given(event.dataTransfer.files); });
  const element = make("div", {}, input, place);
  return { element, accept: (files) => { accepts = files !== null; element.hidden = !accepts; if (accepts) input.accept = files; } };
}

const form = (model, file) => {
  const body = new FormData();
  body.append("model", model.name);
  body.append("file", file, file.name);
  return body;
};

/** Answers a file and draws the table into `place`; gives the number of rows and the times. */
export async function answerFile(place, model, kind, file, signal) {
  const { found, seconds } = await data("predict", form(model, file), { signal });
  const rows = found.predictions;
  const scored = rows.some(({ score }) => score !== null && score !== undefined);
  const head = make("tr", {}, ...["row", "file_input", "answer", ...(scored ? ["score"] : [])]
    .map((key) => spoken("th", key, {}, { scope: "col", class: key === "row" || key === "score" ? "number" : null })));
  const body = rows.slice(0, SHOWN).map((prediction, at) => row(prediction, at, kind, scored));
  const table = make("table", { class: "rows file" }, spoken("caption", "file_rows", { name: file.name, count: rows.length }), make("thead", {}, head), make("tbody", {}, body));
  const scroll = label(make("div", { class: "scroll", tabindex: "0", role: "region" }, table), { "aria-label": "file_table" });
  fill(place, scroll, rows.length > SHOWN ? spoken("p", "file_first", { shown: SHOWN, count: rows.length }, { class: "quiet" }) : null,
    make("div", { class: "row" }, downloader(model, file)));
  return { count: rows.length, server: found.seconds, seconds, version: found.version };
}

function row(prediction, at, kind, scored) {
  const given = asText(prediction.input);
  return make("tr", { data: { answer: JSON.stringify(prediction.answer), score: String(prediction.score) } },
    make("td", { class: "number" }, String(at + 1)),
    make("td", { class: "given", dir: "auto", title: given.length > LONGEST ? given : null }, given.length > LONGEST ? `${given.slice(0, LONGEST)}…` : given),
    make("td", { dir: "auto" }, kind.cell(prediction)),
    scored ? make("td", { class: "number" }, typeof prediction.score === "number" ? say(make("span"), "percent", { score: prediction.score }) : null) : null);
}

const asText = (input) => (Array.isArray(input) ? input.join(" ") : String(input ?? ""));

/** The server writes the CSV, so that it is the one that `zhuji predict` and curl give. */
function downloader(model, file) {
  const button = spoken("button", "download", {}, { type: "button", onclick: press });
  async function press() {
    button.disabled = true;
    try {
      const answer = await ask("predict", form(model, file), { accept: "text/csv" });
      save(await answer.blob(), `${file.name.replace(/\.[^.]*$/, "")}-${model.name}.csv`);
      say(button, "download");
    } catch (trouble) {
      if (!trouble.kind) throw trouble;
      say(button, "download_failed", { said: trouble.said });
    } finally {
      button.disabled = false;
    }
  }
  return button;
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
