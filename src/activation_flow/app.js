// What the page of `afn app` needs besides Gradio: parts of HTML, live charts, files to save, and the
// link of what is shown. All values come from Python; text in them is escaped there, or is set as
// text here. Asks no other host for anything.
"use strict";
window.afn ??= (() => {
  const nothing = { http: false, file: false };
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: false,
    loader: { options: nothing, load: () => Promise.reject(new Error("nothing is loaded")) },
    tooltip: { disableDefaultStyle: true, sanitize: escaped },
  };

  function escaped(value) {
    return String(value).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
  }

  function made(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text) element.textContent = text;
    return element;
  }

  // Vega counts the ids of each drawing from 0: of two with a gradient both would take the first one's.
  let drawings = 0;
  function ownIds(svg) {
    const end = `-${(drawings += 1)}`;
    for (const element of svg.querySelectorAll("[id]")) element.id += end;
    for (const name of ["fill", "stroke", "clip-path"]) {
      // Behind "url(" stands the page's address, too, as the page has a base of its own.
      for (const element of svg.querySelectorAll(`[${name}^="url("]`)) {
        const [, id] = /#([^)'"]+)['"]?\)$/.exec(element.getAttribute(name)) ?? [];
        if (id) element.setAttribute(name, `url(#${id}${end})`);
      }
    }
  }

  // The script that draws comes last, as it is large.
  const drawer = new Promise((ready) => {
    const wait = () => (window.vegaEmbed ? ready(window.vegaEmbed) : setTimeout(wait, 20));
    wait();
  });

  // What is unfolded stays so, and a table that is wider than its place scrolls by itself.
  function html(element, value) {
    const held = element.querySelector(".afn-part");
    const text = value ?? "";
    if (!held || held.afnWritten === text) return;
    held.afnWritten = text;
    const before = [...held.querySelectorAll("details")];
    const focused = before.findIndex((one) => one.firstElementChild === document.activeElement);
    held.innerHTML = text;
    for (const [k, now] of [...held.querySelectorAll("details")].entries()) {
      if (!before[k] || summary(before[k]) !== summary(now)) continue;
      now.open = before[k].open;
      if (k === focused) now.firstElementChild.focus({ preventScroll: true });
    }
    for (const table of held.querySelectorAll("table:not(.afn-lines)")) {
      if (table.closest(".afn-scroll")) continue;
      const across = made("div", "afn-across");
      table.replaceWith(across);
      across.append(table);
    }
    if (element.closest(".afn-view") && isSeen(held)) tell(held.querySelector(".afn-tau, .afn-tiles"));
  }

  // Numbers in it differ from view to view.
  function summary(details) {
    return details.firstElementChild.textContent.replace(/[\d.,]+/g, "#");
  }

  // For those who hear the page: one line, not every token again.
  const said = made("p", "afn-said");
  said.setAttribute("role", "status");
  function tell(line) {
    if (!said.isConnected) document.body.append(said);
    if (line) said.textContent = line.innerText.replace(/\s+/g, " ");
  }

  function isSeen(held) {
    const panel = held.closest("[role=tabpanel]");
    return !panel || panel.getClientRects().length > 0;
  }

  // A view that is not seen is drawn when it is; and what fits beside each other changes with the
  // width of the window.
  const charted = new Set();
  const watcher = new ResizeObserver(() => {
    for (const held of charted) {
      if (!held.isConnected) charted.delete(held);
      else if (isSeen(held)) {
        placed(held);
        draw(held);
      }
    }
  });

  function charts(element, list) {
    const held = element.querySelector(".afn-part");
    if (!held) return;
    held.afnWanted = Array.isArray(list) ? list : [];
    if (!charted.has(held)) watcher.observe(held.closest("[role=tabpanel]") ?? held);
    charted.add(held);
    draw(held);
  }

  // One at a time; of those that came while one was drawn, only the last is.
  async function draw(held) {
    if (held.afnBusy) return;
    held.afnBusy = true;
    try {
      const embed = await drawer;
      while (held.afnWanted !== held.afnDrawn && isSeen(held)) {
        const wanted = held.afnWanted;
        if (await drawn(held, wanted, embed)) held.afnDrawn = wanted;
      }
      held.dataset.drawn = String(Number(held.dataset.drawn ?? 0) + 1);
    } finally {
      held.afnBusy = false;
    }
  }

  // Each chart stands where it stood before until the new one is drawn, so that nothing jumps.
  async function drawn(held, wanted, embed) {
    for (const [k, one] of wanted.entries()) {
      await new Promise((next) => setTimeout(next)); // whatever came meanwhile
      if (held.afnWanted !== wanted) return false;
      const before = held.children[k];
      const written = JSON.stringify(one);
      if (before?.afnWritten === written) continue;
      if (before && (await renewed(before, one))) {
        before.afnWritten = written;
        continue;
      }
      const figure = await embedded(held, one, embed);
      figure.afnWritten = written;
      if (before) {
        before.afnView?.finalize();
        before.replaceWith(figure);
      }
      figure.hidden = false;
      placed(held);
    }
    while (held.children.length > wanted.length) held.lastElementChild.remove();
    placed(held);
    return true;
  }

  async function embedded(held, one, embed) {
    const figure = made("figure", "afn-figure");
    const chart = made("div", "afn-chart afn-live");
    const caption = made("figcaption");
    caption.append(made("h3", "afn-title"), made("p", "afn-note"));
    figure.append(caption, chart);
    figure.hidden = true;
    held.append(figure); // it must be in the page to be measured
    const { spec, rows } = parts(one.spec);
    try {
      figure.afnView = (await embed(chart, { ...spec, datasets: rows }, options)).view;
    } catch (problem) {
      figure.remove();
      throw problem;
    }
    figure.afnSpec = JSON.stringify(spec);
    const marks = chart.querySelector("svg.marks");
    figure.afnNamed = Boolean(marks?.querySelector("[id]"));
    if (marks) ownIds(marks);
    captioned(figure, one);
    return figure;
  }

  function captioned(figure, one) {
    figure.dataset.chart = one.name;
    figure.querySelector(".afn-title").textContent = one.title;
    figure.querySelector(".afn-note").textContent = one.sentence;
    const marks = figure.querySelector("svg.marks");
    marks?.setAttribute("aria-label", `${one.title}. ${one.sentence}`);
    figure.style.setProperty("--afn-width", `${marks?.getAttribute("width") ?? 0}px`);
  }

  // A drawing of which only numbers differ gets the new ones, which is much faster. One with ids
  // (of a gradient) would lose its own ones.
  async function renewed(figure, one) {
    const { spec, rows } = parts(one.spec);
    if (figure.afnNamed || figure.afnSpec !== JSON.stringify(spec)) return false;
    try {
      for (const [name, values] of Object.entries(rows)) figure.afnView.data(name, values);
      await figure.afnView.runAsync();
    } catch {
      return false;
    }
    captioned(figure, one);
    return true;
  }

  // A specification without its data, and these; Altair names them by what is in them.
  function parts({ datasets = {}, ...spec }) {
    const names = new Map(Object.keys(datasets).map((name, k) => [name, `rows_${k}`]));
    const named = (key, value) => (key === "name" && names.has(value) ? names.get(value) : value);
    const rows = Object.fromEntries([...names].map(([name, own]) => [own, datasets[name]]));
    return { spec: JSON.parse(JSON.stringify(spec), named), rows };
  }

  // Two stand beside each other only where both are at least nine tenths of their size. Of one that
  // has a row of its own the words stand beside it, if there is room.
  const GAP = 32;
  const WORDS = 304;
  function placed(held) {
    const room = held.clientWidth;
    const figures = [...held.children].filter((figure) => !figure.hidden);
    const widths = figures.map((one) => parseFloat(one.style.getPropertyValue("--afn-width")));
    const narrow = widths.map((width) => 0.9 * width <= (room - GAP) / 2);
    for (let k = 0; k < figures.length; k += 1) {
      const two = narrow[k] && narrow[k + 1];
      for (const m of two ? [k, k + 1] : [k]) {
        figures[m].classList.toggle("afn-wide", !two);
        figures[m].classList.toggle("afn-by", !two && widths[m] + GAP + WORDS <= room);
      }
      if (two) k += 1;
    }
  }

  function block(title, text) {
    const part = made("div", "afn-code");
    const copy = made("button", "afn-copy", "Copy");
    copy.type = "button";
    copy.setAttribute("aria-label", `Copy: ${title}`);
    copy.addEventListener("click", () => copied(copy, text));
    const head = made("div", "afn-code-head");
    head.append(made("span", "", title), copy);
    const shown = made("pre", "afn-command");
    shown.append(made("code", "", text));
    part.append(head, shown);
    return part;
  }

  async function copied(button, text) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Mark it and copy by hand";
    }
    setTimeout(() => (button.textContent = before), 1500);
  }

  // The command, the Python lines, and the address that opens the page as it is now.
  function again(element, value) {
    const held = element.querySelector(".afn-part");
    if (!held || !value) return;
    held.replaceChildren();
    if (value.command) held.append(block("In a shell", value.command));
    if (value.python) held.append(block("In Python", value.python));
    if (value.link) {
      links.set(value.view, value.link);
      relink();
      held.append(block("Link to this view", new URL(value.link, location.href).href));
    }
  }

  // The address is that of the view that is seen. What stands behind "#" is not sent to a server.
  const links = new Map();
  let seen = "explore";
  function relink() {
    if (links.has(seen)) history.replaceState(history.state, "", links.get(seen));
  }
  function chosen(view) {
    seen = view;
    relink();
  }
  // Another link in the same tab changes only what stands behind "#".
  addEventListener("hashchange", () => location.reload());

  function save(file) {
    if (!file?.data) return;
    const bytes = Uint8Array.from(atob(file.data), (letter) => letter.charCodeAt(0));
    const link = made("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: file.type }));
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // The page is there when all views are.
  const shown = new Set();
  function done(view, begun) {
    if (begun) shown.add(view);
    if (shown.size === 4) document.documentElement.dataset.afn = "ready";
  }

  return { html, charts, again, save, chosen, done };
})();
