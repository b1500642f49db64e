// A file of rows: chosen or dropped, answered row by row, its answers as a table and as a CSV file.

import { fill, fresh, make } from "./dom.js";
import { numberCell, rowsTable } from "./pieces.js";
import { ask, data } from "./server.js";
import { label, say, spoken } from "./words.js";

const SHOWN = 200;
const LONGEST = 240;

/** Where files are taken: `element` to show, `accept` says which (null: none) and by which words.
 * `take` gets a file, wherever on the page it is dropped. */
export function filePlace(take) {
  const input = make("input", { type: "file", id: fresh("file"), class: "hidden" });
  const hint = spoken("span", "file_drop", {}, { class: "quiet" });
  const element = make("div", {}, input, make("label", { class: "drop", for: input.id },
    spoken("span", "file_choose", {}, { class: "link" }), " ", hint));
  const given = (files) => { if (files.length) take(files[0]); };
  const over = (event, on) => {
    if (element.hidden || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.documentElement.classList.toggle("dropping", on);
  };
  input.addEventListener("change", () => { given([...input.files]); input.value = ""; });
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(event, false); });
  document.addEventListener("drop", (event) => {
    over(event, false);
    if (event.defaultPrevented) given(event.dataTransfer.files);
  });
  const accept = (files, key = "file_drop") => {
    say(hint, key);
    element.hidden = files === null;
    input.accept = files ?? "";
  };
  return { element, accept };
}

/** A file for a model, as the server takes it. */
export const form = (model, file) => {
  const body = new FormData();
  body.append("model", model.name);
  body.append("file", file, file.name);
  return body;
};

/** Answers a file and draws the table into `place`; gives the number of rows and the times. */
export async function answerFile(place, model, kind, file, signal) {
  const { found, seconds } = await data("predict", form(model, file), { signal });
  const count = found.predictions.length;
  const scored = found.predictions.some(({ score }) => typeof score === "number");
  const heads = ["-row", "file_input", "answer", ...(scored ? ["-score"] : [])];
  const table = rowsTable(heads, found.predictions.slice(0, SHOWN).map((prediction, at) => row(prediction, at, kind, scored)), "file");
  table.prepend(spoken("caption", "file_rows", { name: file.name, count }));
  const scroll = label(make("div", { class: "scroll", tabindex: "0", role: "region" }, table), { "aria-label": "file_table" });
  const rest = count > SHOWN ? spoken("p", "file_first", { shown: SHOWN, count }, { class: "quiet" }) : null;
  fill(place, scroll, rest, make("div", { class: "row" }, downloader(model, file)));
  return { count, server: found.seconds, seconds, version: found.version };
}

function row(prediction, at, kind, scored) {
  const { row: number = at + 1, answer, error, score } = prediction;
  const given = asText(prediction.input);
  const short = given.length > LONGEST ? `${given.slice(0, LONGEST)}…` : given;
  return make("tr", { data: error ? { error } : { answer: JSON.stringify(answer), score: String(score) } },
    make("td", { class: "number" }, String(number)),
    make("td", { class: "given", dir: "auto", title: short === given ? null : given }, short),
    error ? make("td", { class: "error" }, error) : make("td", { dir: "auto" }, kind.cell(prediction)),
    !scored ? null : typeof score === "number" ? numberCell(score, score, "percent") : make("td"));
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
