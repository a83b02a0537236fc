"""People are found by their faces for as long as was agreed, and their faces lie sealed."""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from filelock import FileLock
from index_examples import (
    FACES,
    KEY,
    ON_SQLITE,
    a_person,
    a_work,
    everything_in,
    some_channel,
    some_faces,
    some_vectors,
)

from index.cipher import Cipher
from index.errors import (
    DamagedFileError,
    IndexBusyError,
    InvalidPersonError,
    PersonIdTakenError,
    SpaceMismatchError,
    UnknownPersonError,
    UnknownWorkError,
    WrongKeyError,
)
from index.person_records import ReferenceFace
from index.records import Policy

CIPHER, OTHER_CIPHER = Cipher(KEY), Cipher(KEY[::-1])
LAST_DAY = date(2027, 12, 31)
TODAY = date(2027, 1, 1)


@pytest.fixture
def home(tmp_path, open_index):
    """Brigitte with two faces (seed 1), Gustav with one (seed 2), who may be matched longer."""
    with open_index(tmp_path) as index:
        index.people.add(a_person("brigitte"), FACES, some_faces(2, seed=1), CIPHER)
        gustav = a_person("gustav", retain_until=date(2030, 1, 1), policy="monitor")
        index.people.add(gustav, FACES, some_faces(1, seed=2), CIPHER)
    return tmp_path


@pytest.fixture
def index(home, open_index):
    with open_index(home) as index:
        yield index


@pytest.fixture
def people(index):
    return index.people


def ids(people):
    return [person.id for person in people]


def assert_same_faces(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.vector, other.vector)
        assert (one.crop, one.source, one.source_digest, one.time) == (
            other.crop,
            other.source,
            other.source_digest,
            other.time,
        )


# Enrolment


def test_people_are_all_there_after_opening_again(people):
    brigitte, gustav = people.all()
    assert (brigitte.id, brigitte.name, brigitte.faces) == ("brigitte", "Brigitte", 2)
    assert brigitte.authority == "consent form 12/2026"
    assert (brigitte.retain_until, brigitte.policy) == (LAST_DAY, Policy.REVIEW)
    assert brigitte.added_at.tzinfo is UTC
    assert people.get("gustav") == people.get(gustav.number) == gustav
    assert gustav.policy is Policy.MONITOR
    assert people.space() == FACES


def test_faces_come_back_as_they_were(people):
    assert_same_faces(people.references("brigitte", CIPHER), some_faces(2, seed=1))
    (face,) = some_faces(1, seed=2)
    assert people.crop(people.get("gustav").number, 1, CIPHER) == face.crop
    with pytest.raises(UnknownPersonError, match="'gustav' has no face 2"):
        people.crop(people.get("gustav").number, 2, CIPHER)


@ON_SQLITE
def test_nothing_of_a_face_lies_on_disk_in_clear(home, people):
    people.add_faces("gustav", FACES, some_faces(1, seed=3), CIPHER)  # in the write-ahead log
    content = everything_in(home)
    assert b"Gustav" in content
    for face in [*some_faces(2, seed=1), *some_faces(1, seed=2), *some_faces(1, seed=3)]:
        vector = face.vector.tobytes()
        assert all(vector[at : at + 8] not in content for at in range(0, len(vector) - 7, 4))
        assert all(face.crop[at : at + 8] not in content for at in range(0, 2992, 8))
    assert KEY not in content


def test_an_id_is_of_one_person(people):
    with pytest.raises(PersonIdTakenError, match="'gustav' belongs to another person"):
        people.add(a_person("gustav"), FACES, some_faces(seed=3), CIPHER)
    assert len(people.all()) == 2


def test_unknown_people_are_named(people):
    with pytest.raises(UnknownPersonError, match=r"no person 'alfred'.*matchcut people list"):
        people.get("alfred")
    for ask in (
        lambda: people.get(9),
        lambda: people.remove("alfred"),
        lambda: people.references("alfred", CIPHER),
        lambda: people.crop(9, 1, CIPHER),
        lambda: people.add_faces("alfred", FACES, some_faces(), CIPHER),
    ):
        with pytest.raises(UnknownPersonError):
            ask()


def test_numbers_are_never_used_again(people):
    removed = people.remove("gustav")
    assert people.add(a_person("gustav"), FACES, some_faces(), CIPHER).number > removed.number


