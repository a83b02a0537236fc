"""Times, amounts and names as people read them."""

from __future__ import annotations

import re

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)")


def clock(seconds: float, decimals: int = 1) -> str:
    """Write a time as a player shows it.

    >>> clock(9.84), clock(59.96), clock(4210, 0)
    ('0:09.8', '1:00.0', '1:10:10')
    """
    units = round(seconds * 10**decimals)
    whole, part = divmod(units, 10**decimals)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    text = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{text}.{part:0{decimals}}" if decimals else text


def seconds_of(text: str) -> float:
    """Read a time, as a player shows it or in seconds.

    >>> seconds_of("1:10:10"), seconds_of("0:09.8"), seconds_of("4210.5")
    (4210.0, 9.8, 4210.5)

    Raises
    ------
    ValueError
        It is none.
    """
    read = _CLOCK.fullmatch(text.strip())
    if read is None:
        raise ValueError(f"{text!r} is no time: write it as 83.5 or 1:23.5")
    hours, minutes, seconds = (float(part or 0) for part in read.groups())
    return 3600 * hours + 60 * minutes + seconds


def amount(seconds: float) -> str:
    """Write how long something is.

    >>> amount(9.84), amount(75), amount(4210)
    ('9.8 s', '1 min 15 s', '1 h 10 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    if seconds < 3599.5:
        return f"{round(seconds) // 60} min {round(seconds) % 60} s"
    return f"{round(seconds / 60) // 60} h {round(seconds / 60) % 60} min"


def encodable(name: str) -> str:
    """Write out the bytes of a file name that are no text."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def visible(text: str) -> str:
    r"""Write out what would not show, or would reorder what does: a name may mean to mislead.

    >>> visible("harmless\u202e4pm.exe")
    'harmless\\u202e4pm.exe'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
