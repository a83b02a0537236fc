"""Videos that a browser plays: the file itself where it does, else a copy in a form that all know.

Times stay true: second t of what is played is second t of the scan.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from filelock import FileLock

from detector.describe import OnProgress
from detector.media import is_playable, probe, write_playable

_MP4, _WEBM = "video/mp4", "video/webm"


def media_type(path: Path) -> str:
    """Return what a browser is to be told that a playable file is."""
    with path.open("rb") as file:
        return _WEBM if b"webm" in file.read(64) else _MP4


def playable(path: Path, cache: Path, on_progress: OnProgress | None = None) -> Path:
    """Return a file that all current browsers play: the same one, or an MP4 made from it once.

    What is coded as browsers need it is only put into another container, which takes seconds.
    Of a damaged file the copy has what can be read. Two who ask at once share one copy.

    Parameters
    ----------
    cache
        Folder for copies; made if need be. A copy is found again as long as the file keeps its
        size and its time of change.

    Raises
    ------
    UnreadableMediaError
        The file gives no frame, or there is no encoder.
    OSError
        The copy cannot be written.
    """
    if is_playable(path):
        return path
    known = path.stat()
    identity = f"{path.resolve()}\n{known.st_size}\n{known.st_mtime_ns}"
    name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    copy = cache / f"{name}.mp4"
    if copy.is_file():
        return copy
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{name}.lock"):
        if not copy.is_file():
            unfinished = cache / f"{name}.tmp"  # also what a crash has left of an earlier try
            try:
                duration = probe(path).duration if on_progress is not None else None
                for seconds in write_playable(path, unfinished):
                    if on_progress is not None:
                        on_progress(seconds, duration)
                unfinished.replace(copy)
            finally:
                unfinished.unlink(missing_ok=True)
    return copy
