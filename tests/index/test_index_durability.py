"""A crash between any two steps, or a disk that lies, leaves what the next open heals or names."""

from __future__ import annotations

import os
import shutil

import pytest
from index_examples import a_work, some_channel, some_embeddings, some_vectors

from index.catalog import Catalog
from index.embeddings import write_embeddings
from index.errors import DamagedFileError
from index.files import write_atomically
from index.reference_index import ReferenceIndex
from index.vectors import split_vector_ids


@pytest.fixture
def home(tmp_path):
    """Two works, "one" (seed 1) and "two" (seed 2), all written."""
    with ReferenceIndex.open(tmp_path) as index:
        index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
        index.enroll(a_work("two"), {"copy": some_channel(seed=2)})
    return tmp_path


def faiss_file(home):
    (path,) = (home / "vectors").glob("*.faiss")
    return path


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def assert_finds(home, expected):
    """Search for the frames of the works of seeds 1 to 3; then everything on disk is sound."""
    with ReferenceIndex.open(home) as index:
        for seed, number in expected.items():
            works, _ = split_vector_ids(index.search("copy", some_vectors(5, seed=seed), 1).ids)
            assert works.ravel().tolist() == [number] * 5
    with ReferenceIndex.open(home) as index:
        assert index.verify() == []


def crash(index):
    """Let go without writing what is derived."""
    index.close(flush=False)


def test_crash_after_the_embeddings_file(home):
    write_embeddings(home / "embeddings" / "copy-abc.npz", some_embeddings(seed=3))
    with ReferenceIndex.open(home) as index:
        assert index.verify() == ["embeddings/copy-abc.npz belongs to no work"]
        assert len(index.works()) == 2
        index.enroll(a_work("three"), {"copy": some_channel(seed=3)})
    assert not (home / "embeddings" / "copy-abc.npz").exists()
    assert_finds(home, {1: 1, 2: 2, 3: 3})


def test_crash_while_writing_an_embeddings_file(home):
    (home / "embeddings" / "copy-abc.npz.12345678.tmp").write_bytes(b"PK")
    with ReferenceIndex.open(home) as index:
        assert index.verify(repair=True) == [
            "embeddings/copy-abc.npz.12345678.tmp belongs to no work"
        ]
        assert index.verify() == []


def test_crash_after_the_row_of_a_new_work(home):
    index = ReferenceIndex.open(home)
    index.enroll(a_work("three"), {"copy": some_channel(seed=3)})
    crash(index)
    with ReferenceIndex.open(home) as index:
        (problem,) = index.verify()
        assert "is out of date" in problem
    assert_finds(home, {1: 1, 2: 2, 3: 3})


def test_crash_after_the_row_of_a_removed_work(home):
    catalog = Catalog.open(f"sqlite:///{home}/catalog.sqlite")
    catalog.remove_work(1)
    catalog.close()
    with ReferenceIndex.open(home) as index:
        out_of_date, orphan = index.verify()
        assert "is out of date" in out_of_date
        assert "belongs to no work" in orphan
        works, _ = split_vector_ids(index.search("copy", some_vectors(5, seed=1), 9).ids)
        assert 1 not in works
    assert len(list((home / "embeddings").iterdir())) == 1
    assert_finds(home, {2: 2})


def test_crash_after_the_files_of_a_removed_work(home):
    index = ReferenceIndex.open(home)
    index.remove("one")
    crash(index)
    assert_finds(home, {2: 2})


def test_crash_between_the_faiss_file_and_its_row(home):
    old_catalogue = home / "catalog.sqlite"
    shutil.copy(old_catalogue, home / "before")
    with ReferenceIndex.open(home) as index:
        index.compact()  # the same content, written again under the same name
    shutil.move(home / "before", old_catalogue)
    assert_finds(home, {1: 1, 2: 2})


def test_faiss_file_from_before(home):
    before = faiss_file(home).read_bytes()
    with ReferenceIndex.open(home) as index:
        index.enroll(a_work("three"), {"copy": some_channel(seed=3)})
        index.remove("one")
    faiss_file(home).write_bytes(before)
    assert_finds(home, {2: 2, 3: 3})


