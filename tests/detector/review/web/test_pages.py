"""The pages, as people use them: the queue, a case, accounts, the audit."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from desk_office import PASSWORD, Browser, Office

from detector.output import from_json
from detector.review.accounts import LEAST_PASSWORD
from detector.review.records import Action, CaseState, Reason
from detector.types import Submission

BIKES, BEST, FACE = "bikes-sped-up", "best-scenes-compilation", "interview"


def listed(page: str) -> list[str]:
    """Return the names of the uploads in a queue, from top to bottom."""
    return re.findall(r'<td class="name"><a [^>]*>([^<]*)</a>', page)


def state(office: Office, case: int) -> CaseState:
    return office.desk.cases.get(case).state


def decide(browser: Browser, case: int, action: str, reason: str, **more: str) -> str:
    """Decide a case, and return the page that follows."""
    return browser.follow(f"/cases/{case}/decide", action=action, reason=reason, **more)


# --- the queue --------------------------------------------------------------------------------


def test_the_queue_shows_the_gravest_first(shown: Office) -> None:
    page = shown.browser("rosa").get("/").text
    names = listed(page)
    assert set(names) == {f"{BIKES}.mp4", f"{BEST}.mp4", f"{FACE}.mp4"}
    assert names[-1] == f"{FACE}.mp4"  # to be reviewed, the others are to be blocked
    assert "likeness of <b>Eileen Collins</b>" in page
    assert 'Open <span class="muted">3</span>' in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("channel=face", [FACE]),
        ("channel=copy", [BEST, BIKES]),
        ("verdict=review", [FACE]),
        ("uploader=ferris", [BEST, BIKES]),
        ("work=bigbuckbunny", [BEST]),
        ("person=eileen", [FACE]),
        ("owner=NASA", [FACE]),
        ("source=SPED", [BIKES]),
        ("source=%25", []),
        ("band=0.95-1", [BEST, BIKES, FACE]),
        ("band=0-0.8", []),
        ("age=day", [BEST, BIKES, FACE]),
        ("age=before-week", []),
        ("claimed=yes", []),
        ("claimed=no", [BEST, BIKES, FACE]),
        ("state=decided", []),
        ("state=all&channel=face&uploader=ferris", []),
        ("channel=smell&band=9&age=never&sort=up&source=%00", [BEST, BIKES, FACE]),
    ],
)
def test_the_queue_is_filtered(shown: Office, query: str, names: list[str]) -> None:
    page = shown.browser("vera").get(f"/?{query}").text
    assert sorted(listed(page)) == sorted(f"{name}.mp4" for name in names)
    if not names:
        assert "No case is" in page


def test_the_queue_is_sorted(shown: Office) -> None:
    rosa = shown.browser("rosa")
    newest, oldest = (listed(rosa.get(f"/?sort={sort}").text) for sort in ("newest", "oldest"))
    assert newest == oldest[::-1]
    assert len(newest) == 3


def test_a_long_queue_has_pages(office: Office) -> None:
    for n in range(60):
        office.add_case(BIKES, f"/uploads/{n}.mp4")
    rosa = office.browser("rosa")
    first = rosa.get("/?uploader=ferris").text
    assert len(listed(first)) == 50
    assert "1\u201350 of 62" in first
    further = re.search(r'href="([^"]*)" rel="next"', first)[1].replace("&amp;", "&")
    second = rosa.get(further).text
    assert "51\u201362 of 62" in second
    assert not set(listed(first)) & set(listed(second))


def test_the_next_case_is_the_gravest_that_is_wanted_and_free(office: Office) -> None:
    rosa, rob = office.browser("rosa"), office.browser("rob")
    taken = rosa.post("/take-next?channel=face").headers["location"]
    assert taken == f"/cases/{office.cases[FACE]}?channel=face"
    assert "Nothing else waits here." in rob.follow("/take-next?channel=face")
    others = {rob.post("/take-next").headers["location"] for _ in range(2)}
    assert others == {f"/cases/{office.cases[name]}" for name in (BIKES, BEST)}
    mine = rosa.get("/?claimed=me").text
    assert listed(mine) == [f"{FACE}.mp4"]
    assert "yours" in mine


def test_from_a_list_of_what_is_decided_the_next_is_an_open_one(office: Office) -> None:
    for tab in ("all", "decided", "to approve"):
        answer = office.browser("rosa").post(f"/take-next?state={tab}")
        assert answer.headers["location"].startswith("/cases/"), tab


def test_a_queue_that_nobody_has_filled_says_how_to(office: Office) -> None:
    page = office.browser("rosa").get("/?state=escalated").text
    assert "No case is here." in page


# --- a case -----------------------------------------------------------------------------------


def test_a_case_shows_what_was_found_and_why(shown: Office) -> None:
    number = shown.cases[BIKES]
    page = shown.browser("rosa").get(f"/cases/{number}").text
    case = shown.desk.cases.get(number)
    assert "of bikes</h1>" in page
    assert "<b>Rule:</b> the work&#39;s policy is block." in page
    assert f'src="/api/v1/cases/{number}/upload.mp4"' in page
    assert 'src="/api/v1/works/bikes/reference.mp4"' in page
    assert 'data-segment="0"' in page
    assert f"/api/v1/cases/{number}/matches/0/segments/0/pairs/0/upload.jpg" in page
    assert f"/api/v1/cases/{number}/matches/0/matrix.png" in page
    assert "Operating point" in page
    assert case.digest in page
    assert "https://videos.example/watch/1" in page
    assert "Other cases of ferris" in page
    assert "opened the case" in page
    assert "faster" in page or "speed" in page  # the edit


def test_each_finding_of_a_case_has_a_page(shown: Office) -> None:
    number = shown.cases[BEST]
    rosa = shown.browser("rosa")
    pages = [rosa.get(f"/cases/{number}?match={match}").text for match in (0, 1)]
    works = [re.search(r"/api/v1/works/(\w+)/reference", page)[1] for page in pages]
    assert set(works) == {"bikes", "bigbuckbunny"}
    assert 'data-key="]"' in pages[0] + pages[1]


def test_faces_are_shown_beside_each_other_to_reviewers(shown: Office) -> None:
    number = shown.cases[FACE]
    face = f"/api/v1/cases/{number}/matches/0/appearances/0"
    page = shown.browser("rosa").get(f"/cases/{number}").text
    assert f'src="{face}/upload.jpg"' in page
    assert f'src="{face}/reference.jpg"' in page
    assert "A likeness alone decides nothing" in page
    assert "nobody else is enrolled to compare with" in page
    page = shown.browser("vera").get(f"/cases/{number}").text
    assert face not in page
    assert "Enrolled faces are shown to reviewers." in page


def test_viewers_may_look_and_not_decide(shown: Office) -> None:
    number = shown.cases[BIKES]
    page = shown.browser("vera").get(f"/cases/{number}").text
    assert "You may look; to decide takes a reviewer." in page
    assert f"/cases/{number}/decide" not in page


def test_there_may_be_no_such_case(shown: Office) -> None:
    rosa = shown.browser("rosa")
    for path in ("/cases/999", "/cases/999/provenance"):
        answer = rosa.get(path)
        assert answer.status_code == 404
        assert "there is no case 999" in answer.text
    assert rosa.post("/cases/999/claim").status_code == 404
    assert rosa.get("/cases/x").status_code == 422
    assert rosa.get(f"/cases/{2**63}").status_code == 422


def test_a_case_whose_upload_and_work_have_gone_still_opens(office: Office) -> None:
    number = office.add_case(BIKES, "/uploads/gone.mp4")
    office.engine.index.remove("bikes")
    page = office.browser("rosa").get(f"/cases/{number}").text
    assert "The upload is no longer at /uploads/gone.mp4" in page
    assert "This work is not enrolled any more." in page


def test_a_case_whose_result_is_damaged_still_opens(office: Office) -> None:
    with sqlite3.connect(office.settings.home / "review.sqlite") as database:
        database.execute("UPDATE review_cases SET result = '{}'")
    answer = office.browser("rosa").get(f"/cases/{office.cases[BIKES]}")
    assert answer.status_code == 200
    assert "What the scan said cannot be read" in answer.text


def test_provenance_is_a_part_that_comes_later(shown: Office) -> None:
    number = shown.cases[BIKES]
    rosa = shown.browser("rosa")
    assert f'data-from="/cases/{number}/provenance"' in rosa.get(f"/cases/{number}").text
    part = rosa.get(f"/cases/{number}/provenance").text
    assert "No content credentials: this says nothing" in part
    assert "<html" not in part


# --- what is decided --------------------------------------------------------------------------


def test_one_claims_a_case_and_others_see_whose_it_is(office: Office) -> None:
    number = office.cases[BIKES]
    rosa, rob = office.browser("rosa"), office.browser("rob")
    page = rosa.follow(f"/cases/{number}/claim")
    assert "The case is yours for half an hour." in page
    assert "with you until" in page
    page = rob.get(f"/cases/{number}").text
    assert "<b>rosa</b> works on this until" in page
    assert f"/cases/{number}/decide" not in page
    answer = rob.post(f"/cases/{number}/claim")
    assert answer.status_code == 409
    assert "rosa works on case" in answer.text
    assert "The case is free again." in rosa.follow(f"/cases/{number}/release")
    assert "with you until" in rob.follow(f"/cases/{number}/claim")


def test_a_case_is_decided_and_the_decision_undone(office: Office) -> None:
    number = office.cases[BIKES]
    rosa = office.browser("rosa")
    page = decide(rosa, number, "block", "edited copy", comment="sped up")
    assert f"Case {number}: block." in page
    assert "<b>block</b> (edited copy)" in page
    assert "<q>sped up</q>" in page
    assert state(office, number) is CaseState.DECIDED
    page = rosa.follow(f"/cases/{number}/undo")
    assert "Undone: the case is open, and yours." in page
    assert state(office, number) is CaseState.OPEN
    assert "undid the decision" in page


def test_nobody_undoes_the_decision_of_another(office: Office) -> None:
    number = office.cases[BIKES]
    decide(office.browser("rosa"), number, "dismiss", "false match")
    anna = office.browser("anna")
    assert f'action="/cases/{number}/undo' not in anna.get(f"/cases/{number}").text
    answer = anna.post(f"/cases/{number}/undo")
    assert answer.status_code == 403
    assert "only who made a decision can undo it" in answer.text


def test_a_decision_leads_to_the_next_case_and_can_be_undone_there(office: Office) -> None:
    rosa = office.browser("rosa")
    first = office.cases[BIKES]
    query = "?uploader=ferris"
    fields = {"action": "block", "reason": "full copy", "then_next": "on"}
    answer = rosa.post(f"/cases/{first}/decide{query}", **fields)
    second = office.cases[BEST]
    assert answer.headers["location"].startswith(f"/cases/{second}?")
    page = rosa.get(answer.headers["location"]).text
    assert f"Case {first}: block." in page
    assert f'action="/cases/{first}/undo?uploader=ferris"' in page
    page = rosa.follow(f"/cases/{second}/decide{query}", **fields)
    assert listed(page) == []
    assert f"Case {second}: block." in page


def test_a_decision_stays_with_the_finding_that_was_shown(office: Office) -> None:
    number = office.cases[BEST]
    rosa = office.browser("rosa")
    page = rosa.get(f"/cases/{number}?match=1").text
    form = re.search(rf'action="(/cases/{number}/claim[^"]*)"', page)[1]
    assert rosa.post(form).headers["location"].startswith(f"/cases/{number}?match=1&")


def test_a_reason_that_does_not_go_with_the_action_is_refused(office: Office) -> None:
    number = office.cases[BIKES]
    answer = office.browser("rosa").post(
        f"/cases/{number}/decide", action="block", reason="fair use"
    )
    assert answer.status_code == 422
    assert "fair use is no reason to block" in answer.text
    assert state(office, number) is CaseState.OPEN


@pytest.mark.parametrize(
    "fields", [{}, {"action": "block"}, {"action": "burn", "reason": "full copy"}]
)
def test_a_form_that_is_incomplete_is_told_what_is_missing(
    office: Office, fields: dict[str, str]
) -> None:
    answer = office.browser("rosa").post(f"/cases/{office.cases[BIKES]}/decide", **fields)
    assert answer.status_code == 422
    assert "This cannot be taken." in answer.text


def test_what_somebody_else_works_on_cannot_be_decided(office: Office) -> None:
    number = office.cases[BIKES]
    office.browser("rosa").post(f"/cases/{number}/claim")
    answer = office.browser("rob").post(
        f"/cases/{number}/decide", action="block", reason="full copy"
    )
    assert answer.status_code == 409
    assert "rosa works on case" in answer.text
    assert state(office, number) is CaseState.OPEN


def test_to_block_a_likeness_takes_a_second_person(office: Office) -> None:
    number = office.cases[FACE]
    rosa, anna = office.browser("rosa"), office.browser("anna")
    assert "a second person must approve" in rosa.get(f"/cases/{number}").text
    page = decide(rosa, number, "block", "likeness")
    assert state(office, number) is CaseState.TO_APPROVE
    assert f"Case {number}: to be blocked when a second person has approved it." in page
    assert "Waits for another person, an approver." in page
    assert rosa.post(f"/cases/{number}/approve").status_code == 403
    assert listed(anna.get("/?state=to+approve").text) == [f"{FACE}.mp4"]
    assert f'action="/cases/{number}/approve' in anna.get(f"/cases/{number}").text
    page = anna.follow(f"/cases/{number}/approve", comment="it is her")
    assert f"Case {number}: approved." in page
    assert "approved by anna" in page
    assert state(office, number) is CaseState.DECIDED
    answer = rosa.post(f"/cases/{number}/undo")
    assert answer.status_code == 409
    assert "a second person has approved it" in answer.text


def test_nobody_approves_what_they_decided(office: Office) -> None:
    number = office.cases[FACE]
    anna = office.browser("anna")
    page = decide(anna, number, "block", "likeness")
    assert f'action="/cases/{number}/approve' not in page
    answer = anna.post(f"/cases/{number}/approve")
    assert answer.status_code == 403
    assert "this is your own decision" in answer.text
    assert state(office, number) is CaseState.TO_APPROVE


def test_who_refuses_says_why_and_the_case_is_open_again(office: Office) -> None:
    number = office.cases[FACE]
    decide(office.browser("rosa"), number, "block", "likeness")
    anna = office.browser("anna")
    answer = anna.post(f"/cases/{number}/refuse", comment=" ")
    assert answer.status_code == 422
    assert "say why it is refused" in answer.text
    page = anna.follow(f"/cases/{number}/refuse", comment="not her")
    assert "refused, it is open again" in page
    assert "<q>not her</q>" in page
    assert state(office, number) is CaseState.OPEN


def test_who_escalates_says_why_and_goes_on(office: Office) -> None:
    number = office.cases[BIKES]
    rosa = office.browser("rosa")
    answer = rosa.post(f"/cases/{number}/escalate", why="")
    assert answer.status_code == 422
    assert "say why the case is escalated" in answer.text
    page = rosa.follow(f"/cases/{number}/escalate", why="is this parody?")
    assert f"Case {number} waits for an approver." in page
    assert state(office, number) is CaseState.ESCALATED
    assert listed(office.browser("anna").get("/?state=escalated").text) == [f"{BIKES}.mp4"]


def test_a_skipped_case_is_left_for_others(office: Office) -> None:
    number = office.cases[FACE]
    rosa = office.browser("rosa")
    answer = rosa.post(f"/cases/{number}/skip?channel=face")
    assert answer.headers["location"].startswith("/?channel=face&said=skipped")
    assert f"Case {number} is skipped for today." in rosa.get(answer.headers["location"]).text
    assert "Nothing else waits" in rosa.follow("/take-next?channel=face")
    answer = office.browser("rob").post("/take-next?channel=face")
    assert answer.headers["location"].startswith(f"/cases/{number}")


def test_all_cases_like_one_are_decided_at_once(office: Office) -> None:
    alike = [office.add_case(BIKES, f"/uploads/{n}.mp4") for n in range(3)]
    elsewhere = office.add_case(BIKES, "/uploads/9.mp4", submission=Submission("somebody else"))
    office.browser("rob").post(f"/cases/{alike[2]}/claim")
    rosa = office.browser("rosa")
    page = decide(rosa, alike[0], "block", "full copy", alike="on")
    assert f"Case {alike[0]} and those like it: decided, 3 in all." in page  # and the scanned one
    assert [state(office, one) for one in alike] == [
        CaseState.DECIDED,
        CaseState.DECIDED,
        CaseState.OPEN,  # somebody works on it
    ]
    assert state(office, elsewhere) is CaseState.OPEN
    assert state(office, office.cases[BEST]) is CaseState.OPEN  # another finding
    rosa.follow(f"/cases/{alike[1]}/undo")
    assert [state(office, one) for one in alike[:2]] == [CaseState.DECIDED, CaseState.OPEN]


def test_many_looks_are_one_line_of_the_history(office: Office) -> None:
    number = office.cases[FACE]
    rosa = office.browser("rosa")
    for _ in range(3):
        rosa.get(f"/api/v1/cases/{number}/matches/0/appearances/0/upload.jpg")
    assert "looked at faces, 3 times" in rosa.get(f"/cases/{number}").text


def test_a_comment_is_kept_as_it_was_typed(office: Office) -> None:
    number = office.cases[BIKES]
    rosa = office.browser("rosa")
    decide(rosa, number, "dismiss", "fair use", comment="first\r\nsecond\0 ünï 🎬")
    assert office.desk.cases.get(number).decisions[-1].comment == "first\nsecond ünï 🎬"


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", "alike-" + "9" * 5000, "block", ""])
def test_only_known_sentences_are_said(shown: Office, said: str) -> None:
    answer = shown.browser("rosa").http.get("/", params={"said": said})
    assert answer.status_code == 200
    assert 'role="status"' not in answer.text


# --- hostile names ----------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\u202e4pm\n\"'&.mp4"
HARMLESS = "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e4pm\\n&#34;&#39;&amp;.mp4"


def test_names_of_uploads_cannot_mislead_or_run(office: Office) -> None:
    result = from_json(dict(office.desk.cases.get(office.cases[BIKES]).result))
    flags = tuple(replace(one, title=HOSTILE, owner=HOSTILE) for one in result.flags)
    submission = Submission(HOSTILE, "DE", f"https://videos.example/{HOSTILE}")
    number = office.add_case(BIKES, f"/up/{HOSTILE}", flags=flags, submission=submission)
    office.add_case(BIKES, "/up/other.mp4", submission=submission)
    rosa, anna = office.browser("rosa"), office.browser("anna")
    decide(rosa, number, "dismiss", "false match", comment=HOSTILE)
    pages = [
        rosa.get("/?state=all").text,
        rosa.http.get("/", params={"state": "all", "uploader": HOSTILE, "source": HOSTILE}).text,
        rosa.get(f"/cases/{number}").text,
        rosa.get(f"/cases/{number}/notices/new").text,
        anna.get("/audit").text,
        rosa.http.get("/sign-in", params={"next": HOSTILE}).text,
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "\u202e" not in re.sub(r'value="[^"]*"', "", page)  # but in a field to type into
    assert HARMLESS[:60] in pages[0]
    assert HARMLESS in pages[2]
    assert pages[2].count(HARMLESS) >= 4  # name, title, uploader, owner


def test_what_was_typed_comes_back_as_text(office: Office) -> None:
    browser = office.browser()
    answer = browser.sign_in('"><script>alert(1)</script>', "x")
    assert "<script>alert" not in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text


# --- accounts and profiles --------------------------------------------------------------------


def test_an_admin_makes_accounts(office: Office) -> None:
    ada = office.browser("ada")
    new = {"name": "nina", "full_name": "Nina New", "role": "reviewer", "password": PASSWORD}
    page = ada.follow("/accounts", **new)
    assert "The account is made." in page
    assert "Nina New" in page
    assert office.browser().sign_in("nina").status_code == 303
    assert ada.post("/accounts", **new).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "Nina New"}, "cannot be a name to sign in with"),
        ({"password": "x" * (LEAST_PASSWORD - 1)}, "12 characters or more"),
        ({"full_name": "Nina\u202eNew"}, "give the full name"),
        ({"role": "owner"}, "This cannot be taken."),
    ],
)
def test_an_account_needs_a_name_and_a_good_password(
    office: Office, wrong: dict[str, str], told: str
) -> None:
    new = {"name": "nina", "full_name": "Nina New", "role": "viewer", "password": PASSWORD}
    answer = office.browser("ada").post("/accounts", **(new | wrong))
    assert answer.status_code == 422
    assert told in answer.text
    assert len(office.desk.accounts.all()) == 5


def test_an_admin_changes_roles_and_passwords_of_others(office: Office) -> None:
    ada = office.browser("ada")
    vera = office.desk.accounts.by_name("vera")
    assert "The role is changed." in ada.follow(f"/accounts/{vera.id}/role", role="reviewer")
    assert office.browser("vera").get("/query").status_code == 200
    ada.follow(f"/accounts/{vera.id}/password", password="y" * LEAST_PASSWORD)
    assert office.browser().sign_in("vera").status_code == 422
    assert office.browser().sign_in("vera", "y" * LEAST_PASSWORD).status_code == 303


def test_nobody_changes_their_own_role_and_an_admin_stays(office: Office) -> None:
    ada = office.browser("ada")
    own = office.desk.accounts.by_name("ada").id
    answer = ada.post(f"/accounts/{own}/role", role="viewer")
    assert answer.status_code == 403
    assert "nobody changes their own role" in answer.text
    answer = ada.post(f"/accounts/{own}/deactivate")
    assert answer.status_code == 409
    assert "is the last admin" in answer.text


def test_a_token_is_shown_once(office: Office) -> None:
    rosa = office.browser("rosa")
    made = rosa.post("/profile/tokens", label="nightly report").text
    secret = re.search(r"<code>(mct_[^<]+)</code>", made)[1]
    page = rosa.get("/profile").text
    assert "nightly report" in page
    assert secret not in page
    assert rosa.post("/profile/tokens", label=" ").status_code == 422


def test_a_new_password_is_typed_twice(office: Office) -> None:
    answer = office.browser("rosa").post(
        "/profile/password", current=PASSWORD, password="x" * 20, again="y" * 20
    )
    assert answer.status_code == 422
    assert "The two new passwords differ" in answer.text


# --- the audit --------------------------------------------------------------------------------


def test_the_audit_shows_who_did_what_and_why(office: Office) -> None:
    number = office.cases[BIKES]
    rosa = office.browser("rosa")
    decide(rosa, number, "dismiss", "fair use", comment="a review of the film")
    anna = office.browser("anna")
    page = anna.get(f"/audit?subject=case:{number}").text
    assert "case.decided" in page
    assert "a review of the film" in page
    assert "case.opened" in page
    assert "account.signed_in" not in page
    assert "account.signed_in" in anna.get("/audit?by=rosa").text
    assert "No event is like that." in anna.get("/audit?by=nobody").text
    assert anna.http.get("/audit", params={"subject": "\0"}).status_code == 200


def test_a_long_audit_has_pages(office: Office) -> None:
    actor = office.actor("rosa")
    for _ in range(60):
        office.desk.cases.claim(office.cases[BIKES], actor)
        office.desk.cases.release(office.cases[BIKES], actor)
    anna = office.browser("anna")
    first = anna.get("/audit").text
    further = re.search(r'href="([^"]*)" rel="next"', first)[1].replace("&amp;", "&")
    second = anna.get(further).text
    numbers = [
        [int(n) for n in re.findall(r'<td class="n">(\d+)</td>', page)] for page in (first, second)
    ]
    assert len(numbers[0]) == 100
    assert numbers[1] == list(range(numbers[0][-1] - 1, 0, -1))


# --- what is not there ------------------------------------------------------------------------


def test_a_page_that_is_not_there_says_so(shown: Office) -> None:
    for browser in (shown.browser(), shown.browser("rosa")):
        answer = browser.get("/nothing")
        assert answer.status_code == 404
        assert "There is nothing at this address." in answer.text
    assert shown.browser("rosa").get("/take-next").status_code == 405


def test_every_state_of_a_case_has_its_words(office: Office) -> None:
    anna, number = office.browser("anna"), office.cases[BIKES]
    for action, reason in ((Action.MONITOR, Reason.MINOR_USE), (Action.NOTICE, Reason.FULL_COPY)):
        page = decide(anna, number, action.value, reason.value)
        assert f"<b>{action.value}</b> ({reason.value})" in page
        anna.follow(f"/cases/{number}/undo")


def test_static_files_exist_for_all_that_templates_name(shown: Office) -> None:
    templates = Path(__file__).parents[4] / "detector" / "review" / "web" / "templates"
    names = {
        name
        for template in templates.glob("*.html")
        for name in re.findall(r'static\("([^"]+)"\)', template.read_text())
    }
    assert "desk.js" in names
    browser = shown.browser()
    assert {browser.get(f"/static/{name}").status_code for name in names} == {200}


def test_no_script_is_run_twice() -> None:
    # A script that a page names (with its version) and another imports (without) would be.
    web = Path(__file__).parents[4] / "detector" / "review" / "web"
    loaded = re.findall(
        r'static\("([^"]+\.js)"\)', "".join(one.read_text() for one in web.glob("templates/*"))
    )
    imported = re.findall(
        r'from "\./([^"]+)"', "".join(one.read_text() for one in web.glob("static/*.js"))
    )
    assert loaded
    assert imported
    assert not set(loaded) & set(imported)
