"""Works, people, matches and rights to judge."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from detector.rights import Circumstances
from detector.types import (
    Appearance,
    Box,
    Channel,
    Evidence,
    FramePair,
    Likeness,
    Match,
    Segment,
    Submission,
)
from index.person_records import Person
from index.records import Policy, Work
from index.rights_records import Exclusion, Kind, Licence, Rights, Rule

POINT = 0.5  # operating point
TODAY = date(2026, 3, 15)
ADDED = datetime(2026, 1, 1, tzinfo=UTC)
NO_RIGHTS = Rights()


def a_work(policy: Policy = Policy.BLOCK, duration: float = 100.0) -> Work:
    return Work(
        id="metropolis",
        title="Metropolis",
        owner="Murnau Foundation",
        policy=policy,
        source="metropolis.mp4",
        digest="0" * 64,
        duration=duration,
        frames_sampled=10,
        frames_uniform=1,
        number=7,
        added_at=ADDED,
    )


def a_person(policy: Policy = Policy.REVIEW) -> Person:
    return Person(
        id="anna",
        name="Anna Magnani",
        authority="Her estate",
        retain_until=date(2030, 1, 1),
        policy=policy,
        number=1,
        added_at=ADDED,
        faces=3,
    )


def a_segment(
    query: tuple[float, float] = (10.0, 20.0),
    ref: tuple[float, float] = (40.0, 50.0),
    score: float = 0.9,
) -> Segment:
    """Return a segment with a frame pair each second."""
    length = query[1] - query[0]
    speed = (ref[1] - ref[0]) / length if length else 1.0
    pairs = tuple(
        FramePair(query[0] + n, ref[0] + speed * n, 0.9) for n in range(max(0, int(length)) + 1)
    )
    return Segment(*query, *ref, score, speed, Evidence(0.9, 0.1, 1.0, 1.0, length), pairs)


def a_match(
    *segments: Segment, channel: Channel = Channel.COPY, score: float | None = None
) -> Match:
    """Return a match with these segments, or one of 10 seconds."""
    shown = segments or (a_segment(score=0.9 if score is None else score),)
    return Match("metropolis", channel, max(one.score for one in shown), shown)


def seen(*likenesses: Likeness, score: float = 0.95) -> Match:
    """Return appearances of a second each, one after the other."""
    appearances = tuple(
        Appearance(n, n + 1, score, one, 0.6, 6.0, 4.0, 5, n, Box(0, 0, 1, 1), 1)
        for n, one in enumerate(likenesses or (Likeness.LIKELY,))
    )
    return Match("anna", Channel.FACE, score, appearances=appearances)


def an_upload(
    uploader: str | None = None,
    territory: str | None = None,
    today: date = TODAY,
    duration: float | None = 40.0,
) -> Circumstances:
    return Circumstances(today, duration, Submission(uploader=uploader, territory=territory))


def a_licence(number: int = 1, **changes: Any) -> Licence:
    facts: dict[str, Any] = {
        "kind": Kind.WORK,
        "ref_id": "metropolis",
        "document": f"contract {number}",
        "number": number,
        "added_at": ADDED,
    }
    return Licence(**(facts | changes))


def a_rule(policy: Policy, number: int = 1, **changes: Any) -> Rule:
    facts: dict[str, Any] = {
        "kind": Kind.WORK,
        "ref_id": "metropolis",
        "policy": policy,
        "number": number,
        "added_at": ADDED,
    }
    return Rule(**(facts | changes))


def an_exclusion(
    start: float, end: float, why: str = "stock footage", number: int = 1
) -> Exclusion:
    return Exclusion(
        work_id="metropolis", start=start, end=end, why=why, number=number, added_at=ADDED
    )
