"""A large index: its structure follows its size, whoever searches or crashes meanwhile."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest
from index_examples import a_work, some_channel, some_vectors
from large_stores import SMALL

from index.reference_index import ReferenceIndex
from index.upkeep import sweep_orphans
from index.vectors import split_vector_ids

FRAMES = 20
open_small = partial(ReferenceIndex.open, sizes=SMALL)


def enrol(index, numbers):
    for number in numbers:
        index.enroll(a_work(f"film {number}"), {"copy": some_channel(FRAMES, seed=number)})


def found(index, number):
    """Number of the works that the frames of a film, by its number here, are found in."""
    hits = index.search("copy", some_vectors(FRAMES, seed=number), 1)
    return set(split_vector_ids(hits.ids)[0].ravel().tolist())


def structure(index):
    return index.stats().channels["copy"].structure


def files(home):
    return sorted(path.suffix for path in (home / "vectors").iterdir())


@pytest.fixture
def home(tmp_path):
    """Films 1 to 5, works of the same number, in a main file."""
    with open_small(tmp_path) as index:
        enrol(index, range(1, 6))
        index.compact()
    return tmp_path


@pytest.mark.parametrize(
    ("films", "expected"),
    [(3, "exact"), (4, "IVF2,SQfp16"), (20, "IVF10,SQfp16"), (21, "IVF10,SQ8")],
)
def test_structure_follows_size(tmp_path, films, expected):
    with open_small(tmp_path) as index:
        enrol(index, range(1, films + 1))
        index.compact()
        assert structure(index) == expected
    with open_small(tmp_path) as index:
        for number in range(1, films + 1):
            assert found(index, number) == {number}
        assert index.verify() == []


def test_adding_and_removing_leave_the_main_file_alone(home):
    (main,) = (home / "vectors").glob("*.ivf")
    before = main.stat()
    with open_small(home) as index:
        enrol(index, [6])
        index.remove("film 2")
        assert found(index, 6) == {6}
        assert 2 not in found(index, 2)
    with open_small(home) as index:
        assert found(index, 6) == {6}
        assert 2 not in found(index, 2)
        assert index.verify() == []
    assert (main.stat().st_ino, main.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files(home) == [".faiss", ".ivf", ".json"]


def test_what_has_come_is_merged_once_it_is_much(home):
    (before,) = (home / "vectors").glob("*.ivf")
    with open_small(home) as index:
        enrol(index, [6, 7])
        index.remove("film 1")
    (after,) = (home / "vectors").glob("*.ivf")
    assert after != before
    with open_small(home) as index:
        assert [found(index, number) for number in range(2, 8)] == [{n} for n in range(2, 8)]
        assert 1 not in found(index, 1)
        assert index.verify() == []
    assert files(home) == [".faiss", ".ivf", ".json"]


def test_what_has_gone_is_given_up_once_it_is_much(home):
    with open_small(home) as index:
        for number in range(3, 6):
            index.remove(f"film {number}")
    with open_small(home) as index:
        assert structure(index) == "exact"
        assert found(index, 1) == {1}
        assert index.verify() == []
    assert files(home) == [".faiss"]


def test_removing_everything_leaves_no_file(home):
    with open_small(home) as index:
        for work in index.works():
            index.remove(work.id)
    assert files(home) == []


def test_whoever_searches_goes_on_with_what_it_has(home):
    with open_small(home) as reader, open_small(home) as writer:
        assert found(reader, 1) == {1}
        enrol(writer, range(6, 10))
        writer.flush()
        writer.compact()
        assert found(reader, 5) == {5}  # its file has no name any more
        reader.refresh()
        assert found(reader, 9) == {9}
        assert 9 not in found(reader, 1)


def test_searching_while_it_is_compacted(tmp_path):
    with open_small(tmp_path) as index:
        for number in range(1, 16):
            enrol(index, [number])
            index.flush()
            assert found(index, number) == {number}
            if number > 3:
                index.remove(f"film {number - 3}")
                assert number - 3 not in found(index, number - 3)
    with open_small(tmp_path) as index:
        assert index.verify() == []


def test_crash_before_a_new_main_file_is_in_place(home):
    with open_small(home) as index:
        enrol(index, [6])
        store = index._search.build("copy", anew=False)
        draft = home / "vectors" / f"{store.main.facts.file}.draft"
        content = draft.read_bytes()
        del store
    assert not draft.exists()
    draft.write_bytes(content)  # which a process that is killed cannot take away
    with open_small(home) as index:
        assert index.verify() == [f"vectors/{draft.name} belongs to no work"]
        assert found(index, 6) == {6}
        enrol(index, [7])
    assert not draft.exists()


def test_crash_between_a_new_main_file_and_its_row(home):
    shutil.copytree(home / "vectors", home / "before")
    shutil.copy(home / "catalog.sqlite", home / "catalog.before")
    with open_small(home) as index:
        index.compact()
    for path in (home / "before").iterdir():
        shutil.copy(path, home / "vectors")  # the new ones are there, too
    shutil.move(home / "catalog.before", home / "catalog.sqlite")
    with open_small(home) as index:
        assert [found(index, number) for number in range(1, 6)] == [{n} for n in range(1, 6)]
        assert len(index.verify(repair=True)) == 3  # what belongs to no work
        assert index.verify() == []


def test_compaction_that_fails_loses_nothing(home, caplog):
    with open_small(home) as index:
        enrol(index, [6])
        assert found(index, 6) == {6}
        (home / index.files(6)[0].file).write_bytes(b"")
        enrol(index, [7])
    assert "channel 'copy' was not compacted: embeddings file" in caplog.text
    with open_small(home) as index:
        assert [found(index, number) for number in range(1, 8)] == [{n} for n in range(1, 8)]
        (problem,) = index.verify()
        assert problem.startswith("work 'film 6', channel 'copy'")
    assert not list((home / "vectors").glob("*.draft"))


def test_nobody_sweeps_what_another_is_building(home):
    with open_small(home) as one, open_small(home) as other:
        built = one._search.build("copy")
        enrol(other, [6])
        other.flush()
        assert ".draft" in files(home)
        enrol(one, [7])
        with one._writing():
            one._search.adopt("copy", built)
            sweep_orphans(home, one._catalog)
        assert [found(one, number) for number in (5, 6, 7)] == [{5}, {6}, {7}]
    with open_small(home) as index:
        assert index.verify() == []


@pytest.mark.parametrize("suffix", ["ivf", "json", "faiss"])
@pytest.mark.parametrize("mishap", ["flipped", "missing"])
def test_damage_is_healed_from_the_embeddings_files(home, suffix, mishap):
    (path,) = (home / "vectors").glob(f"*.{suffix}")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink() if mishap == "missing" else path.write_bytes(content)
    with open_small(home) as index:
        (problem, *orphans) = index.verify()
        assert problem.startswith("channel 'copy': FAISS file")
        assert all(text.endswith("belongs to no work") for text in orphans)
        assert [found(index, number) for number in range(1, 6)] == [{n} for n in range(1, 6)]
    with open_small(home) as index:
        index.verify(repair=True)
        assert index.verify() == []


def test_damage_that_shows_during_a_search_is_healed(tmp_path, caplog):
    def wide(number):
        return some_channel(400, dim=512, seed=number)

    with open_small(tmp_path) as index:
        for number in range(1, 5):
            index.enroll(a_work(f"film {number}"), {"copy": wide(number)})
    (path,) = (tmp_path / "vectors").glob("*.ivf")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with open_small(tmp_path) as index:
        for number in range(1, 5):
            hits = index.search("copy", wide(number).embeddings.vectors, 1)
            np.testing.assert_array_equal(split_vector_ids(hits.ids)[0], number)
        assert "does not hold what was written" in caplog.text
    with open_small(tmp_path) as index:
        assert index.verify() == []
