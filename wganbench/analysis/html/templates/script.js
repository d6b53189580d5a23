"use strict";
(() => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("script");

  // ---- filters: the state is kept in the address, so that a link shows the same claims ----

  const rows = all("#_claims tbody tr");
  const groups = all("#_filters fieldset");
  const search = byId("_search");
  const sections = new Map(all(".experiment .claim").map((claim) => [claim.id, claim]));

  // Sources are few, and what a reader asks for first; on a phone they would push the claims off the screen.
  if (matchMedia("(min-width: 45rem)").matches) byId("_filters").querySelector(".choices").open = true;

  const pressed = (group) => all("[aria-pressed='true']", group).map((button) => button.dataset.choice);
  const wanted = () => decodeURIComponent(location.hash.slice(1));

  const readAddress = () => {
    const asked = new URLSearchParams(location.search);
    search.value = asked.get("q") || "";
    for (const group of groups) {
      const chosen = asked.getAll(group.dataset.filter);
      for (const button of all("button", group)) {
        button.setAttribute("aria-pressed", String(chosen.includes(button.dataset.choice)));
      }
      if (chosen.length && group.parentElement.matches("details")) group.parentElement.open = true;
    }
  };

  const writeAddress = () => {
    const state = new URLSearchParams();
    if (search.value.trim()) state.set("q", search.value.trim());
    for (const group of groups) {
      for (const choice of pressed(group)) state.append(group.dataset.filter, choice);
    }
    const query = state.toString();
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : "") + location.hash);
  };

  const applyFilters = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = groups.map((group) => [group.dataset.filter, pressed(group)]).filter(([, some]) => some.length);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = chosen.every(([name, some]) => row.dataset[name].split("\n").some((own) => some.includes(own)))
        && words.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
      const section = sections.get(row.dataset.claim);
      if (section) section.hidden = !fits && section.id !== wanted();
    }
    const isFiltered = chosen.length > 0 || words.length > 0;
    for (const part of all(".experiment")) {
      const own = all(".claim", part);
      part.hidden = isFiltered && !own.some((claim) => !claim.hidden && !claim.closest(".more")) && !part.contains(byId(wanted()));
    }
    for (const part of all(".superseded")) part.hidden = isFiltered && !part.contains(byId(wanted()));
    const states = chosen.map(([name, some]) => `${name}: ${some.join(" or ")}`);
    if (words.length) states.push(`text: ${words.join(" ")}`);
    byId("_count").textContent = isFiltered
      ? `${shown} of ${rows.length} claims; ${states.join("; ")}` : `${rows.length} claims`;
  };

  const changed = () => { writeAddress(); applyFilters(); };
  for (const group of groups) {
    group.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      changed();
    });
  }
  search.addEventListener("input", changed);
  byId("_filters").addEventListener("submit", (event) => event.preventDefault());
  byId("_reset").addEventListener("click", () => {
    search.value = "";
    for (const button of all("#_filters [aria-pressed]")) button.setAttribute("aria-pressed", "false");
    changed();
  });
  window.addEventListener("popstate", () => { readAddress(); applyFilters(); });

  // ---- a link to a claim opens it ----

  const openWanted = () => {
    const target = byId(wanted());
    for (const claim of all(".claim.wanted")) claim.classList.remove("wanted");
    applyFilters();
    if (!target || !target.matches(".claim, .experiment")) return;
    for (let part = target; part; part = part.parentElement) {
      if (part.matches("details")) part.open = true;
    }
    if (target.matches(".claim")) {
      target.classList.add("wanted");
      target.querySelector("summary").focus({ preventScroll: true });
    }
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", openWanted);
  window.addEventListener("load", openWanted);  // the browser's own jump to the claim takes the focus away again

  const openAll = byId("_open");
  openAll.addEventListener("click", () => {
    const opens = openAll.textContent.startsWith("Open");
    for (const claim of sections.values()) if (!claim.hidden) claim.open = opens;
    openAll.textContent = opens ? "Close all claims" : "Open all claims";
  });

  // ---- strip plots: one stop for the Tab key each, arrows move from run to run ----

  const tip = byId("_tip");
  const showTip = (dot) => {
    tip.textContent = dot.getAttribute("aria-label");
    tip.hidden = false;
    const box = dot.getBoundingClientRect();
    const left = Math.min(Math.max(box.left + box.width / 2 - tip.offsetWidth / 2, 4), document.documentElement.clientWidth - tip.offsetWidth - 4);
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 0 ? above : box.bottom + 8}px`;
  };
  const hideTip = () => { tip.hidden = true; };
  for (const plot of all(".strip-plot")) {
    const first = plot.querySelector(".dot");
    if (first) first.setAttribute("tabindex", "0");
  }
  const isDot = (target) => target instanceof Element && target.matches(".strip-plot .dot");
  document.addEventListener("mouseover", (event) => isDot(event.target) ? showTip(event.target) : hideTip());
  document.addEventListener("focusin", (event) => isDot(event.target) ? showTip(event.target) : hideTip());
  document.addEventListener("scroll", hideTip, { passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !isDot(event.target)) return;
    event.preventDefault();
    const dots = all(".dot", event.target.closest("svg"));
    const next = dots[Math.min(Math.max(dots.indexOf(event.target) + step, 0), dots.length - 1)];
    event.target.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });

  // ---- commands ----

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const done = await copy(button.previousElementSibling.textContent);
      button.textContent = done ? "Copied" : "Not copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  // ---- figures and images over training ----

  const dialog = byId("_dialog");
  for (const button of all(".enlarge")) {
    button.addEventListener("click", () => {
      const image = button.querySelector("img");
      byId("_large").src = image.src;
      byId("_large").alt = image.alt;
      byId("_dialog-title").textContent = button.parentElement.querySelector("figcaption b").textContent;
      dialog.showModal();
    });
  }
  byId("_close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const numbers = (text) => text.split(" ").map(Number);
  for (const film of all(".film")) {
    const steps = numbers(film.dataset.steps);
    const slider = film.querySelector("input");
    const show = () => {
      const step = steps[slider.value];
      const text = step.toLocaleString("en");
      film.querySelector("output").textContent = text;
      slider.setAttribute("aria-valuetext", `step ${text}`);
      for (const frame of all(".frame", film)) {
        const svg = frame.querySelector("svg");
        const place = numbers(svg.dataset.steps).indexOf(step);
        const [, , width, height] = svg.getAttribute("viewBox").split(" ");
        const isThere = place >= 0;
        svg.querySelector("image").setAttribute("visibility", isThere ? "visible" : "hidden");
        if (isThere) svg.setAttribute("viewBox", `${place * svg.dataset.width} 0 ${width} ${height}`);
        frame.querySelector(".gone").textContent = isThere ? "" : ` ${svg.dataset.gone || "not kept at this step"}`;
        svg.setAttribute("aria-label", isThere ? `Images of ${svg.dataset.name} at step ${text}` : `No images of ${svg.dataset.name} at step ${text}`);
      }
    };
    slider.addEventListener("input", show);
    show();
  }

  // ---- tables ----

  const leading = /^(?:median |[<>≤≥] ?)?([-−+]?[\d,]*\.?\d+(?:e[-+]?\d+)?)/i;
  const numberIn = (text) => {
    const found = leading.exec(text);
    return found ? Number(found[1].replaceAll(",", "").replace("−", "-")) : text === "inf" ? Infinity : NaN;
  };
  const isEmpty = (text) => text === "" || text === "–" || text === "nan";
  const compare = (texts) => {
    const filled = texts.filter((text) => !isEmpty(text));
    const numeric = filled.every((text) => !Number.isNaN(numberIn(text)));
    return (a, b) => isEmpty(a) || isEmpty(b) ? 0 : numeric ? numberIn(a) - numberIn(b) : a.localeCompare(b, "en", { numeric: true });
  };
  const sort = (table, place, direction) => {
    const body = table.tBodies[0];
    const lines = [...body.rows].map((row) => [row.cells[place].textContent.trim(), row]);
    const order = compare(lines.map(([text]) => text));
    lines.sort(([a], [b]) => isEmpty(a) - isEmpty(b) || direction * order(a, b));
    body.append(...lines.map(([, row]) => row));
  };
  for (const table of all("table.sortable")) {
    const headings = all("thead th", table);
    headings.forEach((heading, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        sort(table, place, direction);
      });
    });
  }

  // ---- runs as CSV ----

  const runs = JSON.parse(byId("_runs").textContent);
  const quoted = (cell) => {
    const text = cell === null ? "" : String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (lines) => lines.map((line) => line.map(quoted).join(",") + "\r\n").join("");
  const linesOf = (name) => {
    if (name) return [runs[name][0], ...runs[name][1]];
    const measures = [...new Set(Object.values(runs).flatMap(([columns]) => columns))];
    const lines = Object.entries(runs).flatMap(([experiment, [columns, some]]) => some.map((run) => {
      const own = new Map(columns.map((column, place) => [column, run[place]]));
      return [experiment, ...measures.map((column) => own.has(column) ? own.get(column) : null)];
    }));
    return [["experiment", ...measures], ...lines];
  };
  for (const button of all(".download")) {
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      const name = button.dataset.experiment;
      link.href = URL.createObjectURL(new Blob([csv(linesOf(name))], { type: "text/csv" }));
      link.download = `${name || "all"}-runs.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  // ---- light and dark ----

  const theme = byId("_theme");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
    try { localStorage.setItem("wganbench-theme", document.documentElement.dataset.theme); } catch { /* not kept */ }
  });
  try {
    const kept = localStorage.getItem("wganbench-theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch { /* none is kept */ }
  nameTheme();

  // ---- print: what is folded away is opened, and closed again afterwards ----

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = all(".experiment details:not([open])").filter((part) => !part.hidden);
    for (const part of opened) part.open = true;
    for (const image of all("img[loading]")) image.loading = "eager";
  });
  window.addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
    opened = [];
  });

  readAddress();
  openWanted();
})();
