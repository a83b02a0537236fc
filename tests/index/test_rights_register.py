"""The register of rights keeps what it was told, whole, and refuses what cannot be."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from filelock import FileLock
from index_examples import FACES, KEY, a_person, a_work, some_channel, some_faces
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from index.cipher import Cipher
from index.errors import (
    IndexBusyError,
    InvalidRightsError,
    UnknownPersonError,
    UnknownRightsError,
    UnknownWorkError,
)
from index.records import Policy
from index.reference_index import ReferenceIndex
from index.rights_records import Kind, NewExclusion, NewLicence, NewRule, Rights

NO_RIGHTS = Rights()


@pytest.fixture
def home(tmp_path, database_url):
    """Two works of 5 s and a person."""
    home = tmp_path / "home"
    with ReferenceIndex.open(home, database_url) as index:
        index.enroll(a_work("metropolis"), {"copy": some_channel(seed=1)})
        index.enroll(a_work("nosferatu"), {"copy": some_channel(seed=2)})
        index.people.add(a_person("brigitte"), FACES, some_faces(2), Cipher(KEY))
    return home


@pytest.fixture
def index(home, database_url):
    with ReferenceIndex.open(home, database_url) as index:
        yield index


@pytest.fixture
def rights(index):
    return index.rights


@pytest.fixture
def connection(index, database_url):
    """Return the database itself, behind the register's back."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA foreign_keys = ON"))
        yield connection
    engine.dispose()


def a_licence(ref_id="metropolis", **changes):
    facts = {"kind": "work", "ref_id": ref_id, "document": "contract 17"}
    return NewLicence(**(facts | changes))


def a_rule(ref_id="metropolis", **changes):
    return NewRule(**({"kind": "work", "ref_id": ref_id, "policy": "monitor"} | changes))


def an_exclusion(work_id="metropolis", start=1.0, end=2.0, why="stock footage"):
    return NewExclusion(work_id=work_id, start=start, end=end, why=why)


def one_of_each(rights, ref_id="metropolis"):
    """Write down a licence, a rule and an exclusion of a work."""
    return Rights(
        tuple(rights.add_licences([a_licence(ref_id)])),
        (rights.add_rule(a_rule(ref_id)),),
        (rights.add_exclusion(an_exclusion(ref_id)),),
    )


# --- what is kept -----------------------------------------------------------------------------


def test_a_licence_is_kept_as_it_was_told(rights):
    told = a_licence(
        licensee="studio_a",
        channels=("copy",),
        territories=("DE", "FR"),
        starts=date(2026, 1, 1),
        ends=date(2026, 12, 31),
        document="contract 17, §4: 'π'",
    )
    (kept,) = rights.add_licences([told])
    for name in ("kind", "ref_id", "licensee", "channels", "territories", "starts", "ends"):
        assert getattr(kept, name) == getattr(told, name)
    assert kept.document == told.document
    assert kept.added_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - kept.added_at) < timedelta(hours=1)
    assert rights.licences() == [kept]


def test_what_a_licence_leaves_open_is_open(rights):
    work, person = rights.add_licences([a_licence(), a_licence("brigitte", kind="person")])
    assert work.channels == ("copy", "semantic")
    assert person.channels == ("face",)
    for licence in (work, person):
        assert (licence.licensee, licence.territories) == (None, ())
        assert (licence.starts, licence.ends) == (None, None)


def test_channels_and_territories_are_in_order_and_each_once(rights):
    told = a_licence(channels=("semantic", "copy", "copy"), territories=("fr", "DE", "FR"))
    (kept,) = rights.add_licences([told])
    assert kept.channels == ("copy", "semantic")
    assert kept.territories == ("DE", "FR")


def test_a_rule_is_kept_as_it_was_told(rights):
    full = a_rule(
        channel="copy",
        min_seconds=10.5,
        min_share_upload=0.25,
        min_share_reference=0.1,
        min_score=0.9,
    )
    kept = rights.add_rule(full)
    for name in ("channel", "min_seconds", "min_share_upload", "min_share_reference", "min_score"):
        assert getattr(kept, name) == getattr(full, name)
    assert kept.policy is Policy.MONITOR
    bare = rights.add_rule(a_rule("brigitte", kind="person", policy="review"))
    assert (bare.kind, bare.ref_id, bare.channel, bare.min_score) == (
        Kind.PERSON,
        "brigitte",
        None,
        None,
    )
    assert rights.rules() == [kept, bare]


def test_rules_are_in_the_order_they_were_added(rights):
    added = [rights.add_rule(a_rule(policy=policy)).number for policy in ("block", "allow")]
    added.append(rights.add_rule(a_rule(policy="review")).number)
    assert [rule.number for rule in rights.rules()] == added == sorted(added)


