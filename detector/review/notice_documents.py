"""A notice as a document: one HTML page that holds everything itself, and the same as PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any, cast

import jinja2

from detector.review.errors import InvalidError, ReviewError
from detector.review.notice_checks import Problem, is_given, misfits, problems
from detector.review.notice_elements import Element, elements
from detector.review.records import NoticeKind
from detector.text import visible


class IncompleteNoticeError(InvalidError):
    """A notice lacks an element, so that it cannot be signed; `problems` says which."""

    def __init__(self, missing: tuple[Problem, ...]) -> None:
        said = " ".join(one.message for one in missing)
        super().__init__(f"the notice cannot be signed yet: {said}", missing)


class PdfUnavailableError(ReviewError):
    """What makes PDF files is not installed; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signs a notice, and when."""

    name: str  # full name
    at: datetime  # aware


@dataclass(frozen=True, slots=True)
class _Form:
    """What the document of a kind says besides its elements."""

    title: str
    law: str
    request: str
    paper: str  # of which page size it is printed
    signature: str  # where the law asks for one; empty: nowhere


@dataclass(frozen=True, slots=True)
class _Row:
    """An element as the document shows it."""

    element: Element
    lines: tuple[str, ...]
    problem: str | None

    @property
    def is_ticked(self) -> bool:
        return self.element.kind == "check" and bool(self.lines)


_FORMS = MappingProxyType(
    {
        NoticeKind.DMCA: _Form(
            "Notice of claimed infringement",
            "17 U.S.C. § 512(c)(3)",
            "Please remove the material named here, or disable access to it, expeditiously "
            "(512(c)(1)(C)), and tell the complaining party when that is done.",
            "letter",
            "512(c)(3)(A)(i)",
        ),
        NoticeKind.DSA: _Form(
            "Notice of illegal content",
            "Regulation (EU) 2022/2065 (Digital Services Act), Article 16",
            "Please confirm receipt of this notice (Article 16(4)), decide on the material named "
            "here, and tell the notifier what you have decided and how it can be contested "
            "(Article 16(5)).",
            "A4",
            "",
        ),
        NoticeKind.LIKENESS: _Form(
            "Notice of unauthorized use of a likeness",
            "Right of publicity",
            "Please remove the material named here, or disable access to it, and tell the "
            "complaining party when that is done.",
            "letter",
            "28 U.S.C. § 1746",
        ),
    }
)


def render_html(
    kind: NoticeKind,
    values: Mapping[str, Any],
    *,
    notice_number: int,
    signature: Signature | None,
) -> str:
    """Write the document: signed if there is a signature, else a draft that shows what is missing.

    Parameters
    ----------
    values
        By name of the element, of plain JSON types.

    Raises
    ------
    IncompleteNoticeError
        It is to be signed, and an element is missing or wrong.
    """
    found = problems(kind, values)
    if signature is not None and found:
        raise IncompleteNoticeError(found)
    rows = _rows(kind, values, found)
    return (
        _environment()
        .get_template("notice.html")
        .render(
            form=_FORMS[kind],
            number=notice_number,
            recipient=next(row for row in rows if row.element.name == "recipient"),
            rows=[
                row
                for row in rows
                if row.element.kind != "check" and row.element.name != "recipient"
            ],
            statements=[row for row in rows if row.element.kind == "check"],
            missing=len(found),
            signature=signature,
        )
    )


def render_pdf(html: str) -> bytes:
    """Make a PDF file of a document of `render_html`; nothing is fetched for it.

    Raises
    ------
    PdfUnavailableError
        WeasyPrint or the libraries it needs are not installed.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:
        raise PdfUnavailableError(
            f"no PDF can be made here ({error}): install matchcut[review] and Pango (on Debian "
            "libpango-1.0-0 and libpangoft2-1.0-0), or print the document from the browser"
        ) from error
    # Values are escaped, so that there is nothing to fetch; should there be, it is refused.
    document = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=()))
    return cast(bytes, document.write_pdf(pdf_tags=True))


def _rows(kind: NoticeKind, values: Mapping[str, Any], found: tuple[Problem, ...]) -> list[_Row]:
    wrong = {one.element: one.message for one in found}
    unfit = {one.element for one in misfits(kind, values)}
    rows = []
    for element in elements(kind):
        value = None if element.name in unfit else values.get(element.name)
        lines = _lines(element, value) if is_given(element, value) else ()
        problem = wrong.get(element.name)
        if lines or problem is not None or element.kind == "check":
            rows.append(_Row(element, lines, problem))
    return rows


def _lines(element: Element, value: Any) -> tuple[str, ...]:
    """Return what an element says, line by line, with everything in it to be seen."""
    if element.kind == "check":
        return (element.label,)
    lines = value if element.kind == "lines" else value.strip().splitlines()
    return tuple(visible(line.strip()) for line in lines if line.strip() or element.kind != "lines")


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("detector.review"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters |= {"visible": visible, "moment": _moment}
    return made


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
