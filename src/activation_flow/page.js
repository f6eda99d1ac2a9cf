// Makes the charts of a page live: each drawing is replaced by the chart that stands beside it as
// data. A chart that fails leaves its drawing where it is. Asks no host for anything.
"use strict";
(() => {
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

  function button(label, name, view) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label.toUpperCase();
    made.title = `Save this chart, as it is now, as ${name}.${label}`;
    made.addEventListener("click", async () => {
      const link = document.createElement("a");
      const before = view.background();
      view.background("white"); // the page's own may be dark
      link.href = await view.toImageURL(label, 2);
      view.background(before);
      link.download = `${name}.${label}`;
      link.click();
    });
    return made;
  }

  // A slider shows its number as it is, with up to 17 digits: here with four.
  function shortly(shown) {
    const text = String(Number(Number(shown.textContent).toPrecision(4)));
    if (text !== "NaN" && text !== shown.textContent) shown.textContent = text;
  }

  async function live(figure) {
    const drawing = figure.querySelector(".afn-chart");
    const spec = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const chart = document.createElement("div");
    chart.className = "afn-chart afn-live";
    chart.hidden = true;
    drawing.after(chart);
    try {
      const { view } = await vegaEmbed(chart, spec, options);
      const svg = chart.querySelector("svg.marks");
      svg.style.width = drawing.firstElementChild.style.width;
      svg.setAttribute("aria-label", drawing.firstElementChild.getAttribute("aria-label"));
      for (const shown of chart.querySelectorAll("input[type='range'] + *")) {
        new MutationObserver(() => shortly(shown)).observe(shown, { childList: true });
        shortly(shown);
      }
      const save = document.createElement("p");
      save.className = "afn-save";
      save.append(...["png", "svg"].map((label) => button(label, figure.id, view)));
      figure.append(save);
      drawing.remove();
      chart.hidden = false;
    } catch (problem) {
      chart.remove();
      console.warn(`The chart ${figure.id} stays as it is drawn: ${problem}`);
    }
  }

  // Paper shows all: what is folded is unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  const figures = [...document.querySelectorAll(".afn-figure")];
  Promise.all(figures.map(live)).then(() => {
    document.documentElement.dataset.afn = "ready";
  });
})();
