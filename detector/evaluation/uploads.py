"""Edited uploads with ground truth, made from anybody's clips: what the benchmark scans.

An upload is planned first and made afterwards. A plan is plain data, drawn from a seed: which
pieces of which clips follow one another, which family of edits is applied at which strength. On
one machine the same clips and the same seed make the same files, and files that were made are
kept, so that a second run begins at once.
"""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from detector.evaluation.edits import FAMILIES, Edited, Family, Strength
from detector.evaluation.generated import GENERATED, static_shot
from detector.evaluation.metrics import Box
from detector.media import grab, probe
from detector.samples import (
    Cut,
    Edit,
    Picture,
    TimedPicture,
    footage,
    letterboxed,
    resized,
    write_clip,
)

LINES = 360  # of the uploads, at most
UNEDITED = "none"
STRUCTURES = ("reordered", "short-segment", "two-works")
"""Families that change which footage follows which, beside those that change pictures."""

_VERSION = 3  # of the files; to be raised when the same plan makes other ones
_STILL = "static-shot"
_SHORTEST, _LONGEST = 3.0, 20.0  # seconds of a copied piece
_GENERATED_SIZE = (640, 360)
_GENERATED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Clip:
    """Footage that uploads are made of."""

    path: Path
    duration: float  # seconds

    @property
    def ref_id(self) -> str:
        return self.path.stem


@dataclass(frozen=True, slots=True)
class Piece:
    """An interval of a clip, or footage that nobody filmed, in an upload."""

    source: str  # path of a clip, or a name of `GENERATED`
    start: float  # seconds
    end: float
    kind: str  # "copy", "other", "still" or "generated"


_WITH_OTHERS = ("stack", "picture-in-picture")  # families that show other clips beside


@dataclass(frozen=True, slots=True)
class Plan:
    """How an upload is made."""

    query_id: str
    family: str
    strength: Strength
    seed: int  # of what the edits draw
    pieces: tuple[Piece, ...]
    edits_all: bool  # the edits concern the whole upload, not its copies alone
    others: tuple[str, ...] = ()  # clips that stacks and insets may show beside

    @property
    def is_negative(self) -> bool:
        return all(piece.kind != "copy" for piece in self.pieces)

    @property
    def shown(self) -> frozenset[str]:
        """File stems of all clips that it shows."""
        beside = self.others if self.family in _WITH_OTHERS else ()
        return frozenset(
            Path(source).stem for source in (*(piece.source for piece in self.pieces), *beside)
        )


@dataclass(frozen=True, slots=True)
class Upload:
    """A made upload and what is known of it."""

    plan: Plan
    path: Path
    truth: tuple[Box, ...]  # the copied intervals, in order of upload time
    words: str  # what was done, in words
    twins: frozenset[str] = frozenset()  # works that show the same as it does, under other ids


# --- which clips --------------------------------------------------------------------------------


def read_clips(paths: Sequence[Path]) -> list[Clip]:
    """Return the clips that say how long they are, in order of name, one of each file stem."""
    clips: dict[str, Clip] = {}
    for path in sorted(paths):
        duration = probe(path).duration
        if duration is not None and duration >= 1:
            clips.setdefault(path.stem, Clip(path, duration))
    return list(clips.values())


def split(
    clips: Sequence[Clip], seed: int, share: float, same: Sequence[frozenset[str]] = ()
) -> tuple[list[Clip], list[Clip]]:
    """Divide clips into protected ones and others.

    Parameters
    ----------
    share
        Of the clips, those that are protected.
    same
        Groups of file stems that show the same footage and so must not be divided.
    """
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        name = next((min(group) for group in same if clip.ref_id in group), clip.ref_id)
        groups.setdefault(name, []).append(clip)
    names = sorted(groups)
    random.Random(f"split {seed}").shuffle(names)
    protected: list[Clip] = []
    others: list[Clip] = []
    for name in names:
        wanted = len(protected) < share * (len(protected) + len(others) + 1)
        (protected if wanted else others).extend(groups[name])
    return protected, others


# --- plans --------------------------------------------------------------------------------------