def test_faces_are_added_once(people):
    new = some_faces(3, seed=1)  # the first two are there already
    assert people.add_faces("brigitte", FACES, new, CIPHER).faces == 3
    assert people.add_faces("brigitte", FACES, new, CIPHER).faces == 3
    assert_same_faces(people.references("brigitte", CIPHER)[:2], some_faces(2, seed=1))


def test_footage_shows_a_face_at_several_times(people):
    (face,) = some_faces(1, seed=3)
    seen = [dataclasses.replace(face, time=time) for time in (0.0, 1.5, 1.5)]
    assert people.add_faces("gustav", FACES, seen, CIPHER).faces == 3
    assert [face.time for face in people.references("gustav", CIPHER)] == [None, 0.0, 1.5]


def test_what_cannot_be_found_is_refused_and_leaves_nothing(people):
    alfred = a_person("alfred")
    with pytest.raises(InvalidPersonError, match="at least one face"):
        people.add(alfred, FACES, [], CIPHER)
    with pytest.raises(InvalidPersonError, match="do not say what"):
        people.add(alfred, "", some_faces(), CIPHER)
    with pytest.raises(
        SpaceMismatchError, match=r"with sface@fb143eea0783, not with other@1.*--ho"
    ):
        people.add(alfred, "other@1", some_faces(), CIPHER)
    with pytest.raises(SpaceMismatchError, match=r"of 8 dimensions, a face of .* has 4"):
        people.add(alfred, FACES, some_faces(dim=4), CIPHER)
    with pytest.raises(WrongKeyError, match=r"sealed with key .*remove the people"):
        people.add(alfred, FACES, some_faces(), OTHER_CIPHER)
    with pytest.raises(SpaceMismatchError):
        people.add_faces("gustav", "other@1", some_faces(), CIPHER)
    assert ids(people.all()) == ["brigitte", "gustav"]


def test_the_first_person_may_have_any_space_and_width(tmp_path, open_index):
    with open_index(tmp_path) as index:
        assert index.people.space() is None
        index.people.add(a_person(), "other@1", some_faces(dim=4), OTHER_CIPHER)
        assert index.people.space() == "other@1"
        assert index.people.gallery(OTHER_CIPHER, TODAY).vectors.shape == (2, 4)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": "a/b"}, "cannot be an id"),
        ({"name": " "}, "needs a name"),
        ({"authority": "\n"}, "needs an authority"),
        ({"policy": "block"}, "a likeness alone never leads to an automatic action"),
        ({"policy": "delete"}, "'delete' is none of review, monitor, allow"),
        ({"retain_until": datetime(2027, 1, 1, tzinfo=UTC)}, "until a day"),
        ({"retain_until": "2027-01-01"}, "until a day"),
    ],
)
def test_impossible_people_are_refused(change, complaint):
    with pytest.raises(InvalidPersonError, match=complaint):
        a_person(**change)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"vector": np.ones(8, np.float32)}, "length 2.828"),
        ({"vector": np.full(8, np.nan)}, "not finite"),
        ({"vector": np.ones((1, 8))}, "shape"),
        ({"crop": b""}, "no picture"),
        ({"source_digest": "abc"}, "SHA-256"),
        ({"time": float("inf")}, "at inf s"),
    ],
)
def test_impossible_faces_are_refused(change, complaint):
    with pytest.raises(InvalidPersonError, match=complaint):
        dataclasses.replace(some_faces()[0], **change)


def test_a_face_cannot_be_changed():
    vector = some_vectors(1)[0]
    face = ReferenceFace(vector, b"jpeg", "photo.jpg", "0" * 64)
    vector[0] = 9
    assert np.isclose(np.linalg.norm(face.vector), 1)
    with pytest.raises(ValueError, match="read-only"):
        face.vector[0] = 9


# The gallery


def test_the_gallery_says_whose_each_face_is(people):
    gallery = people.gallery(CIPHER, TODAY)
    assert gallery.space == FACES
    assert gallery.people == tuple(people.all())
    assert gallery.rows.tolist() == [0, 0, 1]
    assert gallery.numbers.tolist() == [1, 2, 1]
    assert gallery.vectors.dtype == np.float32
    expected = np.concatenate([some_vectors(2, seed=1), some_vectors(1, seed=2)])
    assert np.array_equal(gallery.vectors, expected)
    assert len(gallery) == 3
    for array in (gallery.vectors, gallery.rows, gallery.numbers):
        assert not array.flags.writeable


def test_faces_that_were_added_later_stand_with_their_person(people):
    people.add_faces("brigitte", FACES, some_faces(1, seed=3), CIPHER)
    gallery = people.gallery(CIPHER, TODAY)
    assert gallery.rows.tolist() == [0, 0, 0, 1]
    assert gallery.numbers.tolist() == [1, 2, 3, 1]


