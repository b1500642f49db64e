// Listens for the parts of the page that changed, and puts them in place without losing where the reader is.
(() => {
  const main = document.getElementById("parts");
  const pulse = document.getElementById("pulse");

  function told(state) {
    pulse.className = `pulse ${state === "live" ? "on" : "lost"}`;
    if (pulse.textContent !== pulse.dataset[state]) pulse.textContent = pulse.dataset[state];
  }

  function section(name) {
    const made = document.createElement("section");
    made.id = name;
    if (name.startsWith("g")) made.dataset.group = name;
    return made;
  }

  // What the reader typed or chose is theirs: it is put back after the part around it is new.
  function keeping(change) {
    const at = document.activeElement;
    const known = at && main.contains(at) && (at.id ? `#${at.id}` : at.dataset.key ? `[data-key="${at.dataset.key}"]`
      : at.dataset.choose ? `[data-choose="${at.dataset.choose}"]` : at.classList.contains("scroll") ? "#table .scroll" : "");
    const typed = ["find", "by-task", "by-data"].map((id) => [id, document.getElementById(id)]).filter(([, e]) => e).map(([id, e]) => [id, e.value]);
    const range = at && at.id === "find" ? [at.selectionStart, at.selectionEnd] : null;
    const scrolled = [...main.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
    change();
    for (const [id, value] of typed) { const e = document.getElementById(id); if (e) e.value = value; }
    [...main.querySelectorAll(".scroll")].forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    runsPage.apply();
    const again = known && main.querySelector(known);
    if (again && again !== document.activeElement) {
      again.focus({ preventScroll: true });
      if (range) again.setSelectionRange(...range);
    }
  }

  function update({ order, changed }) {
    keeping(() => {
      for (const old of [...main.children]) if (!order.includes(old.id)) old.remove();
      order.forEach((name, place) => {
        const here = document.getElementById(name) || section(name);
        if (main.children[place] !== here) main.insertBefore(here, main.children[place] || null);
        if (name in changed) {
          const parsed = new DOMParser().parseFromString(changed[name], "text/html");
          here.replaceChildren(...parsed.body.childNodes);
        }
      });
    });
  }

  const events = new EventSource(`events${location.search}`);
  events.onopen = () => told("live");
  events.onerror = () => told("lost");
  events.onmessage = (event) => update(JSON.parse(event.data));
})();
