"""Nobody gets in who may not, and nobody is made to do what they did not mean to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_office import HOST, PASSWORD, Browser, Office, open_office
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from detector.review.accounts import LEAST_PASSWORD
from detector.review.records import Role
from detector.review.web import pages
from detector.review.web.gate import ANY_ADDRESS, MOST_OF_FORMS, MOST_OF_STRANGERS
from detector.review.web.security import SAFE_METHODS, local_path

OPEN_TO_ALL = {"/sign-in", "/static", "/api/v1/openapi.json"}  # the last says nothing of the data
OWN = {  # what a viewer may change: nothing but what is their own
    "/sign-out",
    "/profile/tokens",
    "/profile/tokens/{token_id}/revoke",
    "/profile/password",
    "/api/v1/me/password",
    "/api/v1/tokens",
    "/api/v1/tokens/{token_id}",
}


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """List the methods and paths of an application."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or {"GET"}:
            yield method, route.path


def filled(path: str) -> str:
    """Put something in the place of what a path leaves open."""
    return re.sub(r"\{[^}]*\}", "1", path)


def changes(app: FastAPI) -> list[tuple[str, str]]:
    """List what changes something, but to sign in."""
    found = [one for one in routes(app) if one[0] not in SAFE_METHODS and one[1] != "/sign-in"]
    assert len(found) > 50
    return found


# --- strangers and roles ----------------------------------------------------------------------


def test_strangers_get_nothing(shown: Office) -> None:
    http = shown.browser().http
    for method, path in routes(shown.app):
        if path in OPEN_TO_ALL:
            continue
        answer = http.request(method, filled(path))
        is_sent_to_sign_in = answer.status_code == 303 and answer.headers["location"].startswith(
            "/sign-in"
        )
        assert is_sent_to_sign_in or answer.status_code == 401, (method, path)


def test_viewers_change_nothing_but_what_is_their_own(shown: Office) -> None:
    vera = shown.browser("vera")
    for method, path in changes(shown.app):
        if path in OWN:
            continue
        answer = vera.http.request(method, filled(path), headers={"X-CSRF-Token": vera.csrf})
        assert answer.status_code == 403, (method, path)


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("GET", "/", Role.VIEWER),
        ("GET", "/cases/1", Role.VIEWER),
        ("GET", "/notices", Role.VIEWER),
        ("GET", "/library", Role.VIEWER),
        ("GET", "/profile", Role.VIEWER),
        ("GET", "/api/v1/cases/1/upload.mp4", Role.VIEWER),
        ("GET", "/api/v1/cases/3/matches/0/appearances/0/upload.jpg", Role.REVIEWER),
        ("GET", "/api/v1/cases/3/matches/0/appearances/0/reference.jpg", Role.REVIEWER),
        ("GET", "/query", Role.REVIEWER),
        ("POST", "/take-next", Role.REVIEWER),
        ("POST", "/cases/1/claim", Role.REVIEWER),
        ("POST", "/cases/1/approve", Role.APPROVER),
        ("POST", "/cases/1/refuse", Role.APPROVER),
        ("GET", "/audit", Role.APPROVER),
        ("GET", "/accounts", Role.ADMIN),
        ("POST", "/accounts", Role.ADMIN),
        ("POST", "/accounts/1/role", Role.ADMIN),
        ("POST", "/accounts/1/password", Role.ADMIN),
        ("POST", "/accounts/1/deactivate", Role.ADMIN),
        ("POST", "/accounts/1/activate", Role.ADMIN),
    ],
)
def test_each_page_is_for_those_who_may(
    office: Office, method: str, path: str, least: Role
) -> None:
    for name in ("vera", "rosa", "anna", "ada"):
        browser = office.browser(name)
        role = office.actor(name).role
        answer = browser.http.request(method, path, headers={"X-CSRF-Token": browser.csrf})
        assert (answer.status_code != 403) == role.may(least), (name, answer.status_code)


# --- forms that somebody else made ------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "", "wrong", "ü"])
def test_no_change_without_the_secret_of_the_session(shown: Office, given: str | None) -> None:
    ada = shown.browser("ada")
    for method, path in changes(shown.app):
        form = {} if given is None else {"csrf": given}
        answer = ada.http.request(method, filled(path), data=form)
        assert answer.status_code == 403, (method, path)
        assert "not sent from a page of the desk" in answer.text, (method, path)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_no_change_from_another_site_even_with_the_secret(
    shown: Office, headers: dict[str, str]
) -> None:
    ada = shown.browser("ada")
    for method, path in changes(shown.app):
        sent = {"X-CSRF-Token": ada.csrf} | headers
        answer = ada.http.request(method, filled(path), headers=sent)
        assert answer.status_code == 403, (method, path)