def plan_copies(
    references: Sequence[Clip], others: Sequence[Clip], seed: int, per_cell: int
) -> list[Plan]:
    """Plan uploads that hold copies: `per_cell` for each family at each strength.

    About a third show one copied piece and nothing else; in the rest other footage goes before
    or after it. In about half of these the edits concern the whole upload.
    """
    plans = []
    turn = Turns(references, seed)
    for family in (UNEDITED, *FAMILIES, *STRUCTURES):
        for strength in Strength:
            for number in range(per_cell):
                query_id = f"{family}-{strength.name.lower()}-{number}"
                rng = random.Random(f"{seed} {query_id}")
                pieces = _STRUCTURED.get(family, _one_copy)(rng, turn, others, strength)
                edits_all = len(pieces) == 1 or rng.random() < 0.5
                plans.append(_plan(query_id, family, strength, rng, pieces, edits_all, others))
    return plans


def plan_negatives(others: Sequence[Clip], seed: int, count: int) -> list[Plan]:
    """Plan uploads that hold nothing protected.

    Six in ten show one or two pieces of other footage, half of them edited as copies are; one in
    ten a single frame standing still; the rest footage that nobody filmed.
    """
    plans = []
    turn = Turns(others, seed)
    generated = list(GENERATED)
    for number in range(count):
        rng = random.Random(f"{seed} negative {number}")
        family, strength, edits_all = UNEDITED, Strength.LIGHT, True
        if number % 10 < 6:
            pieces = [_interval(rng, turn.next(), "other") for _ in range(rng.choice((1, 1, 2)))]
            what = "footage"
            if rng.random() < 0.5:
                family, strength = rng.choice(list(FAMILIES)), rng.choice(list(Strength))
        elif number % 10 == 6:
            clip = turn.next()
            at = rng.uniform(0, max(0.0, clip.duration - 1))
            pieces = [Piece(os.fspath(clip.path), at, at + rng.uniform(4, 15), "still")]
            what = _STILL
        else:
            what = generated[(number // 10 * 3 + number % 10 - 7) % len(generated)]
            pieces = [Piece(what, 0.0, _GENERATED_SECONDS, "generated")]
        query_id = f"negative-{number}-{what}"
        plans.append(_plan(query_id, family, strength, rng, pieces, edits_all, others))
    return plans


def plan_generic_works(seed: int) -> list[Plan]:
    """Plan works of what films have in common: titles, a countdown, credits."""
    works = {"generic-opening": ("countdown", "title_card"), "generic-credits": ("credits",)}
    plans = []
    for work_id, names in works.items():
        rng = random.Random(f"{seed} {work_id}")
        pieces = [Piece(name, 0.0, _GENERATED_SECONDS, "generated") for name in names]
        plans.append(_plan(work_id, UNEDITED, Strength.LIGHT, rng, pieces, True, ()))
    return plans


def _plan(
    query_id: str,
    family: str,
    strength: Strength,
    rng: random.Random,
    pieces: Sequence[Piece],
    edits_all: bool,
    others: Sequence[Clip],
) -> Plan:
    beside = tuple(os.fspath(clip.path) for clip in rng.sample(list(others), min(3, len(others))))
    return Plan(query_id, family, strength, rng.getrandbits(32), tuple(pieces), edits_all, beside)


class Turns:
    """Deals clips in an order of their own, each once before any comes again."""

    def __init__(self, clips: Sequence[Clip], seed: int) -> None:
        self._rng = random.Random(f"turns {seed}")
        self._clips = list(clips)
        self._left: list[Clip] = []

    def next(self, least: float = 0.0) -> Clip:
        """Return the next clip of at least so many seconds; the longest if there is none."""
        for _ in range(2):
            for clip in reversed(self._left):
                if clip.duration >= least:
                    self._left.remove(clip)
                    return clip
            self._left = self._rng.sample(self._clips, len(self._clips))
        return max(self._clips, key=lambda clip: clip.duration)


def _interval(rng: random.Random, clip: Clip, kind: str, seconds: float | None = None) -> Piece:
    if seconds is None:  # half of the pieces under 8 s, as most reuse is short
        seconds = _SHORTEST * (_LONGEST / _SHORTEST) ** rng.random()
    seconds = min(seconds, clip.duration)
    start = rng.uniform(0, clip.duration - seconds)
    return Piece(os.fspath(clip.path), start, start + seconds, kind)


def filler(rng: random.Random, others: Sequence[Clip], seconds: float) -> list[Piece]:
    """Return pieces of other footage that last so long altogether."""
    pieces: list[Piece] = []
    while seconds > 0.5:
        pieces.append(_interval(rng, rng.choice(others), "other", min(seconds, 15.0)))
        seconds -= pieces[-1].end - pieces[-1].start
    return pieces


def _one_copy(
    rng: random.Random, turn: Turns, others: Sequence[Clip], strength: Strength
) -> list[Piece]:
    pieces = [_interval(rng, turn.next(), "copy")]
    if rng.random() < 0.65:
        where = rng.choice(("before", "after", "both"))
        if where != "after":
            pieces = [*filler(rng, others, rng.uniform(2, 8)), *pieces]
        if where != "before":
            pieces = [*pieces, *filler(rng, others, rng.uniform(2, 8))]
    return pieces


def _reordered(
    rng: random.Random, turn: Turns, others: Sequence[Clip], strength: Strength
) -> list[Piece]:
    """Cut one scene into two, three or five pieces and shuffle them."""
    count = (2, 3, 5)[strength]
    clip = turn.next(least=3.0 * count)
    seconds = min(clip.duration, rng.uniform(3.0, 5.0) * count)
    start = rng.uniform(0, clip.duration - seconds)
    step = seconds / count
    order = list(range(count))
    while order == sorted(order):
        rng.shuffle(order)
    source = os.fspath(clip.path)
    return [Piece(source, start + n * step, start + (n + 1) * step, "copy") for n in order]


def _short_segment(
    rng: random.Random, turn: Turns, others: Sequence[Clip], strength: Strength
) -> list[Piece]:
    """Hide three seconds in 20, 40 or 60 seconds of other footage."""
    length = (20.0, 40.0, 60.0)[strength]
    before = rng.uniform(2.0, length - 5.0)
    copied = _interval(rng, turn.next(least=3.0), "copy", 3.0)
    return [*filler(rng, others, before), copied, *filler(rng, others, length - 3.0 - before)]


def _two_works(
    rng: random.Random, turn: Turns, others: Sequence[Clip], strength: Strength
) -> list[Piece]:
    seconds = (8.0, 5.0, 3.0)[strength]
    one = _interval(rng, turn.next(), "copy", seconds)
    other = _interval(rng, turn.next(), "copy", seconds)
    between = filler(rng, others, rng.uniform(2, 6)) if rng.random() < 0.5 else []
    return [one, *between, other]


_STRUCTURED: dict[str, Callable[[random.Random, Turns, Sequence[Clip], Strength], list[Piece]]] = {
    "reordered": _reordered,
    "short-segment": _short_segment,
    "two-works": _two_works,
}


# --- making -------------------------------------------------------------------------------------


def make_all(
    plans: Sequence[Plan],
    folder: Path,
    on_made: Callable[[Plan], None] | None = None,
    families: Mapping[str, Family] = FAMILIES,
    version: int | str = _VERSION,
) -> list[Upload]:
    """Make the uploads of plans, one process a core; those that exist already are kept.

    Parameters
    ----------
    families
        What the names of families in the plans mean: functions of a module, as processes share
        them.
    version
        Another one for other families: the same plan of another version is another file.
    """
    uploads = []
    one = functools.partial(make, folder=folder, families=dict(families), version=version)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for upload in pool.map(one, plans):
            uploads.append(upload)
            if on_made is not None:
                on_made(upload.plan)
    return uploads


def make(
    plan: Plan,
    folder: Path,
    families: Mapping[str, Family] = FAMILIES,
    version: int | str = _VERSION,
) -> Upload:
    """Make one upload in a folder; the plan is a part of the file's folder name."""
    text = json.dumps([version, asdict(plan)], sort_keys=True)
    target = folder / hashlib.sha256(text.encode()).hexdigest()[:12] / f"{plan.query_id}.mp4"
    edited = _edited(plan, families)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(plan, edited, target)
    return Upload(plan, target, _truth(plan, edited), edited.words)


def _edited(plan: Plan, families: Mapping[str, Family]) -> Edited:
    if plan.family not in families:
        return Edited(words="as it is" if plan.family == UNEDITED else plan.family)
    rng = random.Random(plan.seed)

    def other_footage() -> Iterator[Picture]:
        paths = [Path(path) for path in plan.others]
        rng.shuffle(paths)
        while True:
            for path in paths:
                duration = probe(path).duration or 0.0
                start = rng.uniform(0, duration / 2)
                for _, picture in footage(Cut(path, start, duration)):
                    yield picture

    return families[plan.family](plan.strength, rng, other_footage)


def _speed(plan: Plan, edited: Edited, piece: Piece) -> float:
    return edited.speed if plan.edits_all or piece.kind == "copy" else 1.0


def _truth(plan: Plan, edited: Edited) -> tuple[Box, ...]:
    boxes = []
    at = 0.0
    for piece in plan.pieces:
        end = at + (piece.end - piece.start) / _speed(plan, edited, piece)
        if piece.kind == "copy":
            ref_id = Path(piece.source).stem
            boxes.append(Box(plan.query_id, ref_id, at, end, piece.start, piece.end))
        at = end
    return tuple(boxes)


def _write(plan: Plan, edited: Edited, target: Path) -> None:
    size = _canvas(plan)
    duration = sum((p.end - p.start) / _speed(plan, edited, p) for p in plan.pieces)
    pictures = _pictures(plan, edited, size)
    if edited.timing is not None:
        pictures = edited.timing(pictures)
    if edited.height is not None:
        pictures = _downscaled(pictures, edited.height)
    write_clip(
        target,
        pictures,
        crf=edited.crf,
        bit_rate=edited.bit_rate,
        end=duration,
        time_base=Fraction(1, 90_000),
    )


def _canvas(plan: Plan) -> tuple[int, int]:
    """Width and height of the upload: the shape of its first copy, else of its first piece."""
    first = next((piece for piece in plan.pieces if piece.kind == "copy"), plan.pieces[0])
    if first.kind == "generated":
        return _GENERATED_SIZE
    info = probe(Path(first.source))
    scale = min(1.0, LINES / min(info.width, info.height))
    return round(info.width * scale / 2) * 2, round(info.height * scale / 2) * 2


def _pictures(plan: Plan, edited: Edited, size: tuple[int, int]) -> Iterator[TimedPicture]:
    at, latest = 0.0, -1.0
    back: Edit = letterboxed(*size)
    for number, piece in enumerate(plan.pieces):
        applies = plan.edits_all or piece.kind == "copy"
        speed = _speed(plan, edited, piece)
        fit = letterboxed(*size) if piece.kind == "copy" else _filling(*size)
        for time, picture in _footage(piece, random.Random(f"{plan.seed} {number}"), size):
            shown = fit(picture)
            if applies:
                for edit in edited.edits:
                    shown = edit(shown)
                if not plan.edits_all:
                    shown = back(shown)
            # Some clips give two frames one time, and pieces meet at times that are rounded.
            if at + time / speed > latest + 1e-3:
                latest = at + time / speed
                yield latest, shown
        at += (piece.end - piece.start) / speed


def _footage(piece: Piece, rng: random.Random, size: tuple[int, int]) -> Iterator[TimedPicture]:
    seconds = piece.end - piece.start
    if piece.kind == "generated":
        return iter(GENERATED[piece.source](rng, seconds, size=size))
    if piece.kind == "still":
        (picture,) = grab(Path(piece.source), [piece.start], LINES)
        return iter(static_shot(rng, seconds, picture, size=size))
    return footage(Cut(Path(piece.source), piece.start, piece.end))


def _filling(width: int, height: int) -> Edit:
    """Scale to fill a size, cutting off what is too much."""

    def edit(picture: Picture) -> Picture:
        scale = max(width / picture.shape[1], height / picture.shape[0])
        w, h = max(width, round(picture.shape[1] * scale)), round(picture.shape[0] * scale)
        large = resized(w, max(height, h))(picture)
        top, left = (large.shape[0] - height) // 2, (w - width) // 2
        return large[top : top + height, left : left + width]

    return edit


def _downscaled(pictures: Iterator[TimedPicture], height: int) -> Iterator[TimedPicture]:
    for time, picture in pictures:
        width = round(picture.shape[1] * height / picture.shape[0] / 2) * 2
        yield time, np.asarray(resized(width, height)(picture), np.uint8)
