// Renews the page in view, without taking anything away from whoever reads it: the same address is fetched again and the content
// swapped, unless the tab is hidden, text is selected, a form is being filled in, something in the content has the focus, or
// it was paused.
(() => {
  "use strict";
  const period = Number(document.documentElement.dataset.refresh); // milliseconds
  const main = document.getElementById("main");
  const fresh = document.getElementById("fresh");
  const live = document.getElementById("live");
  const pause = document.getElementById("pause");
  const longest = 5 * 60 * 1000;
  let paused = false, failures = 0, timer = 0, busy = false;

  const summary = () => main.querySelector("[data-summary]")?.dataset.summary ?? "";
  const selecting = () => { const s = getSelection(); return s && !s.isCollapsed && main.contains(s.anchorNode); };
  const focused = () => main.contains(document.activeElement) && document.activeElement !== main;
  const changed = (field) => field.options
    ? field.selectedIndex !== Math.max([...field.options].findIndex((o) => o.defaultSelected), 0)
    : field.value !== field.defaultValue;
  const filling = () => [...main.querySelectorAll("select, input")].some(changed);
  const idle = () => !filling() && !paused && !document.hidden && !selecting() && !focused();

  // What a form has done is said once: not again when the address is loaded again.
  const here = new URL(location.href);
  if (here.searchParams.has("did")) {
    here.searchParams.delete("did");
    history.replaceState(null, "", here);
  }

  const prepare = () => {
    for (const button of main.querySelectorAll("[data-copy]")) button.hidden = false;
  };

  const swap = (next, at) => {
    const open = [...main.querySelectorAll("details[open][id]")].map((d) => d.id);
    const scrolled = [...main.querySelectorAll(".scroll, pre")].map((e) => [e.scrollLeft, e.scrollTop]);
    const before = new Map([...main.querySelectorAll("[data-row]")].map((e) => [e.dataset.row, e.dataset.revision]));
    const said = summary();
    main.replaceChildren(...document.importNode(next, true).childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    [...main.querySelectorAll(".scroll, pre")].forEach((e, i) => {
      if (scrolled[i]) [e.scrollLeft, e.scrollTop] = scrolled[i];
    });
    for (const e of main.querySelectorAll("[data-row]")) {
      if (before.get(e.dataset.row) !== e.dataset.revision) e.classList.add("changed");
    }
    prepare();
    fresh.replaceChildren(...document.importNode(at, true).childNodes);
    if (summary() !== said) live.textContent = summary();
  };

  const refresh = async () => {
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById("main");
      const at = page.getElementById("fresh");
      if (!next || !at) throw new Error("not this page");
      failures = 0;
      fresh.classList.remove("stale");
      if (idle()) swap(next, at);
    } catch {
      failures++;
      if (!fresh.classList.contains("stale")) {
        fresh.classList.add("stale");
        fresh.append(", not renewed since");
        live.textContent = "The page cannot be renewed for now.";
      }
    } finally {
      busy = false;
    }
  };

  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(tick, Math.min(period * 2 ** failures, longest));
  };
  const tick = async () => {
    if (idle() && !busy) await refresh();
    wait();
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
      live.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch {
      getSelection().selectAllChildren(source);
    }
  });

  prepare();
  if (!period) return;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    pause.setAttribute("aria-label", paused ? "Resume renewing the page" : "Pause renewing the page");
    if (!paused) tick();
  });
  pause.setAttribute("aria-label", "Pause renewing the page");
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  wait();
})();
