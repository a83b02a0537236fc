"""A channel moves to another space with all its works at once, whatever happens on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from index_examples import a_work, some_channel, some_embeddings
from large_stores import SMALL

from index.errors import (
    InvalidWorkError,
    NotStagedError,
    SpaceMismatchError,
    UnknownWorkError,
)
from index.reference_index import ChannelEmbeddings, ReferenceIndex
from index.vectors import split_vector_ids

OLD, NEW, OTHER = "clip-a@111111111111", "clip-b@222222222222", "clip-c@333333333333"
CHANNEL = "semantic"
WORKS = 3


def seen(number, space=OLD, count=5):
    """What a work looks like in a space; as many vectors in each, and as wide."""
    seed = 100 * [OLD, NEW, OTHER].index(space) + number
    return ChannelEmbeddings(space, some_embeddings(count, seed=seed))


def finds(index, space):
    """Which works are found by what they look like in a space."""
    found = set()
    for number in range(1, WORKS + 2):
        hits = index.search(CHANNEL, seen(number, space).embeddings.vectors, 1)
        if np.all(hits.similarities > 0.99) and np.all(split_vector_ids(hits.ids)[0] == number):
            found.add(number)
    return found


def enrol(index, number):
    channels = {"copy": some_channel(seed=number), CHANNEL: seen(number)}
    return index.enroll(a_work(f"film-{number}"), channels)


def stage_all(index, space=NEW):
    for work in index.restaging.missing(CHANNEL, space):
        index.restaging.stage(CHANNEL, work.number, seen(work.number, space))


def files(home, folder="embeddings"):
    return {path.name for path in (home / folder).iterdir()}


@pytest.fixture
def home(tmp_path, open_index):
    """Works 1 to 3 in the old space."""
    with open_index(tmp_path) as index:
        for number in range(1, WORKS + 1):
            enrol(index, number)
    return tmp_path


@pytest.fixture
def index(home, open_index):
    with open_index(home) as index:
        yield index


def test_what_is_staged_disturbs_nobody(home, index, open_index):
    before = index.fingerprint(), index.stats(), index.channels(), index.files(1)
    vectors = files(home, "vectors")
    stage_all(index)
    index.flush()
    assert index.restaging.staged(CHANNEL).works == WORKS
    assert (index.fingerprint(), index.stats(), index.channels(), index.files(1)) == before
    assert index.space(CHANNEL) == OLD
    assert index.channels(1) == {"copy", CHANNEL}
    assert finds(index, OLD) == {1, 2, 3}
    assert finds(index, NEW) == set()
    assert index.verify() == []
    assert index.compact().rebuilt == ("copy", CHANNEL)
    assert files(home, "vectors") == vectors
    enrol(index, 4)
    with open_index(home) as other:
        assert finds(other, OLD) == {1, 2, 3, 4}
        assert other.restaging.staged(CHANNEL).space == NEW


def test_the_switch_moves_all_and_leaves_nothing_of_the_old(home, index, open_index):
    fingerprint = index.fingerprint()
    assert finds(index, OLD) == {1, 2, 3}
    old_files = {file.file for number in (1, 2, 3) for file in index.files(number)}
    stage_all(index)
    index.restaging.switch(CHANNEL, NEW)
    for _ in range(2):
        assert index.space(CHANNEL) == NEW
        assert (finds(index, NEW), finds(index, OLD)) == ({1, 2, 3}, set())
        assert np.array_equal(index.embeddings(2, CHANNEL).vectors, seen(2, NEW).embeddings.vectors)
        index.refresh()
    assert index.fingerprint() != fingerprint
    assert index.restaging.staged(CHANNEL) is None
    assert index.verify() == []
    kept = {file.file for number in (1, 2, 3) for file in index.files(number)}
    assert {f"embeddings/{name}" for name in files(home)} == kept
    assert len(kept - old_files) == WORKS
    assert len(files(home, "vectors")) == 2
    with open_index(home) as other:
        assert finds(other, NEW) == {1, 2, 3}


def test_it_goes_on_where_it_was(home, open_index):
    with open_index(home) as index:
        index.restaging.stage(CHANNEL, 2, seen(2, NEW))
    with open_index(home) as index:
        assert [work.number for work in index.restaging.missing(CHANNEL, NEW)] == [1, 3]
        before = files(home)
        index.restaging.stage(CHANNEL, 2, seen(9, NEW))  # described twice: the first stays
        assert files(home) == before
        stage_all(index)
        assert index.restaging.missing(CHANNEL, NEW) == []
        index.restaging.switch(CHANNEL, NEW)
        assert finds(index, NEW) == {1, 2, 3}
        index.restaging.switch(CHANNEL, NEW)  # done already
        assert finds(index, NEW) == {1, 2, 3}


def test_nothing_moves_while_works_are_missing(index):
    with pytest.raises(NotStagedError, match="no work is described with that"):
        index.restaging.switch(CHANNEL, NEW)
    stage_all(index)
    enrol(index, 4)  # meanwhile, with the old model
    with pytest.raises(NotStagedError, match=r"before these are described with it: film-4$"):
        index.restaging.switch(CHANNEL, NEW)
    assert finds(index, OLD) == {1, 2, 3, 4}
    assert index.verify() == []


def test_works_can_be_left_out_and_lose_the_channel(home, index):
    stage_all(index)
    enrol(index, 4)
    index.restaging.switch(CHANNEL, NEW, leave_out={4})
    assert finds(index, NEW) == {1, 2, 3}
    assert index.channels(4) == {"copy"}
    assert index.verify() == []
    assert len(files(home)) == 4 + 3
    assert [work.number for work in index.restaging.missing(CHANNEL, NEW)] == [4]
    index.restaging.stage(CHANNEL, 4, seen(4, NEW))  # now it is the channel's at once
    assert finds(index, NEW) == {1, 2, 3, 4}


def test_no_work_is_left_without_a_channel(index):
    index.enroll(a_work("film-4"), {CHANNEL: seen(4)})
    for number in (1, 2, 3):
        index.restaging.stage(CHANNEL, number, seen(number, NEW))
    with pytest.raises(NotStagedError, match=r"no other channel .* film-4\. Give their files"):
        index.restaging.switch(CHANNEL, NEW, leave_out={4})
    assert finds(index, OLD) == {1, 2, 3, 4}


def test_one_space_is_staged_at_a_time(home, index):
    before = files(home)
    index.restaging.stage(CHANNEL, 1, seen(1, OTHER))
    assert len(index.restaging.missing(CHANNEL, NEW)) == WORKS
    with pytest.raises(SpaceMismatchError, match="is about to move to clip-c"):
        index.restaging.stage(CHANNEL, 2, seen(2, NEW))
    with pytest.raises(SpaceMismatchError, match="is about to move to clip-c"):
        index.restaging.switch(CHANNEL, NEW)
    assert index.restaging.discard(CHANNEL) == 1
    assert index.restaging.staged(CHANNEL) is None
    assert files(home) == before
    stage_all(index)
    with pytest.raises(SpaceMismatchError, match="dimensions"):
        index.restaging.stage(CHANNEL, 1, ChannelEmbeddings(NEW, some_embeddings(dim=4)))


def test_a_space_that_the_channel_has_or_an_empty_channel_needs_no_staging(tmp_path, open_index):
    with open_index(tmp_path) as index:
        for number in (1, 2):
            index.enroll(a_work(f"film-{number}"), {"copy": some_channel(seed=number)})
        assert len(index.restaging.missing(CHANNEL, NEW)) == 2
        for number in (1, 2, 1):  # the first one again changes nothing
            index.restaging.stage(CHANNEL, number, seen(number, NEW))
        assert index.restaging.staged(CHANNEL) is None
        assert finds(index, NEW) == {1, 2}
        assert index.verify() == []


def test_what_cannot_be_staged_is_refused(home, index):
    before = files(home)
    with pytest.raises(UnknownWorkError):
        index.restaging.stage(CHANNEL, 9, seen(9, NEW))
    with pytest.raises(InvalidWorkError, match="0 frames"):
        index.restaging.stage(CHANNEL, 1, seen(1, NEW, count=0))
    with pytest.raises(InvalidWorkError, match="too long"):
        index.restaging.stage("c" * 30, 1, seen(1, NEW))
    with pytest.raises(InvalidWorkError, match="cannot be a channel"):
        index.enroll(a_work("film-4"), {f"{CHANNEL}+next": seen(4, NEW)})
    assert files(home) == before


def test_a_removed_work_takes_along_what_is_staged_of_it(home, index):
    stage_all(index)
    index.remove("film-2")
    assert len(files(home)) == 6
    assert index.restaging.staged(CHANNEL).works == 2
    index.restaging.switch(CHANNEL, NEW)
    assert finds(index, NEW) == {1, 3}
    assert index.verify() == []


def test_a_process_that_searches_meanwhile_never_mixes_the_spaces(home, index, open_index):
    assert finds(index, OLD) == {1, 2, 3}
    with open_index(home) as other:
        stage_all(other)
        other.restaging.switch(CHANNEL, NEW)
    assert finds(index, OLD) == {1, 2, 3}  # as it has not looked again
    with pytest.raises(SpaceMismatchError, match="matchcut reembed"):
        index.check_space(CHANNEL, OLD)
    index.refresh()
    assert (finds(index, NEW), finds(index, OLD)) == ({1, 2, 3}, set())
    index.flush()
    assert index.verify() == []


def test_a_comparison_that_a_switch_falls_into_is_an_error(index):
    def compare():
        with index.comparing(CHANNEL, OLD):
            stage_all(index)
            index.restaging.switch(CHANNEL, NEW)
            raise ValueError("the queries are not as wide as the vectors")

    with pytest.raises(SpaceMismatchError, match="matchcut reembed"):
        compare()
    with index.comparing(CHANNEL, NEW):
        assert finds(index, NEW) == {1, 2, 3}


def test_a_large_store_moves_too_and_compaction_of_the_old_is_given_up(tmp_path):
    open_small = partial(ReferenceIndex.open, sizes=SMALL)
    with open_small(tmp_path) as index, open_small(tmp_path) as other:
        for number in (1, 2, 3, 4):
            index.enroll(a_work(f"film-{number}"), {CHANNEL: seen(number, count=30)})
        index.compact()
        assert index.stats().channels[CHANNEL].structure.startswith("IVF")
        assert finds(other, OLD) == finds(index, OLD)
        of_the_old = other._search.build(CHANNEL)
        for number in (1, 2, 3, 4):
            index.restaging.stage(CHANNEL, number, seen(number, NEW, count=30))
        index.restaging.switch(CHANNEL, NEW)
        with other._writing():
            other._search.adopt(CHANNEL, of_the_old)
        del of_the_old
        other.refresh()
        for one in (index, other):
            assert one.stats().channels[CHANNEL].structure.startswith("IVF")
            for number in (1, 2, 3, 4):
                vectors = seen(number, NEW, count=30).embeddings.vectors
                hits = one.search(CHANNEL, vectors, 1)
                assert np.all(split_vector_ids(hits.ids)[0] == number)
                assert np.all(hits.similarities > 0.9)
        assert index.verify() == []


def test_what_is_damaged_is_named_and_described_again(home, index):
    stage_all(index)
    (staged,) = index._catalog.embeddings_files(2, channel=f"{CHANNEL}+next")
    (home / staged.file).write_bytes(b"")
    (problem,) = index.verify()
    assert problem.startswith(f"work 'film-2', described anew for channel '{CHANNEL}'")
    with pytest.raises(NotStagedError, match="damaged in part"):
        index.restaging.switch(CHANNEL, NEW)
    assert [work.id for work in index.restaging.missing(CHANNEL, NEW)] == ["film-2"]
    stage_all(index)
    (staged,) = index._catalog.embeddings_files(3, channel=f"{CHANNEL}+next")
    (home / staged.file).unlink()
    assert len(index.verify(repair=True)) == 1
    assert index.verify() == []
    stage_all(index)
    index.restaging.switch(CHANNEL, NEW)
    assert finds(index, NEW) == {1, 2, 3}


def test_nothing_moves_if_what_comes_before_fails(index):
    def fail():
        raise OSError("the settings cannot be written")

    stage_all(index)
    with pytest.raises(OSError, match="cannot be written"):
        index.restaging.switch(CHANNEL, NEW, before=fail)
    assert index.space(CHANNEL) == OLD
    assert finds(index, OLD) == {1, 2, 3}
    called = []
    index.restaging.switch(CHANNEL, NEW, before=lambda: called.append(index.space(CHANNEL)))
    assert called == [OLD]


# Processes

MOVE = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_restaging import CHANNEL, NEW, stage_all
from index.reference_index import ReferenceIndex

def trace(frame, event, _):
    code = frame.f_code
    if "/index/" in code.co_filename and code.co_name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

with ReferenceIndex.open(sys.argv[1]) as index:
    sys.settrace(trace)
    stage_all(index)
    index.restaging.switch(CHANNEL, NEW)
    sys.settrace(None)
"""
"""Stages what is missing and switches; where a function of ours is called it is killed."""


