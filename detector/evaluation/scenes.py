"""Uploads that recreate scenes of works without their pixels, and innocent ones drawn alike.

A look-alike is footage of a work, rendered anew by a family of `detector.evaluation.rerender`. For
every one there is an innocent upload of other footage, rendered by the same family at the same
strength: how something is drawn says nothing of whether it recreates a work. The same clips and the
same seed make the same files, as with `detector.evaluation.uploads`.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from detector.evaluation.edits import Strength
from detector.evaluation.rerender import RENDERINGS
from detector.evaluation.uploads import (
    UNEDITED,
    Clip,
    Piece,
    Plan,
    Turns,
    Upload,
    filler,
    make_all,
)

_VERSION = "scenes 1"  # of the files; to be changed when the same plan makes other ones


# --- plans --------------------------------------------------------------------------------------


def same_kind(stems: Collection[str], groups: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return the file stems of other clips that show the same kind of scene as one of these."""
    found = (group for group in groups if not group.isdisjoint(stems))
    return frozenset().union(*found).difference(stems)


def plan_scenes(
    references: Sequence[Clip],
    others: Sequence[Clip],
    seed: int,
    per_family: int,
    seconds: tuple[float, float] = (3.0, 8.0),
    kinds: Sequence[frozenset[str]] = (),
) -> list[Plan]:
    """Plan look-alikes of works, and as many innocent uploads in each of the same styles.

    Either shows one to three pieces of one clip, in its order or backwards, in about half of them
    with other footage before, between or after. All of an upload is drawn anew in one style. A
    look-alike's truth is in its pieces of the kind "copy": they recreate the work. Some innocent
    uploads more show footage as it was filmed.

    Parameters
    ----------
    others
        At least one clip of footage that nobody protects.
    per_family
        Look-alikes, and innocent uploads, of each family at each strength.
    seconds
        How short and how long a piece may be; shots of the family "combined" are cut shorter.
    kinds
        Groups of file stems that show the same kind of scene, such as people who talk to a camera,
        and not the same footage. Where one of a group is protected, the others of it are hard to
        tell from it: every second innocent upload shows one of these, if there are any.
    """
    protected = {clip.ref_id for clip in references}
    alike = [clip for clip in others if same_kind({clip.ref_id}, kinds) & protected]
    works, innocent = Turns(references, seed), (Turns(alike or others, seed), Turns(others, seed))
    cells = itertools.product((*RENDERINGS, UNEDITED), range(per_family), Strength)
    plans: list[Plan] = []
    for count, (family, number, strength) in enumerate(cells):
        sources = [("innocent", innocent[count % 2].next(), "other")]
        if family != UNEDITED:
            sources.insert(0, ("look-alike", works.next(), "copy"))
        for what, clip, kind in sources:
            query_id = f"{what}-{family}-{strength.name.lower()}-{number}"
            rng = random.Random(f"{seed} {query_id}")
            pieces = _scene(rng, clip, kind, seconds, shortened=family == "combined")
            beside = [other for other in others if other != clip] or list(others)
            shown = tuple(_among(rng, pieces, beside))
            lent = rng.sample(beside, min(3, len(beside)))  # whose detail "rebuild" puts in
            paths = tuple(os.fspath(other.path) for other in lent)
            plans.append(Plan(query_id, family, strength, rng.getrandbits(32), shown, True, paths))
    return plans


def _scene(
    rng: random.Random, clip: Clip, kind: str, seconds: tuple[float, float], shortened: bool
) -> list[Piece]:
    """Choose one to three pieces of a clip that do not overlap."""
    count = min(rng.choice((1, 1, 2, 3)), max(1, int(clip.duration / seconds[0])))
    longest = min(seconds[1], clip.duration / count)
    lengths = [rng.uniform(min(seconds[0], longest), longest) for _ in range(count)]
    spare = clip.duration - sum(lengths)
    skipped = sorted(rng.uniform(0, spare) for _ in lengths)
    source, pieces, used = os.fspath(clip.path), [], 0.0
    for length, skip in zip(lengths, skipped, strict=True):
        start, end = skip + used, min(skip + used + length, clip.duration)
        used += length
        shots = [(start, end)]
        if shortened:  # two shots, each without its ends
            middle, cut = (start + end) / 2, rng.uniform(0.05, 0.1) * length
            shots = [(start + cut, middle - cut), (middle + cut, end - cut)]
        pieces += [Piece(source, *shot, kind) for shot in shots]
    return pieces[::-1] if rng.random() < 0.3 else pieces


def _among(rng: random.Random, pieces: Sequence[Piece], others: Sequence[Clip]) -> list[Piece]:
    """Put other footage before, between or after pieces, or nowhere."""
    if rng.random() < 0.5:
        return list(pieces)
    places = set(rng.sample(range(len(pieces) + 1), rng.choice((1, 2))))
    among: list[Piece] = []
    for place in range(len(pieces) + 1):
        if place in places:
            among += filler(rng, others, rng.uniform(2, 5))
        among += pieces[place : place + 1]
    return among


# --- making -------------------------------------------------------------------------------------


def make_scenes(
    plans: Sequence[Plan], folder: Path, on_done: Callable[[Plan], None] | None = None
) -> list[Upload]:
    """Make the uploads of `plan_scenes`, one process a core; those that exist are kept."""
    return make_all(plans, folder, on_done, RENDERINGS, _VERSION)
