"""How commands scan: what with, what is told meanwhile, where results go."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from detector.commands.common import fail, today
from detector.console import say
from detector.descriptors import (
    OF_WORKS,
    Descriptor,
    DescriptorUnavailableError,
    named_channels,
    open_channels,
    space_of,
)
from detector.faces import FaceChannel
from detector.people import note_of_expired, open_faces, people_cipher
from detector.settings import Settings
from detector.types import Channel
from index.cipher import Cipher
from index.errors import WrongKeyError
from index.reference_index import ReferenceIndex

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from detector.batch import Batch
    from detector.cluster import ClusterBatch, Size
    from detector.commands.intake import CaseOpener
    from detector.inputs import Source
    from detector.scan_metrics import Watching
    from detector.types import ScanResult

_ADD_PERSON = "`matchcut people add NAME PHOTO`"


@dataclass(frozen=True, slots=True)
class Opened:
    """The channels of a scan, ready to run."""

    descriptors: dict[Channel, Descriptor]  # of the works' channels
    faces: FaceChannel | None
    cipher: Cipher | None  # of the enrolled faces; None if nobody looks at faces


def open_for_scan(index: ReferenceIndex, settings: Settings) -> Opened:
    """Load what can search this index; say on stderr which channels are off, and why."""
    named = named_channels(settings)
    faces = None
    if named is None or Channel.FACE in named:
        faces = _open_faces(index, settings, is_named=named is not None)
    enrolled = index.channels()
    if named is None and not enrolled:
        if faces is None:
            if index.people.all():
                fail("no channel can run: no works are enrolled, and channel face is off")
            fail(
                f"no works are enrolled in {settings.home}: `matchcut works add PATH` first, or "
                f"{_ADD_PERSON}"
            )
        say("no works are enrolled, so only people are looked for")
        descriptors: dict[Channel, Descriptor] = {}
    else:
        descriptors = _open_descriptors(index, settings, named, enrolled, faces is not None)
    cipher = None if faces is None else people_cipher(settings)
    return Opened(descriptors, faces, cipher)


@contextmanager
def on_cluster(
    address: str | None, workers: int | None, describers: int | None
) -> Iterator[Size | None]:
    """Be connected to a cluster, if there is to be one; say how many processes the work gets."""
    if address is None:
        if describers is not None:
            fail("--describers is for a cluster: give --on as well")
        yield None
        return
    from detector.cluster import connected, size_for

    with connected(address):
        size = size_for(workers, describers)
        more = f", {size.describers} to describe" if size.describers else ""
        say(f"on the Ray cluster: {size.workers} workers{more}")
        yield size


@contextmanager
def metered(file: Path | None, port: int | None) -> Iterator[Watching]:
    """Count results as `detector.scan_metrics.published` does, if that is shown anywhere."""
    if file is None and port is None:
        yield lambda results, more=0: iter(results)
        return
    from detector.scan_metrics import published

    with published(file, port, waiting=0) as watching:
        yield watching


def _open_descriptors(
    index: ReferenceIndex,
    settings: Settings,
    named: list[Channel] | None,
    enrolled: frozenset[str],
    has_faces: bool,
) -> dict[Channel, Descriptor]:
    if not enrolled and any(channel in OF_WORKS for channel in named or OF_WORKS):
        fail(f"no works are enrolled in {settings.home}: `matchcut works add PATH` first")
    try:
        descriptors, notes = open_channels(settings, among=enrolled)
    except DescriptorUnavailableError as error:
        if named is not None or not has_faces:
            raise
        descriptors, notes = {}, [f"works are not looked for: {error}"]
    for note in notes:
        say(note)
    for channel in OF_WORKS if named is None else ():
        if channel not in enrolled:
            say(f"channel {channel} is off: no enrolled work has been described in it")
    for channel, descriptor in descriptors.items():
        if channel not in enrolled:
            fail(
                f"no work has vectors in channel {channel}: add the films again with "
                f"`matchcut works add --channels {channel} PATH`"
            )
        index.check_space(channel, space_of(descriptor))
    return descriptors


def _open_faces(index: ReferenceIndex, settings: Settings, is_named: bool) -> FaceChannel | None:
    """Make ready to find people; who never enrolled anybody hears nothing of it in `auto`."""
    everybody = index.people.all()
    if not everybody:
        if is_named:
            fail(f"channel face cannot run: nobody is enrolled ({_ADD_PERSON})")
        return None
    over = note_of_expired(everybody, today())
    if over is not None and all(person.is_expired(today()) for person in everybody):
        if is_named:
            fail(f"channel face cannot run: {over}")
        say(f"channel face is off: {over}")
        return None
    if over is not None:
        say(over)
    try:
        return open_faces(index, settings, today())
    except (DescriptorUnavailableError, WrongKeyError) as error:
        if is_named:
            raise
        say(f"channel face is off: {error}")
        return None


def forget_old(index: ReferenceIndex, settings: Settings) -> None:
    """Let go of what was seen in uploads longer ago than it is to be kept."""
    index.uploads.forget_before(datetime.now(UTC) - timedelta(days=settings.keep_days))


def told(
    batch: Batch | ClusterBatch,
    sources: Sequence[Source],
    opener: CaseOpener | None,
    counted: Watching | None = None,
    over: threading.Event | None = None,
) -> Iterator[ScanResult]:
    """Scan uploads, until it is over; open the case of each, and tell what became of it."""
    from detector.console import Files
    from detector.logs import scan_event
    from detector.output import outcome

    with Files("scanning", len(sources)) as files:
        note = files.watch if opener is None else opener.watching(files.watch)
        results = batch.run(sources, note)
        counting = results if counted is None else counted(results, more=len(sources))
        for source, result in zip(sources, counting, strict=True):
            case = "" if opener is None else opener.open(source, result)
            became = "; ".join(filter(None, (outcome(result), case)))
            is_flagged = result.verdict.is_flagged
            files.done(source, became, is_flagged=is_flagged, **scan_event(result, case))
            yield result
            if over is not None and over.is_set():
                results.close()
                return


@contextmanager
def stream_to(path: Path | None) -> Iterator[TextIO]:
    """Open the file that results go to; stdout without one."""
    if path is None:
        yield sys.stdout
        return
    raw = io.BufferedWriter(_NamedFile(path, "w"))
    with io.TextIOWrapper(raw, encoding="utf-8", newline="") as stream:
        yield stream


class _NamedFile(io.FileIO):
    """A file that is named where it cannot be written to the end, as when the disk is full."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = self.name
            raise
