"""The user's ordinary footage is kept as durably as works are, and never in their way."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from filelock import FileLock
from index_examples import ON_SQLITE, SPACE, a_work, some_channel, some_embeddings, some_vectors

from index.embeddings import write_embeddings
from index.errors import (
    AlreadyEnrolledError,
    DamagedFileError,
    IndexBusyError,
    InvalidWorkError,
    SpaceMismatchError,
    UnknownBackgroundError,
)
from index.reference_index import ChannelEmbeddings

IDENT, CARD = "1" * 64, "2" * 64  # digests of footage
OTHER_SPACE = "sscd@86386042eb85"


@pytest.fixture
def home(tmp_path, open_index):
    """An ident of five frames (seed 1) and a rating card (seed 2)."""
    with open_index(tmp_path) as index:
        index.background.add("/idents/lion.mp4", IDENT, "copy", some_channel(seed=1))
        index.background.add("/idents/card.png", CARD, "copy", some_channel(1, seed=2))
    return tmp_path


@pytest.fixture
def index(home, open_index):
    with open_index(home) as index:
        yield index


def files(home):
    return sorted((home / "background").iterdir())


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def test_it_is_all_there_after_opening_again(index):
    ident, card = index.background.all()
    assert (ident.source, ident.source_digest, ident.count) == ("/idents/lion.mp4", IDENT, 5)
    assert (card.channel, card.space, card.dim) == ("copy", SPACE, 8)
    assert index.background.get(card.number) == card
    assert index.background.find(CARD, "copy", SPACE) == card
    expected = np.concatenate([some_vectors(5, seed=1), some_vectors(1, seed=2)])
    vectors = index.background.vectors("copy", SPACE)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, expected)
    assert index.verify() == []


def test_a_process_sees_its_changes_at_once(index):
    assert len(index.background.vectors("copy", SPACE)) == 6
    added = index.background.add("more.mp4", "3" * 64, "copy", some_channel(3, seed=3))
    assert len(index.background.vectors("copy", SPACE)) == 9
    assert index.background.remove(added.number) == added
    assert len(index.background.vectors("copy", SPACE)) == 6


def test_removal_leaves_nothing(home, index):
    for source in index.background.all():
        index.background.remove(source.number)
    assert index.background.all() == []
    assert files(home) == []
    assert index.background.vectors("copy", SPACE).shape == (0, 0)
    assert index.verify() == []
    with pytest.raises(UnknownBackgroundError, match="background list"):
        index.background.remove(1)


def test_numbers_are_never_used_again(index):
    index.background.remove(2)
    card = index.background.add("/idents/card.png", CARD, "copy", some_channel(1, seed=2))
    assert card.number == 3


def test_the_same_footage_is_added_once_in_a_space(index):
    with pytest.raises(AlreadyEnrolledError, match="in the background already, as 1"):
        index.background.add("/elsewhere.mp4", IDENT, "copy", some_channel(seed=1))
    other = ChannelEmbeddings(OTHER_SPACE, some_embeddings(4, dim=16, seed=1))
    assert index.background.add("/idents/lion.mp4", IDENT, "copy", other).number == 3


def test_another_space_is_never_mixed_in(index):
    other = ChannelEmbeddings(OTHER_SPACE, some_embeddings(4, dim=16))
    index.background.add("/other.mp4", "3" * 64, "copy", other)
    assert index.background.vectors("copy", SPACE).shape == (6, 8)
    assert index.background.vectors("copy", OTHER_SPACE).shape == (4, 16)
    assert index.background.vectors("semantic", SPACE).shape == (0, 0)


def test_what_cannot_be_background_is_refused_and_leaves_nothing(home, index):
    with pytest.raises(InvalidWorkError, match="0 frames"):
        index.background.add("/black.mp4", "3" * 64, "copy", some_channel(0))
    with pytest.raises(SpaceMismatchError, match="vectors of 8 dimensions, these have 4"):
        index.background.add("/odd.mp4", "3" * 64, "copy", some_channel(dim=4))
    with pytest.raises(InvalidWorkError, match="channel"):
        index.background.add("/odd.mp4", "3" * 64, "../copy", some_channel())
    assert len(files(home)) == 2


def test_background_is_no_work(index):
    assert index.works() == []
    assert index.channels() == frozenset()
    index.enroll(a_work(), {"copy": some_channel(seed=9)})
    assert index.search("copy", some_vectors(5, seed=1), 9).similarities.max(axis=0)[5] == -np.inf
    index.compact()  # sweeps what belongs to nothing
    assert len(index.background.vectors("copy", SPACE)) == 6


def test_the_fingerprint_follows_the_background(index):
    before = index.fingerprint()
    added = index.background.add("more.mp4", "3" * 64, "copy", some_channel(3, seed=3))
    assert index.fingerprint() != before
    index.background.remove(added.number)
    assert index.fingerprint() == before


def test_changes_of_another_process_are_seen_with_the_fingerprint(home, index, open_index):
    assert len(index.background.vectors("copy", SPACE)) == 6
    with open_index(home) as other:
        other.background.remove(1)
    index.fingerprint()
    assert len(index.background.vectors("copy", SPACE)) == 1


def test_only_one_process_writes_at_a_time(home, open_index):
    with (
        FileLock(home / "writer.lock"),
        open_index(home, lock_timeout=0.01) as index,
        pytest.raises(IndexBusyError),
    ):
        index.background.remove(1)


def test_a_damaged_file_is_found_and_never_left_out_silently(home, index):
    flip_a_byte(home / index.background.get(2).file)
    (problem,) = index.verify(repair=True)
    assert problem.startswith("background 2 (/idents/card.png): ")
    with pytest.raises(DamagedFileError, match=r"damaged.*add its film again"):
        index.background.vectors("copy", SPACE)
    index.background.remove(2)  # the remedy works on damaged files too
    assert len(index.background.vectors("copy", SPACE)) == 5
    assert index.verify() == []


def test_a_missing_file_is_found(home, index):
    (home / index.background.get(1).file).unlink()
    (problem,) = index.verify()
    assert "background 1" in problem
    assert "missing" in problem


def test_crash_after_the_embeddings_file(home, open_index):
    write_embeddings(home / "background" / "copy-abc.npz", some_embeddings())
    with open_index(home) as index:
        assert index.verify(repair=True) == ["background/copy-abc.npz belongs to no background"]
        assert index.verify() == []
    assert len(files(home)) == 2


def test_crash_after_the_row_of_removed_background(home, open_index):
    with open_index(home) as index:
        index._catalog.remove_background(1)
    with open_index(home) as index:
        assert len(index.background.vectors("copy", SPACE)) == 1
        assert "belongs to no background" in index.verify(repair=True)[0]
    assert len(files(home)) == 1


@ON_SQLITE
def test_a_workspace_from_before_there_was_a_background(tmp_path, open_index):
    with open_index(tmp_path) as index:
        work = index.enroll(a_work(), {"copy": some_channel()})
        fingerprint = index.fingerprint()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
        for table in ("background", "catalogue_alembic_version"):
            database.execute(f"DROP TABLE {table}")
    for _ in range(2):
        with open_index(tmp_path) as index:
            assert index.works() == [work]
            assert index.background.all() == []
            assert index.fingerprint() == fingerprint
            assert index.verify() == []
    with open_index(tmp_path) as index:
        assert index.background.add("/lion.mp4", IDENT, "copy", some_channel()).number == 1
