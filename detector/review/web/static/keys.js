// What several scripts ask of a key. Nothing happens here when it is loaded: scripts that import it
// name it without the version that pages do, and a script is run once for every name.

/** Whether a key is meant for something that is typed into, or for the browser. */
export function isTaken(event) {
  const inField = event.target.closest?.("input, textarea, select, [contenteditable]");
  const isBox = ["checkbox", "radio", "button", "submit"].includes(event.target.type);
  return event.ctrlKey || event.altKey || event.metaKey || (inField && !isBox) ||
    document.querySelector("dialog[open]") !== null;
}
