"""From a file to embeddings: sampling, and what each channel sees in the frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from detector.descriptors import Descriptor
from detector.faces import SHORT_SIDE as FACES_SIDE
from detector.faces import FaceWatch
from detector.matching import Views, pool
from detector.media import (
    CHANGED,
    Frame,
    Guess,
    Layout,
    Part,
    Sampler,
    change,
    find_layout,
    find_shots,
    is_uniform,
    look_of,
    probe,
    rate_for,
    trim_borders,
)
from detector.remote import Media
from detector.settings import Settings
from detector.types import Channel, Fault, FrameCounts
from index.embeddings import Embeddings

_BATCH = 32
_WINDOW = 24  # frames that the layout is told from; fewer only at the start of a file
_NEGATIVES = 4  # frames of a batch that are also looked at as negatives
_GLANCES = 2  # frames that a guessed part is looked at in, before it is in all
_CLOSELY = 1.5  # of the descriptor's side: insets are to have some pixels of their own
_SELDOM = 0.99  # seconds after which a frame is described for a shot, even if it is as before
_ALIKE = 0.7  # intersection over union from which two parts are one
_APART = 0.3  # up to which two parts that resemble a work are in different places
_SAME_AREA = 0.06  # a part that is the picture without its borders is no view of its own
# The last frame may end this much before the file says it does, or this share of it.
_MISSING_SECONDS, _MISSING_SHARE = 1.0, 0.02

OnProgress = Callable[[float, float | None], None]
"""Called with the seconds of video read so far, and with its duration if that is known."""

Nearest = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Tells for vectors of the copy channel, [n, dim], how similar the nearest frame of a work is."""

Window = tuple[float, float]
"""A stretch of a video, from and to, in seconds."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Glances:
    """What the copy channel saw in passing, and did not look at closely.

    Attributes
    ----------
    vectors
        float32 [n, dim], each of length 1.
    limits
        float32 [n]: a work that is more similar than this deserves a closer look.
    """

    vectors: npt.NDArray[np.float32]
    limits: npt.NDArray[np.float32]

    @classmethod
    def joined(cls, several: Sequence[Glances]) -> Glances:
        """Take several together: at least one, of one width."""
        return cls(
            np.concatenate([one.vectors for one in several]),
            np.concatenate([one.limits for one in several]),
        )

    @classmethod
    def with_limit(cls, vectors: npt.NDArray[np.float32], limit: float) -> Glances:
        """Give all the same limit."""
        return cls(vectors, np.full(len(vectors), limit, np.float32))

    def deserve(self, nearest: Nearest) -> bool:
        """Whether a work is so similar to one of them that the video has to be looked at again."""
        return bool(len(self.limits)) and bool((nearest(self.vectors) > self.limits).any())


@dataclass(frozen=True, slots=True)
class Described:
    """What all channels see in a video."""

    views: Mapping[Channel, Views]  # frames; not of the semantic channel, which sees shots
    shots: Embeddings | None  # what the semantic channel sees; None: it did not look
    negatives: Embeddings | None  # a few frames, light and dark exchanged, in the copy channel
    glances: Glances | None  # None: the copy channel did not look for what is hidden
    duration: float  # seconds
    frames: FrameCounts
    interval: float  # seconds between two samples
    windows: Sequence[Window] | None  # stretches that were described, None if all was
    problem: str | None  # what could not be read, None if all was
    fault: Fault | None  # why not, where that has a name
    timings: Mapping[str, float]  # seconds of work by stage

    def embeddings(self, channel: Channel) -> Embeddings:
        """Return what a channel sees in the frames as wholes, or in the shots."""
        if channel is Channel.SEMANTIC and self.shots is not None:
            return self.shots
        views = self.views[channel]
        return Embeddings(views.vectors[views.first_rows()], views.times)


@dataclass(slots=True)
class _Rows:
    """Vectors and the frames they belong to, as they come."""

    vectors: list[npt.NDArray[np.float32]] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)

    def add(self, descriptor: Descriptor, images: list[Picture], frames: list[int]) -> None:
        if images:
            self.vectors.append(descriptor.describe(images))
            self.frames += frames

    def views(self, times: list[float], dim: int) -> Views:
        vectors = np.concatenate([np.empty((0, dim), np.float32), *self.vectors])
        frames = np.array(self.frames, np.int64)
        order = np.argsort(frames, kind="stable")
        return Views(np.array(times), vectors[order], frames[order])


class _Shots:
    """What the semantic channel sees in the frames, as they come."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._vectors = [np.empty((0, descriptor.dim), np.float32)]
        self._numbers: list[int] = []  # of the frames that were described
        self._described_at = -np.inf
        self._changes: list[float] = []
        self._last: npt.NDArray[np.float32] | None = None

    def add(self, images: list[Picture], times: list[float]) -> None:
        """Take the next frames. Of what hardly changes one each second is described."""
        chosen = []
        for image, time_s in zip(images, times, strict=True):
            look = look_of(image)
            step = 1.0 if self._last is None else change(self._last, look)
            if step >= CHANGED or time_s >= self._described_at + _SELDOM:
                self._numbers.append(len(self._changes))
                chosen.append(image)
                self._described_at = time_s
            self._changes.append(step)
            self._last = look
        if chosen:
            self._vectors.append(self._descriptor.describe(chosen))

    def finish(self, times: list[float], interval: float, duration: float) -> Embeddings:
        """Return the shots of all frames that were added; these are their times."""
        moments = np.array(times, np.float64)
        shots = find_shots(np.array(self._changes, np.float32), moments, interval)
        vectors, numbers = np.concatenate(self._vectors), np.array(self._numbers, np.int64)
        return pool(vectors, numbers, moments, shots, interval, duration)


