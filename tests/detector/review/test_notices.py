from __future__ import annotations

import re
import sys
import zlib
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from notice_examples import complete

from detector.review.notice_elements import (
    MAYBE_CONSENT,
    MAYBE_EXCEPTION,
    MAYBE_FAIR_USE,
    MAYBE_LICENCE,
    OTHER_CONSENT,
    OTHER_LICENCE,
)
from detector.review.notices import (
    Element,
    IncompleteNoticeError,
    PdfUnavailableError,
    Problem,
    Signature,
    elements,
    misfits,
    problems,
    render_html,
    render_pdf,
)
from detector.review.records import NoticeKind

SIGNATURE = Signature("Anna Albers", datetime(2026, 6, 1, 14, 3, tzinfo=UTC))
REQUIRED = [(kind, one) for kind in NoticeKind for one in elements(kind) if one.required]


def by_name(kind: NoticeKind, name: str) -> Element:
    return next(one for one in elements(kind) if one.name == name)


def signed(kind: NoticeKind, values: dict[str, Any]) -> str:
    return render_html(kind, values, notice_number=3, signature=SIGNATURE)


def drafted(kind: NoticeKind, values: dict[str, Any]) -> str:
    return render_html(kind, values, notice_number=3, signature=None)


def text_of(html: str) -> str:
    """Return what can be read on a page."""
    body = html[html.index("<body>") :]
    return " ".join(unescape(re.sub("<[^>]*>", " ", body)).split())


# --- elements -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "element"), [pytest.param(k, e, id=f"{k}-{e.name}") for k, e in REQUIRED]
)
def test_a_notice_without_a_required_element_is_not_final(
    kind: NoticeKind, element: Element
) -> None:
    values = complete(kind)
    del values[element.name]

    assert problems(kind, values) == (Problem(element.name, element.missing),)
    with pytest.raises(IncompleteNoticeError, match=re.escape(element.missing)) as raised:
        signed(kind, values)
    assert raised.value.problems == (Problem(element.name, element.missing),)
    assert element.missing in text_of(drafted(kind, values))


@pytest.mark.parametrize(
    ("kind", "element"), [pytest.param(k, e, id=f"{k}-{e.name}") for k, e in REQUIRED]
)
def test_what_is_empty_is_missing(kind: NoticeKind, element: Element) -> None:
    empty = {"check": False, "lines": ["", "  "]}.get(element.kind, " \n ")
    values = complete(kind) | {element.name: empty}
    assert problems(kind, values) == (Problem(element.name, element.missing),)


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_complete_notice_has_no_problem(kind: NoticeKind) -> None:
    assert problems(kind, complete(kind)) == ()


@pytest.mark.parametrize("kind", NoticeKind)
def test_of_nothing_all_is_missing_in_the_order_of_the_document(kind: NoticeKind) -> None:
    missing = [one.name for one in elements(kind) if one.required]
    assert [one.element for one in problems(kind, {})] == missing


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_element_says_what_is_meant(kind: NoticeKind) -> None:
    names = [one.name for one in elements(kind)]
    assert len(names) == len(set(names))
    for one in elements(kind):
        assert one.label
        assert one.help
        assert bool(one.choices) == (one.kind == "choice")
        assert set(one.barring) <= set(one.choices)
        assert one.missing or not (one.required or one.asked_with)