def test_an_exclusion_is_kept_as_it_was_told(rights):
    kept = rights.add_exclusion(an_exclusion(start=0.125, end=4.75, why="NASA footage"))
    assert (kept.work_id, kept.start, kept.end, kept.why) == (
        "metropolis",
        0.125,
        4.75,
        "NASA footage",
    )
    assert rights.exclusions() == [kept]


def test_the_rights_of_one_are_told_and_not_anothers(index, rights):
    of_metropolis = one_of_each(rights, "metropolis")
    of_nosferatu = one_of_each(rights, "nosferatu")
    (licence,) = rights.add_licences([a_licence("brigitte", kind="person")])
    rule = rights.add_rule(a_rule("brigitte", kind="person"))
    work = index.work("metropolis")
    person = index.people.get("brigitte")
    assert work.number == person.number  # which are told apart by kind
    assert rights.of(Kind.WORK, work.number) == of_metropolis
    assert rights.of(Kind.WORK, index.work("nosferatu").number) == of_nosferatu
    assert rights.of(Kind.PERSON, person.number) == Rights((licence,), (rule,))
    assert rights.of(Kind.WORK, 99) == NO_RIGHTS


def test_no_licence_is_nothing_to_write(rights):
    assert rights.add_licences([]) == []
    rights.add_licences([a_licence()])
    assert rights.add_licences([]) == []


# --- durable, and seen by all -----------------------------------------------------------------


def test_what_was_acknowledged_is_there_when_opened_again(home, database_url):
    with ReferenceIndex.open(home, database_url) as index:
        kept = one_of_each(index.rights)
    with ReferenceIndex.open(home, database_url) as again:
        assert again.rights.of(Kind.WORK, again.work("metropolis").number) == kept


