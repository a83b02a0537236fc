"""What is said of works and people can be changed; what they are found by cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from filelock import FileLock
from index_examples import FACES, KEY, a_person, a_work, some_channel, some_faces

from index.cipher import Cipher
from index.errors import (
    IndexBusyError,
    InvalidPersonError,
    UnknownPersonError,
    UnknownWorkError,
)
from index.records import Policy
from index.reference_index import ReferenceIndex


@pytest.fixture
def index(tmp_path, database_url):
    """Two works and two people."""
    with ReferenceIndex.open(tmp_path / "home", database_url) as index:
        for n, name in enumerate(("metropolis", "nosferatu")):
            index.enroll(a_work(name), {"copy": some_channel(seed=n)})
        for n, name in enumerate(("brigitte", "gustav")):
            index.people.add(a_person(name), FACES, some_faces(2, seed=n), Cipher(KEY))
        yield index


def test_title_owner_and_policy_of_a_work_are_changed_and_nothing_else(index):
    before, other = index.works()
    fingerprint = index.fingerprint()
    wanted = replace(before, title="Métropolis", owner=None, policy=Policy.BLOCK)
    assert index.update(wanted) == wanted
    assert index.works() == [wanted, other]
    assert index.fingerprint() != fingerprint
    smuggled = replace(wanted, duration=1.0, source="/elsewhere.mp4", frames_sampled=99)
    assert index.update(smuggled) == wanted


def test_name_authority_last_day_and_policy_of_a_person_are_changed_and_nothing_else(index):
    before, other = index.people.all()
    fingerprint = index.fingerprint()
    wanted = replace(
        before,
        name="Brigitte Helm",
        authority="her estate",
        retain_until=date(2030, 1, 1),
        policy=Policy.ALLOW,
    )
    assert index.people.update(wanted) == wanted
    assert index.people.all() == [wanted, other]
    assert index.fingerprint() != fingerprint
    assert len(index.people.references("brigitte", Cipher(KEY))) == 2


def test_of_several_all_are_changed_or_none(index):
    works, people = index.works(), index.people.all()
    index.remove("nosferatu")
    with pytest.raises(UnknownWorkError, match="'nosferatu' is not in the index any more"):
        index.update_all([replace(work, title="changed") for work in works])
    assert index.works() == works[:1]
    index.people.remove("gustav")
    with pytest.raises(UnknownPersonError, match="'gustav' is not in the index any more"):
        index.people.update_all([replace(one, name="changed") for one in people])
    assert index.people.all() == people[:1]
    assert index.update_all([]) == []
    assert index.people.update_all([]) == []


def test_nobody_is_blocked_by_an_update(index):
    person = index.people.get("brigitte")
    with pytest.raises(InvalidPersonError, match="'block' is not for people"):
        replace(person, policy=Policy.BLOCK)


def test_who_finds_another_writing_waits_then_says_so(tmp_path, database_url, index):
    with (
        ReferenceIndex.open(index.home, database_url, lock_timeout=0.1) as waiting,
        FileLock(index.home / "writer.lock"),
    ):
        with pytest.raises(IndexBusyError):
            waiting.update(waiting.work("metropolis"))
        with pytest.raises(IndexBusyError):
            waiting.people.update(waiting.people.get("brigitte"))


def test_the_files_of_a_persons_faces_are_told_without_a_key_each_once(index):
    faces = some_faces(3, seed=7)
    twice = [*faces, replace_time(faces[0])]
    index.people.add(a_person("anna"), FACES, twice, Cipher(KEY))
    assert index.people.sources("anna") == [face.source for face in faces]
    with pytest.raises(UnknownPersonError):
        index.people.sources("nobody")


def replace_time(face):
    """Return a face of the same file at another time."""
    return replace(face, time=3.0)
