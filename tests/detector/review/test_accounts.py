"""Who may sign in, with what, and what they may do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from desk_examples import CHEAP, PASSWORD, hire
from sqlalchemy import Engine, inspect, select, text, update

from detector.review.accounts import SESSION_IDLE, SESSION_LENGTH
from detector.review.desk import Desk
from detector.review.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    TooManyAttemptsError,
)
from detector.review.records import COMMAND_LINE, Role
from detector.review.schema import AccountRow, AttemptRow, SessionRow, TokenRow

HERE = "192.0.2.1"
SECOND = timedelta(seconds=1)


def later(database: Engine, **columns: timedelta) -> None:
    """Let time pass: move what was written down about sessions into the past."""
    with database.begin() as connection:
        for row in connection.execute(select(SessionRow.__table__)).mappings().all():
            past = {name: row[name] - passed for name, passed in columns.items()}
            connection.execute(
                update(SessionRow)
                .where(SessionRow.token_digest == row["token_digest"])
                .values(**past)
            )


def everything_in(database: Engine) -> str:
    """Return all that stands in the desk's tables."""
    tables = [name for name in inspect(database).get_table_names() if name.startswith("review_")]
    with database.connect() as connection:
        return "\n".join(
            str(row)
            for name in tables
            for row in connection.execute(text(f"SELECT * FROM {name}"))  # noqa: S608
        )


# Accounts


def test_an_account_is_found_by_number_and_name(desk, staff):
    anna = desk.accounts.by_name("anna")
    assert desk.accounts.get(anna.id) == anna
    assert (anna.full_name, anna.role, anna.is_active) == ("Anna Albers", Role.REVIEWER, True)
    names = [one.name for one in desk.accounts.all()]
    assert names == ["dora", "anna", "ben", "carol", "vera"]


def test_nobody_is_found_who_is_not_there(desk):
    with pytest.raises(NotFoundError, match="there is no account 7"):
        desk.accounts.get(7)
    for name in ("nobody", "no body", "\x00", "\ud800"):
        with pytest.raises(NotFoundError, match="no account goes by"):
            desk.accounts.by_name(name)


def test_a_desk_begins_without_accounts_and_without_a_way_in(desk):
    assert desk.accounts.all() == ()
    for name in ("admin", "root", "matchcut"):
        with pytest.raises(InvalidError):
            desk.accounts.sign_in(name, name, HERE)


@pytest.mark.parametrize("name", ["", "Anna", "anna albers", "an/na", "ann\u00e4", "a" * 65, "a\n"])
def test_a_name_to_sign_in_with_is_plain(desk, name):
    with pytest.raises(InvalidError, match="cannot be a name to sign in with"):
        desk.accounts.add(name, "Anna Albers", Role.VIEWER, PASSWORD, COMMAND_LINE)


@pytest.mark.parametrize("full_name", ["", "  ", "Anna\nAlbers", "Anna \u202eAlbers", "A" * 201])
def test_a_full_name_can_stand_under_a_notice(desk, full_name):
    with pytest.raises(InvalidError, match="give the full name"):
        desk.accounts.add("anna", full_name, Role.VIEWER, PASSWORD, COMMAND_LINE)


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025, "half a pair \ud800"])
def test_a_password_is_long_enough_and_can_be_typed(desk, staff, password):
    with pytest.raises(InvalidError, match="give a password of"):
        desk.accounts.add("eve", "Eve Evans", Role.VIEWER, password, COMMAND_LINE)
    with pytest.raises(InvalidError, match="give a password of"):
        desk.accounts.set_password(staff.anna.account_id, password, staff.anna)


def test_a_name_is_one_persons(desk, staff):
    with pytest.raises(ConflictError, match="goes by the name 'anna' already"):
        desk.accounts.add("anna", "Anna Other", Role.VIEWER, PASSWORD, staff.dora)


def test_only_an_admin_keeps_accounts(desk, staff):
    number = staff.vera.account_id
    for actor in (staff.vera, staff.anna, staff.carol):
        with pytest.raises(NotAllowedError, match="needs the role admin"):
            desk.accounts.add("eve", "Eve Evans", Role.VIEWER, PASSWORD, actor)
        with pytest.raises(NotAllowedError):
            desk.accounts.set_role(number, Role.ADMIN, actor)
        with pytest.raises(NotAllowedError):
            desk.accounts.deactivate(number, actor)
        with pytest.raises(NotAllowedError):
            desk.accounts.activate(number, actor)


def test_nobody_gives_themselves_a_role(desk, staff):
    with pytest.raises(NotAllowedError, match="nobody changes their own role"):
        desk.accounts.set_role(staff.dora.account_id, Role.VIEWER, staff.dora)