def test_missing_faiss_file(home):
    faiss_file(home).unlink()
    with ReferenceIndex.open(home) as index:
        (problem,) = index.verify()
        assert problem.startswith("channel 'copy': FAISS file")
    assert_finds(home, {1: 1, 2: 2})


def test_flipped_byte_in_the_faiss_file(home, caplog):
    flip_a_byte(faiss_file(home))
    with ReferenceIndex.open(home) as index:
        (problem,) = index.verify()
        assert faiss_file(home).name in problem
    assert_finds(home, {1: 1, 2: 2})
    assert "building it anew" in caplog.text


def test_repair_rebuilds_the_faiss_file(home):
    flip_a_byte(faiss_file(home))
    with ReferenceIndex.open(home) as index:
        assert len(index.verify(repair=True)) == 1
        assert index.verify() == []
    assert_finds(home, {1: 1, 2: 2})


def test_flipped_byte_in_an_embeddings_file_is_named(home):
    damaged = next((home / "embeddings").iterdir())
    flip_a_byte(damaged)
    with ReferenceIndex.open(home) as index:
        (problem,) = index.verify(repair=True)
        assert damaged.name in problem
        assert problem.startswith(("work 'one', channel 'copy'", "work 'two', channel 'copy'"))
        # the FAISS file is whole, so nothing is missed meanwhile
        index.search("copy", some_vectors(1), 1)
        with pytest.raises(DamagedFileError, match=r"damaged.*add its film again"):
            index.compact()
        index.search("copy", some_vectors(1), 1)


def test_a_damaged_embeddings_file_is_never_left_out_silently(home):
    for path in (home / "embeddings").iterdir():
        flip_a_byte(path)
    faiss_file(home).unlink()
    with ReferenceIndex.open(home) as index:
        with pytest.raises(DamagedFileError, match="index verify"):
            index.search("copy", some_vectors(1), 1)
        assert "cannot be built anew" in index.verify(repair=True)[-1]
        index.remove("one")  # the remedy works on damaged files too
        index.remove("two")
        index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    assert_finds(home, {1: 3})


def test_a_missing_embeddings_file_is_named(home):
    for path in (home / "embeddings").iterdir():
        path.unlink()
    with ReferenceIndex.open(home) as index:
        problems = index.verify()
        assert [text.split(":")[0] for text in problems] == [
            "work 'one', channel 'copy'",
            "work 'two', channel 'copy'",
        ]
        with pytest.raises(DamagedFileError, match="missing"):
            index.embeddings(1, "copy")


def test_an_error_in_the_block_is_not_hidden_and_loses_nothing(home):
    def enrol_and_fail():
        with ReferenceIndex.open(home) as index:
            index.enroll(a_work("three"), {"copy": some_channel(seed=3)})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enrol_and_fail()
    assert_finds(home, {1: 1, 2: 2, 3: 3})


def test_what_a_search_has_mended_need_not_be_written(home, caplog):
    shutil.rmtree(home / "vectors")
    (home / "vectors").write_text("in the way")
    with ReferenceIndex.open(home) as index:
        works, _ = split_vector_ids(index.search("copy", some_vectors(5, seed=1), 1).ids)
        assert works.ravel().tolist() == [1] * 5
    assert "cannot be written down" in caplog.text
    (home / "vectors").unlink()
    assert_finds(home, {1: 1, 2: 2})


def test_what_is_enrolled_is_there_though_no_faiss_file_can_be_written(home):
    shutil.rmtree(home / "vectors")
    (home / "vectors").write_text("in the way")
    index = ReferenceIndex.open(home)
    index.enroll(a_work("three"), {"copy": some_channel(seed=3)})
    with pytest.raises(FileExistsError):
        index.close()
    (home / "vectors").unlink()
    assert_finds(home, {1: 1, 2: 2, 3: 3})


def test_a_device_or_pipe_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no file that can be replaced"):
        write_atomically(pipe, lambda file: file.write(b"report"))
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_enrolling_many_writes_the_faiss_file_once(home):
    before = faiss_file(home).stat().st_mtime_ns
    with ReferenceIndex.open(home) as index:
        for number in range(5):
            index.enroll(a_work(f"film {number}"), {"copy": some_channel(seed=10 + number)})
        assert faiss_file(home).stat().st_mtime_ns == before
    assert_finds(home, {1: 1, 10: 3, 14: 7})
