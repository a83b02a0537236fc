"""Many uploads: several at a time, in order, and resumable."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.metadata import version

from detector.describe import OnProgress
from detector.descriptors import Descriptor, space_of
from detector.faces import FaceChannel
from detector.inputs import InputError, Source, digest_of
from detector.output import from_json, submission_values, to_json
from detector.pipeline import NOTHING_KNOWN, scan
from detector.settings import Settings
from detector.types import Channel, ScanResult, Status, Submission
from index.reference_index import ReferenceIndex

# Settings that no result depends on; the key of the enrolled faces is not to be kept, either.
_NOT_OF_RESULTS: dict[str, bool | set[str]] = {
    **dict.fromkeys(("home", "database_url", "channels", "people_key", "people_key_file"), True),
    "limits": {"threads"},
}
_AHEAD = 2  # uploads per worker that may be finished before their turn to be reported


class Batch:
    """A scan of many uploads.

    Results are remembered in the catalogue by what they depend on: the file's content, how it came
    in, the descriptors, the settings, and all that is enrolled. A batch that was stopped goes on
    with `resume` and scans again only what changed; the same content under another name is known.

    Parameters
    ----------
    submissions
        Tells how an upload came in, for the licences.
    today
        The day to judge by, for the licences; by default the present one in UTC.
    workers
        Uploads scanned at the same time, each in a thread; decoding and describing release the
        interpreter.
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
        self._index = index
        self._descriptors = descriptors
        self._settings = settings
        self._faces = faces
        self._min_score = min_score
        self._submission_of = submissions
        self._workers = workers
        self._resume = resume
        self._today = today or datetime.now(UTC).date()
        self._conditions = json.dumps(
            [
                version("matchcut"),
                {channel: space_of(d) for channel, d in descriptors.items()},
                None if faces is None else space_of(faces.descriptor),
                settings.model_dump(mode="json", exclude=_NOT_OF_RESULTS),
                min_score,
                index.fingerprint(self._today),
            ]
        )

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
                while running:
                    yield running.popleft().result()
            finally:
                for future in running:  # the reader has gone, or an upload failed unexpectedly
                    future.cancel()

    def _scan(self, source: Source, on_progress: OnProgress | None) -> ScanResult:
        submission = self._submission_of(source)
        try:
            state = source.state()
            key = self._key(source, state, submission)
        except InputError as error:
            return ScanResult(
                source.name,
                source.stem,
                Status.UNREADABLE,
                reason=str(error),
                submission=submission,
            )
        known = self._index.recall_scan(key) if self._resume else None
        if known is not None:
            recalled = from_json(json.loads(known))
            return replace(recalled, source=source.name, query_id=source.stem)
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
        )
        # What could not be read now may be readable later (a share that was not mounted).
        if result.status is Status.UNREADABLE:
            return result
        if source.state_if_there() != state:
            reasons = filter(None, (result.reason, "the file changed while it was scanned"))
            return replace(result, status=Status.PARTIAL, reason="; ".join(reasons))
        self._index.remember_scan(key, json.dumps(to_json(result)))
        return result

    def _key(self, source: Source, state: str, submission: Submission) -> str:
        # What lies elsewhere is told by its address and its server's mark: it would have to be
        # fetched for its content.
        if source.is_url:
            content = f"{source.name}\0{state}"
        else:
            with source.local() as path:
                content = digest_of(path)
        came_in = json.dumps(submission_values(submission))
        text = "\0".join((content, came_in, self._conditions))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
