"""One run of the benchmark: which clips, which uploads, and a scan of them all."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from detector.batch import Batch
from detector.console import Files, say
from detector.descriptors import open_channels
from detector.evaluation.metrics import Box
from detector.evaluation.uploads import (
    Clip,
    Upload,
    make_all,
    plan_copies,
    plan_generic_works,
    plan_negatives,
    read_clips,
    split,
)
from detector.inputs import InputError, Source, expand
from detector.media import UnreadableMediaError
from detector.pipeline import NothingToMatchError, enroll
from detector.settings import Settings, load_settings
from detector.types import ScanResult, Segment
from index.errors import IdTakenError
from index.reference_index import ReferenceIndex

_PROTECTED = 0.6  # share of the clips, where one folder gives both works and other footage


def choose_clips(
    clips: Path, distractors: Path | None, same: Sequence[str], seed: int
) -> tuple[list[Clip], list[Clip]]:
    """Return the clips to protect and those of other footage.

    Parameters
    ----------
    distractors
        Folder of other footage; if it is None, or that of the clips, the seed sets four in ten of
        the clips aside for that.
    same
        File stems that show the same footage, each group separated by commas.

    Raises
    ------
    ValueError
        When there are too few clips.
    """
    groups = [frozenset(group.split(",")) for group in same]
    references = read_clips([Path(source.name) for source in expand([os.fspath(clips)])])
    if distractors is None or distractors.resolve() == clips.resolve():
        references, others = split(references, seed, _PROTECTED, groups)
    else:
        others = read_clips([Path(source.name) for source in expand([os.fspath(distractors)])])
    if len(references) < 2 or not others:
        raise ValueError("this needs at least two clips to protect and one of other footage")
    return references, others


def make_set(
    references: Sequence[Clip],
    others: Sequence[Clip],
    seed: int,
    per_cell: int,
    negatives: int,
    folder: Path,
    same: Sequence[str] = (),
    families: Collection[str] = (),
) -> tuple[list[tuple[str, Path]], list[Upload]]:
    """Make the uploads; return the works to enrol, (id, file), and the uploads.

    `same` as in `choose_clips`, and also groups of which one shows other footage; `families` of
    edits to make copies with, all if none is named.
    """
    copies = plan_copies(references, others, seed, per_cell)
    plans = [plan for plan in copies if not families or plan.family in families]
    plans += plan_negatives(others, seed, negatives)
    generic = plan_generic_works(seed)
    with Files("making uploads", len(plans) + len(generic)) as files:
        made = make_all(
            [*plans, *generic], folder, lambda plan: files.done(Source(plan.query_id), plan.family)
        )
    works = [(clip.ref_id, clip.path) for clip in references]
    works += [(upload.plan.query_id, upload.path) for upload in made[len(plans) :]]
    groups = [set(group.split(",")) for group in same]
    return works, [_with_twins(upload, groups) for upload in made[: len(plans)]]


def _with_twins(upload: Upload, groups: Sequence[set[str]]) -> Upload:
    copied = {box.ref_id for box in upload.truth}
    shown = copied | upload.plan.shown
    twins = {name for group in groups if group & shown for name in group - shown}
    return replace(upload, twins=frozenset(twins))


def enroll_folder(folder: Path, settings: Settings, most: int | None = None) -> int:
    """Enrol the films of a folder, in order of name; return how many could be.

    Parameters
    ----------
    most
        Number of films after which no more are enrolled.
    """
    descriptors, _ = open_channels(settings)
    count = 0
    with ReferenceIndex.open(settings.home) as index:
        for film in expand([os.fspath(folder)]):
            try:
                enroll(film, index, descriptors, settings)
            except (IdTakenError, InputError, UnreadableMediaError, NothingToMatchError) as error:
                say(f"{film.name}: {error}")
                continue
            count += 1
            if count == most:
                break
    return count


def scan_all(
    works: Sequence[tuple[str, Path]],
    uploads: Sequence[Upload],
    home: Path,
    workers: int = 1,
    changes: Mapping[str, Any] | None = None,
) -> tuple[dict[str, ScanResult], dict[str, float]]:
    """Enrol works and scan uploads down to the lowest score.

    Parameters
    ----------
    workers
        Uploads scanned at the same time; with more than one the stages' seconds say little.
    changes
        Settings that differ from the usual, by name.

    Returns
    -------
    results
        By query id.
    timings
        Seconds of work by stage, of all uploads; and ``wall`` and ``video``, what they took and
        how long they are.
    """
    settings = load_settings(channels="copy", home=home, **(changes or {}))
    descriptors, _ = open_channels(settings)
    results: dict[str, ScanResult] = {}
    timings: dict[str, float] = {"video": 0.0}
    with ReferenceIndex.open(home) as index:
        with Files("enrolling", len(works)) as files:
            for work_id, path in works:
                source = Source(os.fspath(path))
                enroll(source, index, descriptors, settings, work_id=work_id)
                files.done(source, "enrolled")
        started = time.perf_counter()
        sources = [Source(os.fspath(upload.path)) for upload in uploads]
        with Files("scanning", len(uploads)) as files:
            batch = Batch(index, descriptors, settings, min_score=0.0, workers=workers)
            scanned = zip(sources, uploads, batch.run(sources, files.watch), strict=True)
            for source, upload, result in scanned:
                if result.reason is not None:
                    say(f"{source.name}: {result.reason}")
                results[upload.plan.query_id] = result
                for stage, seconds in result.timings.items():
                    timings[stage] = timings.get(stage, 0.0) + seconds
                timings["video"] += result.duration or 0.0
                files.done(source, result.verdict.value)
        timings["wall"] = time.perf_counter() - started
    return results, timings


def predicted(result: ScanResult, upload: Upload) -> list[tuple[Box, Segment]]:
    """Return the segments of a scan, as predictions; those of twins are neither right nor wrong."""
    return [
        (
            Box(
                upload.plan.query_id,
                flag.match.ref_id,
                segment.query_start,
                segment.query_end,
                segment.ref_start,
                segment.ref_end,
                segment.score,
            ),
            segment,
        )
        for flag in result.flags
        if flag.match.ref_id not in upload.twins
        for segment in flag.match.segments
    ]
