"""How the pages word what the desk's values say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType

from markupsafe import Markup

from detector.review.evidence import WorkEvidence
from detector.review.records import Action, Event, NoticeKind, Role
from detector.text import visible
from detector.timeline import Bar, Timeline
from detector.types import Channel

_USUAL_SPEED = 0.03  # as the report has it: within 3 % nothing is called faster or slower
_WORDS: MappingProxyType[Enum, str] = MappingProxyType(
    {
        Channel.COPY: "copy",
        Channel.SEMANTIC: "look-alike",
        Channel.FACE: "likeness",
        Action.BLOCK: "the platform takes the upload down.",
        Action.NOTICE: "another platform is asked to take it down.",
        Action.MONITOR: "it stays, and is watched.",
        Action.DISMISS: "nothing is to be done.",
        NoticeKind.DMCA: "DMCA notice",
        NoticeKind.DSA: "DSA notice",
        NoticeKind.LIKENESS: "Likeness notice",
        Role.VIEWER: "looks",
        Role.REVIEWER: "claims, decides, drafts and signs notices, edits the library",
        Role.APPROVER: "approves what others decided and signed, reads the audit",
        Role.ADMIN: "keeps accounts, and may all else",
    }
)
_DONE = MappingProxyType(
    {
        "case.opened": "opened the case",
        "case.refreshed": "scanned the upload again",
        "case.reopened": "opened it again",
        "case.claimed": "claimed it",
        "case.released": "released it",
        "case.skipped": "skipped it",
        "case.decided": "decided",
        "case.escalated": "escalated it",
        "case.undone": "undid the decision",
        "case.approved": "approved",
        "case.refused": "refused",
        "person.viewed": "looked at faces",
    }
)


def in_words(value: Enum) -> str:
    """Say what a code means."""
    return _WORDS[value]


def capital(text: str) -> str:
    """Begin with a capital, and leave the rest."""
    return text[:1].upper() + text[1:]


def shorten(text: str, most: int = 56) -> str:
    """Leave out the middle of what is long: names differ at both ends."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}…{text[-end:]}"


def moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def hour(time: datetime) -> str:
    return f"{time.astimezone(UTC):%H:%M} UTC"


def ago(time: datetime) -> str:
    """Say how long something is past, roughly."""
    minutes = (datetime.now(UTC) - time).total_seconds() / 60
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes:.0f} min ago"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} h ago"
    return f"{minutes / 60 / 24:.0f} days ago"


def event_in_words(event: Event) -> str:
    """Say what happened to a case."""
    words = _DONE.get(event.action, event.action)
    after = event.after or {}
    said = [str(after[name]) for name in ("action", "reason") if after.get(name)]
    return visible(f"{words}: {', '.join(said)}" if said else words)


def is_faster(speed: float) -> bool:
    """Whether a speed is worth a word."""
    return abs(speed - 1) > _USUAL_SPEED


def all_edits(found: WorkEvidence) -> str:
    """List what was done to the work's pictures and speed, each thing once."""
    return "; ".join(dict.fromkeys(edit for one in found.segments for edit in one.edits))


def view(bar: Bar) -> str:
    """Write what a drawing of one bar shows, for the page's script."""
    return json.dumps({"upload": _view(bar)})


def views(line: Timeline) -> str:
    """Write what a drawing of two bars shows, for the page's script."""
    return json.dumps({"upload": _view(line.upload), "work": _view(line.work)})


def _view(bar: Bar) -> dict[str, float]:
    start, end = bar.view
    return {"start": start, "end": end, "width": bar.width}


def visible_lines(text: str) -> Markup:
    """Write out a text of several lines as `detector.text.visible` does a name."""
    return Markup("<br>").join(visible(line) for line in text.split("\n"))
