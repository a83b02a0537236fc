// Decisions by keys: the first opens an action's reasons (the browser's own <details>), a digit
// takes one of them. What is done after a decision is remembered in this browser.

import { isTaken } from "./keys.js";

const bar = document.querySelector(".decide");

document.addEventListener("keydown", (event) => {
  const open = bar?.querySelector("details[open]");
  if (!open || isTaken(event) || !/^[1-9]$/.test(event.key)) return;
  const reason = open.querySelectorAll("button[name=reason]")[Number(event.key) - 1];
  if (!reason) return;
  event.preventDefault();
  reason.click();
});

// The reasons of one action at a time, also where <details name> is not known.
for (const details of bar?.querySelectorAll("details") ?? []) {
  details.addEventListener("toggle", () => {
    if (!details.open) return;
    for (const other of bar.querySelectorAll("details[open]")) {
      if (other !== details) other.open = false;
    }
  });
}

const remembered = "matchcut.then-next";
for (const box of document.querySelectorAll("input[name=then_next]")) {
  box.checked = localStorage.getItem(remembered) !== "off";
  box.addEventListener("change", () => {
    localStorage.setItem(remembered, box.checked ? "on" : "off");
    for (const other of document.querySelectorAll("input[name=then_next]")) {
      other.checked = box.checked;
    }
  });
}
