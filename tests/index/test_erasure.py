"""Of a person who was removed nothing is left, and what is left somewhere is found."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_examples import FACES, KEY, a_person, a_work, everything_in, some_channel, some_faces

from index.cipher import Cipher
from index.errors import WrongKeyError
from index.leftovers import CHUNK, find_leftovers
from index.reference_index import ReferenceIndex

CIPHER = Cipher(KEY)


@pytest.fixture
def home(tmp_path):
    """Brigitte with two faces (seed 1), and Gustav with one (seed 2); both in a film."""
    home = tmp_path / "home"
    with ReferenceIndex.open(home) as index:
        index.enroll(a_work("metropolis"), {"copy": some_channel()})
        index.people.add(a_person("brigitte"), FACES, some_faces(2, seed=1), CIPHER)
        index.people.add(a_person("gustav"), FACES, some_faces(1, seed=2), CIPHER)
        index.people.set_cast("metropolis", ["brigitte", "gustav"])
    return home


@pytest.fixture
def index(home):
    with ReferenceIndex.open(home) as index:
        yield index


def sealed_values(home, person_number=1):
    """Vectors and pictures of a person as they lie in the database."""
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        rows = database.execute(
            "SELECT sealed_vector, sealed_crop FROM reference_faces WHERE person_number = ?",
            [person_number],
        ).fetchall()
    return [value for row in rows for value in row]


def pieces(sealed, size=16):
    return [sealed[at : at + size] for at in range(0, len(sealed) - size + 1, size)]


def test_removal_leaves_nothing(home, index):
    index.remember_scan("upload", '{"person": "brigitte"}')
    sealed = sealed_values(home)
    assert len(sealed) == 4
    before = everything_in(home)
    # pictures are cut into pages, but these pieces are of the beginning
    assert all(Cipher.nonce_of(value) in before for value in sealed)
    removed = index.people.remove("brigitte")
    assert (removed.id, removed.faces) == ("brigitte", 2)
    after = everything_in(home)
    for value in sealed:
        assert [piece for piece in pieces(value) if piece in after] == []
    assert b"Brigitte" not in after
    assert b"/photos/1-" not in after
    assert b'{"person"' not in after
    assert index.recall_scan("upload") is None
    assert index.people.cast(1) == ("gustav",)
    assert index.verify(cipher=CIPHER) == []
    assert [person.id for person in index.people.all()] == ["gustav"]
    assert b"Gustav" in after


def test_removal_from_amid_many_leaves_nothing(tmp_path):
    order = random.Random(5)
    gone = []
    with ReferenceIndex.open(tmp_path) as index:
        for number in range(60):
            person = a_person(f"person-{number}")
            index.people.add(person, FACES, some_faces(1 + number % 3, seed=number), CIPHER)
            if number % 3 == 2:
                person = order.choice(index.people.all())
                gone += sealed_values(tmp_path, person.number)
                index.people.remove(person.id)
        after = everything_in(tmp_path)
        assert [value for value in gone if Cipher.nonce_of(value) in after] == []
        assert [piece for value in gone for piece in pieces(value) if piece in after] == []
        assert index.verify(cipher=CIPHER) == []
        assert len(index.people.all()) == 40


def test_a_copy_of_a_sealed_value_is_found(home, index):
    (home / "evidence").mkdir()
    kept = home / "evidence" / "old.bin"
    kept.write_bytes(b"something before" + sealed_values(home)[0] + b"and after")
    assert index.verify() == []  # they are enrolled: it is no leftover yet
    index.people.remove("brigitte")
    assert index.verify() == [
        "evidence/old.bin still holds faces of somebody erased (number 1; 1 sealed values): "
        "delete this file"
    ]
    assert len(index.verify(repair=True)) == 1  # only its owner can know what else is in there
    kept.unlink()
    assert index.verify() == []


def test_a_copy_of_the_database_is_found(home):
    shutil.copy(home / "catalog.sqlite", home / "catalog.sqlite.bak")
    with ReferenceIndex.open(home) as index:
        index.people.remove("brigitte")
        index.people.remove("gustav")
        one, other = index.verify()
    assert one.startswith("catalog.sqlite.bak still holds faces of somebody erased (number 1; 4 ")
    assert other.startswith("catalog.sqlite.bak still holds faces of somebody erased (number 2; 2 ")


def test_what_a_reader_has_kept_in_the_log_is_found_and_mended(home, caplog, monkeypatch):
    monkeypatch.setattr("index.catalog.BUSY_TIMEOUT_S", 0)  # wait for no reader
    with (
        closing(sqlite3.connect(home / "catalog.sqlite", isolation_level=None)) as reader,
        ReferenceIndex.open(home) as index,
    ):
        with ReferenceIndex.open(home) as other:
            alfred = other.people.add(a_person("alfred"), FACES, some_faces(1, seed=3), CIPHER)
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM people").fetchall()
            other.people.remove("alfred")
        assert "person 'alfred' is removed, but another process was reading" in caplog.text
        (problem, *_) = problems = index.verify(repair=True)
        assert all(f"of somebody erased (number {alfred.number};" in text for text in problems)
        assert problem.endswith("`matchcut index verify --repair` writes it anew")
        assert index.verify() != []  # it is still reading
        reader.execute("COMMIT")
        assert index.verify(repair=True) != []
        assert index.verify(cipher=CIPHER) == []


def test_what_another_program_has_deleted_is_mended(home):
    value = sealed_values(home)[0]
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("CREATE TABLE spare (content BLOB)")
        database.execute("INSERT INTO spare VALUES (?)", [value])
        database.commit()
        database.execute("DROP TABLE spare")
        database.commit()
    with ReferenceIndex.open(home) as index:
        index.people.remove("brigitte")
        (problem,) = index.verify(repair=True)
        assert problem.startswith("catalog.sqlite still holds faces of somebody erased (number 1;")
        assert index.verify(cipher=CIPHER) == []
        assert len(index.people.references("gustav", CIPHER)) == 1


def test_what_is_kept_of_the_erased_names_nobody(home, index):
    index.people.remove("brigitte")
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        ((number, at, nonces),) = database.execute("SELECT * FROM erased")
    assert number == 1
    assert at.startswith("20")
    assert len(nonces) == 4 * 12
    assert b"brigitte" not in (home / "catalog.sqlite").read_bytes().lower()


def test_somebody_may_come_back_and_go_again(home, index):
    for _ in range(2):
        index.people.remove("brigitte")
        assert index.verify() == []
        index.people.add(a_person("brigitte"), FACES, some_faces(2, seed=1), CIPHER)
        assert index.verify(cipher=CIPHER) == []


def test_faces_of_nobody_are_found_and_erased(home):
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        database.execute("DELETE FROM people WHERE id = 'brigitte'")  # foreign keys are off here
        database.commit()
    with ReferenceIndex.open(home) as index:
        (problem,) = index.verify(repair=True, cipher=CIPHER)
        assert problem.startswith("2 faces belong to no person (number 1)")
        assert index.verify(cipher=CIPHER) == []
        assert index.stats().faces == 1


def test_people_without_faces_are_found(home):
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        database.execute("DELETE FROM reference_faces WHERE person_number = 2")
        database.commit()
    with ReferenceIndex.open(home) as index:
        (problem,) = index.verify()
        assert problem.startswith("person 'gustav' has no face")
        assert index.people.get("gustav").faces == 0
        index.people.add_faces("gustav", FACES, some_faces(seed=2), CIPHER)
        assert index.verify(cipher=CIPHER) == []


def test_sound_faces_are_proved_with_their_key_only(index):
    assert index.verify(cipher=CIPHER) == []
    with pytest.raises(WrongKeyError):
        index.verify(cipher=Cipher(bytes(32)))


def test_verify_leaves_sqlite_its_locks(home, index):
    """Whoever reads the database's files within this process makes SQLite lose its locks."""
    index.people.remove("brigitte")
    with closing(sqlite3.connect(home / "catalog.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        index.people.all()
        assert find_leftovers(home, [bytes(12)]).unreadable == {}
        code = (
            "import sqlite3, sys\n"
            "database = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n"
            "database.execute('BEGIN IMMEDIATE')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(home / "catalog.sqlite")],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert "database is locked" in done.stderr


# The search


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_the_search_finds_what_bytes_find_does(tmp_path, data):
    # few different bytes, so that much begins alike
    letters = st.sampled_from([b"\0", b"\1", b"ab"])
    content = b"".join(data.draw(st.lists(letters, max_size=200)))
    content += bytes(12)
    some = st.integers(0, len(content) - 12).map(lambda at: content[at : at + 12])
    made = st.lists(letters, min_size=12, max_size=12).map(lambda parts: b"".join(parts)[:12])
    needles = data.draw(st.lists(some | made, min_size=1, max_size=8, unique=True))
    (tmp_path / "file").write_bytes(content)
    expected = [number for number, needle in enumerate(needles) if needle in content]
    assert find_leftovers(tmp_path, needles).found == ({"file": expected} if expected else {})


@pytest.mark.parametrize("before", [CHUNK - 12, CHUNK - 11, CHUNK - 1, CHUNK, 2 * CHUNK - 5, 7])
def test_the_search_finds_what_lies_across_two_chunks(tmp_path, before):
    needle = bytes(range(1, 13))
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(bytes(before) + needle + bytes(CHUNK // 2))
    assert find_leftovers(tmp_path, [bytes([9]) * 12, needle]).found == {"deep/er/file": [1]}


def test_the_search_passes_over_pipes_and_loops(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    (tmp_path / "short").write_bytes(b"\1\2\3")
    leftovers = find_leftovers(tmp_path, [bytes(range(12))])
    assert (leftovers.found, leftovers.unreadable) == ({}, {})


def test_the_search_is_not_led_astray_by_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert find_leftovers(tmp_path, [b"SystemExit(3"]).found == {"numpy.py": [0]}


def test_needles_are_alike(tmp_path):
    for needles in ([bytes(12), bytes(11)], [bytes(4)]):
        with pytest.raises(ValueError, match="one length"):
            find_leftovers(tmp_path, needles)