def test_nobody_is_matched_after_their_last_day(people):
    assert ids(people.gallery(CIPHER, LAST_DAY).people) == ["brigitte", "gustav"]
    assert people.expired(LAST_DAY) == []
    day_after = LAST_DAY + timedelta(days=1)
    gallery = people.gallery(CIPHER, day_after)
    assert ids(gallery.people) == ["gustav"]
    assert gallery.rows.tolist() == [0]
    assert ids(people.expired(day_after)) == ["brigitte"]
    brigitte = people.get("brigitte")
    assert not brigitte.is_expired(LAST_DAY)
    assert brigitte.is_expired(day_after)


def test_a_gallery_of_nobody(people):
    for gallery in (
        people.gallery(CIPHER, date(2099, 1, 1)),
        [people.remove("brigitte"), people.remove("gustav"), people.gallery(CIPHER, TODAY)][-1],
    ):
        assert (gallery.space, gallery.people, len(gallery)) == (None, (), 0)
        assert gallery.vectors.shape == (0, 0)


# The key


def test_faces_open_with_their_key_only(people):
    for ask in (
        lambda: people.gallery(OTHER_CIPHER, TODAY),
        lambda: people.references("gustav", OTHER_CIPHER),
        lambda: people.crop(1, 1, OTHER_CIPHER),
        lambda: people.add_faces("gustav", FACES, some_faces(seed=3), OTHER_CIPHER),
    ):
        with pytest.raises(WrongKeyError, match=CIPHER.fingerprint):
            ask()


def test_a_lost_key_can_be_replaced_by_removing_everybody(people):
    people.remove("brigitte")
    with pytest.raises(WrongKeyError):
        people.add(a_person("alfred"), FACES, some_faces(), OTHER_CIPHER)
    people.remove("gustav")
    people.add(a_person("alfred"), FACES, some_faces(), OTHER_CIPHER)
    assert_same_faces(people.references("alfred", OTHER_CIPHER), some_faces())


@pytest.mark.parametrize(
    "move",
    [
        # gustav's vector or picture to brigitte
        "UPDATE reference_faces SET sealed_vector = (SELECT sealed_vector FROM reference_faces "
        "WHERE person_number = 2) WHERE person_number = 1 AND number = 1",
        "UPDATE reference_faces SET sealed_crop = (SELECT sealed_crop FROM reference_faces "
        "WHERE person_number = 2) WHERE person_number = 1 AND number = 1",
        # one of brigitte's faces for another
        "UPDATE reference_faces SET sealed_crop = (SELECT sealed_crop FROM reference_faces "
        "WHERE person_number = 1 AND number = 2) WHERE person_number = 1 AND number = 1",
        # a picture for a vector and the reverse
        "UPDATE reference_faces SET sealed_vector = sealed_crop, sealed_crop = sealed_vector "
        "WHERE person_number = 1 AND number = 1",
        "UPDATE reference_faces SET space = 'other@1' WHERE person_number = 1 AND number = 1",
        "UPDATE reference_faces SET sealed_crop = x'00' WHERE person_number = 1 AND number = 1",
    ],
)
@ON_SQLITE
def test_what_was_moved_or_changed_does_not_open_and_is_named(home, move, open_index):
    with sqlite3.connect(home / "catalog.sqlite") as database:
        database.execute(move)
    database.close()
    with open_index(home) as index:
        with pytest.raises(
            DamagedFileError, match=r"of face 1 of person 1 .*moved.*add them again"
        ):
            index.people.references("brigitte", CIPHER)
        (problem,) = index.verify(cipher=CIPHER)
        assert problem.startswith("person 'brigitte', face 1: ")
        assert index.verify() == []  # without the key nobody can tell


@ON_SQLITE
def test_a_moved_vector_is_never_matched(home, open_index):
    with sqlite3.connect(home / "catalog.sqlite") as database:
        database.execute("UPDATE reference_faces SET number = 7 WHERE person_number = 2")
    database.close()
    with (
        open_index(home) as index,
        pytest.raises(DamagedFileError, match="the vector of face 7 of person 2"),
    ):
        index.people.gallery(CIPHER, TODAY)


# Casts


@pytest.fixture
def work(index):
    return index.enroll(a_work("metropolis"), {"copy": some_channel()})