def start(home, kill_at=""):
    command = [sys.executable, "-c", MOVE, str(home), kill_at]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def old_home(folder):
    with ReferenceIndex.open(folder) as index:
        for number in range(1, WORKS + 1):
            enrol(index, number)
    return folder


@pytest.mark.parametrize(
    ("moment", "space"),
    [
        ("add_embeddings", OLD),  # a file has no row
        ("_check_complete", OLD),
        ("_rename", OLD),  # within the transaction
        ("adopt", NEW),  # just after it
        ("put_index_file", NEW),  # a FAISS file has no row
        ("sweep_orphans", NEW),
    ],
)
def test_killed_at_any_moment_it_is_in_one_space_and_goes_on(tmp_path, moment, space):
    home = old_home(tmp_path)
    with start(home, moment) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    other = NEW if space == OLD else OLD
    with ReferenceIndex.open(home) as index:
        assert index.space(CHANNEL) == space
        assert (finds(index, space), finds(index, other)) == ({1, 2, 3}, set())
        stage_all(index)
        index.restaging.switch(CHANNEL, NEW)
        assert (finds(index, NEW), finds(index, OLD)) == ({1, 2, 3}, set())
    with ReferenceIndex.open(home) as index:
        assert index.verify() == []
        assert finds(index, NEW) == {1, 2, 3}


def test_two_processes_at_once_move_it_once(tmp_path):
    home = old_home(tmp_path)
    processes = [start(home), start(home)]
    for process in processes:
        with process:
            _, problems = process.communicate()
        assert process.returncode == 0, problems
    with ReferenceIndex.open(home) as index:
        assert (finds(index, NEW), finds(index, OLD)) == ({1, 2, 3}, set())
        assert index.restaging.staged(CHANNEL) is None
        assert index.verify() == []
    assert len(files(home)) == 2 * WORKS
