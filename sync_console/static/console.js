// Makes pages live and quick to use. Without it they are plain links and forms.
"use strict";

// -- news: every few seconds, but never in a hidden tab, and never under somebody's hands

const live = () => document.getElementById("live");
let waiting = null; // what came while somebody was at work

function isBusy(region) {
  return region.contains(document.activeElement) ||
    region.querySelector("details[open] form, input:checked, tr.chosen") !== null;
}

// How many rows there are that the page does not show yet.
function newRows(html) {
  const ids = (of) => [...of.querySelectorAll("[data-id]")].map((row) => row.dataset.id);
  const shown = new Set(ids(live()));
  const there = ids(new DOMParser().parseFromString(html, "text/html"));
  return there.filter((id) => !shown.has(id)).length;
}

function tellNews() {
  const bar = document.getElementById("news");
  if (!bar) return;
  bar.hidden = waiting === null;
  const button = bar.querySelector("button");
  button.dataset.plain ??= button.textContent;
  const count = waiting === null ? 0 : newRows(waiting);
  if (count === 0) button.textContent = button.dataset.plain;
  else button.textContent = count === 1 ? button.dataset.one : button.dataset.many.replace("2", count);
}

// The session has ended: the page stays as it is, with what somebody typed.
function tellEnd(html) {
  const told = new DOMParser().parseFromString(html, "text/html").getElementById("main");
  const region = document.querySelector("main [role=status]");
  const lines = [...told.querySelectorAll("h1, p")].map((line) => line.textContent.trim());
  region.textContent = lines.filter(Boolean).map((line) => line.replace(/[.]?$/, ".")).join(" ");
  document.getElementById("main").focus();
}

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id === "live" && event.detail.elt.dataset.etag) {
    event.detail.headers["If-None-Match"] = event.detail.elt.dataset.etag;
  }
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "live" && document.hidden) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const region = event.detail.target;
  // In a frame without cookies links and forms come by htmx: what is refused is shown there, too.
  if (event.detail.boosted && event.detail.isError) {
    if (event.detail.xhr.status === 401 && event.detail.requestConfig.verb === "post") {
      tellEnd(event.detail.xhr.responseText);
      return;
    }
    event.detail.shouldSwap = true;
  }
  // A page that is swapped in may be in another language.
  const lang = /<html lang="([a-z]+)"/.exec(event.detail.xhr.responseText);
  if (lang) document.documentElement.lang = lang[1];
  if (region.id !== "live" || !event.detail.shouldSwap) return;
  const etag = event.detail.xhr.getResponseHeader("ETag");
  if (etag) region.dataset.etag = etag;
  if (!isBusy(region)) return;
  waiting = event.detail.xhr.responseText;
  event.detail.shouldSwap = false;
  tellNews();
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("#news button") || waiting === null) return;
  const words = waiting;
  waiting = null;
  tellNews();
  document.getElementById("main").focus();
  htmx.swap(live(), words, {swapStyle: "innerHTML"});
});

// -- keyboard

const OFF = "ratings-sync.keys-off";
let went = 0; // when g was pressed

function areKeysOn() {
  try { return localStorage.getItem(OFF) === null; } catch { return true; }
}

function rows() {
  return [...document.querySelectorAll("main tbody tr")];
}

function here() {
  return document.activeElement.closest?.("main tbody tr") ?? null;
}

function step(by) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.indexOf(here());
  const row = all[Math.min(all.length - 1, Math.max(0, at === -1 ? 0 : at + by))];
  row.tabIndex = -1;
  row.focus();
}

function choose() {
  const row = here();
  if (!row) return;
  const box = row.querySelector("input[type=checkbox]");
  if (box) box.checked = !box.checked;
  row.classList.toggle("chosen", box ? box.checked : undefined);
}

function press(key) {
  const row = here();
  const button = (row ?? document).querySelector(`[data-key="${key}"]`) ??
    document.querySelector(`main [data-key="${key}"]`);
  if (button) button.click();
  return button !== null;
}

function go(key) {
  const link = document.querySelector(`nav a[data-go="${key}"]`);
  if (link) link.click();
  return link !== null;
}

function showKeys() {
  const list = document.getElementById("keys");
  document.getElementById("keys-on").checked = areKeysOn();
  list.showModal();
}

const KEYS = {
  "/": () => document.querySelector("[data-search], input[type=search]")?.focus(),
  "j": () => step(1),
  "k": () => step(-1),
  "x": choose,
  "r": () => press("r"),
  "d": () => press("d"),
  "g": () => { went = Date.now(); },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, select, textarea, dialog")) return;
  // The list stays there, so that the keys can be switched on again.
  if (event.key === "?") { event.preventDefault(); showKeys(); return; }
  if (!areKeysOn()) return;
  if (event.key === "Enter" && event.target === here()) {
    here().querySelector("a[href]")?.click();
    return;
  }
  if (Date.now() - went < 1500 && /^[a-z]$/.test(event.key)) {
    went = 0;
    if (go(event.key)) event.preventDefault();
    return;
  }
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("change", (event) => {
  if (event.target.id !== "keys-on") return;
  try {
    if (event.target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "yes");
  } catch { /* nothing is kept here: the keys stay on */ }
});

// -- forms: a second click sends nothing; the server does nothing twice anyway

document.addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("button:not([type=button])")) {
    if (event.target.method === "post") setTimeout(() => { button.disabled = true; }, 0);
  }
});
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button:disabled")) button.disabled = false;
});
