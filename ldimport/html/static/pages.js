// Beside htmx: regions that are fetched again while their tab is seen, keys of the library's panel.
"use strict";
(() => {
  const find = (what) => document.querySelector(what);

  const tick = () => {
    const live = find("[data-every]");
    if (live && !document.hidden) htmx.trigger(live, "refresh");
    setTimeout(tick, 1000 * (live ? Number(live.dataset.every) : 2));
  };
  setTimeout(tick, 2000);

  const mark = () => {
    const shown = find("#panel [data-shown]");
    for (const card of document.querySelectorAll("[data-card]")) {
      if (shown && card.dataset.card === shown.dataset.shown) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    }
    return shown;
  };
  document.addEventListener("htmx:after:swap", mark);
  document.addEventListener("DOMContentLoaded", mark);

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    if (!find("#panel [data-shown]")) return;
    if (event.key === "Escape") {
      const card = find("[data-card][aria-current]");
      find("#panel [data-close]").click();
      if (card) card.focus();
      return;
    }
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const cards = [...document.querySelectorAll("[data-card]")];
    const at = cards.findIndex((card) => card.hasAttribute("aria-current"));
    const next = cards[at + (event.key === "ArrowRight" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  });
})();
