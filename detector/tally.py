"""What a batch comes to: counted as it goes, so that no result has to be kept for that."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import astuple

from rich.table import Table
from rich.text import Text

from detector.output import empty_table, faces_in_words
from detector.text import clock, visible
from detector.types import FaceCounts, ScanResult, Status, Verdict

_MOST_NAMED = 5  # works and people in a row


class Tally:
    """Counts the results of a batch."""

    def __init__(self) -> None:
        self.uploads = self.flagged = self.unreadable = self.partial = 0
        self.seconds = 0.0  # of video
        self._faces: FaceCounts | None = None
        self._verdicts: Counter[Verdict] = Counter()
        self._found: dict[Verdict, Counter[str]] = defaultdict(Counter)  # uploads by what they show

    def add(self, result: ScanResult) -> None:
        self.uploads += 1
        self.flagged += result.verdict.is_flagged
        self.unreadable += result.status is Status.UNREADABLE
        self.partial += result.status is Status.PARTIAL
        self.seconds += result.duration or 0.0
        if result.status is not Status.UNREADABLE:
            self._verdicts[result.verdict] += 1
        for verdict, name in {(flag.verdict, flag.match.ref_id) for flag in result.flags}:
            self._found[verdict][name] += 1
        if result.faces is not None:
            before = self._faces or FaceCounts()
            both = zip(astuple(before), astuple(result.faces), strict=True)
            self._faces = FaceCounts(*(one + other for one, other in both))

    def summary(self, wall: float | None = None) -> str:
        """Say it in a line; with `wall`, the seconds that it took, how fast that was."""
        text = f"{self.uploads} uploads, {clock(self.seconds)} of video"
        if wall:
            text += f" in {clock(wall)} ({self.seconds / wall:.3g} times real time)"
        text += (
            f": {self.flagged} flagged, {self.partial} read in part, {self.unreadable} unreadable"
        )
        return text if self._faces is None else f"{text}; {faces_in_words([self._faces])}"

    def table(self) -> Table:
        """Return it as a table: how many uploads got which verdict, and on account of what."""
        table = empty_table("verdict", "uploads", "shown most often, in how many")
        table.columns[1].justify = "right"
        for verdict in sorted(self._verdicts, key=lambda one: -one.rank):
            most = self._found[verdict].most_common(_MOST_NAMED)
            more = len(self._found[verdict]) - len(most)
            names = [f"{visible(name)} {count}" for name, count in most]
            names += [f"and {more} more"] if more else []
            table.add_row(verdict, f"{self._verdicts[verdict]:,}", Text(", ".join(names)))
        if self.unreadable:
            table.add_row("unreadable", f"{self.unreadable:,}", "")
        return table
