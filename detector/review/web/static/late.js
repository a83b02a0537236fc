// Parts of a page that take a while are fetched when the rest is there; in the place of a picture
// that cannot be had stands why.

for (const place of document.querySelectorAll("[data-from]")) {
  fetch(place.dataset.from, { headers: { Accept: "text/html" } })
    .then(async (answer) => {
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      place.innerHTML = await answer.text();
    })
    .catch(() => {
      place.textContent = "This could not be read just now: open the page again.";
    });
}

/** Say why there is no picture, in the words of the desk. */
async function explain(picture) {
  const text = document.createElement("p");
  text.className = "no-picture";
  text.textContent = "This picture cannot be shown.";
  picture.replaceWith(text);
  try {
    const answer = await fetch(picture.src);
    if (!answer.ok) text.textContent = (await answer.json()).error.message;
  } catch {
    // The sentence above stands.
  }
}

for (const picture of document.querySelectorAll("img.seen")) {
  picture.addEventListener("error", () => explain(picture), { once: true });
  const hasFailed = picture.complete && picture.currentSrc && picture.naturalWidth === 0;
  if (hasFailed) explain(picture);
}