def describe(
    media: Media,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    on_progress: OnProgress | None = None,
    *,
    closely: bool = False,
    negative: bool = False,
    watch: FaceWatch | None = None,
    nearest: Nearest | None = None,
    share: float = 1.0,
    windows: Sequence[Window] | None = None,
    open_sampler: Callable[..., Sampler] = Sampler,
) -> Described:
    """Sample a video and describe its frames; decoding runs beside describing.

    Memory is bounded whatever the length: frames live in two batches, only vectors are kept.

    Parameters
    ----------
    closely
        Whether the copy channel also looks at parts of frames that show footage of their own, and
        at the negatives of a few frames: for uploads, where people hide what they took.
    negative
        Describe the negative of every frame.
    watch
        Is shown the frames as well, larger than the descriptors need them.
    nearest
        For looking closely: what may be a part is described if a glance at it resembles a work;
        without this only what is a part for sure.
    share
        Of the frames that are sampled otherwise: 0.25 takes every fourth.
    windows
        Stretches of the video to describe, rising and apart from each other; None: all of it.
    open_sampler
        What reads the frames, with the parameters of `Sampler`.

    Raises
    ------
    UnreadableMediaError
        When the file gives no frame.
    """
    info = probe(media, settings.limits)
    rate = rate_for(info.duration, settings.rate) * share
    side = round(settings.copy_size * (_CLOSELY if closely or negative else 1))
    largest = side if watch is None else max(side, FACES_SIDE)
    sampler = open_sampler(media, rate, largest, settings.limits, windows)
    timings = {"decode": 0.0, "layout": 0.0, "describe": 0.0}
    times: list[float] = []
    rows = {channel: _Rows() for channel in descriptors if channel is not Channel.SEMANTIC}
    shots = None
    if Channel.SEMANTIC in descriptors:
        shots = _Shots(descriptors[Channel.SEMANTIC])
    closer = None
    if closely and Channel.COPY in descriptors:
        closer = _Closer(descriptors[Channel.COPY], rows[Channel.COPY], settings, nearest)
    sampled = 0
    for batch, seconds in _batches(sampler):
        timings["decode"] += seconds
        sampled += len(batch)
        if watch is not None:
            watch.look(batch)
        started = time.perf_counter()
        pictures = [_scaled_down(frame, side) for frame in batch]
        kept = [frame for frame in pictures if not is_uniform(frame.image)]
        numbers = list(range(len(times), len(times) + len(kept)))
        times += [frame.time for frame in kept]
        images = [trim_borders(frame.image) for frame in kept] if descriptors else []
        if negative:
            images = [np.asarray(255 - image, np.uint8) for image in images]
        for channel, seen in rows.items():
            seen.add(descriptors[channel], images, numbers)
        if shots is not None:
            shots.add(images, [frame.time for frame in kept])
        if closer is not None and kept:
            closer.look([frame.image for frame in kept], images, numbers)
        timings["describe"] += time.perf_counter() - started
        if on_progress is not None:
            on_progress(batch[-1].time, info.duration)
    if watch is not None:
        watch.finish()
    negatives = glances = None
    if closer is not None:
        started = time.perf_counter()
        negatives, glances = closer.finish(times)
        timings["describe"] += time.perf_counter() - started - closer.seconds
        timings["layout"] = closer.seconds
    end = sampler.end or 0.0
    duration = max(end, info.duration or 0.0) if sampler.error is None else end
    return Described(
        views={channel: rows[channel].views(times, descriptors[channel].dim) for channel in rows},
        shots=None if shots is None else shots.finish(times, 1 / rate, duration),
        negatives=negatives,
        glances=glances,
        duration=duration,
        frames=FrameCounts(sampled, sampled - len(times), sampler.undecodable),
        interval=1 / rate,
        windows=windows,
        problem=_what_is_missing(sampler, info.duration if windows is None else None, 1 / rate),
        fault=sampler.fault,
        timings=timings,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """Frames that may show footage in parts of them."""

    pictures: list[Picture]
    trimmed: list[Picture]  # without plain borders
    numbers: list[int]
    parts: tuple[Part, ...]


class _Closer:
    """Looks for what is hidden in frames: footage in parts of them, and negatives.

    A layout mostly stays longer than a batch, so the parts found in one are looked at in the
    batches before and after it as well.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        rows: _Rows,
        settings: Settings,
        nearest: Nearest | None,
    ) -> None:
        self._descriptor = descriptor
        self._rows = rows
        self._settings = settings
        self._nearest = nearest
        self._negatives = _Rows()
        self._unlike: list[npt.NDArray[np.float32]] = []  # views of guesses that resemble no work
        self._held: list[_Seen] = []  # the last two batches
        self.seconds = 0.0  # spent on finding the layout

    def look(self, pictures: list[Picture], trimmed: list[Picture], numbers: list[int]) -> None:
        """Take the next frames; add views of the batch before them."""
        if self._settings.negative_similarity < 1:
            every = max(1, len(trimmed) // _NEGATIVES)
            picked = range(every // 2, len(trimmed), every)
            negatives = [np.asarray(255 - trimmed[i], np.uint8) for i in picked]
            self._negatives.add(self._descriptor, negatives, [numbers[i] for i in picked])
        started = time.perf_counter()
        window = [*(self._held[-1].pictures if self._held else []), *pictures]
        window = window[-max(_WINDOW, len(pictures)) :]
        # A few streams change their size on the way.
        alike = [one for one in window if one.shape == pictures[-1].shape]
        layout = find_layout(alike) if self._settings.parts else Layout()
        self.seconds += time.perf_counter() - started
        parts = (*layout.parts, *self._known(layout.guesses, alike))
        self._held.append(_Seen(pictures, trimmed, numbers, parts))
        if len(self._held) > 1:
            self._describe(self._held[-2], self._held)
        self._held = self._held[-2:]

    def finish(self, times: list[float]) -> tuple[Embeddings, Glances]:
        """Add views of the last frames; return what was seen in the negatives, and in passing."""
        if self._held:
            self._describe(self._held[-1], self._held)
        views = self._negatives.views(times, self._descriptor.dim)
        unlike = np.concatenate([views.vectors[:0], *self._unlike])
        glances = (
            Glances.with_limit(views.vectors, self._settings.negative_similarity),
            Glances.with_limit(unlike, self._settings.part_similarity),
        )
        return Embeddings(views.vectors, views.times[views.frames]), Glances.joined(glances)

    def _known(self, guesses: Sequence[Guess], pictures: Sequence[Picture]) -> list[Part]:
        """Return guessed parts that resemble a work at a glance: of those in one place the best.

        A picture in a wall, a window or a table on a test card has edges like an inset's, and to
        describe one in all frames takes as long as to describe these.
        """
        if self._nearest is None:
            return []
        views: list[Picture] = []
        owners: list[int] = []
        for number, guess in enumerate(guesses):
            every = max(1, len(guess.frames) // _GLANCES)
            for i in guess.frames[every // 2 :: every][:_GLANCES]:
                view = trim_borders(guess.part.of(pictures[i]))
                if not is_uniform(view):
                    views.append(view)
                    owners.append(number)
        if not views:
            return []
        vectors = self._descriptor.describe(views)
        similarity = np.full(len(guesses), -1.0, np.float32)
        np.maximum.at(similarity, owners, self._nearest(vectors))
        known: dict[int, Part] = {}
        for number in np.argsort(-similarity).tolist():
            part = guesses[number].part
            is_alike = similarity[number] > self._settings.part_similarity
            if is_alike and all(part.overlap(other) < _APART for other in known.values()):
                known[number] = part
        self._unlike.append(vectors[[owner not in known for owner in owners]])
        return list(known.values())

    def _describe(self, seen: _Seen, around: list[_Seen]) -> None:
        parts: list[Part] = []
        for one in around:
            parts += [part for part in one.parts if all(part.overlap(p) < _ALIKE for p in parts)]
        for part in parts:
            views = [trim_borders(part.of(picture)) for picture in seen.pictures]
            shown = [
                i
                for i, (view, whole) in enumerate(zip(views, seen.trimmed, strict=True))
                if abs(view.size - whole.size) >= _SAME_AREA * whole.size and not is_uniform(view)
            ]
            self._rows.add(
                self._descriptor, [views[i] for i in shown], [seen.numbers[i] for i in shown]
            )


def _batches(sampler: Sampler) -> Iterator[tuple[list[Frame], float]]:
    """Read batches of frames one ahead, each with the seconds that decoding it took."""
    frames = iter(sampler)

    def read() -> tuple[list[Frame], float]:
        started = time.perf_counter()
        return list(islice(frames, _BATCH)), time.perf_counter() - started

    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        ahead = pool.submit(read)
        while True:
            batch, seconds = ahead.result()
            if not batch:
                return
            ahead = pool.submit(read)
            yield batch, seconds


def _scaled_down(frame: Frame, short_side: int) -> Frame:
    """Return a frame no larger than the descriptors need it."""
    height, width = frame.image.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return frame
    size = (round(width * scale), round(height * scale))
    image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    return Frame(frame.time, np.asarray(image, np.uint8))


def _what_is_missing(sampler: Sampler, duration: float | None, interval: float) -> str | None:
    problems = []
    if sampler.error is not None:
        problems.append(sampler.error)
    if sampler.undecodable:
        problems.append(f"{sampler.undecodable} packets could not be decoded")
    end = sampler.end or 0.0
    if duration is not None:
        allowed = max(_MISSING_SECONDS, 2 * interval, _MISSING_SHARE * duration)
        if end < duration - allowed:
            problems.append(f"frames end at {end:.1f} s of {duration:.1f} s")
    return "; ".join(problems) or None
