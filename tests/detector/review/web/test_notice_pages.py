from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from notice_examples import complete

from detector.review.notices import elements
from detector.review.records import NoticeKind, NoticeState

TODAY = datetime.now(UTC).date()


def form_of(kind: NoticeKind, **changes: Any) -> dict[str, str]:
    """Return what a browser sends of a notice's form: no box that is not ticked."""
    values = complete(kind) | changes
    ticked = {name: "on" for name, value in values.items() if value is True}
    lines = {name: "\r\n".join(value) for name, value in values.items() if isinstance(value, list)}
    return (
        {name: value for name, value in values.items() if isinstance(value, str)} | lines | ticked
    )


def drafted(office, kind: NoticeKind = NoticeKind.DMCA) -> int:
    """Draft a notice on the page, as Rosa, and return its number."""
    case = office.cases["bikes-sped-up"]
    answer = office.browser("rosa").post(f"/cases/{case}/notices", kind=kind.value)
    assert answer.status_code == 303, answer.text
    return int(re.search(r"/notices/(\d+)", answer.headers["location"])[1])


def signed(office, kind: NoticeKind = NoticeKind.DMCA) -> int:
    number = drafted(office, kind)
    form = form_of(kind, full_name="Rosa Reviewer")
    page = office.browser("rosa").follow(f"/notices/{number}/sign", **form)
    assert "Signed. Another person must approve it" in page
    return number


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_draft_has_what_is_known_and_nothing_ticked(office, kind: NoticeKind) -> None:
    page = office.browser("rosa").get(f"/notices/{drafted(office, kind)}").text

    assert "https://videos.example/watch/1" in page
    for one in elements(kind):
        assert f'name="{one.name}"' in page
        assert unescape(page).count(one.help) >= 1
    form = page[page.index("novalidate") : page.index("</form>", page.index("novalidate"))]
    assert "checked" not in form
    assert not re.search(r'<option value="[^"]+" selected', form)


def test_a_notice_goes_from_draft_to_counter_notice(office) -> None:
    number = drafted(office)
    rosa, anna = office.browser("rosa"), office.browser("anna")
    form = form_of(NoticeKind.DMCA)
    assert "The draft is kept." in rosa.follow(f"/notices/{number}/save", **form)
    page = rosa.follow(f"/notices/{number}/sign", **form, full_name="Rosa Reviewer")
    assert "you signed it yourself" in page
    assert "You are the second person" in anna.get(f"/notices/{number}").text
    assert "it may be sent now" in anna.follow(f"/notices/{number}/approve")
    page = rosa.follow(f"/notices/{number}/sent", to="copyright@video.example")
    assert "sent to copyright@video.example" in page

    said = {"received_at": TODAY.isoformat(), "text": "It is my own film.\r\nSee my site."}
    page = rosa.follow(f"/notices/{number}/counter", **said)
    notice = office.desk.notices.get(number)
    assert notice.counter is not None
    assert str(notice.counter.restore_from) in page
    assert str(notice.counter.restore_by) in page
    listed = rosa.get("/notices?state=sent").text
    assert f'href="/notices/{number}"' in listed
    assert "counter-notice" in listed
    assert f'href="/notices/{number}"' not in rosa.get("/notices?state=draft").text


def test_what_is_missing_is_marked_and_what_was_filled_in_stays(office) -> None:
    number = drafted(office)
    form = form_of(NoticeKind.DMCA, phone="", works=["Bikes & Co"]) | {"full_name": "Rosa Reviewer"}
    del form["good_faith"]
    answer = office.browser("rosa").post(f"/notices/{number}/sign", **form)

    assert answer.status_code == 422
    assert "2 elements are missing or wrong" in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert 'href="#e-phone"' in answer.text
    assert "The telephone number is missing" in answer.text
    assert "Bikes &amp; Co" in answer.text
    assert office.desk.notices.get(number).state is NoticeState.DRAFT


def test_another_name_does_not_sign(office) -> None:
    number = drafted(office)
    form = form_of(NoticeKind.DMCA, full_name="Anna Approver")
    answer = office.browser("rosa").post(f"/notices/{number}/sign", **form)
    assert answer.status_code == 422
    assert "type your own full name to sign: Rosa Reviewer" in answer.text


def test_who_comes_too_late_sees_what_was_signed(office) -> None:
    number = signed(office)
    form = form_of(NoticeKind.DMCA, complainant="Somebody else")
    answer = office.browser("rob").post(f"/notices/{number}/save", **form)
    assert answer.status_code == 409
    assert "Somebody else" not in answer.text
    assert "Rights Desk GmbH" in answer.text


def test_a_viewer_sees_a_draft_and_changes_nothing(office) -> None:
    number = drafted(office)
    vera = office.browser("vera")
    page = vera.get(f"/notices/{number}").text
    assert f"/notices/{number}/save" not in page
    assert "https://videos.example/watch/1" in page
    assert vera.post(f"/notices/{number}/save", **form_of(NoticeKind.DMCA)).status_code == 403


def test_only_a_dmca_notice_asks_for_a_counter_notice(office) -> None:
    number = signed(office, NoticeKind.DSA)
    office.browser("anna").follow(f"/notices/{number}/approve")
    page = office.browser("rosa").follow(f"/notices/{number}/sent", to="dsa@video.example")
    assert "Counter-notice" not in page


def test_a_withdrawn_notice_says_so(office) -> None:
    number = signed(office)
    page = office.browser("rob").follow(f"/notices/{number}/withdraw", why="It is licensed")
    assert "Withdrawn." in page
    assert '<span class="tag">withdrawn</span>' in page


def test_the_document_is_shown_in_a_frame_that_runs_nothing(office) -> None:
    number = drafted(office)
    rosa = office.browser("rosa")
    form = form_of(NoticeKind.DMCA, owner="</dd><script>alert(1)</script>")
    page = rosa.follow(f"/notices/{number}/save", **form)
    preview = rosa.get(f"/notices/{number}/preview")

    assert f'<iframe src="/notices/{number}/preview" sandbox' in page
    policy = preview.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "frame-ancestors 'self'" in policy
    for html in (page, preview.text):
        assert "<script>alert" not in html
        assert "&lt;/dd&gt;&lt;script&gt;alert(1)" in html
    assert "DRAFT" in preview.text


def test_a_notice_can_be_taken_along_as_pdf(office) -> None:
    rosa = office.browser("rosa")
    draft, final = drafted(office), signed(office)
    answer = rosa.get(f"/notices/{draft}/notice.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert f'filename="notice-{draft}-draft.pdf"' in answer.headers["Content-Disposition"]
    assert answer.content.startswith(b"%PDF-")
    answer = rosa.get(f"/notices/{final}/notice.pdf")
    assert f'filename="notice-{final}.pdf"' in answer.headers["Content-Disposition"]


def test_a_notice_that_is_not_there(office) -> None:
    rosa = office.browser("rosa")
    for path in ("/notices/17", "/notices/17/preview", "/notices/17/notice.pdf"):
        answer = rosa.get(path)
        assert answer.status_code == 404
        assert "there is no notice 17" in answer.text
    assert rosa.post("/notices/17/approve").status_code == 403
    assert rosa.post("/cases/4711/notices", kind="dmca").status_code == 404
