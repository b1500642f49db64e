// Sorting, filtering and choosing of runs. Without it the page still shows everything; the studio calls `apply` after each change of the page.
"use strict";
const runsPage = (() => {
  const state = { sort: "", down: false, find: "", task: "", data: "", off: new Set(), over: new Map() };
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  function value(row, key) {
    if (key === "name" || key === "model") return row.dataset[key].toLowerCase();
    const cell = row.querySelector(`td[data-key="${key}"]`);
    return cell && cell.dataset.value !== "" ? Number(cell.dataset.value) : null;
  }

  function order(a, b) {
    const [x, y] = [value(a, state.sort), value(b, state.sort)];
    if (x === null || y === null) return (x === null) - (y === null); // what nobody knows stands last, whichever way
    const up = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
    return state.down ? -up : up;
  }

  function sorted() {
    for (const head of all("#runs thead th[data-sort]")) {
      if (head.dataset.sort === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    if (!state.sort) return;
    for (const body of all("#runs tbody")) body.append(...all("tr[data-run]", body).sort(order));
  }

  function filtered() {
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set();
    for (const body of all("#runs tbody")) {
      const fits = (!state.task || body.dataset.task === state.task) && (!state.data || body.dataset.data === state.data);
      let any = false;
      for (const row of all("tr[data-run]", body)) {
        row.hidden = !(fits && words.every((word) => row.dataset.words.includes(word)));
        if (!row.hidden) { any = true; shown.add(row.dataset.run); }
      }
      body.hidden = !any;
      for (const section of all(`section[data-group="${body.dataset.group}"]`)) section.hidden = !any;
    }
    const told = byId("shown");
    if (told) {
      const [before, between, after] = told.dataset.text.split("{}");
      const text = `${before}${shown.size}${between}${all("#runs tr[data-run]").length}${after}`;
      if (told.textContent !== text) told.textContent = text;
    }
    for (const mark of all("svg.chart [data-run], .legend [data-run]")) {
      mark.classList.toggle("off", state.off.has(mark.dataset.run) || !shown.has(mark.dataset.run));
    }
  }

  function light(run) {
    for (const chart of all("svg.chart")) {
      chart.classList.toggle("dimmed", run !== null && chart.querySelector(`[data-run="${run}"]`) !== null);
      for (const mark of all("[data-run]", chart)) mark.classList.toggle("lit", mark.dataset.run === run);
    }
  }

  function dressed() {
    for (const head of all("#runs thead th[data-sort]")) {
      if (head.firstElementChild) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.key = `sort-${head.dataset.sort}`;
      button.textContent = head.textContent;
      head.replaceChildren(button);
    }
    for (const box of all("input[data-choose]")) box.checked = !state.off.has(box.dataset.choose);
    for (const [name, value] of state.over) {
      for (const radio of all(`input[type="radio"][name="${name}"]`)) radio.checked = radio.value === value;
    }
  }

  function apply() { dressed(); sorted(); filtered(); }

  document.addEventListener("click", (event) => {
    const head = event.target.closest("th[data-sort]");
    if (!head) return;
    const words = ["name", "model"].includes(head.dataset.sort);
    // What one wants to see first: the best score, the least of every cost, names from a to z.
    if (state.sort === head.dataset.sort) state.down = !state.down;
    else { state.sort = head.dataset.sort; state.down = !words && head.dataset.sort === "score"; }
    sorted();
  });
  document.addEventListener("input", (event) => {
    const from = event.target;
    if (from.id === "find") state.find = from.value;
    else if (from.id === "by-task") state.task = from.value;
    else if (from.id === "by-data") state.data = from.value;
    else if (from.dataset.choose !== undefined) state.off[from.checked ? "delete" : "add"](from.dataset.choose);
    else if (from.type === "radio") { state.over.set(from.name, from.value); return; }
    filtered();
  });
  document.addEventListener("submit", (event) => event.preventDefault());
  for (const [kind, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]]) {
    document.addEventListener(kind, (event) => {
      const row = event.target.closest && event.target.closest("#runs tr[data-run], svg.chart [data-run], .legend [data-run]");
      if (row) light(on ? row.dataset.run : null);
    });
  }
  document.documentElement.classList.add("js");
  apply();
  return { apply };
})();
