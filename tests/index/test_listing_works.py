"""What lists of works are made from: search, parts, state of enrolment, casts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from index_examples import FACES, KEY, SPACE, a_person, a_work, some_channel, some_faces

from index.cipher import Cipher
from index.reference_index import ReferenceIndex


@pytest.fixture
def index(tmp_path, open_index) -> Iterator[ReferenceIndex]:
    """Three works, enrolled in another order than that of their titles."""
    with open_index(tmp_path) as index:
        for work_id, title, owner in (
            ("m", "Metropolis", "Murnau-Stiftung"),
            ("arzt", "Ärztin am Abend", None),
            ("heat", "heat", "Regency"),
        ):
            work = a_work(work_id, title=title, owner=owner)
            index.enroll(work, {"copy": some_channel(3, seed=len(title))})
        yield index


def ids(found) -> list[str]:
    return [work.id for work in found[0]]


def test_works_are_listed_by_title_in_parts(index):
    assert ids(index.find_works()) == ["heat", "m", "arzt"]
    assert index.find_works(limit=2, offset=1) == (index.find_works()[0][1:], 3)
    assert index.find_works(limit=2, offset=9) == ([], 3)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("HEAT", ["heat"]),
        ("äRZTIN", ["arzt"]),
        ("murnau", ["m"]),
        ("  met ", ["m"]),
        ("gen", ["heat"]),
        ("%", []),
        ("arz", ["arzt"]),
    ],
)
def test_a_search_looks_at_id_title_and_owner_whatever_the_case(index, search, expected):
    works, total = index.find_works(search)
    assert (sorted(work.id for work in works), total) == (sorted(expected), len(expected))


def test_the_files_of_a_work_say_what_its_channels_hold(index):
    index.add_channel("heat", "semantic", some_channel(2, seed=9))
    files = index.files(index.work("heat").number)
    assert [(one.channel, one.count, one.space) for one in files] == [
        ("copy", 3, SPACE),
        ("semantic", 2, SPACE),
    ]
    assert index.channels() == {"copy", "semantic"}
    assert index.channels(index.work("m").number) == {"copy"}


def test_the_works_in_whose_cast_somebody_is(index):
    person = index.people.add(a_person("brigitte"), FACES, some_faces(1, seed=1), Cipher(KEY))
    assert index.people.works_of(person.number) == ()
    for work_id in ("heat", "m"):
        index.people.set_cast(work_id, ["brigitte"])
    numbers = sorted(index.work(one).number for one in ("heat", "m"))
    assert list(index.people.works_of(person.number)) == numbers


def test_a_refresh_shows_what_another_process_has_enrolled(index, tmp_path, open_index):
    channel = some_channel(2, seed=5)
    vectors = channel.embeddings.vectors
    index.search("copy", vectors, 1)
    with open_index(tmp_path) as other:
        work = other.enroll(a_work("new"), {"copy": channel})
    index.refresh()
    assert index.search("copy", vectors, 1).ids[0, 0] >> 24 == work.number
