// Both videos in step: the upload leads, the reference follows through the segments.

import { isTaken } from "./keys.js";

const STEP = 1 / 25; // seconds: films have 24 to 30 frames a second
const SOFT = 0.03; // seconds of drift that nobody sees
const HARD = 0.1; // seconds of drift from which the reference is put where it belongs
const PATIENCE = 700; // milliseconds between two such jumps while playing
const upload = document.querySelector("#upload");
const reference = document.querySelector("#reference"); // none beside a person
const buttons = [...document.querySelectorAll("[data-segment]")];
const segments = buttons.map((button) => ({
  start: Number(button.dataset.start),
  end: Number(button.dataset.end),
  ref: Number(button.dataset.ref),
  speed: Number(button.dataset.speed || 1),
}));
const drawing = document.querySelector("svg.aligned");
const play = document.querySelector("#play");
let current = 0; // number of the segment that is or was played last
let jumped = -Infinity; // when the reference was last put somewhere while playing
let latency = 0.1; // seconds that takes, of late

/** The segment that holds a time of the upload: the current one if it does. */
function segmentAt(time) {
  const holds = ({ start, end }) => start - 0.001 <= time && time <= end + 0.001;
  if (segments[current] && holds(segments[current])) return current;
  return segments.findIndex(holds);
}

/** Where the reference is to be when the upload is at a time, in segment `n`. */
function mapped(time, n) {
  const { start, ref, speed } = segments[n];
  return ref + (time - start) * speed;
}

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

/** Put the reference where the upload is; while playing by speed as far as that will do. */
function follow() {
  const time = upload.currentTime;
  const n = segmentAt(time);
  show(time, n);
  if (!reference) return;
  if (n < 0) {
    reference.pause();
    return;
  }
  current = n;
  const wanted = mapped(time, n);
  const drift = wanted - reference.currentTime;
  const speed = upload.playbackRate * segments[n].speed;
  const isPlaying = !upload.paused && !upload.ended && upload.readyState > 2;
  if (!reference.seeking) {
    if (!isPlaying) {
      if (Math.abs(drift) > SOFT / 3) reference.currentTime = wanted;
    } else if (Math.abs(drift) > HARD && performance.now() - jumped > PATIENCE) {
      // By when it is there, the upload will have gone on; the speed makes up for the rest.
      jumped = performance.now();
      reference.currentTime = wanted + latency * speed;
    }
  }
  const correction = Math.abs(drift) > SOFT ? Math.max(-0.2, Math.min(0.2, 2 * drift)) : 0;
  reference.playbackRate = Math.max(0.0625, Math.min(16, speed * (1 + correction)));
  if (isPlaying && reference.paused) reference.play().catch(() => {});
  if (!isPlaying && !reference.paused) reference.pause();
}

/** Say where both are. */
function show(time, n) {
  document.querySelector("#upload-at").textContent = clock(time);
  for (const [number, button] of buttons.entries()) {
    button.setAttribute("aria-pressed", String(number === n));
  }
  if (reference) {
    document.querySelector("#reference-at").textContent =
      n < 0 ? "–" : clock(mapped(time, n));
    document.querySelector("#outside").hidden = n >= 0;
  }
  if (!drawing) return;
  const place = (side, at) => {
    const line = drawing.querySelector(`.playhead.${side}`);
    if (!line) return;
    const { start, end, width } = views[side];
    const x = ((at - start) / (end - start)) * width;
    const shown = Number.isFinite(x) && x >= 0 && x <= width ? `${x}%` : "-9%";
    line.setAttribute("x1", shown);
    line.setAttribute("x2", shown);
  };
  place("upload", time);
  place("work", n < 0 ? NaN : mapped(time, n));
}

const views = drawing ? JSON.parse(drawing.dataset.views) : {};

/** Go to the beginning of a segment. */
function jump(n) {
  if (!segments[n]) return;
  current = n;
  upload.currentTime = segments[n].start + 0.001;
}

function toggle() {
  if (upload.paused) upload.play().catch(() => {});
  else upload.pause();
}

function seek(time) {
  const length = Number.isFinite(upload.duration) ? upload.duration : Infinity;
  upload.currentTime = Math.max(0, Math.min(length, time));
}

function step(count) {
  upload.pause();
  seek(upload.currentTime + count * STEP);
}