def test_a_cast_stands_in_its_order_until_another_is_given(people, work):
    assert people.cast(work.number) == ()
    people.set_cast("metropolis", ["gustav", "brigitte", "gustav"])
    assert people.cast(work.number) == ("gustav", "brigitte")
    people.set_cast("metropolis", ["brigitte"])
    assert people.cast(work.number) == ("brigitte",)
    people.set_cast("metropolis", [])
    assert people.cast(work.number) == ()


def test_a_cast_of_strangers_is_refused_and_changes_nothing(people, work):
    people.set_cast("metropolis", ["gustav"])
    with pytest.raises(UnknownPersonError, match="alfred"):
        people.set_cast("metropolis", ["brigitte", "alfred"])
    with pytest.raises(UnknownWorkError, match="nosferatu"):
        people.set_cast("nosferatu", ["brigitte"])
    assert people.cast(work.number) == ("gustav",)


def test_a_cast_goes_with_its_people_and_its_work(index, people, work):
    people.set_cast("metropolis", ["gustav", "brigitte"])
    people.remove("gustav")
    assert people.cast(work.number) == ("brigitte",)
    index.remove("metropolis")
    assert people.cast(work.number) == ()
    assert ids(people.all()) == ["brigitte"]


# The index as a whole


@ON_SQLITE
def test_the_fingerprint_follows_people_faces_and_casts(home, index, people, work):
    seen = [index.fingerprint(TODAY)]

    def changed():
        seen.append(index.fingerprint(TODAY))
        return len(set(seen)) == len(seen)

    people.set_cast("metropolis", ["gustav"])
    assert changed()
    people.set_cast("metropolis", ["gustav", "brigitte"])
    assert changed()
    people.add_faces("gustav", FACES, some_faces(1, seed=3), CIPHER)
    assert changed()
    people.remove("brigitte")
    assert changed()
    with sqlite3.connect(home / "catalog.sqlite") as database:
        database.execute("UPDATE people SET policy = 'allow'")
    database.close()
    assert changed()
    assert index.fingerprint(TODAY) == seen[-1]


def test_the_fingerprint_changes_after_a_last_day(index):
    assert index.fingerprint(TODAY) == index.fingerprint(LAST_DAY)
    assert index.fingerprint(LAST_DAY) != index.fingerprint(LAST_DAY + timedelta(days=1))


def test_the_fingerprint_is_as_before_when_nobody_is_left(tmp_path, open_index):
    with open_index(tmp_path) as index:
        before = index.fingerprint()
        index.people.add(a_person(), FACES, some_faces(), CIPHER)
        assert index.fingerprint() != before
        index.people.remove("brigitte-helm")
        assert index.fingerprint() == before


def test_people_are_counted(index):
    stats = index.stats()
    assert (stats.people, stats.faces) == (2, 3)


def test_changes_of_another_process_are_seen_at_once(home, people, open_index):
    with open_index(home) as other:
        other.people.add(a_person("alfred"), FACES, some_faces(seed=3), CIPHER)
        other.people.remove("brigitte")
    assert ids(people.all()) == ["gustav", "alfred"]
    assert ids(people.gallery(CIPHER, TODAY).people) == ["gustav", "alfred"]


def test_only_one_process_writes_at_a_time(home, open_index):
    with (
        FileLock(home / "writer.lock"),
        open_index(home, lock_timeout=0.01) as index,
    ):
        for write in (
            lambda: index.people.add(a_person("alfred"), FACES, some_faces(), CIPHER),
            lambda: index.people.add_faces("gustav", FACES, some_faces(), CIPHER),
            lambda: index.people.remove("gustav"),
            lambda: index.people.set_cast("metropolis", []),
        ):
            with pytest.raises(IndexBusyError):
                write()
        assert ids(index.people.all()) == ["brigitte", "gustav"]


@ON_SQLITE
def test_a_workspace_from_before_there_were_people(tmp_path, open_index):
    with open_index(tmp_path) as index:
        work = index.enroll(a_work(), {"copy": some_channel()})
        fingerprint = index.fingerprint()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
        for table in ("casts", "reference_faces", "erased", "people", "catalogue_alembic_version"):
            database.execute(f"DROP TABLE {table}")
    database.close()
    for _ in range(2):
        with open_index(tmp_path) as index:
            assert index.works() == [work]
            assert index.people.all() == []
            assert index.fingerprint() == fingerprint
            assert index.verify(cipher=CIPHER) == []
    with open_index(tmp_path) as index:
        assert index.people.add(a_person(), FACES, some_faces(), CIPHER).number == 1
