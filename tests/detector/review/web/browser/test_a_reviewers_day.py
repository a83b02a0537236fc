"""A reviewer's work in a real browser, on real scanned clips, by keyboard."""

from __future__ import annotations

import pytest
from desk_server import PATIENCE_MS
from notice_examples import complete
from playwright.sync_api import Page, expect

from detector.review.notices import elements
from detector.review.records import (
    REASONS,
    Action,
    CaseState,
    NoticeKind,
    NoticeState,
    Reason,
)

# Where both videos are at one moment, and where the reference is to be by the segments.
_IN_STEP = """() => {
  const [upload, reference] = ["#upload", "#reference"].map((id) => document.querySelector(id));
  const button = document.querySelector("[data-segment][aria-pressed=true]");
  if (!button) return null;
  const {start, ref, speed} = button.dataset;
  const wanted = Number(ref) + (upload.currentTime - Number(start)) * Number(speed);
  return {upload: upload.currentTime, off: Math.abs(reference.currentTime - wanted)};
}"""
_BOTH_READY = "[...document.querySelectorAll('video')].every((v) => v.readyState > 2)"


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition in the page; Playwright's own way is forbidden by the desk's policy."""
    page.evaluate(f"""() => new Promise((resolve, reject) => {{
      const end = performance.now() + {PATIENCE_MS};
      const look = () => {{
        if ({condition}) resolve();
        else if (performance.now() > end) reject(new Error({condition!r}));
        else setTimeout(look, 20);
      }};
      look();
    }})""")


def decide(page: Page, action: str, reason: str, *, then_next: bool = False) -> None:
    """Decide the open case by two keys."""
    page.keyboard.press(action)
    box = page.locator("details[open] input[name=then_next]")
    box.set_checked(then_next)
    box.blur()
    page.keyboard.press(reason)


def test_both_videos_play_in_step_and_the_case_is_decided_and_undone_by_keyboard(
    office, sign_in, keep_picture
) -> None:
    page = sign_in("rosa")
    keep_picture(page, "queue")
    expect(page.locator(".queue tbody tr")).to_have_count(3)

    names = page.locator(".queue .name a")
    expect(names.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(names.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(names.nth(0)).to_be_focused()

    page.goto(f"/cases/{office.cases['bikes-sped-up']}")
    page.keyboard.press("c")
    expect(page.locator(".decide")).to_contain_text("Release")
    case = office.desk.cases.get(office.cases["bikes-sped-up"])
    assert case.claim is not None
    assert case.claim.name == "rosa"

    wait_until(page, _BOTH_READY)
    page.keyboard.press("1")  # to the first segment
    page.keyboard.press(" ")
    began = page.evaluate("document.querySelector('#upload').currentTime")
    wait_until(page, f"document.querySelector('#upload').currentTime > {began} + 1.5")
    playing = page.evaluate(_IN_STEP)
    page.keyboard.press(" ")
    assert playing is not None
    assert playing["off"] < 0.3  # while it plays, on any machine; put right when it stands
    wait_until(page, "document.querySelector('#reference').paused")
    wait_until(page, f"({_IN_STEP})().off < 0.05")
    wait_until(page, "[...document.querySelectorAll('.pairs img')].some((i) => i.naturalWidth > 0)")
    wait_until(page, "document.querySelector('.matrix img').naturalWidth > 0")
    keep_picture(page, "case")

    decide(page, "b", "1")
    expect(page.locator(".said")).to_contain_text("block")
    assert office.desk.cases.get(case.id).state is CaseState.DECIDED
    page.wait_for_load_state()
    page.keyboard.press("u")
    expect(page.locator(".said")).to_contain_text("Undone")
    undone = office.desk.cases.get(case.id)
    assert undone.state is CaseState.OPEN
    assert undone.decisions[-1].undone_at is not None


def test_blocking_for_a_likeness_takes_a_second_person(office, sign_in, keep_picture) -> None:
    case = office.cases["interview"]
    rosa = sign_in("rosa")
    rosa.goto(f"/cases/{case}")
    decide(rosa, "b", str(1 + REASONS[Action.BLOCK].index(Reason.LIKENESS)))
    expect(rosa.locator(".decide")).to_contain_text("Waits for another person")
    assert office.desk.cases.get(case).state is CaseState.TO_APPROVE

    anna = sign_in("anna")
    anna.goto(f"/cases/{case}")
    wait_until(
        anna, "[...document.querySelectorAll('.faces img')].every((i) => i.naturalWidth > 0)"
    )
    keep_picture(anna, "likeness")
    anna.keyboard.press("a")
    anna.keyboard.press("1")
    expect(anna.locator(".decide")).to_contain_text("approved by anna")
    decided = office.desk.cases.get(case)
    assert decided.state is CaseState.DECIDED
    assert decided.decisions[-1].approval_by == "anna"
    assert {event.action for event in office.desk.audit.events()} >= {
        "case.decided",
        "case.approved",
        "person.viewed",
    }


def test_a_notice_is_drafted_signed_approved_and_found_in_the_audit(
    office, sign_in, keep_picture
) -> None:
    rosa = sign_in("rosa")
    rosa.goto(f"/cases/{office.cases['bikes-sped-up']}")
    rosa.get_by_role("link", name="Draft a notice").first.click()
    rosa.get_by_role("button", name="Draft a DMCA notice").click()
    for element in elements(NoticeKind.DMCA):
        value = complete(NoticeKind.DMCA).get(element.name)
        field = rosa.locator(f"#e-{element.name}")
        if value is True:
            expect(field).not_to_be_checked()
            field.check()
        elif element.kind == "choice" and value is not None:
            field.select_option(value)
        elif value is not None:
            field.fill("\n".join(value) if isinstance(value, list) else value)
    keep_picture(rosa, "notice")
    rosa.get_by_label("Type your full name to sign").fill("Rosa Reviewer")
    rosa.get_by_role("button", name="Sign", exact=True).click()
    expect(rosa.locator(".said")).to_contain_text("Another person must approve")
    number = int(rosa.url.partition("/notices/")[2].partition("?")[0])

    anna = sign_in("anna")
    anna.goto(f"/notices/{number}")
    anna.get_by_role("button", name="Approve").click()
    expect(anna.locator(".said")).to_contain_text("Approved")
    notice = office.desk.notices.get(number)
    assert notice.state is NoticeState.APPROVED
    assert (notice.signed_by, notice.approved_by) == ("Rosa Reviewer", "Anna Approver")

    anna.goto(f"/audit?subject=notice:{number}")
    for action in ("notice.drafted", "notice.signed", "notice.approved"):
        expect(anna.locator("tbody")).to_contain_text(action)
    keep_picture(anna, "audit")
    assert office.desk.audit.verify().problems == ()


def test_a_suspect_clip_is_asked_about_and_becomes_a_case(
    office, samples, sign_in, keep_picture
) -> None:
    clip = next(one.path for one in samples.uploads if one.path.stem.startswith("bikes-"))
    page = sign_in("rosa")
    page.goto("/query")
    keep_picture(page, "query")
    page.locator("#file").set_input_files(clip)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("bikes")
    expect(page.get_by_role("button", name="Open a case")).to_be_visible()
    keep_picture(page, "answer")
    page.get_by_role("button", name="Open a case").click()
    page.wait_for_url("**/cases/*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("bikes")


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["laptop", "phone"])
def test_nothing_is_wider_than_the_screen(office, sign_in, size: tuple[int, int]) -> None:
    page = sign_in("ada", viewport={"width": size[0], "height": size[1]})
    for path in ("/", f"/cases/{office.cases['bikes-sped-up']}", "/query", "/library", "/accounts"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
