"""What was seen in uploads is kept once, found again, and gone when it is forgotten."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from index_examples import ON_SQLITE

from index.errors import DamagedFileError
from index.reference_index import ReferenceIndex
from index.uploads import NewUpload

FACTS = {"duration": 12.5, "spaces": {"copy": "sscd@1"}}


def an_upload(source="/in/a.mp4", content="c" * 64, conditions="1") -> NewUpload:
    return NewUpload(source, content, conditions, FACTS)


def seen(seed=0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {"copy.vectors": draw.normal(size=(7, 8)).astype(np.float16), "times": np.arange(7.0)}


@pytest.fixture
def index(tmp_path, open_index):
    with open_index(tmp_path) as index:
        yield index


def files(index):
    folder = index.home / "kept"
    return sorted(folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("source", ["/in/a.mp4", "/in/two\nlines \udcff.mp4", "https://x/y?z=1"])
def test_it_comes_back_as_it_was_given(source, index):
    index.uploads.keep(an_upload(source), seen())
    (upload,) = index.uploads.all()
    assert (upload.source, upload.content, upload.facts) == (source, "c" * 64, FACTS)
    arrays = index.uploads.arrays(upload)
    assert arrays.keys() == seen().keys()
    assert all(np.array_equal(arrays[name], array) for name, array in seen().items())
    assert [upload.size] == [path.stat().st_size for path in files(index)]


def test_the_same_content_is_kept_once_and_gone_with_its_last_source(index):
    for source in ("/in/a.mp4", "/in/again.mp4"):
        index.uploads.keep(an_upload(source), seen())
    assert len(index.uploads.all()) == 2
    assert len(files(index)) == 1
    assert index.uploads.forget(["/in/a.mp4"]) == 1
    assert len(files(index)) == 1
    assert index.uploads.forget(["/in/again.mp4", "/in/never.mp4"]) == 1
    assert not index.uploads.all()
    assert not files(index)


def test_what_is_seen_under_a_name_takes_the_place_of_what_was(index):
    index.uploads.keep(an_upload(), seen(1))
    index.uploads.keep(an_upload(content="d" * 64), seen(2))
    (upload,) = index.uploads.all()
    assert upload.content == "d" * 64
    assert np.array_equal(index.uploads.arrays(upload)["copy.vectors"], seen(2)["copy.vectors"])
    assert len(files(index)) == 1


def test_it_is_found_by_content_and_conditions(index):
    index.uploads.keep(an_upload(), seen())
    assert index.uploads.find("c" * 64, "1").source == "/in/a.mp4"
    assert index.uploads.find("c" * 64, "2") is None
    assert index.uploads.find("d" * 64, "1") is None


def test_what_is_old_is_forgotten_and_a_crash_leaves_nothing_for_long(index):
    index.uploads.keep(an_upload(), seen())
    folder = index.home / "kept"
    young, old = folder / "young.npz", folder / "old.npz"
    for orphan, age in ((young, 60), (old, 7200)):
        orphan.write_bytes(b"left by a crash")
        os.utime(orphan, (time.time() - age,) * 2)
    now = datetime.now(UTC)
    assert index.uploads.forget_before(now - timedelta(days=1)) == 0
    assert len(index.uploads.all()) == 1
    assert young.exists()  # somebody may be about to write its row
    assert not old.exists()
    assert index.uploads.forget_before(now + timedelta(days=1)) == 1
    assert files(index) == [young]


def test_a_damaged_file_is_told_and_a_repair_forgets_it(index):
    index.uploads.keep(an_upload(), seen())
    index.uploads.keep(an_upload("/in/b.mp4", content="b" * 64), seen(2))
    assert index.verify() == []
    upload = index.uploads.find("c" * 64, "1")
    path = index.home / upload.file
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DamagedFileError, match=r"/in/a\.mp4 cannot be read .*scan it again"):
        index.uploads.arrays(upload)
    (problem,) = index.verify(repair=True)
    assert "/in/a.mp4" in problem
    assert index.verify() == []
    assert [one.source for one in index.uploads.all()] == ["/in/b.mp4"]


NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.tuples(st.just("keep"), NAMES, st.sampled_from(["1" * 64, "2" * 64]))
    | st.tuples(st.just("forget"), NAMES),
    max_size=12,
)


@ON_SQLITE
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_files_and_rows_are_of_each_other_whatever_was_done(steps, database_url, tmp_path_factory):
    with ReferenceIndex.open(tmp_path_factory.mktemp("home")) as index:
        expected = {}
        for what, name, *content in steps:
            if what == "keep":
                index.uploads.keep(an_upload(name, *content), seen())
                expected[name] = content[0]
            else:
                assert index.uploads.forget([name]) == (expected.pop(name, None) is not None)
        assert {one.source: one.content for one in index.uploads.all()} == expected
        assert len(files(index)) == len({*expected.values()})
        assert index.uploads.problems() == []
