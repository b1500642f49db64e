// Elements out of plain values. Text stays text: nothing here, or anywhere on this page, makes markup out of a string.

/** An element. `attributes` by name: `data` is an object of data attributes, a function listens (`onclick`), null and false leave out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "data") Object.assign(element.dataset, value);
    else if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const find = (id) => document.getElementById(id);

/** Puts `children` in place of all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** The value of the chosen radio button of a fieldset. */
export const chosen = (fieldset) => fieldset.querySelector("input:checked")?.value;

let number = 0;

/** An id that no other element has. */
export const fresh = (name) => `${name}-${++number}`;
