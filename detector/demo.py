"""The demo: the main job on real clips, with what was planted beside what was found."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TextIO

from detector.batch import Batch, usual_workers
from detector.console import Files, say
from detector.descriptors import open_channels
from detector.inputs import Source
from detector.output import empty_table, outcome, print_table
from detector.pipeline import enroll
from detector.report import report_scan
from detector.samples import PlantedCopy, Sample, build_samples
from detector.settings import load_settings
from detector.text import clock
from detector.types import ScanResult, Segment
from index.reference_index import ReferenceIndex

_CLOSE = 1.0  # seconds that the ends of a found segment may be off


def run_demo(folder: Path, stream: TextIO) -> bool:
    """Build the samples, enrol, scan, print and write the report; True if all was found.

    Parameters
    ----------
    folder
        Gets ``films``, ``uploads``, ``home`` (the workspace, made anew) and ``report.html``.
    stream
        Where the result table goes.
    """
    started = time.monotonic()
    say("1/4 preparing clips: two films, edited copies of them, innocent clips")
    samples = build_samples(folder, progress=say)
    home = folder / "home"
    if home.exists():
        shutil.rmtree(home)
    settings = load_settings(home=home)
    say("2/4 enrolling the films")
    descriptors, notes = open_channels(settings)
    for note in notes:
        say(note)
    with ReferenceIndex.open(home) as index:
        with Files("adding", len(samples.films)) as files:
            for film in samples.films:
                source = Source(os.fspath(film))
                enrolled = enroll(
                    source, index, descriptors, settings, on_progress=files.watch(source)
                )
                files.done(source, f"added as {enrolled.work.id}")
        say("3/4 scanning the uploads")
        sources = [Source(os.fspath(upload.path)) for upload in samples.uploads]
        results = []
        with Files("scanning", len(sources)) as files:
            batch = Batch(index, descriptors, settings, workers=usual_workers())
            scanned = batch.run(sources, files.watch)
            for source, result in zip(sources, scanned, strict=True):
                files.done(source, outcome(result))
                results.append(result)
        say("4/4 writing the report")
        report = folder / "report.html"
        report_scan(report, results, index)
    is_right = _print_comparison(samples.uploads, results, stream)
    say(f"open {report} to see the evidence ({time.monotonic() - started:.0f} s in all)")
    return is_right


def _print_comparison(
    uploads: tuple[Sample, ...], results: list[ScanResult], stream: TextIO
) -> bool:
    """Print every planted copy with the segment that was found for it, and what else was found."""
    rows = empty_table("upload", "film", "upload time", "film time", "score", "as planted")
    is_right = True
    for upload, result in zip(uploads, results, strict=True):
        name = upload.path.name
        found = [
            (flag.match.ref_id, segment)
            for flag in result.flags
            if flag.verdict.is_flagged
            for segment in flag.match.segments
        ]
        for copy in upload.copies:
            hit = next((pair for pair in found if _is_copy(*pair, copy)), None)
            if hit is None:
                rows.add_row(name, copy.ref_id, "", "", "", "[red]missed[/]")
                is_right = False
                continue
            found.remove(hit)
            rows.add_row(name, *_cells(*hit), "yes")
        for extra in found:
            rows.add_row(name, *_cells(*extra), "[red]false[/]")
            is_right = False
        if not upload.copies and not found:
            rows.add_row(name, "none", "", "", "", "yes: silent")
    print_table(rows, stream)
    return is_right


def _is_copy(work_id: str, segment: Segment, copy: PlantedCopy) -> bool:
    differences = (
        segment.query_start - copy.query_start,
        segment.query_end - copy.query_end,
        segment.ref_start - copy.ref_start,
        segment.ref_end - copy.ref_end,
    )
    return work_id == copy.ref_id and max(map(abs, differences)) <= _CLOSE


def _cells(work_id: str, segment: Segment) -> tuple[str, str, str, str]:
    return (
        work_id,
        f"{clock(segment.query_start)} - {clock(segment.query_end)}",
        f"{clock(segment.ref_start)} - {clock(segment.ref_end)}",
        f"{segment.score:.2f}",
    )