def test_there_is_always_an_admin(desk, staff):
    dora = staff.dora.account_id
    with pytest.raises(ConflictError, match="the last admin"):
        desk.accounts.deactivate(dora, staff.dora)
    with pytest.raises(ConflictError, match="the last admin"):
        desk.accounts.set_role(dora, Role.VIEWER, COMMAND_LINE)
    desk.accounts.set_role(staff.carol.account_id, Role.ADMIN, staff.dora)
    assert not desk.accounts.deactivate(dora, staff.dora).is_active
    with pytest.raises(ConflictError, match="the last admin"):
        desk.accounts.deactivate(staff.carol.account_id, COMMAND_LINE)


def test_two_admins_do_not_remove_each_other(desk, staff):
    desk.accounts.set_role(staff.carol.account_id, Role.ADMIN, staff.dora)
    start = threading.Barrier(2)

    def remove(account_id: int) -> bool:
        start.wait()
        try:
            desk.accounts.deactivate(account_id, COMMAND_LINE)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        removed = list(threads.map(remove, [staff.carol.account_id, staff.dora.account_id]))
    assert sorted(removed) == [False, True]


def test_each_role_may_what_those_before_it_may():
    roles = list(Role)
    for place, role in enumerate(roles):
        assert [role.may(other) for other in roles] == [rank <= place for rank in range(4)]


def test_what_happens_to_an_account_is_in_the_audit(desk, staff):
    number = staff.anna.account_id
    desk.accounts.set_role(number, Role.APPROVER, staff.dora)
    desk.accounts.set_password(number, PASSWORD[::-1], staff.anna)
    desk.accounts.deactivate(number, staff.dora)
    desk.accounts.activate(number, staff.dora)
    events = desk.audit.events(subject="account:anna")
    assert [(event.action, event.actor) for event in reversed(events)] == [
        ("account.added", "command line"),
        ("account.role", "dora"),
        ("account.password", "anna"),
        ("account.deactivated", "dora"),
        ("account.activated", "dora"),
    ]
    role = events[-2]
    assert (role.before, role.after) == ({"role": "reviewer"}, {"role": "approver"})


# Passwords


def test_no_secret_stands_in_the_database(desk, staff, database):
    number = staff.anna.account_id
    session = desk.accounts.sign_in("anna", PASSWORD, HERE)
    _, token = desk.accounts.add_token(number, "the scanner", staff.anna)
    with pytest.raises(InvalidError):
        desk.accounts.sign_in("anna", "a wrong password, but anna's", HERE)
    written = everything_in(database)
    assert "Anna Albers" in written
    for secret in (PASSWORD, session.token, token, "a wrong password"):
        assert secret not in written


def test_passwords_are_kept_as_argon2id_with_the_usual_cost(database_url):
    with Desk.at(database_url) as desk:
        account = desk.accounts.add("dora", "Dora Diaz", Role.ADMIN, PASSWORD, COMMAND_LINE)
        assert desk.accounts.check_password(account.id, PASSWORD)
        with desk._database.reading() as session:
            kept = session.get_one(AccountRow, account.id).password_hash
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_is_checked(desk, staff):
    number = staff.anna.account_id
    assert desk.accounts.check_password(number, PASSWORD)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "x" * 5000, "\ud800"):
        assert not desk.accounts.check_password(number, wrong)


def test_a_new_password_is_ones_own_or_an_admins_to_set(desk, staff):
    number, new = staff.anna.account_id, "a new long password"
    with pytest.raises(NotAllowedError):
        desk.accounts.set_password(number, new, staff.carol)
    desk.accounts.set_password(number, new, staff.dora)
    assert not desk.accounts.check_password(number, PASSWORD)
    desk.accounts.sign_in("anna", new, HERE)


def test_a_hash_of_another_cost_is_made_anew_when_somebody_signs_in(database_url, database):
    with Desk.at(database_url, CHEAP) as desk:
        staff = hire(desk)
    dearer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    with Desk.at(database_url, dearer) as desk:
        desk.accounts.sign_in("anna", PASSWORD, HERE)
        assert desk.accounts.check_password(staff.anna.account_id, PASSWORD)
    with database.connect() as connection:
        hashes = dict(connection.execute(select(AccountRow.name, AccountRow.password_hash)).all())
    assert "t=2" in hashes["anna"]
    assert "t=1" in hashes["ben"]


