"""What is told while something runs: lines for people, or a JSON object each, for programs.

All of it goes through `logging` to stderr, what the desk and its server have to say as well. Lines
for people look as if they were printed. A line of JSON has ``time`` (ISO 8601, UTC), ``level``,
``logger`` and ``message``, the fields of the event, and ``exception`` where something failed
unexpectedly. Names of files are whatever somebody made them: JSON escapes what is not ASCII, and
what an address carries besides its place (user, password, query) is left out, as it may be secret.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from detector.text import encodable

if TYPE_CHECKING:
    from detector.types import ScanResult

FORMAT_VARIABLE, FILE_VARIABLE = "MATCHCUT_LOG_FORMAT", "MATCHCUT_LOG_FILE"

_LOG = logging.getLogger("matchcut")
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{0,20}://)(?:[^\s/@]*@)?([^\s?#]*)(?:[?#]\S*)?", re.I)
_FAULT = "ended by an unexpected error"


class LogFormat(StrEnum):
    """What lines on stderr are made for."""

    TEXT = "text"
    JSON = "json"


def configure(log_format: LogFormat = LogFormat.TEXT, file: Path | None = None) -> None:
    """Let all logging of this process go to stderr in a format; a second time, in another.

    Parameters
    ----------
    file
        Gets all lines, too, always as JSON. Who moves it away (logrotate) finds a new one made.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    handlers: list[logging.Handler] = [_Stderr(log_format)]
    if file is not None:
        handlers.append(_File(file))
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Stderr | _File)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    for ours in (_LOG, logging.getLogger("index")):  # of other code, only what is worse
        ours.setLevel(logging.INFO)
    is_for_programs = log_format is LogFormat.JSON or file is not None
    logging.captureWarnings(is_for_programs)
    if is_for_programs:
        sys.excepthook, threading.excepthook = _uncaught, _uncaught_in_thread
    elif sys.excepthook is _uncaught:
        sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__


def say(
    line: str, *, message: str | None = None, level: int = logging.INFO, **fields: object
) -> None:
    """Tell the user one line.

    Parameters
    ----------
    message, fields
        What programs get instead of it: the same line unless given.
    """
    if _stderr() is None:
        configure()
    _LOG.log(level, "%s", line, extra={"event": message, "fields": fields})


def is_json() -> bool:
    """Whether programs read stderr, so that no progress bars are drawn there."""
    handler = _stderr()
    return handler is not None and handler.log_format is LogFormat.JSON


def scan_event(result: ScanResult, case: str = "") -> dict[str, Any]:
    """Return what `say` is to tell programs of a scanned upload, besides its name.

    Of people there is a number only: a log outlives that somebody's face is forgotten.

    Parameters
    ----------
    case
        What became of its case at the desk, in words.
    """
    is_whole = result.status == "ok"
    flagged = [flag.match for flag in result.flags if flag.verdict.is_flagged]
    return {
        "message": "scanned",
        "level": logging.INFO if is_whole else logging.WARNING,
        "status": result.status,
        "reason": result.reason,
        "verdict": result.verdict,
        "duration": result.duration,
        "seconds": round(sum(result.timings.values()), 3),
        "works": sorted({match.ref_id for match in flagged if match.channel != "face"}),
        "people": len({match.ref_id for match in flagged if match.channel == "face"}),
        "case": case or None,
    }


class _Stderr(logging.Handler):
    """Writes to what stderr is at the time: progress bars put themselves in its place."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
        self.log_format = log_format
        if log_format is LogFormat.JSON:
            self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # it is closed, and there is nobody else to tell
            return


class _File(WatchedFileHandler):
    """Appends to a file; that it cannot be written is said once, and ends nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")
        self.setFormatter(JsonFormatter())
        self._is_broken = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)  # calls `handleError` where writing fails, not where opening does
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        if not self._is_broken:
            self._is_broken = True
            say(f"the log file cannot be written: {sys.exc_info()[1]}", level=logging.WARNING)


class JsonFormatter(logging.Formatter):
    """Makes a record one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, in ASCII and without its end."""
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": getattr(record, "event", None) or record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(_plain(values))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, without what may be secret in addresses."""
    if isinstance(value, str):
        return _ADDRESS.sub(r"\1\2", encodable(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, int) else str(value)


def _stderr() -> _Stderr | None:
    handlers = logging.getLogger().handlers
    return next((one for one in handlers if isinstance(one, _Stderr)), None)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _LOG.critical(_FAULT, exc_info=(kind, error, trace))


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
