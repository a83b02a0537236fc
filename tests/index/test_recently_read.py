import pytest
from index_examples import some_embeddings

from index.errors import DamagedFileError
from index.recently_read import RecentlyRead

SIZE = some_embeddings(10).vectors.nbytes + some_embeddings(10).times.nbytes


class Files:
    """Counts how often each is read."""

    def __init__(self):
        self.reads = []

    def reader(self, name, rows=10):
        def read():
            self.reads.append(name)
            return some_embeddings(rows, seed=len(name))

        return read


@pytest.fixture
def files():
    return Files()


def test_a_file_is_read_once(files):
    recently = RecentlyRead()
    first = recently.get("a", files.reader("a"))
    assert recently.get("a", files.reader("a")) is first
    assert files.reads == ["a"]


def test_what_was_used_longest_ago_goes_first(files):
    recently = RecentlyRead(budget=8 * SIZE)
    names = [*"abcdefgh"]
    for name in (*names, "a", "i", "a", "b"):
        recently.get(name, files.reader(name))
    assert files.reads == [*names, "i", "b"]


def test_what_is_large_does_not_push_out_all_else(files):
    recently = RecentlyRead(budget=8 * SIZE)
    for name, rows in (("a", 10), ("film", 11), ("film", 11), ("a", 10)):
        recently.get(name, files.reader(name, rows))
    assert files.reads == ["a", "film", "film"]


def test_what_was_deleted_is_forgotten(files):
    recently = RecentlyRead()
    recently.get("a", files.reader("a"))
    recently.forget(["a", "never seen"])
    recently.get("a", files.reader("a"))
    assert files.reads == ["a", "a"]


def test_what_cannot_be_read_is_tried_again(files):
    def damaged():
        raise DamagedFileError("it is missing")

    recently = RecentlyRead()
    with pytest.raises(DamagedFileError):
        recently.get("a", damaged)
    assert len(recently.get("a", files.reader("a"))) == 10
