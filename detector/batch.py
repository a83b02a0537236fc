"""Many uploads: several at a time, in order, and resumable."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.metadata import version

from detector.describe import Described, OnProgress
from detector.descriptors import Descriptor, space_of
from detector.descriptors.joined import JoinedDescriptor
from detector.faces import FaceChannel
from detector.inputs import InputError, Source, digest_of
from detector.kept import FORM, pack, unpack
from detector.memory import give_back, keep_few_arenas
from detector.output import from_json, submission_values, to_json
from detector.pipeline import NOTHING_KNOWN, scan, unreadable
from detector.settings import Settings
from detector.types import Channel, ScanResult, Status, Submission
from index.errors import DamagedFileError
from index.reference_index import ReferenceIndex
from index.uploads import NewUpload

_log = logging.getLogger(__name__)

# Settings that no result depends on; the key of the enrolled faces is not to be kept, either.
_NOT_OF_RESULTS: dict[str, bool | set[str]] = {
    **dict.fromkeys(
        (
            *("home", "database_url", "vectors", "milvus", "evidence", "channels", "protocols"),
            *("people_key", "people_key_file", "keep_days"),
        ),
        True,
    ),
    "limits": {"threads"},
}
_AHEAD = 2  # uploads per worker that may be finished before their turn to be reported


def usual_workers() -> int:
    """How many uploads are best scanned at the same time: most are short, and use one core each."""
    return min(8, os.cpu_count() or 1)


class Scanner:
    """Scans uploads one by one, and remembers what it found.

    Results are remembered in the catalogue by what they depend on: the file's content, how it came
    in, the descriptors, the settings, and all that is enrolled. The same content under another name
    is known. What the channels of works saw is kept for `keep_days`: where only works or rights are
    others by now, a file is not read again, and works can be matched back (`detector.lookback`).

    Safe to use from several threads.

    Parameters
    ----------
    today
        The day to judge by, for the licences; by default the present one in UTC.
    enrolled
        What stands for all that is enrolled, where another process has asked the index for its
        `fingerprint`.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        descriptors: Mapping[Channel, Descriptor],
        settings: Settings,
        *,
        faces: FaceChannel | None = None,
        min_score: float | None = None,
        today: date | None = None,
        enrolled: str | None = None,
    ) -> None:
        keep_few_arenas()
        self._index = index
        self._descriptors = descriptors
        self._settings = settings
        self._faces = faces
        self._min_score = min_score
        self._today = today or datetime.now(UTC).date()
        self._spaces = {channel: space_of(d) for channel, d in descriptors.items()}
        described_with = [
            version("matchcut"),
            FORM,
            self._spaces,
            settings.model_dump(mode="json", exclude=_NOT_OF_RESULTS),
        ]
        self._described_with = _digest(json.dumps(described_with))
        self._conditions = json.dumps(
            [
                self._described_with,
                None if faces is None else space_of(faces.descriptor),
                min_score,
                enrolled or index.fingerprint(self._today),
            ]
        )

    def scan(
        self,
        source: Source,
        submission: Submission,
        on_progress: OnProgress | None = None,
        *,
        resume: bool = False,
    ) -> ScanResult:
        """Scan an upload; what cannot be read is a result, too.

        Parameters
        ----------
        submission
            How it came in, for the licences.
        resume
            Take what is remembered of it, if anything is.
        """
        try:
            state = source.state(self._settings.protocols)
            content = _content_of(source, state)
        except InputError as error:
            return unreadable(source, str(error), submission)
        came_in = json.dumps(submission_values(submission))
        key = _digest("\0".join((content, came_in, self._conditions)))
        known = self._index.recall_scan(key) if resume else None
        if known is not None:
            recalled = from_json(json.loads(known))
            return replace(recalled, source=source.name, query_id=source.stem)
        seen: list[Described] = []
        result = scan(
            source,
            self._index,
            self._descriptors,
            self._settings,
            faces=self._faces,
            min_score=self._min_score,
            submission=submission,
            today=self._today,
            on_progress=on_progress,
            before=self._seen_before(content) if resume and self._faces is None else None,
            on_described=seen.append,
        )
        # What could not be read now may be readable later (a share that was not mounted).
        if result.status is Status.UNREADABLE:
            return result
        if source.state_if_there(self._settings.protocols) != state:
            reasons = filter(None, (result.reason, "the file changed while it was scanned"))
            return replace(result, status=Status.PARTIAL, reason="; ".join(reasons))
        for described in seen if self._settings.keep_days > 0 else ():
            facts, arrays = pack(described)
            facts |= {"spaces": self._spaces, "submission": submission_values(submission)}
            upload = NewUpload(source.address, content, self._described_with, facts)
            self._index.uploads.keep(upload, arrays)
        self._index.remember_scan(key, json.dumps(to_json(result)))
        return result

    def _seen_before(self, content: str) -> Described | None:
        """What the same channels saw in the same content, if that was kept and can be read."""
        upload = self._index.uploads.find(content, self._described_with)
        if upload is None:
            return None
        try:
            return unpack(upload.facts, self._index.uploads.arrays(upload))
        except DamagedFileError as error:
            _log.warning("%s", error)
            return None


