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

  function html(element, value) {
    const held = element.querySelector(".afn-part");
    if (held) held.innerHTML = value ?? "";
  }

  // Each chart stands where it stood before until the new one is drawn, so that nothing jumps.
  async function charts(element, list) {
    const held = element.querySelector(".afn-part");
    if (!held) return;
    const turn = (held.afnTurn = (held.afnTurn ?? 0) + 1);
    const embed = await drawer;
    const wanted = Array.isArray(list) ? list : [];
    for (const [k, one] of wanted.entries()) {
      if (held.afnTurn !== turn) return;
      const written = JSON.stringify(one);
      const before = held.children[k];
      if (before?.afnWritten === written) continue;
      const figure = made("figure", "afn-figure");
      figure.afnWritten = written;
      figure.dataset.chart = one.name;
      const caption = made("figcaption");
      caption.append(made("h3", "afn-title", one.title), made("p", "afn-note", one.sentence));
      const chart = made("div", "afn-chart afn-live");
      figure.append(caption, chart);
      figure.hidden = true;
      held.append(figure); // it must be in the page to be measured
      await embed(chart, one.spec, options);
      if (held.afnTurn !== turn) return figure.remove();
      const drawn = chart.querySelector("svg.marks");
      drawn?.setAttribute("aria-label", `${one.title}. ${one.sentence}`);
      if (drawn) ownIds(drawn);
      figure.hidden = false;
      if (before) before.replaceWith(figure);
    }
    while (held.children.length > wanted.length) held.lastElementChild.remove();
    held.dataset.drawn = String(turn);
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
