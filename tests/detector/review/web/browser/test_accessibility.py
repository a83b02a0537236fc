"""Every page of the desk by axe-core's rules, in light and dark, on a laptop and a phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import DEFAULT_OPTIONS, Axe

from detector.review.records import Actor, NoticeKind

_SERIOUS = {"serious", "critical"}
_COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}
_LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1440, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


def pages_of(office, actor: Actor) -> list[str]:
    """Return the address of a page of each kind."""
    bikes, interview = office.cases["bikes-sped-up"], office.cases["interview"]
    notice = office.desk.notices.draft(bikes, NoticeKind.DMCA, {}, actor)
    return [
        "/",
        "/?state=decided",
        f"/cases/{bikes}",
        f"/cases/{interview}",
        f"/cases/{bikes}/notices/new",
        "/notices",
        f"/notices/{notice.id}",
        "/query",
        "/library",
        "/library/works/bikes",
        "/library/people",
        "/library/people/eileen",
        "/audit",
        "/accounts",
        "/profile",
        "/nothing-is-here",
    ]


@pytest.mark.parametrize("look", _LOOKS)
def test_no_page_has_a_serious_violation(office, sign_in, address, chromium, look: str) -> None:
    asked = _COLOURS if look == "dark" else DEFAULT_OPTIONS  # in the dark, but for colours: light
    page = sign_in("ada", **_LOOKS[look])
    found = {}
    for path in pages_of(office, office.actor("ada")):
        page.goto(path)
        found[path] = violations(page, asked)
    signed_out = chromium.new_page(base_url=address, **_LOOKS[look])
    signed_out.goto("/sign-in")
    found["/sign-in"] = violations(signed_out, asked)
    signed_out.close()
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def violations(page, asked: dict[str, list[str]]) -> list[str]:
    """Return what axe-core finds on a page, a sentence each."""
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['target']}"
        for one in Axe().run(page, options=asked).response["violations"]
        if one["impact"] in _SERIOUS
    ]
