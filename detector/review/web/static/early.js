// Before anything is drawn: how this reviewer wants to see things. Kept in this browser alone.
(() => {
  const root = document.documentElement;
  for (const name of ["theme", "blur", "grey", "mute"]) {
    let value = null;
    try {
      value = localStorage.getItem(`matchcut.${name}`);
    } catch {
      // A browser that keeps nothing has the defaults.
    }
    if (value === null && name === "mute") value = "on";
    if (value !== null) root.dataset[name] = value;
  }
})();
