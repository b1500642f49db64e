// A tag for each word: spans stand out in the text, each with its kind in letters, and once more in a table.

import { make } from "../dom.js";
import { alternative, rowsTable, scored } from "../pieces.js";
import { spoken } from "../words.js";

const MARK = /^([BIESLUM])(?:-(.+))?$/s;
const ENDS = new Set(["E", "S", "L", "U"]);
const BEGINS = new Set(["B", "S", "U"]);

export function show(prediction, { input, model }) {
  const words = wordsOf(prediction, input);
  const found = spans(prediction.answer);
  // A kind keeps its colour from one text to the next.
  const kinds = [...new Set([...model.labels, ...found.map(({ kind }) => kind)])];
  const text = make("p", { class: "tagged", dir: "auto", data: { answer: JSON.stringify(prediction.answer) } });
  const joined = joiner(words, input);
  let place = 0;
  for (const { kind, first, last } of found) {
    text.append(joined(place, first, true), marked(joined(first, last + 1), kind, kinds.indexOf(kind)));
    place = last + 1;
  }
  text.append(joined(place, words.length, true));
  const rest = found.length ? table(found, joined) : spoken("p", "no_span", {}, { class: "quiet" });
  return [text, scored(prediction.score, "mean_sure"), rest];
}

export function told(prediction) {
  const found = spans(prediction.answer);
  return found.length ? { key: "told_spans", count: found.length } : { key: "no_span" };
}

export function cell(prediction) {
  const words = prediction.words ?? [];
  return spans(prediction.answer).map(({ kind, first, last }) => `${kind}: ${words.slice(first, last + 1).join(" ")}`).join("; ");
}

/** Runs of words that tags mark: `{kind, first, last}`. Tags of no scheme stand each for itself; `O` marks nothing. */
export function spans(tags) {
  const marks = tags.some((tag) => MARK.test(tag) && tag.includes("-")) && tags.every((tag) => tag === "O" || MARK.test(tag));
  const found = [];
  let open = null;
  for (const [place, tag] of tags.entries()) {
    if (tag === "O") { open = null; continue; }
    const [, letter, kind] = marks ? MARK.exec(tag) : [null, "S", tag];
    if (open && open.kind === (kind ?? "") && !BEGINS.has(letter)) open.last = place;
    else found.push((open = { kind: kind ?? "", first: place, last: place }));
    if (ENDS.has(letter)) open = null;
  }
  return found;
}

const wordsOf = ({ words }, input) => words ?? (Array.isArray(input) ? input : String(input).split(/\s+/).filter(Boolean));

/** Gives words `first` up to `last` as the input writes them, with its blanks or, as in Chinese, none; `around` with those outside. */
function joiner(words, input) {
  const raw = Array.isArray(input) ? input.join(" ") : String(input);
  const places = [];
  let from = 0;
  for (const word of words) {
    const at = raw.indexOf(word, from);
    // Cleaning may have changed a word: then the words themselves are shown, with blanks.
    if (at < 0) return (first, last, around = false) => blank(words, first, last, around);
    places.push([at, at + word.length]);
    from = at + word.length;
  }
  return (first, last, around = false) => {
    const begin = around ? (first ? places[first - 1][1] : 0) : places[first][0];
    const end = around ? (last < words.length ? places[last][0] : raw.length) : places[last - 1][1];
    return raw.slice(begin, end);
  };
}

function blank(words, first, last, around) {
  const inside = words.slice(first, last).join(" ");
  if (!around) return inside;
  return `${first ? " " : ""}${inside}${inside && last < words.length ? " " : ""}`;
}

function marked(text, kind, hue) {
  return make("mark", { class: `hue-${hue % 6}`, data: { kind } }, text, make("span", { class: "kind" }, kind));
}

function table(found, joined) {
  const rows = found.map(({ kind, first, last }) =>
    make("tr", {}, make("th", { scope: "row" }, kind), make("td", { dir: "auto" }, joined(first, last + 1))));
  return alternative(rowsTable(["kind", "words"], rows));
}
