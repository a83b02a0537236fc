// How far a job is; when it is done the page is opened again, and shows what came of it.

const place = document.querySelector("[data-job]");
const bar = place.querySelector("progress");
const note = place.querySelector("[data-note]");

async function look() {
  try {
    const answer = await fetch(`/api/v1/jobs/${place.dataset.job}`);
    if (!answer.ok) return location.reload();
    const job = await answer.json();
    if (job.state === "done" || job.state === "failed") return location.reload();
    if (job.progress) bar.value = job.progress;
    note.textContent = job.note || (job.state === "waiting" ? "Waits for its turn" : "");
  } catch {
    note.textContent = "The desk cannot be reached just now.";
  }
  return setTimeout(look, 500);
}

if (["waiting", "running"].includes(place.dataset.state)) look();