/** Say why a video cannot be played, in the words of the desk. */
async function explain(video) {
  const veil = video.parentElement.querySelector("[data-waits]");
  veil.hidden = false;
  veil.textContent = "This video cannot be played.";
  try {
    const answer = await fetch(video.currentSrc || video.src, { headers: { Range: "bytes=0-0" } });
    if (!answer.ok) veil.textContent = (await answer.json()).error.message;
  } catch {
    // The sentence above stands.
  }
}

function mute() {
  const isMuted = document.documentElement.dataset.mute !== "off";
  upload.muted = isMuted; // of two sounds at once nothing could be heard: the reference has none
  if (reference) reference.muted = true;
}

for (const video of [upload, reference]) {
  if (!video) continue;
  video.addEventListener("error", () => explain(video));
  const ready = () => {
    video.parentElement.querySelector("[data-waits]").hidden = true;
  };
  if (video.readyState > 1) ready();
  else video.addEventListener("loadeddata", ready, { once: true });
  if (video.error) explain(video);
}

if (upload) {
  mute();
  document.addEventListener("preference", mute);
  const frames = "requestVideoFrameCallback" in upload;
  const onFrame = () => {
    follow();
    if (frames) upload.requestVideoFrameCallback(onFrame);
  };
  if (frames) upload.requestVideoFrameCallback(onFrame);
  for (const name of ["timeupdate", "seeking", "seeked", "play", "pause", "ended", "ratechange"]) {
    upload.addEventListener(name, follow);
  }
  reference?.addEventListener("loadedmetadata", follow);
  reference?.addEventListener("seeked", () => {
    const taken = (performance.now() - jumped) / 1000;
    if (taken < 1) latency = 0.5 * latency + 0.5 * taken;
    follow();
  });
  for (const name of ["play", "pause", "ended"]) {
    upload.addEventListener(name, () => {
      play.firstElementChild.textContent = upload.paused ? "Play" : "Pause";
    });
  }
  play.addEventListener("click", toggle);
  document.querySelector("#back").addEventListener("click", () => step(-1));
  document.querySelector("#forth").addEventListener("click", () => step(1));
  document.querySelector("#rate").addEventListener("change", (event) => {
    upload.playbackRate = Number(event.target.value);
  });
  for (const [n, button] of buttons.entries()) button.addEventListener("click", () => jump(n));
  document.addEventListener("click", (event) => {
    // After a click with the mouse the space bar is to play again.
    if (event.detail) event.target.closest(".case button")?.blur();
  });
  for (const button of document.querySelectorAll("[data-at]")) {
    button.addEventListener("click", () => {
      upload.pause();
      current = Number(button.dataset.of || 0);
      seek(Number(button.dataset.at));
    });
  }
  drawing?.addEventListener("click", (event) => {
    const bands = [...drawing.querySelectorAll(".band")];
    const band = bands.indexOf(event.target);
    if (band >= 0) {
      jump(band);
      return;
    }
    const box = drawing.getBoundingClientRect();
    const x = (100 * (event.clientX - box.left)) / box.width;
    const timeOn = ({ start, end, width }) => start + (x / width) * (end - start);
    if (reference && event.clientY > box.top + box.height / 2) {
      const time = timeOn(views.work);
      const n = segments.findIndex(
        ({ start, end, ref, speed }) => time >= ref && time <= ref + (end - start) * speed,
      );
      if (n < 0) return;
      current = n;
      seek(segments[n].start + (time - segments[n].ref) / segments[n].speed);
    } else {
      seek(timeOn(views.upload));
    }
  });
  document.addEventListener("keydown", (event) => {
    if (isTaken(event) || document.querySelector(".decide details[open]")) return;
    const isButton = event.target.closest("button, a, summary");
    if (event.key === " " && !isButton) toggle();
    else if (event.key === ",") step(-1);
    else if (event.key === ".") step(1);
    else if (/^[1-9]$/.test(event.key)) jump(Number(event.key) - 1);
    else return;
    event.preventDefault();
  });
  if (upload.dataset.open) {
    // A pair of frames shows what was found; a segment's very beginning is often a frame too early.
    const begin = () => {
      current = Number(upload.dataset.of);
      seek(Number(upload.dataset.open));
    };
    if (upload.readyState > 0) begin();
    else upload.addEventListener("loadedmetadata", begin, { once: true });
  }
}
