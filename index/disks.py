"""What to do about a disk that is full, or that may only be read: in words, for a user."""

from __future__ import annotations

import errno
import sqlite3

_FULL = "make room on the disk, then do the same again; what was said to be done is done"
_TOO_LARGE = "let files be larger there (`ulimit -f`), then do the same again"
_PERHAPS_FULL = "see that its disk has room and works, then do the same again"
_READ_ONLY = "let this account write there (is it mounted for writing?), or name another place"

_OF_SYSTEM = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _TOO_LARGE,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
}
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _PERHAPS_FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
}
_PRIMARY = 0xFF  # the part of SQLite's codes that tells the kind


def remedy(error: BaseException | None) -> str | None:
    """Return what to do about an error of the system's, or of SQLite's; None if nobody knows."""
    if isinstance(error, OSError):
        return _OF_SYSTEM.get(error.errno or 0)
    return _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY)
