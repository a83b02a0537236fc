"""Licences, rules and exclusions as people read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from detector.text import amount, clock
from detector.types import Channel
from index.rights_records import CHANNELS, NewExclusion, NewLicence, NewRule

CHANNEL_WORDS = {
    Channel.COPY: "copies",
    Channel.SEMANTIC: "look-alikes",
    Channel.FACE: "a likeness",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the conditions that a rule may have.

    Attributes
    ----------
    limit
        The rule's field that says how much it takes.
    measure
        What of the match is compared with it.
    words, write
        The condition, with a gap for how much, and how that is written.
    """

    limit: str
    measure: str
    words: str
    write: Callable[[float], str]


def per_cent(share: float) -> str:
    """Write a share.

    >>> per_cent(0.25)
    '25 %'
    """
    return f"{100 * share:.0f} %"


CONDITIONS = (
    Condition("min_seconds", "seconds", "{} match", amount),
    Condition("min_share_upload", "share_upload", "{} of the upload match", per_cent),
    Condition("min_share_reference", "share_reference", "{} of the work match", per_cent),
    Condition("min_score", "score", "the score is {}", "{:.2f}".format),
)


def rule_in_words(rule: NewRule) -> str:
    """Say what a rule wants, and when: "block for copies if at least 10.0 s match"."""
    conditions = [
        one.words.format(f"at least {one.write(limit)}")
        for one in CONDITIONS
        if (limit := getattr(rule, one.limit)) is not None
    ]
    where = "" if rule.channel is None else f" for {CHANNEL_WORDS[Channel(rule.channel)]}"
    return f"{rule.policy}{where}{' if ' if conditions else ''}{' and '.join(conditions)}"


def licence_in_words(licence: NewLicence, today: date) -> str:
    """Say who may do what, where and when: "studio_a, in DE, until 2026-12-31 (contract 17)"."""
    parts = [licence.licensee if licence.licensee is not None else "anybody"]
    if licence.channels != CHANNELS[licence.kind]:
        parts.append(f"for {' and '.join(CHANNEL_WORDS[Channel(c)] for c in licence.channels)}")
    if licence.territories:
        parts.append(f"in {', '.join(licence.territories)}")
    if licence.starts is not None:
        parts.append(f"from {licence.starts}")
    if licence.ends is not None:
        parts.append(f"until {licence.ends}")
    state = state_of(licence, today)
    remark = "" if state == IN_FORCE else f", {state}"
    return f"{', '.join(parts)} ({licence.document}){remark}"


IN_FORCE = "in force"


def state_of(licence: NewLicence, today: date) -> str:
    """Say whether a licence applies on a day: "in force", "not begun" or "ended"."""
    if not licence.has_begun(today):
        return "not begun"
    return "ended" if licence.has_ended(today) else IN_FORCE


def exclusion_in_words(exclusion: NewExclusion) -> str:
    """Say what is excluded, and why: "0:10.0 to 0:20.0: stock footage"."""
    return f"{clock(exclusion.start)} to {clock(exclusion.end)}: {exclusion.why}"
