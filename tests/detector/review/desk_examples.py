"""People at the desk, and small results of scans to make cases of, without a video."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher

from detector.review.desk import Desk
from detector.review.records import COMMAND_LINE, Actor, CaseSummary, Role, Via
from detector.types import (
    Channel,
    Evidence,
    Flag,
    FramePair,
    Match,
    ScanResult,
    Segment,
    Status,
    Submission,
    Verdict,
)

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # real, but quick
PASSWORD = "correct horse battery"  # noqa: S105 -- of nobody


@dataclass(frozen=True)
class Staff:
    """Who works at the desk, as they come in through the pages; all have the same password."""

    anna: Actor  # reviewer
    ben: Actor  # reviewer
    carol: Actor  # approver
    dora: Actor  # admin
    vera: Actor  # viewer


def hire(desk: Desk) -> Staff:
    """Make the accounts; the admin first, on the command line."""
    full_names = {
        "dora": ("Dora Diaz", Role.ADMIN),
        "anna": ("Anna Albers", Role.REVIEWER),
        "ben": ("Ben Brown", Role.REVIEWER),
        "carol": ("Carol Chen", Role.APPROVER),
        "vera": ("Vera Vogt", Role.VIEWER),
    }
    return Staff(
        **{
            name: Actor.of(desk.accounts.add(name, full, role, PASSWORD, COMMAND_LINE), Via.WEB)
            for name, (full, role) in full_names.items()
        }
    )


def a_flag(
    ref_id: str = "metropolis",
    channel: Channel = Channel.COPY,
    score: float = 0.9,
    verdict: Verdict = Verdict.REVIEW,
    **changes: Any,
) -> Flag:
    """Make a judged match: with a segment, or for a face without an appearance."""
    evidence = Evidence(0.9, 0.1, 1.0, 0.5, 4.0)
    segment = Segment(1.0, 5.0, 2.0, 6.0, score, 1.0, evidence, (FramePair(1.0, 2.0, 0.9),))
    segments = () if channel is Channel.FACE else (segment,)
    facts: dict[str, Any] = {
        "reason": "the owner wants to see it",
        "title": ref_id.replace("-", " ").title(),
        "owner": "Murnau Foundation",
    }
    return Flag(Match(ref_id, channel, score, segments), verdict, **(facts | changes))


def a_likeness(ref_id: str = "brigitte-helm", score: float = 0.8) -> Flag:
    """Make a judged match of a person's face."""
    return a_flag(ref_id, Channel.FACE, score, owner="consent form 12/2026")


def a_result(
    source: str = "uploads/clip.mp4",
    *flags: Flag,
    uploader: str | None = None,
    url: str | None = None,
    submitted_at: datetime | None = None,
) -> ScanResult:
    """Make a result of a scan; of one copy to be reviewed, unless other flags are given."""
    return ScanResult(
        source=source,
        query_id=source.rpartition("/")[2].rpartition(".")[0],
        status=Status.OK,
        duration=10.0,
        channels=(Channel.COPY,),
        flags=flags or (a_flag(),),
        submission=Submission(uploader, None, url, submitted_at),
    )


def digest_of_source(source: str) -> str:
    """Return a digest for an upload of which there is no file."""
    return hashlib.sha256(source.encode()).hexdigest()


VERSIONS = {
    "matchcut": "0.1.0",
    "copy": "sscd-distilled@240436cc531e",
    "work:metropolis": digest_of_source("films/metropolis.mp4"),
}


def open_case(
    desk: Desk, source: str = "uploads/clip.mp4", *flags: Flag, **facts: Any
) -> CaseSummary:
    """Make a case of an upload of which there is no file; see `a_result`."""
    result = a_result(source, *flags, **facts)
    case = desk.cases.open_case(result, digest_of_source(source), VERSIONS, COMMAND_LINE)
    assert case is not None
    return case
