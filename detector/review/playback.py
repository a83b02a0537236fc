"""Videos that a browser plays: the file itself where it does, else a copy in a form that all know.

Times stay true: second t of what is played is second t of the scan.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from filelock import FileLock

from detector.describe import OnProgress
from detector.media import is_playable, probe, write_playable
from detector.remote import Media

_MP4, _WEBM = "video/mp4", "video/webm"


def media_type(path: Path) -> str:
    """Return what a browser is to be told that a playable file is."""
    with path.open("rb") as file:
        return _WEBM if b"webm" in file.read(64) else _MP4


def copy_known_by(known_by: str, cache: Path) -> Path:
    """Return where the copy of a file is kept; see `playable`."""
    name = hashlib.sha256(known_by.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache / f"{name}.mp4"


def playable(
    media: Media,
    cache: Path,
    on_progress: OnProgress | None = None,
    *,
    known_by: str | None = None,
) -> Path:
    """Return a file that all current browsers play: the same one, or an MP4 made from it once.

    What is coded as browsers need it is only put into another container, which takes seconds.
    Of a damaged file the copy has what can be read. Two who ask at once share one copy.

    Parameters
    ----------
    cache
        Folder for copies; made if need be. A copy is found again as long as the file keeps its
        size and its time of change.
    known_by
        What changes when the content does, of a file that does not stay where it is; of one on a
        server, above all. Then it is always copied.

    Raises
    ------
    UnreadableMediaError
        The file gives no frame, or there is no encoder.
    OSError
        The copy cannot be written.
    """
    if known_by is None:
        if not isinstance(media, Path):
            raise ValueError("by what is a file on a server known?")
        if is_playable(media):
            return media
        known = media.stat()
        known_by = f"{media.resolve()}\n{known.st_size}\n{known.st_mtime_ns}"
    copy = copy_known_by(known_by, cache)
    if copy.is_file():
        return copy
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.with_suffix(".lock")):
        if not copy.is_file():
            unfinished = copy.with_suffix(".tmp")  # also what a crash has left of an earlier try
            try:
                duration = probe(media).duration if on_progress is not None else None
                for seconds in write_playable(media, unfinished):
                    if on_progress is not None:
                        on_progress(seconds, duration)
                unfinished.replace(copy)
            finally:
                unfinished.unlink(missing_ok=True)
    return copy