@pytest.mark.parametrize(
    ("kind", "cited"),
    [
        # The signature, (i) of the first, is given when the notice is signed.
        (NoticeKind.DMCA, [f"512(c)(3)(A)({n})" for n in ("ii", "iii", "iv", "v", "vi")]),
        (NoticeKind.DSA, [f"Article 16(2)({n})" for n in "abcd"]),
    ],
)
def test_everything_that_the_law_lists_is_asked_for(kind: NoticeKind, cited: list[str]) -> None:
    required = {one.statute for one in elements(kind) if one.required}
    assert set(cited) <= required


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        (NoticeKind.DMCA, "fair_use", MAYBE_FAIR_USE),
        (NoticeKind.DMCA, "licence", MAYBE_LICENCE),
        (NoticeKind.DSA, "exceptions", MAYBE_EXCEPTION),
        (NoticeKind.DSA, "licence", MAYBE_LICENCE),
        (NoticeKind.LIKENESS, "exceptions", MAYBE_EXCEPTION),
        (NoticeKind.LIKENESS, "consent", MAYBE_CONSENT),
    ],
)
def test_a_notice_against_what_may_be_lawful_cannot_be_signed(
    kind: NoticeKind, name: str, answer: str
) -> None:
    (problem,) = problems(kind, complete(kind) | {name: answer})
    assert problem.element == name
    assert "withdraw it" in problem.message


@pytest.mark.parametrize(
    ("kind", "name", "answer", "reason"),
    [
        (NoticeKind.DMCA, "licence", OTHER_LICENCE, "licence_why"),
        (NoticeKind.DSA, "licence", OTHER_LICENCE, "licence_why"),
        (NoticeKind.LIKENESS, "consent", OTHER_CONSENT, "consent_why"),
    ],
)
def test_a_licence_that_does_not_cover_the_use_has_to_be_explained(
    kind: NoticeKind, name: str, answer: str, reason: str
) -> None:
    values = complete(kind) | {name: answer}
    assert problems(kind, values) == (Problem(reason, by_name(kind, reason).missing),)
    assert problems(kind, values | {reason: "Licence L-17 ended in 2024."}) == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("material", ["video.example/watch?v=17"], "no exact address"),
        ("material", ["https://video.example/", "javascript:alert(1)"], "“javascript:alert(1)”"),
        ("material", ["https://video.example/ and more"], "no exact address"),
        ("material", ["https://video.example:port/"], "no exact address"),
        ("material", ["https:///watch"], "no exact address"),
        ("email", "rights@desk", "no email address"),
        ("email", "rights at desk.example", "no email address"),
        ("seen_on", "yesterday", "no date"),
        ("seen_on", f"{datetime.now(UTC).date() + timedelta(days=2)}", "yet to come"),
        ("fair_use", "Certainly not", "one of the answers"),
        ("complainant", "Rights Desk GmbH\nand others", "in one line"),
        ("phone", 49301234, "give a text"),
        ("works", "Metropolis", "list of lines"),
        ("works", ["Metropolis", 17], "list of lines"),
        ("good_faith", "yes", "true or false"),
        ("fair_use_why", "x" * 20_001, "at most 20000 characters"),
        ("works", ["x" * 2001], "2000 characters"),
    ],
)
def test_what_is_there_and_wrong_is_told(name: str, value: object, said: str) -> None:
    (problem,) = problems(NoticeKind.DMCA, complete(NoticeKind.DMCA) | {name: value})
    assert problem.element == name
    assert said in problem.message


def test_optional_elements_may_be_given() -> None:
    values = complete(NoticeKind.DMCA) | {"email": "a.b@desk.example", "seen_on": "2025-01-31"}
    assert problems(NoticeKind.DMCA, values) == ()
    assert "a.b@desk.example" in text_of(signed(NoticeKind.DMCA, values))


def test_a_draft_takes_only_what_a_notice_consists_of() -> None:
    values = {"works": ["Metropolis"], "fair_use": "", "owner": 17, "colour": "red"}
    assert [one.element for one in misfits(NoticeKind.DMCA, values)] == ["owner", "colour"]


