"""What the commands share: options, the workspace, expected failures, exit codes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from detector.logs import say

if TYPE_CHECKING:
    from detector.review.desk import Desk
    from detector.settings import Settings
    from index.reference_index import ReferenceIndex

FLAGGED, USAGE, UNREADABLE = 1, 2, 3  # exit codes besides 0


class Format(StrEnum):
    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Files, folders (read recursively) or URLs.", show_default=False
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        envvar="MATCHCUT_HOME",
        help="The workspace: catalogue and vectors.",
        show_default="the user's data folder",
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        help="Channels by name (copy,semantic,face), an error if one cannot run; or auto: all that "
        "can.",
        show_default="auto",
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        metavar="CLUSTER",
        help="Do it on a Ray cluster: ray://HOST:10001, or ray for the one of this machine.",
        show_default="this process",
    ),
]
Describers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="With --on: processes that describe the pictures of all workers.",
        show_default="one for each GPU",
    ),
]
ListFormat = Annotated[Format, typer.Option("--format", help="table, jsonl or csv.")]


def today() -> date:
    """Return the present day in UTC, by which the index tells who has expired."""
    return datetime.now(UTC).date()


def settings_of(home: Path | None, **overrides: Any) -> Settings:
    """Read the settings of a workspace."""
    from detector.settings import load_settings

    return load_settings(home=home, **overrides)


def open_index(settings: Settings) -> ReferenceIndex:
    """Open the index of a workspace; to be closed by a `with`."""
    from detector import workspace

    return workspace.open_index(settings)


@contextmanager
def open_desk(settings: Settings, *, make: bool = False) -> Iterator[Desk]:
    """Open the takedown desk of a workspace.

    Parameters
    ----------
    make
        Whether it is made where there is none; else that is an error, as a mistyped workspace
        would look like an empty desk.
    """
    from detector.review.database import review_url
    from detector.review.desk import Desk

    url = review_url(settings)
    is_file = url.get_backend_name() == "sqlite" and url.database
    if not make and is_file and not Path(str(url.database)).exists():
        fail(
            f"there is no desk in {settings.home} yet: `matchcut scan --cases PATH` or `matchcut "
            "review accounts add NAME` makes it"
        )
    with Desk.open(settings) as desk:
        yield desk


@contextmanager
def errors() -> Iterator[None]:
    """Turn expected failures into one sentence and exit code 2; others keep their traceback."""
    try:
        yield
    except ImportError as error:
        if "libGL" in str(error) or "libxcb" in str(error) or "libg" in str(error):
            from detector.doctor.programs import OPENCV_LIBRARIES

            fail(f"{error}. {OPENCV_LIBRARIES}")
        package = (error.name or "").partition(".")[0]
        if package in _REVIEW_PACKAGES:
            fail(f"the takedown desk needs {package}: `pip install matchcut[review]`")
        raise
    except Exception as error:
        cause = getattr(error, "orig", None) or error  # as the database's driver tells it
        if _is_of_database(error):
            fail(f"a database of the workspace cannot be used: {with_remedy(cause)}")
        if not _is_expected(error):
            raise
        fail(_of_settings(error) or with_remedy(cause))


def with_remedy(error: BaseException) -> str:
    """Say what an error says, and what to do about it where the disk is to blame."""
    from index.disks import remedy

    what_to_do = remedy(error)
    if what_to_do is None:
        return str(error)
    said = str(error)
    if isinstance(error, OSError) and error.strerror:  # without its number
        said = error.strerror if error.filename is None else f"{error.strerror} ({error.filename})"
    return f"{said}: {what_to_do}"


_REVIEW_PACKAGES = frozenset(
    {"argon2", "fastapi", "python_multipart", "starlette", "uvicorn", "weasyprint"}
)


def _is_expected(error: Exception) -> bool:
    # Imported here: only after something has failed does it matter what could.
    from pydantic import ValidationError

    from detector.assets import AssetError
    from detector.cluster import ClusterError
    from detector.decoding.records import UnreadableMediaError
    from detector.descriptors.base import DescriptorUnavailableError
    from detector.inputs import InputError
    from detector.review.errors import ReviewError
    from index.errors import ReferenceIndexError

    expected = (
        AssetError,
        ClusterError,
        DescriptorUnavailableError,
        InputError,
        OSError,
        ReferenceIndexError,
        ReviewError,
        UnreadableMediaError,
        ValidationError,
    )
    return isinstance(error, expected)


def _of_settings(error: Exception) -> str | None:
    """Say which settings are wrong, if that is what failed."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError) or error.title != "Settings":
        return None
    told = []
    for one in error.errors(include_url=False):
        name = "__".join(map(str, one["loc"])).upper()
        said = one["msg"].removeprefix("Value error, ")
        told.append(f"MATCHCUT_{name}: {said[:1].lower()}{said[1:]}" if name else said)
    return f"a setting cannot be used: {'; '.join(told)}"


def _is_of_database(error: Exception) -> bool:
    """Whether the disk is full, the server gone, the file damaged ..., and not a query wrong."""
    from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError

    return isinstance(error, (InterfaceError, OperationalError)) or type(error) is DatabaseError


def fail(message: str) -> NoReturn:
    """End with one sentence on stderr and the exit code of a usage or set-up error."""
    say(f"matchcut: {message}", message=message, level=logging.ERROR)
    raise typer.Exit(USAGE)
