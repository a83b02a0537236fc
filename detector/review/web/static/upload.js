// Files that are dropped or chosen go up with a progress bar; the form's own answer says where to.

for (const form of document.querySelectorAll("form[data-upload]")) {
  const input = form.querySelector("input[type=file]");
  for (const name of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) {
        input.files = event.dataTransfer.files;
        if (form.dataset.upload === "at once") form.requestSubmit();
      }
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.dataset.sending !== undefined) return;
    const bar = form.querySelector("[data-progress]");
    const note = form.querySelector("[data-note]");
    const progress = form.querySelector("progress");
    const buttons = form.querySelectorAll("button");
    const request = new XMLHttpRequest();
    const end = (text) => {
      note.textContent = text;
      for (const button of buttons) button.disabled = false;
      delete form.dataset.sending;
    };
    bar.hidden = false;
    progress.value = 0;
    // A server that refuses what is too large closes the connection, and its reason may be lost.
    const most = Number(form.dataset.most || Infinity);
    if ([...input.files].reduce((sum, { size }) => sum + size, 0) > most) {
      end(`This is larger than the ${(most / 1e9).toPrecision(3)} GB that are taken at a time.`);
      return;
    }
    form.dataset.sending = "";
    note.textContent = "Sending";
    for (const button of buttons) button.disabled = true;
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      progress.value = loaded / total;
      note.textContent = loaded < total ? `Sending: ${Math.floor((100 * loaded) / total)} %` : "Sent";
    });
    request.addEventListener("load", () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // Then there is nothing but the status.
      }
      if (answer.location) location.assign(answer.location);
      else end(answer.error?.message ?? `This did not work (${request.status}).`);
    });
    request.addEventListener("error", () => end("The desk could not be reached: try again."));
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRF-Token", form.elements.csrf.value);
    request.send(new FormData(form));
  });
}
