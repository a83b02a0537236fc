"""What `works`, `people` and `background` share: files are used one by one, and tables taken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from detector.commands.common import fail

if TYPE_CHECKING:
    from detector.describe import OnProgress
    from detector.inputs import Source


def each_file(
    sources: Sequence[Source],
    use: Callable[[Source, OnProgress], str],
    also_refused: tuple[type[Exception], ...] = (),
    *,
    verb: str = "adding",
    participle: str = "added",
) -> int:
    """Use files one after the other; one that cannot be used does not stop the others.

    Parameters
    ----------
    use
        Uses one, and returns in words what became of it.
    also_refused
        Errors of a file that cannot be used, besides those of reading it.
    verb, participle
        What is done to the files.

    Returns
    -------
    How many could not be used
    """
    from detector.console import Files
    from detector.inputs import InputError
    from detector.media import UnreadableMediaError

    refused: tuple[type[Exception], ...] = (InputError, UnreadableMediaError, *also_refused)
    failed = 0
    with Files(verb, len(sources)) as files:
        for source in sources:
            try:
                outcome = use(source, files.watch(source))
            except refused as error:
                failed += 1
                outcome = f"not {participle}: {error}"
            files.done(source, outcome)
    return failed


def with_problem(outcome: str, problem: str | None) -> str:
    """Add to what became of a file what could not be read of it."""
    return outcome if problem is None else f"{outcome}; read in part: {problem}"


@contextmanager
def taking(table: Path) -> Iterator[None]:
    """End with exit code 2 and a table's name if it cannot be taken: nothing is changed then."""
    from detector.rights_csv import TableError

    try:
        yield
    except TableError as error:
        fail(f"{table}, {error}. Nothing is changed")


def write_table(text: str, path: Path | None) -> None:
    """Write a table to a file, or to stdout."""
    if path is None:
        sys.stdout.write(text)
    else:
        path.write_text(text, encoding="utf-8", newline="")