def test_another_process_sees_changes_and_its_own_are_seen(home, database_url, rights):
    (first,) = rights.add_licences([a_licence(document="ours")])
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from index.reference_index import ReferenceIndex\n"
        "from index.rights_records import NewLicence\n"
        "with ReferenceIndex.open(Path(sys.argv[1]), sys.argv[2]) as index:\n"
        "    print(*(one.document for one in index.rights.licences()))\n"
        "    theirs = NewLicence(kind='work', ref_id='nosferatu', document='theirs')\n"
        "    index.rights.add_licences([theirs])\n"
    )
    command = [sys.executable, "-c", code, str(home), database_url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "ours\n"
    seen = rights.licences()
    assert [one.document for one in seen] == ["ours", "theirs"]
    assert seen[0] == first


def test_of_two_that_write_at_once_each_is_told_its_own(home, database_url):
    def write(name):
        with ReferenceIndex.open(home, database_url) as index:
            told = [a_licence(document=f"{name} {n}") for n in range(3)]
            return [one.document for one in index.rights.add_licences(told)]

    names = [f"writer {n}" for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for name, documents in zip(names, pool.map(write, names), strict=True):
            assert documents == [f"{name} {n}" for n in range(3)]
    with ReferenceIndex.open(home, database_url) as index:
        numbers = [one.number for one in index.rights.licences()]
    assert len(numbers) == len(set(numbers)) == 24


def test_who_finds_another_writing_waits_then_says_so(home, database_url):
    with (
        ReferenceIndex.open(home, database_url, lock_timeout=0.1) as index,
        FileLock(home / "writer.lock"),
    ):
        for write in (
            lambda: index.rights.add_licences([a_licence()]),
            lambda: index.rights.add_rule(a_rule()),
            lambda: index.rights.add_exclusion(an_exclusion()),
            lambda: index.rights.remove_licences([1]),
        ):
            with pytest.raises(IndexBusyError, match="another process is writing"):
                write()
        assert index.rights.licences() == []  # who reads need not wait


def test_an_index_from_before_there_were_rights_gets_their_tables(home, database_url):
    engine = create_engine(database_url)
    with engine.begin() as connection:
        for table in ("licences", "rules", "exclusions", "catalogue_alembic_version"):
            connection.execute(text(f"DROP TABLE {table}"))
    engine.dispose()
    with ReferenceIndex.open(home, database_url) as index:
        assert index.rights.licences() == []
        one_of_each(index.rights)


# --- all or nothing ---------------------------------------------------------------------------


def test_of_licences_all_are_written_or_none(rights):
    for wrong, error, sentence in (
        (a_licence("faust"), UnknownWorkError, r"no work 'faust'.*works list"),
        (a_licence("faust", kind="person"), UnknownPersonError, r"'faust'.*people list"),
        (a_licence("brigitte"), UnknownWorkError, "no work 'brigitte'"),
        (a_licence("metropolis", kind="person"), UnknownPersonError, "no person 'metropolis'"),
    ):
        with pytest.raises(error, match=sentence):
            rights.add_licences([a_licence(), wrong, a_licence()])
        assert rights.licences() == []


def test_all_that_are_named_are_removed_or_none(rights):
    for add, remove, listed in (
        (lambda: rights.add_licences([a_licence()])[0], rights.remove_licences, rights.licences),
        (lambda: rights.add_rule(a_rule()), rights.remove_rules, rights.rules),
        (lambda: rights.add_exclusion(an_exclusion()), rights.remove_exclusions, rights.exclusions),
    ):
        first, second, third = add(), add(), add()
        for number in (999, 2**40):
            with pytest.raises(UnknownRightsError, match=rf"there is no \w+ {number}: "):
                remove([first.number, number])
        assert listed() == [first, second, third]
        assert remove([third.number, first.number, third.number]) == [first, third]
        assert listed() == [second]


def test_numbers_are_never_used_again(rights):
    for add, remove in (
        (lambda: rights.add_licences([a_licence()])[0], rights.remove_licences),
        (lambda: rights.add_rule(a_rule()), rights.remove_rules),
        (lambda: rights.add_exclusion(an_exclusion()), rights.remove_exclusions),
    ):
        first = add().number
        remove([first])
        second = add().number
        assert second > first


# --- removed with what they are of ------------------------------------------------------------


def test_with_a_work_its_rights_are_removed(index, rights):
    gone = one_of_each(rights, "metropolis")
    kept = one_of_each(rights, "nosferatu")
    index.remove("metropolis")
    assert rights.licences() == list(kept.licences)
    assert rights.rules() == list(kept.rules)
    assert rights.exclusions() == list(kept.exclusions)
    again = index.enroll(a_work("metropolis"), {"copy": some_channel(seed=1)})
    assert rights.of(Kind.WORK, again.number) == NO_RIGHTS
    assert rights.add_licences([a_licence("metropolis")])[0].number > gone.licences[0].number


def test_with_a_person_their_rights_are_removed(index, rights):
    rights.add_licences([a_licence("brigitte", kind="person", document="a letter")])
    rights.add_rule(a_rule("brigitte", kind="person"))
    kept = one_of_each(rights)
    index.people.remove("brigitte")
    assert rights.licences() == list(kept.licences)
    assert rights.rules() == list(kept.rules)


# --- what cannot be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "changes", "sentence"),
    [
        (a_licence, {"kind": "song"}, "'song' has no rights, only work and person have"),
        (a_licence, {"channels": ("face",)}, "a work cannot be licensed for 'face'"),
        (a_licence, {"kind": "person", "channels": ("copy",)}, "only for face"),
        (a_licence, {"territories": ("UK",)}, "'UK' is no country"),
        (a_licence, {"document": " "}, "needs a document"),
        (a_licence, {"licensee": "  "}, "without a name would be nobody"),
        (
            a_licence,
            {"starts": date(2026, 2, 1), "ends": date(2026, 1, 31)},
            "would be over before it begins",
        ),
        (a_rule, {"policy": "delete"}, "'delete' is none of block, review, monitor, allow"),
        (a_rule, {"kind": "person", "policy": "block"}, "never leads to an automatic action"),
        (a_rule, {"channel": "semantic", "policy": "block"}, "alone are never blocked"),
        (a_rule, {"channel": "face"}, "a work is not matched in channel 'face'"),
        (a_rule, {"kind": "person", "channel": "copy"}, "only in face"),
        (a_rule, {"kind": "person", "min_share_reference": 0.5}, "has no length"),
        (a_rule, {"min_seconds": -1.0}, "give 0 or more"),
        (a_rule, {"min_seconds": float("inf")}, "give 0 or more"),
        (a_rule, {"min_seconds": float("nan")}, "give 0 or more"),
        (a_rule, {"min_share_upload": 1.01}, "min_share_upload 1.01"),
        (a_rule, {"min_share_reference": -0.1}, "min_share_reference -0.1"),
        (a_rule, {"min_score": float("nan")}, "min_score nan"),
        (an_exclusion, {"start": -1.0}, "is no part of a work"),
        (an_exclusion, {"start": 2.0, "end": 2.0}, "an end after it"),
        (an_exclusion, {"end": float("inf")}, "is no part of a work"),
        (an_exclusion, {"start": float("nan")}, "is no part of a work"),
        (an_exclusion, {"why": " "}, "needs a reason"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(make, changes, sentence):
    with pytest.raises(InvalidRightsError, match=sentence):
        make(**changes)


def test_spaces_around_an_account_name_are_no_part_of_it():
    assert a_licence(licensee=" studio_a\t").licensee == "studio_a"


def test_an_exclusion_ends_with_its_work(rights):
    assert rights.add_exclusion(an_exclusion(end=5.5)).end == 5.5  # read off a player
    with pytest.raises(InvalidRightsError, match=r"'metropolis' ends at 5.000 s, before 5.6 s"):
        rights.add_exclusion(an_exclusion(end=5.6))
    with pytest.raises(UnknownWorkError, match="no work 'faust'"):
        rights.add_exclusion(an_exclusion("faust"))
    assert len(rights.exclusions()) == 1


RULE = "INSERT INTO rules (work_number, person_number, policy, channel, added_at) VALUES "
LICENCE = (
    "INSERT INTO licences "
    "(work_number, person_number, channels, territories, document, added_at) VALUES "
)
EXCLUSION = "INSERT INTO exclusions (work_number, start_s, end_s, why, added_at) VALUES "


REFUSED = (
    RULE + "(NULL, 1, 'block', NULL, '2026-01-01')",
    RULE + "(NULL, 1, 'block', 'face', '2026-01-01')",
    RULE + "(1, NULL, 'block', 'semantic', '2026-01-01')",
    RULE + "(1, NULL, 'delete', NULL, '2026-01-01')",
    RULE + "(1, 1, 'review', NULL, '2026-01-01')",
    RULE + "(NULL, NULL, 'review', NULL, '2026-01-01')",
    RULE + "(99, NULL, 'review', NULL, '2026-01-01')",
    LICENCE + "(1, 1, 'copy', '', 'contract', '2026-01-01')",
    LICENCE + "(NULL, NULL, 'copy', '', 'contract', '2026-01-01')",
    LICENCE + "(NULL, 99, 'face', '', 'contract', '2026-01-01')",
    EXCLUSION + "(1, 3.0, 2.0, 'why', '2026-01-01')",
    EXCLUSION + "(1, -1.0, 2.0, 'why', '2026-01-01')",
    EXCLUSION + "(99, 1.0, 2.0, 'why', '2026-01-01')",
)
TAKEN = (
    RULE + "(1, NULL, 'block', NULL, '2026-01-01')",
    RULE + "(1, NULL, 'block', 'copy', '2026-01-01')",
    RULE + "(NULL, 1, 'review', 'face', '2026-01-01')",
    LICENCE + "(1, NULL, 'copy', '', 'contract', '2026-01-01')",
    EXCLUSION + "(1, 1.0, 2.0, 'why', '2026-01-01')",
)


def test_the_database_itself_refuses_what_may_never_be(connection):
    for statement in REFUSED:
        with pytest.raises(IntegrityError):  # the traceback shows which is taken
            connection.execute(text(statement))
        connection.rollback()


def test_the_database_takes_what_may_be(connection):
    for statement in TAKEN:
        assert connection.execute(text(statement)).rowcount == 1
        connection.rollback()


def test_no_rule_becomes_a_blocking_one_of_a_person_later(connection, rights):
    rights.add_rule(a_rule("brigitte", kind="person", policy="review"))
    rights.add_rule(a_rule(channel="semantic", policy="review"))
    to_block = text("UPDATE rules SET policy = 'block' WHERE number = :number")
    for number in (1, 2):
        with pytest.raises(IntegrityError):
            connection.execute(to_block, {"number": number})
        connection.rollback()


# --- what scans go by -------------------------------------------------------------------------


def test_the_fingerprint_follows_all_rights(index, rights):
    seen = [index.fingerprint()]
    (licence,) = rights.add_licences([a_licence()])
    seen.append(index.fingerprint())
    rule = rights.add_rule(a_rule())
    seen.append(index.fingerprint())
    exclusion = rights.add_exclusion(an_exclusion())
    seen.append(index.fingerprint())
    assert len(set(seen)) == 4
    rights.remove_exclusions([exclusion.number])
    rights.remove_rules([rule.number])
    rights.remove_licences([licence.number])
    assert index.fingerprint() == seen[0]


def test_the_fingerprint_changes_when_a_licence_begins_and_after_its_last_day(index, rights):
    first, last = date(2026, 3, 1), date(2026, 3, 3)
    rights.add_licences([a_licence(starts=first, ends=last)])
    days = [first + timedelta(days=n) for n in range(-2, 6)]
    prints = [index.fingerprint(day) for day in days]
    before, during, after = prints[0], prints[2], prints[5]
    assert prints == [before] * 2 + [during] * 3 + [after] * 3
    assert len({before, during, after}) == 3