def test_nobody_is_signed_in_by_another_site(office: Office) -> None:
    browser = office.browser()
    form = {"name": "ada", "password": PASSWORD}
    answer = browser.http.post("/sign-in", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_secret_is_taken_from_a_field_or_a_header(office: Office) -> None:
    rosa = office.browser("rosa")
    field = rosa.http.post("/cases/1/claim", data={"csrf": rosa.csrf})
    header = rosa.http.post("/cases/1/release", headers={"X-CSRF-Token": rosa.csrf})
    file = rosa.http.post("/cases/1/claim", data={"csrf": rosa.csrf}, files={"more": b"x"})
    assert [one.status_code for one in (field, header, file)] == [303, 303, 303]


def test_the_secret_of_another_session_is_worth_nothing(office: Office) -> None:
    rosa, rob = office.browser("rosa"), office.browser("rob")
    assert rosa.http.post("/cases/1/claim", data={"csrf": rob.csrf}).status_code == 403


# --- what browsers are told -------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/cases/1", "/nothing", "/api/v1/cases", "/api/v1/nothing", "/audit"]
)
def test_every_answer_tells_the_browser_what_to_refuse(shown: Office, path: str) -> None:
    for browser in (shown.browser(), shown.browser("rosa")):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers


def test_pages_hold_no_scripts_or_styles_that_the_policy_refuses() -> None:
    folder = Path(pages.__file__).parent.parent / "templates"
    templates = list(folder.glob("*.html"))
    assert templates
    for template in templates:
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), template.name
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), template.name


def test_what_goes_wrong_is_not_told_in_detail(own_home) -> None:
    with open_office(*own_home) as office:
        office.app.add_api_route("/broken", broken)
        _check_fault(office)


def broken() -> None:
    raise RuntimeError("password of the database")


def _check_fault(office: Office) -> None:
    http = TestClient(office.app, base_url=f"http://{HOST}", raise_server_exceptions=False)
    http.cookies = office.browser("ada").http.cookies
    answer = http.get("/broken")
    assert answer.status_code == 500
    assert "password of the database" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    with pytest.raises(RuntimeError, match="password of the database"):  # so the server logs it
        office.browser("ada").get("/broken")


def test_static_files_are_kept_under_the_address_of_their_content(shown: Office) -> None:
    browser = shown.browser()
    (address,) = set(re.findall(r"/static/desk\.css\?v=\w+", browser.get("/sign-in").text))
    assert "immutable" in browser.get(address).headers["cache-control"]
    assert browser.get("/static/desk.css").headers["cache-control"] == "no-store"
    assert browser.get("/static/nothing.css?v=1").headers["cache-control"] == "no-store"
    assert browser.get("/static/../conftest.py").status_code in {303, 404}


def test_the_preview_of_a_notice_is_framed_by_the_desk_alone_and_runs_nothing(
    office: Office,
) -> None:
    rosa = office.browser("rosa")
    made = rosa.post("/cases/1/notices", kind="dmca")
    notice = made.headers["location"].partition("?")[0]
    policy = rosa.get(f"{notice}/preview").headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


# --- sessions ---------------------------------------------------------------------------------


def test_a_session_is_in_a_cookie_that_scripts_cannot_read(office: Office) -> None:
    answer = office.browser().sign_in("rosa")
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == "matchcut"
    assert "HttpOnly" in rest
    assert "samesite=lax" in rest.lower()
    assert "path=/" in rest.lower()
    assert "domain" not in rest.lower()
    assert "secure" not in rest.lower()


