// The queue by keys: j and k move from case to case, Enter (a link's own) opens.

import { isTaken } from "./keys.js";

const links = [...document.querySelectorAll(".queue .name a")];
const here = () => links.findIndex((link) => link.closest("tr").contains(document.activeElement));

document.addEventListener("keydown", (event) => {
  if (isTaken(event) || !links.length) return;
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (step !== undefined) {
    const at = here();
    const to = at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step));
    links[to].focus();
    links[to].closest("tr").scrollIntoView({ block: "nearest" });
    event.preventDefault();
  } else if (event.key === "/") {
    document.querySelector("[name=source]").focus();
    event.preventDefault();
  }
});

for (const field of document.querySelectorAll(".filters select")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

// On a small screen the cases come first.
if (matchMedia("(max-width: 44rem)").matches) document.querySelector("details.filters").open = false;
