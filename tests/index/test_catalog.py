import subprocess
import sys
from datetime import UTC, datetime

import pytest
from index_examples import ON_SQLITE, a_work
from sqlalchemy import create_engine, text

from index.catalog import Catalog
from index.errors import (
    AlreadyEnrolledError,
    CatalogError,
    IdTakenError,
    InvalidWorkError,
    UnknownWorkError,
)
from index.records import EmbeddingsFile, IndexFile, NewEmbeddingsFile, Policy


@pytest.fixture
def catalog(database_url):
    catalog = Catalog.create(database_url)
    yield catalog
    catalog.close()


def a_file(channel="copy", name="1"):
    return NewEmbeddingsFile(channel, "sscd@1", f"embeddings/{channel}-{name}.npz", "0" * 64, 5, 8)


def test_a_work_is_found_by_id_number_and_digest(catalog):
    work = catalog.add_work(a_work("metropolis", policy="block"), [a_file()])
    assert work.policy is Policy.BLOCK
    assert work.added_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - work.added_at).total_seconds() < 3600
    assert catalog.work("metropolis") == work
    assert catalog.work(work.number) == work
    assert catalog.find_digest(work.digest) == work
    assert catalog.works() == [work]
    assert catalog.find_digest("f" * 64) is None


def test_what_is_written_survives_the_process(catalog, database_url):
    work = catalog.add_work(a_work(owner=None), [a_file()])
    again = Catalog.open(database_url)
    assert again.works() == [work]
    assert again.id == catalog.id
    again.close()


def test_unknown_works_are_named(catalog):
    with pytest.raises(UnknownWorkError, match=r"no work 'nosferatu'.*works list"):
        catalog.work("nosferatu")
    with pytest.raises(UnknownWorkError, match="no work 3"):
        catalog.work(3)


def test_an_id_belongs_to_one_file(catalog):
    catalog.add_work(a_work("metropolis"), [])
    other = a_work("metropolis", digest="f" * 64)
    with pytest.raises(IdTakenError, match="give this one its own with --id"):
        catalog.check_free(other)
    with pytest.raises(IdTakenError):
        catalog.add_work(other, [])


def test_a_file_is_enrolled_once(catalog):
    first = catalog.add_work(a_work("metropolis"), [])
    with pytest.raises(AlreadyEnrolledError, match="as work 'metropolis'"):
        catalog.add_work(a_work("other", digest=first.digest), [])
    assert catalog.works() == [first]


def test_numbers_are_never_used_again(catalog):
    first = catalog.add_work(a_work("metropolis"), [a_file()])
    catalog.remove_work(first.number)
    assert catalog.works() == []
    assert catalog.embeddings_files() == []
    assert catalog.add_work(a_work("metropolis"), []).number > first.number


def test_embeddings_files_by_work_and_channel(catalog):
    one = catalog.add_work(a_work("one"), [a_file(name="1"), a_file("semantic", "1")]).number
    two = catalog.add_work(a_work("two"), [a_file(name="2")]).number
    assert [file.work_number for file in catalog.embeddings_files(channel="copy")] == [one, two]
    assert [file.channel for file in catalog.embeddings_files(one)] == ["copy", "semantic"]
    assert catalog.embeddings_files(two) == [
        EmbeddingsFile("copy", "sscd@1", "embeddings/copy-2.npz", "0" * 64, 5, 8, work_number=two)
    ]


def test_a_channel_is_added_once(catalog):
    work = catalog.add_work(a_work(), [a_file()])
    catalog.add_embeddings(work.number, a_file("semantic"))
    with pytest.raises(AlreadyEnrolledError, match="in channel 'semantic' already"):
        catalog.add_embeddings(work.number, a_file("semantic", "2"))
    with pytest.raises(UnknownWorkError):
        catalog.add_embeddings(99, a_file())