def test_with_tls_the_cookie_is_for_this_host_and_for_tls_alone(own_home) -> None:
    with open_office(*own_home, secure=True) as office:
        http = TestClient(office.app, base_url=f"https://{HOST}", follow_redirects=False)
        answer = http.post("/sign-in", data={"name": "rosa", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-matchcut=")
        assert "; Secure" in answer.headers["set-cookie"]
        assert "max-age=" in answer.headers["strict-transport-security"]
        assert http.get("/").status_code == 200


def test_signing_out_ends_the_session(office: Office) -> None:
    rosa = office.browser("rosa")
    kept = dict(rosa.http.cookies)
    assert rosa.post("/sign-out").headers["location"] == "/sign-in?said=out"
    assert not rosa.http.cookies
    rosa.http.cookies.update(kept)
    assert rosa.get("/").headers["location"] == "/sign-in"


def test_signing_in_again_ends_the_session_before(office: Office) -> None:
    browser = office.browser("rosa")
    before = dict(browser.http.cookies)
    assert browser.sign_in("rob").status_code == 303
    browser.http.cookies.clear()
    browser.http.cookies.update(before)
    assert browser.get("/").status_code == 303


def test_a_new_password_ends_all_sessions(office: Office) -> None:
    here, there = office.browser("rosa"), office.browser("rosa")
    new = "x" * LEAST_PASSWORD
    answer = here.post("/profile/password", current=PASSWORD, password=new, again=new)
    assert answer.headers["location"] == "/sign-in?said=password"
    assert here.get("/").status_code == there.get("/").status_code == 303
    assert office.browser().sign_in("rosa", new).status_code == 303


def test_the_password_is_changed_only_by_who_knows_it(office: Office) -> None:
    rosa = office.browser("rosa")
    new = "x" * LEAST_PASSWORD
    answer = rosa.post("/profile/password", current="a guess", password=new, again=new)
    assert answer.status_code == 422
    assert "not your present password" in answer.text
    assert office.browser().sign_in("rosa").status_code == 303


def test_who_is_deactivated_is_out_at_once(office: Office) -> None:
    rosa, ada = office.browser("rosa"), office.browser("ada")
    number = office.desk.accounts.by_name("rosa").id
    assert ada.post(f"/accounts/{number}/deactivate").status_code == 303
    assert rosa.get("/").status_code == 303
    assert office.browser().sign_in("rosa").status_code == 422
    assert ada.post(f"/accounts/{number}/activate").status_code == 303
    assert office.browser().sign_in("rosa").status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/ /evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
def test_nobody_is_sent_elsewhere(office: Office, path: str) -> None:
    assert local_path(path) == "/"
    assert office.browser().sign_in("rosa", next=path).headers["location"] == "/"
    rosa = office.browser("rosa")
    assert rosa.http.get("/sign-in", params={"next": path}).headers["location"] == "/"


def test_after_signing_in_one_is_where_one_wanted_to_be(office: Office) -> None:
    browser = office.browser()
    answer = browser.get("/cases/1?match=1&state=all")
    form = browser.get(answer.headers["location"]).text
    assert 'name="next" value="/cases/1?match=1&amp;state=all"' in form
    signed = browser.sign_in("rosa", next="/cases/1?match=1&state=all")
    assert signed.headers["location"] == "/cases/1?match=1&state=all"


def test_a_form_after_the_session_leads_back_to_its_page(shown: Office) -> None:
    referer = f"http://{HOST}/cases/1?state=all"
    answer = shown.browser().http.post("/cases/1/claim", headers={"Referer": referer})
    assert answer.headers["location"] == "/sign-in?next=%2Fcases%2F1%3Fstate%3Dall"
    elsewhere = {"Referer": "https://evil.example/cases/1"}
    answer = shown.browser().http.post("/cases/1/claim", headers=elsewhere)
    assert answer.headers["location"] == "/sign-in"


def test_a_part_of_a_page_never_becomes_the_sign_in_page(shown: Office) -> None:
    answer = shown.browser().get("/cases/1/provenance", headers={"Sec-Fetch-Dest": "empty"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "sign_in_needed"


# --- guessing ---------------------------------------------------------------------------------


def test_after_five_wrong_passwords_nobody_signs_in_by_that_name(office: Office) -> None:
    browser = office.browser()
    for _ in range(5):
        answer = browser.sign_in("rosa", "a guess")
        assert answer.status_code == 422
        assert "The name or the password is wrong." in answer.text
    answer = browser.sign_in("rosa")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    assert "set-cookie" not in answer.headers
    assert browser.sign_in("rob").status_code == 303


def test_an_unknown_name_is_told_the_same_as_a_wrong_password(office: Office) -> None:
    known, unknown = office.browser().sign_in("rosa", "x"), office.browser().sign_in("nobody", "x")
    assert known.status_code == unknown.status_code
    assert known.text.replace("rosa", "nobody") == unknown.text


def test_the_address_is_that_of_the_connection_whatever_a_header_says(office: Office) -> None:
    http = office.browser().http
    answers = [
        http.post(
            "/sign-in",
            data={"name": f"somebody{n}", "password": "a guess"},
            headers={"X-Forwarded-For": f"192.0.2.{n}", "Forwarded": f"for=192.0.2.{n}"},
        ).status_code
        for n in range(21)
    ]
    assert answers == [422] * 20 + [429]


# --- names of the desk ------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.7", "", "["])
def test_the_desk_answers_to_its_own_names_alone(shown: Office, host: str) -> None:
    answer = shown.browser().http.get("/sign-in", headers={"Host": host})
    assert answer.status_code == 400
    assert "does not go by this name" in answer.text


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
def test_it_always_goes_by_the_names_of_loopback(shown: Office, host: str) -> None:
    assert shown.browser().http.get("/sign-in", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("hosts", "host", "status"),
    [
        (["desk.example"], "desk.example:8443", 200),
        (["desk.example"], "other.example", 400),
        ([ANY_ADDRESS], "192.0.2.7:8080", 200),
        ([ANY_ADDRESS], "desk.example", 400),
        (["[2001:db8::1]"], "[2001:db8::1]:8080", 200),
    ],
)
def test_it_goes_by_the_names_that_it_was_given(
    own_home, hosts: list[str], host: str, status: int
) -> None:
    with open_office(*own_home, hosts=hosts) as office:
        answer = office.browser().http.get("/sign-in", headers={"Host": host})
        assert answer.status_code == status


# --- sizes ------------------------------------------------------------------------------------


def test_what_strangers_send_is_not_read(shown: Office) -> None:
    http = shown.browser().http
    assert http.post("/sign-in", content=b"x" * (MOST_OF_STRANGERS + 1)).status_code == 413
    assert http.post("/query/file", files={"file": b"x" * 100}).status_code == 303


@pytest.mark.parametrize("name", ["vera", "rosa"])
def test_forms_are_small_and_files_are_for_reviewers(shown: Office, name: str) -> None:
    browser = shown.browser(name)
    body = b"x" * (MOST_OF_FORMS + 1)
    headers = {"X-CSRF-Token": browser.csrf, "Content-Type": "application/json"}
    answer = browser.http.post("/api/v1/tokens", content=body, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    form = {"csrf": browser.csrf}
    answer = browser.http.post("/sign-out", data=form, files={"file": body})
    assert answer.status_code == (413 if name == "vera" else 303)


def test_what_does_not_say_how_long_it_is_is_cut_off_too(shown: Office) -> None:
    rosa = shown.browser("rosa")
    pieces = iter([b"x" * MOST_OF_FORMS, b"x"])
    headers = {"X-CSRF-Token": rosa.csrf, "Content-Type": "application/json"}
    answer = rosa.http.post("/api/v1/tokens", content=pieces, headers=headers)
    assert answer.status_code == 413


# --- tokens -----------------------------------------------------------------------------------


def token(office: Office, name: str) -> str:
    """Make a token as somebody does on their profile."""
    page = office.browser(name).post("/profile/tokens", label="a program").text
    return re.search(r"<code>(mct_[^<]+)</code>", page)[1]


def with_token(office: Office, secret: str) -> Browser:
    browser = office.browser()
    browser.http.headers["Authorization"] = f"Bearer {secret}"
    return browser


def test_a_token_works_for_the_api_alone_and_needs_no_secret(office: Office) -> None:
    program = with_token(office, token(office, "rosa"))
    assert program.get("/api/v1/cases").status_code == 200
    assert program.http.post("/api/v1/cases/1/claim").status_code == 200
    assert program.get("/").headers["location"] == "/sign-in"
    assert program.http.post("/cases/1/release").headers["location"].startswith("/sign-in")
    assert office.desk.audit.events("case:1")[0].via.value == "api"


def test_a_token_may_what_its_account_may(office: Office) -> None:
    program = with_token(office, token(office, "vera"))
    assert program.http.post("/api/v1/cases/1/claim").status_code == 403


def test_a_revoked_token_is_worth_nothing(office: Office) -> None:
    secret = token(office, "rosa")
    rosa = office.browser("rosa")
    (made,) = office.desk.accounts.tokens()
    assert "The token is worth nothing now" in rosa.follow(f"/profile/tokens/{made.id}/revoke")
    answer = with_token(office, secret).get("/api/v1/cases")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_nobody_revokes_the_token_of_another(office: Office) -> None:
    token(office, "rosa")
    (made,) = office.desk.accounts.tokens()
    answer = office.browser("rob").post(f"/profile/tokens/{made.id}/revoke")
    assert answer.status_code == 404
    assert office.desk.accounts.tokens()[0].revoked_at is None


def test_a_wrong_token_is_not_made_good_by_a_cookie(shown: Office) -> None:
    rosa = shown.browser("rosa")
    for value in ("Bearer wrong", "Basic cm9zYTp4", "Bearer"):
        answer = rosa.get("/api/v1/cases", headers={"Authorization": value})
        assert answer.status_code == 401, value