class Batch:
    """A scan of many uploads: several at a time, each in a thread.

    Decoding and describing release the interpreter. A batch that was stopped goes on with `resume`
    and scans again only what changed.

    Parameters
    ----------
    submissions
        Tells how an upload came in, for the licences.
    workers
        Uploads scanned at the same time. The threads of the decoder (`settings.limits`) are shared
        among them.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        descriptors: Mapping[Channel, Descriptor],
        settings: Settings,
        *,
        faces: FaceChannel | None = None,
        min_score: float | None = None,
        submissions: Callable[[Source], Submission] = lambda _: NOTHING_KNOWN,
        today: date | None = None,
        workers: int = 1,
        resume: bool = False,
    ) -> None:
        threads = max(1, settings.limits.threads // workers)
        limits = replace(settings.limits, threads=threads)
        self._scanner = Scanner(
            index,
            {
                channel: JoinedDescriptor(one) if one.is_on_gpu and workers > 1 else one
                for channel, one in descriptors.items()
            },
            settings.model_copy(update={"limits": limits}),
            faces=faces,
            min_score=min_score,
            today=today,
        )
        self._index = index
        self._submission_of = submissions
        self._workers = workers
        self._resume = resume

    def run(
        self,
        sources: Sequence[Source],
        on_progress: Callable[[Source], OnProgress] | None = None,
    ) -> Generator[ScanResult]:
        """Scan all sources; yield one result for each, in their order."""
        with ThreadPoolExecutor(self._workers, thread_name_prefix="scan") as pool:
            running: deque[Future[ScanResult]] = deque()
            try:
                for source in sources:
                    watch = on_progress(source) if on_progress is not None else None
                    running.append(pool.submit(self._scan, source, watch))
                    if len(running) >= self._workers * _AHEAD:
                        yield running.popleft().result()
                        give_back()
                while running:
                    yield running.popleft().result()
                    give_back()
            finally:
                for future in running:  # the reader has gone, or an upload failed unexpectedly
                    future.cancel()
                if running:
                    self._index.stop_waiting()

    def _scan(self, source: Source, on_progress: OnProgress | None) -> ScanResult:
        submission = self._submission_of(source)
        return self._scanner.scan(source, submission, on_progress, resume=self._resume)


def _content_of(source: Source, state: str) -> str:
    """SHA-256 that tells a content; `InputError` where it cannot be read.

    What lies elsewhere is told by its address and its server's mark: it would have to be fetched
    for its content.
    """
    if source.is_url:
        return _digest(f"{source.name}\0{state}")
    with source.opened() as path:
        return digest_of(path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
