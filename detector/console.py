"""What a user sees while something takes long: bars on a terminal, lines elsewhere.

Everything here goes to stderr; stdout is for results.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from detector.describe import OnProgress
from detector.inputs import Source
from detector.logs import is_json, say
from detector.text import visible

__all__ = ["Files", "say"]


class _PerMinute(ProgressColumn):
    """How many files are done in a minute."""

    def render(self, task: Task) -> Text:
        is_of_all = task.id == 0 and task.speed
        return Text(f"{60 * (task.speed or 0):.3g}/min" if is_of_all else "", "progress.data.speed")


@contextmanager
def counting(verb: str) -> Iterator[Callable[[int, int], None]]:
    """Give what is called with how many are done, of how many; on a terminal it moves a bar."""
    console = Console(stderr=True)
    if not console.is_terminal or is_json():
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task(verb, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


class Files:
    """Progress over files: one bar for all, one for each that is being read.

    Parameters
    ----------
    verb
        What is done to them, as in "scanning".
    """

    def __init__(self, verb: str, total: int) -> None:
        console = Console(stderr=True)
        self._bars = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _PerMinute(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            if console.is_terminal and not is_json()
            else None
        )
        self._verb = verb
        self._flagged = 0
        self._total = total
        self._done = 0
        self._all = self._bars.add_task(verb, total=total) if self._bars else TaskID(0)
        self._open: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def watch(self, source: Source) -> OnProgress:
        """Return what is called with the seconds of a file that were read, and its duration."""

        def on_progress(seconds: float, duration: float | None) -> None:
            if not self._bars:
                return
            if source.name not in self._open:
                name = escape(f"  {visible(source.stem)}"[:40])
                self._open[source.name] = self._bars.add_task(name, total=None)
            self._bars.update(
                self._open[source.name],
                completed=round(seconds),
                total=round(duration) if duration else None,
            )

        return on_progress

    def done(
        self,
        source: Source,
        outcome: str,
        *,
        is_flagged: bool = False,
        message: str | None = None,
        level: int = logging.INFO,
        **fields: Any,
    ) -> None:
        """Count a file as done and say what became of it.

        Parameters
        ----------
        is_flagged
            Flagged ones are counted beside the bar.
        message, level, fields
            For programs that read the log, see `detector.logs.say`; the outcome unless given.
        """
        self._done += 1
        line = f"{visible(source.name)}: {visible(outcome)}"
        if self._bars:
            if source.name in self._open:
                self._bars.remove_task(self._open.pop(source.name))
            self._flagged += is_flagged
            told = f"{self._verb}, {self._flagged} flagged" if self._flagged else self._verb
            self._bars.update(self._all, advance=1, description=told)
        else:
            line = f"[{self._done}/{self._total}] {line}"
        place = {"source": source.name, "number": self._done, "total": self._total}
        say(line, message=message or outcome, level=level, **place, **fields)