def test_the_latest_index_file_counts(catalog):
    old = IndexFile("copy", "sscd@1", "vectors/copy-a.faiss", "0" * 64, "a" * 64)
    new = IndexFile("copy", "sscd@1", "vectors/copy-b.faiss", "1" * 64, "b" * 64)
    catalog.put_index_file(old)
    catalog.put_index_file(new)
    assert catalog.index_files() == {"copy": new}
    catalog.drop_index_file("copy")
    assert catalog.index_files() == {}


def test_scans_are_remembered(catalog):
    assert catalog.recall_scan("upload.mp4 sscd@1") is None
    catalog.remember_scan("upload.mp4 sscd@1", '{"verdict": "clear"}')
    catalog.remember_scan("upload.mp4 sscd@1", '{"verdict": "block"}')
    assert catalog.recall_scan("upload.mp4 sscd@1") == '{"verdict": "block"}'


def test_fingerprint_follows_works_and_their_embeddings(catalog):
    seen = [catalog.fingerprint()]
    work = catalog.add_work(a_work(), [a_file()])
    seen.append(catalog.fingerprint())
    catalog.add_embeddings(work.number, a_file("semantic"))
    seen.append(catalog.fingerprint())
    assert len(set(seen)) == 3
    catalog.remember_scan("key", "{}")
    assert catalog.fingerprint() == seen[-1]
    catalog.remove_work(work.number)
    assert catalog.fingerprint() == seen[0]


@pytest.mark.parametrize(
    "work_id", ["", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "x" * 129, " a", "a\u202eb"]
)
def test_ids_that_break_files_or_lines_are_refused(work_id):
    with pytest.raises(InvalidWorkError, match="--id"):
        a_work(work_id)


def test_ids_may_be_of_any_script():
    assert a_work("七人の侍 (1954)").id == "七人の侍 (1954)"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"policy": "delete"}, "'delete' is none of block, review, monitor, allow"),
        ({"digest": "abc"}, "SHA-256"),
        ({"duration": float("nan")}, "duration"),
        ({"duration": -1.0}, "duration"),
        ({"frames_uniform": 7}, "7 uniform frames of 6"),
    ],
)
def test_impossible_facts_are_refused(change, complaint):
    with pytest.raises(InvalidWorkError, match=complaint):
        a_work(**change)


@ON_SQLITE
def test_sqlite_is_set_up_to_keep_its_promises(catalog):
    with catalog._engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "busy_timeout",
                "secure_delete",
            )
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30000,
        "secure_delete": 1,
    }


def test_a_newer_catalogue_is_refused(catalog, database_url):
    with create_engine(database_url).begin() as connection:
        connection.execute(text("UPDATE meta SET value = '999' WHERE key = 'schema_version'"))
    with pytest.raises(CatalogError, match=r"made by a newer matchcut.*upgrade"):
        Catalog.open(database_url)


def test_a_postgresql_url_needs_no_driver_and_its_password_is_not_shown():
    with pytest.raises(CatalogError, match="cannot open the catalogue") as told:
        Catalog.open("postgresql://desk:secret@127.0.0.1:1/films")
    assert "secret" not in str(told.value)


def test_what_is_no_catalogue_is_refused(tmp_path):
    with pytest.raises(CatalogError, match="not a catalogue"):
        Catalog.open(f"sqlite:///{tmp_path}/empty.sqlite")
    (tmp_path / "text.sqlite").write_text("no database at all, only text")
    with pytest.raises(CatalogError, match=r"text\.sqlite \(file is not a database\)"):
        Catalog.open(f"sqlite:///{tmp_path}/text.sqlite")
    with pytest.raises(CatalogError, match="unable to open"):
        Catalog.create(f"sqlite:///{tmp_path}/no/such/folder.sqlite")
    with pytest.raises(CatalogError, match="not the URL"):
        Catalog.open("not a url")


def test_listing_works_does_not_load_faiss():
    code = "import sys, index.reference_index; print('faiss' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