class Counting(PasswordHasher):
    """A hasher that notes which parameters it has verified with."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002
        self.verified.append(str(hash).rpartition("$")[0].rpartition("$")[0])
        return super().verify(hash, password)


def test_an_unknown_name_is_answered_like_a_wrong_password(database_url):
    hasher = Counting()
    with Desk.at(database_url, hasher) as desk:
        staff = hire(desk)
        desk.accounts.deactivate(staff.ben.account_id, staff.dora)
        answers = set()
        for name in ("anna", "nobody", "ben", "No\nName"):
            with pytest.raises(InvalidError) as refused:
                desk.accounts.sign_in(name, "a wrong password", HERE)
            answers.add(str(refused.value))
    assert answers == {"name or password is wrong"}
    assert len(hasher.verified) == 4
    assert len(set(hasher.verified)) == 1  # with the same cost


# Sessions


def test_who_signs_in_is_known_by_the_token(desk, staff):
    signed_in = desk.accounts.sign_in("anna", PASSWORD, HERE)
    account, session = desk.accounts.session(signed_in.token)
    assert account.id == staff.anna.account_id
    assert session.csrf == signed_in.csrf
    assert session.token == ""
    assert signed_in.expires_at - signed_in.created_at == SESSION_LENGTH
    assert session.expires_at - session.created_at == SESSION_IDLE
    assert desk.accounts.session("another") is None


def test_a_session_ends_when_one_signs_out(desk, staff):
    token = desk.accounts.sign_in("anna", PASSWORD, HERE).token
    other = desk.accounts.sign_in("anna", PASSWORD, HERE).token
    desk.accounts.sign_out(token)
    desk.accounts.sign_out(token)  # over already
    assert desk.accounts.session(token) is None
    assert desk.accounts.session(other) is not None
    actions = [event.action for event in desk.audit.events(subject="account:anna", limit=3)]
    assert actions == ["account.signed_out", "account.signed_in", "account.signed_in"]


def test_a_session_ends_when_nobody_uses_it(desk, staff, database):
    token = desk.accounts.sign_in("anna", PASSWORD, HERE).token
    later(database, seen_at=SESSION_IDLE - timedelta(minutes=1))
    assert desk.accounts.session(token) is not None  # and with that it is used
    later(database, seen_at=SESSION_IDLE - timedelta(minutes=1))
    assert desk.accounts.session(token) is not None
    later(database, seen_at=SESSION_IDLE)
    assert desk.accounts.session(token) is None


def test_a_session_ends_after_a_day_at_work_however_much_it_is_used(desk, staff, database):
    token = desk.accounts.sign_in("anna", PASSWORD, HERE).token
    later(database, created_at=SESSION_LENGTH - timedelta(minutes=1))
    assert desk.accounts.session(token) is not None
    later(database, created_at=timedelta(minutes=1))
    assert desk.accounts.session(token) is None


def test_no_session_is_left_that_is_over(desk, staff, database):
    desk.accounts.sign_in("anna", PASSWORD, HERE)
    later(database, created_at=SESSION_LENGTH + SECOND)
    desk.accounts.sign_in("ben", PASSWORD, HERE)
    with database.connect() as connection:
        (owner,) = connection.execute(select(SessionRow.account_id)).scalars()
    assert owner == staff.ben.account_id


@pytest.mark.parametrize("what", ["deactivate", "set_password"])
def test_sessions_end_with_the_right_to_them(desk, staff, what):
    token = desk.accounts.sign_in("anna", PASSWORD, HERE).token
    others = desk.accounts.sign_in("ben", PASSWORD, HERE).token
    number = staff.anna.account_id
    if what == "deactivate":
        desk.accounts.deactivate(number, staff.dora)
    else:
        desk.accounts.set_password(number, "another long password", staff.anna)
    assert desk.accounts.session(token) is None
    assert desk.accounts.session(others) is not None


def test_a_new_role_holds_at_once(desk, staff):
    token = desk.accounts.sign_in("anna", PASSWORD, HERE).token
    desk.accounts.set_role(staff.anna.account_id, Role.VIEWER, staff.dora)
    account, _ = desk.accounts.session(token)
    assert account.role is Role.VIEWER


def test_who_is_deactivated_signs_in_again_when_activated(desk, staff):
    number = staff.anna.account_id
    desk.accounts.deactivate(number, staff.dora)
    with pytest.raises(InvalidError):
        desk.accounts.sign_in("anna", PASSWORD, HERE)
    desk.accounts.activate(number, staff.dora)
    assert desk.accounts.sign_in("anna", PASSWORD, HERE).account_id == number


# Failed attempts


def fail(desk: Desk, name: str, address: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(InvalidError):
            desk.accounts.sign_in(name, "a wrong password", address)


def test_a_name_is_tried_five_times_from_wherever(desk, staff):
    for number in range(5):
        fail(desk, "anna", f"192.0.2.{number}", 1)
    with pytest.raises(TooManyAttemptsError, match="try again in 15 minutes") as refused:
        desk.accounts.sign_in("anna", PASSWORD, "192.0.2.99")
    assert 0 < refused.value.retry_after_s <= 15 * 60
    desk.accounts.sign_in("ben", PASSWORD, HERE)


def test_an_address_tries_twenty_names(desk, staff):
    for number in range(20):
        fail(desk, f"guess-{number}", HERE, 1)
    with pytest.raises(TooManyAttemptsError):
        desk.accounts.sign_in("anna", PASSWORD, HERE)
    desk.accounts.sign_in("anna", PASSWORD, "192.0.2.2")


def test_a_site_of_ipv6_counts_as_one_address(desk, staff):
    for number in range(20):
        fail(desk, f"guess-{number}", f"2001:db8:1:2::{number:x}", 1)
    with pytest.raises(TooManyAttemptsError):
        desk.accounts.sign_in("anna", PASSWORD, "2001:db8:1:2:ffff::1")
    desk.accounts.sign_in("anna", PASSWORD, "2001:db8:1:3::1")


def test_who_signs_in_right_is_not_counted(desk, staff):
    for _ in range(8):
        desk.accounts.sign_in("anna", PASSWORD, HERE)
    fail(desk, "anna", HERE, 4)
    desk.accounts.sign_in("anna", PASSWORD, HERE)


def test_failed_attempts_are_forgotten_after_a_quarter_of_an_hour(desk, staff, database):
    fail(desk, "anna", HERE, 5)
    with database.begin() as connection:
        past = datetime.now(UTC) - timedelta(minutes=15, seconds=1)
        connection.execute(update(AttemptRow).values(at=past))
    desk.accounts.sign_in("anna", PASSWORD, HERE)
    with database.connect() as connection:
        assert connection.execute(select(AttemptRow.id)).all() == []


def test_a_refused_sign_in_is_in_the_audit_and_not_what_was_typed(desk, staff):
    fail(desk, "anna", HERE, 1)
    fail(desk, "my password, in the wrong field", HERE, 1)
    second, first = desk.audit.events(subject="sign-in")
    assert (first.action, first.actor, first.why) == ("account.refused", "anna", f"from {HERE}")
    assert second.actor == "?"


# Tokens


@pytest.fixture
def token(desk: Desk, staff) -> Iterator[tuple[int, str]]:
    made, secret = desk.accounts.add_token(staff.anna.account_id, " the scanner ", staff.anna)
    return made.id, secret


def test_a_token_is_its_owner(desk, staff, token):
    number, secret = token
    assert desk.accounts.by_token(secret).id == staff.anna.account_id
    assert desk.accounts.by_token(secret[:-1]) is None
    assert desk.accounts.by_token("") is None
    (made,) = desk.accounts.tokens()
    assert (made.id, made.label, made.revoked_at) == (number, "the scanner", None)
    assert made.last_used_at is not None


def test_a_token_is_kept_as_a_digest(desk, token, database):
    with database.connect() as connection:
        (kept,) = connection.execute(select(TokenRow.secret_digest)).scalars()
    assert len(kept) == 64
    assert desk.accounts.by_token(kept) is None


def test_a_revoked_token_is_nobody(desk, staff, token):
    number, secret = token
    desk.accounts.revoke_token(number, staff.anna)
    desk.accounts.revoke_token(number, staff.anna)  # over already
    assert desk.accounts.by_token(secret) is None
    assert desk.accounts.tokens(staff.anna.account_id)[0].revoked_at is not None
    actions = [event.action for event in desk.audit.events(subject="account:anna")]
    assert actions == ["token.revoked", "token.added", "account.added"]


def test_tokens_are_ones_own_or_an_admins_to_keep(desk, staff, token):
    number, secret = token
    with pytest.raises(NotAllowedError):
        desk.accounts.add_token(staff.anna.account_id, "spy", staff.ben)
    with pytest.raises(NotFoundError, match="no token 1 of yours"):
        desk.accounts.revoke_token(number, staff.ben)
    with pytest.raises(NotFoundError):
        desk.accounts.revoke_token(99, staff.dora)
    assert desk.accounts.tokens(staff.ben.account_id) == ()
    desk.accounts.revoke_token(number, staff.dora)
    assert desk.accounts.by_token(secret) is None


def test_tokens_end_with_the_account(desk, staff, token):
    _, secret = token
    desk.accounts.deactivate(staff.anna.account_id, staff.dora)
    assert desk.accounts.by_token(secret) is None
    desk.accounts.activate(staff.anna.account_id, staff.dora)
    assert desk.accounts.by_token(secret) is None
    desk.accounts.deactivate(staff.anna.account_id, staff.dora)
    with pytest.raises(ConflictError, match="is deactivated"):
        desk.accounts.add_token(staff.anna.account_id, "the scanner", staff.dora)


@pytest.mark.parametrize("label", ["", " ", "a\nb", "x" * 201])
def test_a_token_says_what_it_is_for(desk, staff, label):
    with pytest.raises(InvalidError, match="what it is for"):
        desk.accounts.add_token(staff.anna.account_id, label, staff.anna)
