"""What `matchcut scan` is told of how uploads came in, and the cases it opens at the desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from detector.commands.common import open_desk
from detector.commands.scanning import Opened
from detector.console import say
from detector.describe import OnProgress
from detector.inputs import InputError, Source
from detector.settings import Settings
from detector.submissions import Submissions, read_submissions, submission_of
from detector.text import visible
from detector.types import ScanResult
from index.reference_index import ReferenceIndex

if TYPE_CHECKING:
    from detector.review.desk import Desk

_MOST_NAMED = 5  # files in a message


def known_submissions(
    path: Path | None,
    uploader: str | None,
    territory: str | None,
    sources: Sequence[Source] | None,
) -> Submissions:
    """Return how the uploads came in; say on stderr which rows of the CSV are of none of them.

    Parameters
    ----------
    path
        The CSV, if there is one.
    uploader, territory
        Of all uploads that it does not name.
    sources
        All uploads; None if more may come.

    Raises
    ------
    SubmissionsError
        Something that was said cannot be, or may be of several uploads.
    """
    others = submission_of(uploader=uploader or "", territory_code=territory or "")
    if path is None:
        return Submissions(otherwise=others)
    submissions = read_submissions(path).otherwise(others)
    unmatched = () if sources is None else submissions.unmatched(sources)
    if unmatched:
        names = ", ".join(map(visible, unmatched[:_MOST_NAMED]))
        more = len(unmatched) - _MOST_NAMED
        say(
            f"{len(unmatched)} of {len(submissions)} rows of {path} name no upload of this scan: "
            f"{names}{f' and {more} more' if more > 0 else ''}"
        )
    return submissions


class CaseOpener:
    """Opens a case at the desk for each upload that people have to look at, as soon as it is known.

    Make it when the scan begins: cases tell the state of the index as of then.

    Attributes
    ----------
    cases
        Numbers of the cases that the uploads have, new and known.
    failed
        How many uploads should have one, and do not.
    """

    def __init__(
        self, desk: Desk, index: ReferenceIndex, opened: Opened, settings: Settings
    ) -> None:
        from detector.review.intake import made_with

        self._desk = desk
        self._index = index
        self._opened = opened
        self._settings = settings
        self._made = made_with(index, opened.descriptors, opened.faces)
        self._states: dict[str, str | None] = {}  # of the files, when their scan began
        self.cases: set[int] = set()
        self.failed = 0

    def watching(self, watch: Callable[[Source], OnProgress]) -> Callable[[Source], OnProgress]:
        """Note the state of every file that is about to be scanned, besides what `watch` does."""

        def note(source: Source) -> OnProgress:
            self._states[source.name] = source.state_if_there(self._settings.protocols)
            return watch(source)

        return note

    def open(self, source: Source, result: ScanResult) -> str:
        """Open a case if need be; return what became of it in words, or nothing."""
        from detector.review.intake import is_for_people, open_case
        from detector.review.records import COMMAND_LINE

        state = self._states.pop(source.name, None)
        if not is_for_people(result):
            return ""
        try:
            with source.opened(self._settings.protocols) as media:
                if source.state_if_there(self._settings.protocols) != state:
                    raise InputError("the file has changed since it was scanned: scan it again")
                case = open_case(
                    self._desk,
                    result,
                    media,
                    self._index,
                    self._opened.descriptors,
                    self._opened.faces,
                    self._settings,
                    COMMAND_LINE,
                    made=self._made,
                )
        except InputError as error:
            self.failed += 1
            return f"no case: {error}"
        if case is None:
            return ""
        self.cases.add(case.id)
        return f"case {case.id}"

    def summary(self) -> str:
        """Say in a line what there is to look at."""
        count = len(self.cases)
        text = f"{count} case{'s' if count != 1 else ''} at the desk"
        if self.failed:
            text += f", {self.failed} could not be opened"
        return f"{text}: `matchcut review serve` shows them" if count else text


@contextmanager
def desk_for(wanted: bool, settings: Settings) -> Iterator[Desk | None]:
    """Open the desk if cases are wanted."""
    if not wanted:
        yield None
        return
    with open_desk(settings, make=True) as desk:
        yield desk
