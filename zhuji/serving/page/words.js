// What a person reads, in two languages. An element remembers by key what it says: a change of language says all of it anew.

import { make } from "./dom.js";

const NAMES = { en: "en", zh: "zh-CN" };
let catalogue = { en: {}, zh: {} };
let current = "en";

/** Loads both languages: changing between them needs no network. */
export async function load(from) {
  const answer = await fetch(from);
  if (!answer.ok) throw new Error(`${answer.status} ${from}`);
  catalogue = await answer.json();
}

export const language = () => current;
export const locale = () => NAMES[current];

/** Speaks `name` from now on, everywhere. */
export function speak(name) {
  current = name in NAMES ? name : "en";
  document.documentElement.lang = locale();
  for (const element of document.querySelectorAll("[data-words]")) refresh(element);
  for (const element of document.querySelectorAll("[data-labels]")) refreshLabels(element);
}

/** The text of a key; `{name}` and `{name:how}` stand for values, see `shown`. */
export function text(key, values = {}) {
  const found = catalogue[current]?.[key] ?? catalogue.en?.[key] ?? key;
  return found.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name, how) => shown(values[name], how));
}

/** A value as a person reads it: a number in this language's way, as `percent` or as `time` (of seconds). */
export function shown(value, how) {
  if (typeof value !== "number") return String(value ?? "");
  if (how === "percent") return percent(value);
  if (how === "time") return value < 1 ? `${digits(value * 1000, value < 0.0995 ? 1 : 0)} ms` : `${digits(value, 2)} s`;
  return new Intl.NumberFormat(locale(), { maximumSignificantDigits: 6 }).format(value);
}

const digits = (value, most) => new Intl.NumberFormat(locale(), { maximumFractionDigits: most }).format(value);

function percent(value) {
  const write = new Intl.NumberFormat(locale(), { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  if (value > 0 && value < 0.0005) return `< ${write.format(0.001)}`;
  if (value < 1 && value >= 0.9995) return `> ${write.format(0.999)}`;
  return write.format(value);
}

/** An element says `key`. */
export function say(element, key, values = {}) {
  element.dataset.words = key;
  element.dataset.values = JSON.stringify(values);
  refresh(element);
  return element;
}

/** An element's attributes say keys: `{"aria-label": "close"}`; `values` are for all of them. */
export function label(element, keys, values = {}) {
  element.dataset.labels = JSON.stringify([keys, values]);
  refreshLabels(element);
  return element;
}

/** A new element that says `key`. */
export const spoken = (tag, key, values = {}, attributes = {}) => say(make(tag, attributes), key, values);

/** The element says nothing any more. */
export function hush(element) {
  delete element.dataset.words;
  element.textContent = "";
}

function refresh(element) {
  element.textContent = text(element.dataset.words, JSON.parse(element.dataset.values ?? "{}"));
}

function refreshLabels(element) {
  const [keys, values] = JSON.parse(element.dataset.labels);
  for (const [name, key] of Object.entries(keys)) element.setAttribute(name, text(key, values));
}
