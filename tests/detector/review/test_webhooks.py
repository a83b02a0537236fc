"""Who hears of what happens: each message once it is true, and until it has arrived."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from desk_examples import a_likeness, open_case
from sqlalchemy import func, select

from detector.review.desk import Desk
from detector.review.errors import InvalidError, NotAllowedError, NotFoundError
from detector.review.records import Action, NoticeKind, Reason
from detector.review.schema import DeliveryRow
from detector.review.webhooks import EVENTS, RETRY_AFTER, Delivery

URL = "https://hooks.example/matchcut?key=1"
SECOND = timedelta(seconds=1)


def later(by: timedelta = SECOND) -> datetime:
    return datetime.now(UTC) + by


def told(desk: Desk) -> list[tuple[str, dict]]:
    """Return what is to be sent, in order, and take it off the list."""
    found = []
    while taken := desk.webhooks.take(later()):
        for message in taken:
            found.append((message.event, json.loads(message.payload)))
            desk.webhooks.delivered(message.id, later())
    return found


@pytest.fixture
def hook(desk, staff):
    return desk.webhooks.add(URL, EVENTS, staff.dora)[0]


def test_an_address_hears_of_new_cases_and_decisions(desk, staff, hook):
    case = open_case(desk, "in/clip.mp4", url="https://tube.example/1")
    desk.cases.claim(case.id, staff.anna)
    desk.cases.decide(case.id, staff.anna, Action.BLOCK, Reason.FULL_COPY)
    desk.cases.undo(case.id, staff.anna)
    opened, decided, undone = told(desk)
    assert opened[0] == "case.opened"
    assert opened[1]["at"].endswith("+00:00")
    assert {name: opened[1][name] for name in opened[1] if name != "at"} == {
        "event": "case.opened",
        "case": case.id,
        "source": "in/clip.mp4",
        "url": "https://tube.example/1",
        "state": "open",
        "verdict": "review",
        "score": 0.9,
        "subjects": ["copy:metropolis"],
    }
    assert decided[0] == "case.decided"
    assert (decided[1]["action"], decided[1]["reason"]) == ("block", "full copy")
    assert (undone[0], undone[1]["state"]) == ("case.undone", "open")


def test_a_decision_is_told_when_it_is_approved_and_not_before(desk, staff, hook):
    case = open_case(desk, "in/clip.mp4", a_likeness())
    desk.cases.claim(case.id, staff.anna)
    desk.cases.decide(case.id, staff.anna, Action.BLOCK, Reason.LIKENESS)
    desk.cases.undo(case.id, staff.anna)  # of which nobody heard
    desk.cases.decide(case.id, staff.anna, Action.BLOCK, Reason.LIKENESS)
    assert [event for event, _ in told(desk)] == ["case.opened"]
    desk.cases.approve(case.id, staff.carol)
    ((event, payload),) = told(desk)
    assert (event, payload["action"], payload["state"]) == ("case.decided", "block", "decided")


def test_a_case_that_is_opened_again_is_told_and_a_refreshed_one_is_not(desk, staff, hook):
    case = open_case(desk)
    open_case(desk)
    desk.cases.claim(case.id, staff.anna)
    desk.cases.decide(case.id, staff.anna, Action.DISMISS, Reason.LICENSED)
    open_case(desk, case.source, a_likeness())
    events = [event for event, _ in told(desk)]
    assert events == ["case.opened", "case.decided", "case.reopened"]


def test_an_address_hears_of_nothing_else(desk, staff):
    desk.webhooks.add(URL, ["notice.sent"], staff.dora)
    case = open_case(desk)
    desk.notices.draft(case.id, NoticeKind.DMCA, {}, staff.anna)
    assert told(desk) == []


def test_each_address_gets_a_message_of_its_own(desk, staff, hook):
    desk.webhooks.add("https://other.example/", ["case.opened"], staff.dora)
    open_case(desk)
    messages = desk.webhooks.take(later())
    assert sorted(one.url for one in messages) == [URL, "https://other.example/"]
    assert len({one.id for one in messages}) == len({one.secret for one in messages}) == 2


def test_what_did_not_happen_is_not_told(desk, staff, hook):
    open_case(desk)
    told(desk)
    desk.cases.claim(1, staff.anna)
    with pytest.raises(InvalidError):
        desk.cases.decide(1, staff.anna, Action.BLOCK, Reason.LICENSED)
    assert told(desk) == []


def test_a_message_that_is_taken_is_nobody_elses_for_a_while(desk, hook):
    open_case(desk)
    (message,) = desk.webhooks.take(later())
    assert isinstance(message, Delivery)
    assert desk.webhooks.take(later()) == []
    assert desk.webhooks.take(later(timedelta(minutes=6))) == [message]  # its sender has died


def test_a_failed_message_is_due_again_ever_later_and_then_given_up(desk, hook, database):
    open_case(desk)
    now = later()
    for number, wait in enumerate(RETRY_AFTER):
        (message,) = desk.webhooks.take(now)
        assert message.attempts == number
        desk.webhooks.failed(message.id, "nobody answered", now)
        assert desk.webhooks.take(now + wait - SECOND) == []
        now += wait
    (message,) = desk.webhooks.take(now)
    desk.webhooks.failed(message.id, "x" * 5000, now)
    assert desk.webhooks.take(now + timedelta(days=29)) == []
    with database.connect() as connection:
        row = connection.execute(select(DeliveryRow.__table__)).one()
    assert (row.is_open, row.attempts, len(row.last_error)) == (False, 7, 1000)


def test_messages_are_sent_in_order_a_few_at_a_time(desk, hook):
    cases = [open_case(desk, f"{number}.mp4").id for number in range(12)]
    first, second = desk.webhooks.take(later()), desk.webhooks.take(later())
    assert [json.loads(one.payload)["case"] for one in first + second] == cases
    assert len(second) == 2


def test_old_messages_are_forgotten(desk, hook, database):
    open_case(desk, "old.mp4")
    told(desk)
    open_case(desk, "new.mp4")
    desk.webhooks.take(later(timedelta(days=31)))
    with database.connect() as connection:
        (payload,) = connection.execute(select(DeliveryRow.payload)).scalars()
    assert json.loads(payload)["source"] == "new.mp4"


def test_a_removed_address_hears_nothing_any_more(desk, staff, hook, database):
    open_case(desk)
    (message,) = desk.webhooks.take(later())
    desk.webhooks.remove(hook.id, staff.dora)
    desk.webhooks.delivered(message.id, later())  # it was on its way
    desk.webhooks.failed(message.id, "gone", later())
    open_case(desk, "other.mp4")
    assert desk.webhooks.all() == ()
    with database.connect() as connection:
        assert connection.execute(select(func.count()).select_from(DeliveryRow)).scalar() == 0
    with pytest.raises(NotFoundError, match="no webhook 1"):
        desk.webhooks.remove(hook.id, staff.dora)


def test_a_number_means_one_message_for_ever(desk, staff, hook):
    """Receivers leave out what has a number that they know."""
    open_case(desk)
    (message,) = desk.webhooks.take(later())
    desk.webhooks.remove(hook.id, staff.dora)
    again, _ = desk.webhooks.add(URL, EVENTS, staff.dora)
    open_case(desk, "other.mp4")
    (other,) = desk.webhooks.take(later())
    assert other.id > message.id
    assert again.id > hook.id


def test_addresses_are_an_admins_to_keep(desk, staff, hook):
    with pytest.raises(NotAllowedError):
        desk.webhooks.add(URL, EVENTS, staff.carol)
    with pytest.raises(NotAllowedError):
        desk.webhooks.remove(hook.id, staff.carol)
    events = desk.audit.events(subject=f"webhook:{hook.id}")
    assert [(event.action, event.actor) for event in events] == [("webhook.added", "dora")]
    assert events[0].after == {"url": URL, "events": sorted(EVENTS)}


def test_a_secret_is_told_once_and_is_no_part_of_the_audit(desk, staff):
    _, secret = desk.webhooks.add(URL, ["case.opened"], staff.dora)
    assert len(secret) >= 43
    assert all(secret not in repr(event) for event in desk.audit.events())
    assert not hasattr(desk.webhooks.all()[0], "secret")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "http://192.0.2.1/",
        "http://127.0.0.1.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "hooks.example",
        "https://",
        "https:///path",
        "https://user:password@hooks.example/",
        "https://hooks.example:port/",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nHost: other",
        "https://hööks.example/",
        "https://[::1/",
        "https://hooks.example/" + "x" * 2000,
    ],
)
def test_an_address_is_https_or_on_this_machine(desk, staff, url):
    with pytest.raises(InvalidError, match="address"):
        desk.webhooks.add(url, EVENTS, staff.dora)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]:80/", URL]
)
def test_this_machine_needs_no_tls(desk, staff, url):
    assert desk.webhooks.add(url, ["case.opened"], staff.dora)[0].url == url


@pytest.mark.parametrize("events", [[], ["case.closed"], ["case.opened", "*"]])
def test_events_are_known_ones(desk, staff, events):
    with pytest.raises(InvalidError, match=r"give events of case\.opened"):
        desk.webhooks.add(URL, events, staff.dora)
