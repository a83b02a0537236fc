"""Memory that is free goes back to the system, so that a long batch takes no more than a short one.

glibc gives each thread an arena of its own and keeps in it what was freed. Frames come and go in
many threads: after some hundred uploads a third of a batch's memory was such remains.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # of glibc's malloc.h
_ARENAS = 2


def keep_few_arenas() -> None:
    """Let threads that are yet to come share arenas. Without glibc, it does nothing."""
    if (mallopt := _of_libc("mallopt")) is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return free memory to the system; takes some hundredths of a second."""
    if (malloc_trim := _of_libc("malloc_trim")) is not None:
        malloc_trim(0)


def _of_libc(name: str) -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None), name, None)
