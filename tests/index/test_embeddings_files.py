import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_examples import some_embeddings, some_vectors

from index.embeddings import Embeddings, read_embeddings, write_embeddings
from index.errors import DamagedFileError
from index.files import file_digest


def test_what_is_written_is_read_back_exactly(tmp_path):
    path = tmp_path / "embeddings" / "copy-1.npz"
    embeddings = some_embeddings(9)
    digest = write_embeddings(path, embeddings)
    assert digest == file_digest(path)
    again = read_embeddings(path, digest)
    np.testing.assert_array_equal(again.vectors, embeddings.vectors)
    np.testing.assert_array_equal(again.times, embeddings.times)
    assert list(path.parent.iterdir()) == [path]


def test_equal_embeddings_make_equal_files(tmp_path):
    assert write_embeddings(tmp_path / "a", some_embeddings()) == write_embeddings(
        tmp_path / "b", some_embeddings()
    )


def test_an_upload_may_have_no_embeddings():
    assert len(Embeddings(np.empty((0, 8)), np.empty(0))) == 0


def test_arrays_are_converted_and_frozen():
    vectors, times = some_vectors(3).astype(np.float64), [0, 1, 2]
    embeddings = Embeddings(vectors, times)
    assert embeddings.vectors.dtype == np.float32
    assert embeddings.times.dtype == np.float64
    assert embeddings.dim == 8
    with pytest.raises(ValueError, match="read-only"):
        embeddings.vectors[0] = 0


def test_the_callers_arrays_stay_writable():
    vectors = some_vectors(3)
    Embeddings(vectors, np.arange(3.0))
    vectors[0] = 0


@pytest.mark.parametrize(
    ("vectors", "times", "complaint"),
    [
        (some_vectors(3), [0.0, 1.0], "3 vectors need as many times"),
        (some_vectors(3), [0.0, 1.0, 1.0], r"1\.000000 s is followed by 1\.000000 s \(frame 2\)"),
        (some_vectors(2), [0.0, np.nan], "finite"),
        (some_vectors(2) / 2, [0.0, 1.0], r"length 0\.5"),
        (some_vectors(2)[0], [0.0, 1.0], "table"),
    ],
)
def test_unsound_embeddings_cannot_be_made(vectors, times, complaint):
    with pytest.raises(ValueError, match=complaint):
        Embeddings(vectors, times)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_flipped_byte_passes_unnoticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "copy.npz"
    digest = write_embeddings(path, some_embeddings(3))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="add its film again"):
        read_embeddings(path, digest)
    # Without the digest some flips do no harm (a date in the archive), but none is worse than that.
    try:
        again = read_embeddings(path)
    except DamagedFileError:
        return
    np.testing.assert_array_equal(again.vectors, some_embeddings(3).vectors)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"no archive at all", b"\x80\x04K\x01.", b"\x93NUMPY"]
)
def test_other_files_are_damage(tmp_path, content):
    path = tmp_path / "copy.npz"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError):
        read_embeddings(path)


def test_a_missing_file_is_damage(tmp_path):
    with pytest.raises(DamagedFileError, match="missing"):
        read_embeddings(tmp_path / "copy.npz")


def test_arrays_that_are_no_embeddings_are_damage(tmp_path):
    path = tmp_path / "copy.npz"
    np.savez(path, vectors=some_vectors(2), times=np.array([1.0, 0.0]))
    with pytest.raises(DamagedFileError, match="increase strictly"):
        read_embeddings(path)
    np.savez(path, vectors=some_vectors(2).astype(np.float64), times=np.arange(2.0))
    with pytest.raises(DamagedFileError, match="float64 vectors"):
        read_embeddings(path)
    np.savez(path, vectors=np.array([{}], dtype=object), times=np.arange(1.0))
    with pytest.raises(DamagedFileError, match="allow_pickle"):
        read_embeddings(path)
    np.savez(path, vectors=some_vectors(2))
    with pytest.raises(DamagedFileError, match="times"):
        read_embeddings(path)
