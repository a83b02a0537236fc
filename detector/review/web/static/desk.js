// What every page has: preferences, the list of keys, and forms that are not sent twice.

import { isTaken } from "./keys.js";

const root = document.documentElement;

/** Keep a preference in this browser, and apply it. */
function prefer(name, value) {
  root.dataset[name] = value;
  try {
    localStorage.setItem(`matchcut.${name}`, value);
  } catch {
    // It holds until the page is left.
  }
  document.dispatchEvent(new CustomEvent("preference", { detail: { name, value } }));
}

for (const box of document.querySelectorAll("[data-preference]")) {
  const name = box.dataset.preference;
  if (box.type === "checkbox") {
    box.checked = root.dataset[name] === "on";
    box.addEventListener("change", () => prefer(name, box.checked ? "on" : "off"));
  } else {
    box.value = root.dataset[name] ?? "auto";
    box.addEventListener("change", () => prefer(name, box.value));
  }
}

const keys = document.querySelector("#keys");
let cameFrom = null; // what had the focus before a key opened something
document.querySelector("[data-show-keys]")?.addEventListener("click", () => keys.showModal());

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details.menu[open], .decide details[open]")) {
      open.open = false;
      const summary = open.querySelector("summary");
      if (cameFrom === document.body) document.activeElement.blur();
      else (cameFrom?.isConnected ? cameFrom : summary).focus();
      cameFrom = null;
    }
    return;
  }
  if (isTaken(event)) return;
  if (event.key === "?" && keys) {
    keys.showModal();
    event.preventDefault();
  } else if (event.key === "g") {
    document.querySelector(".top nav a")?.focus();
  } else {
    // A key that stands on a link or button of the page does what that does.
    const name = CSS.escape(event.key);
    const wanted = document.querySelector(`[data-key="${name}"]:not(:disabled)`);
    if (wanted === null) return;
    event.preventDefault();
    if (wanted.matches("summary")) {
      cameFrom ??= document.activeElement;
      wanted.focus();
    }
    wanted.click();
  }
});

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.menu[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// Decisions are not made twice by an impatient second click.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.target.dataset.sent !== undefined) {
    event.preventDefault();
    return;
  }
  const ask = event.submitter?.dataset.confirm;
  if (ask && !confirm(ask)) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A blurred picture is shown when somebody clicks it, or while it has the focus.
function letFocus() {
  for (const picture of document.querySelectorAll("img.seen")) {
    if (root.dataset.blur === "on") picture.tabIndex = 0;
    else picture.removeAttribute("tabindex");
  }
}
letFocus();
document.addEventListener("preference", letFocus);
document.addEventListener("click", (event) => {
  if (root.dataset.blur !== "on") return;
  if (event.target.matches("img.seen")) event.target.classList.toggle("shown");
});