# --- documents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_signed_notice_says_all_that_is_in_it(kind: NoticeKind) -> None:
    values = complete(kind)
    read = text_of(signed(kind, values))

    for one in elements(kind):
        if one.required:
            value = values[one.name]
            lines = [one.label] if one.kind == "check" else value
            for line in lines if isinstance(lines, list) else lines.split("\n"):
                assert line in read
    assert "Anna Albers Signed electronically on 2026-06-01 14:03 UTC" in read
    assert "DRAFT" not in read
    assert "not ticked" not in signed(kind, values)


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_draft_is_marked_as_such_even_if_it_is_complete(kind: NoticeKind) -> None:
    read = text_of(drafted(kind, complete(kind)))
    assert "DRAFT: not signed, not to be sent" in read
    assert "Not signed." in read
    assert "/s/" not in read


def test_a_draft_counts_what_is_missing() -> None:
    values = complete(NoticeKind.DSA)
    del values["law"]
    assert "1 element is missing" in text_of(drafted(NoticeKind.DSA, values))
    del values["reasons"]
    assert "2 elements are missing" in text_of(drafted(NoticeKind.DSA, values))


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_draft_shows_statements_unticked(kind: NoticeKind) -> None:
    checks = [one for one in elements(kind) if one.kind == "check"]
    html = drafted(kind, complete(kind) | {one.name: False for one in checks})
    assert html.count('aria-label="not ticked"') == len(checks) > 0
    assert 'aria-label="ticked"' not in html


@pytest.mark.parametrize("name", ["recipient", "works", "owner"])
def test_hostile_text_is_only_text(name: str) -> None:
    hostile = "</p><script>alert(1)</script> {{ 7 * 7 }} \N{RIGHT-TO-LEFT OVERRIDE}fdp"
    value = [hostile, hostile] if name == "works" else hostile
    html = signed(NoticeKind.DMCA, complete(NoticeKind.DMCA) | {name: value})

    assert "<script" not in html
    assert "</p><script>alert(1)</script> {{ 7 * 7 }} \\u202efdp" in text_of(html)


def test_a_document_fetches_and_runs_nothing() -> None:
    html = signed(NoticeKind.DMCA, complete(NoticeKind.DMCA))
    assert "default-src 'none'" in unescape(html)
    assert not re.search(r"<(script|link|img|iframe|object)|\bsrc=|url\(|@import", html)


def test_a_draft_shows_what_cannot_be_kept_as_wrong() -> None:
    html = drafted(NoticeKind.DMCA, complete(NoticeKind.DMCA) | {"works": {"a": 1}})
    assert "give a list of lines" in text_of(html)


# --- PDF ----------------------------------------------------------------------------------------


def objects_in(pdf: bytes) -> bytes:
    """Return what a PDF file consists of, with what is compressed in it."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return b"\n".join([pdf, *map(zlib.decompress, streams)])


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_is_a_pdf_file(kind: NoticeKind, caplog: pytest.LogCaptureFixture) -> None:
    pdf = render_pdf(signed(kind, complete(kind)))
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"/StructTreeRoot" in objects_in(pdf)  # so that a screen reader finds its way
    assert caplog.messages == []  # nothing in the page that does not go into a PDF


def test_a_long_notice_has_more_pages_than_a_short_one() -> None:
    def pages(values: dict[str, Any]) -> int:
        pdf = render_pdf(signed(NoticeKind.DMCA, values))
        return len(re.findall(rb"/Type ?/Page\b", objects_in(pdf)))

    short = complete(NoticeKind.DMCA)
    passages = [f"0:0{n % 10}.0 to 0:10.0 shows Metropolis" for n in range(200)]
    assert 1 <= pages(short) <= 2
    assert pages(short | {"passages": passages}) >= 4


def test_nothing_is_fetched_for_a_pdf(portrait: Path) -> None:
    """A picture that is there, by its address, does not get in."""
    pdf = render_pdf(f'<p>A notice</p><img src="{portrait.as_uri()}">')
    assert b"/Image" not in objects_in(pdf)


def test_where_weasyprint_is_missing_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)  # as Python has what cannot be imported
    with pytest.raises(PdfUnavailableError, match=r"matchcut\[review\] and Pango"):
        render_pdf("<p>A notice</p>")
