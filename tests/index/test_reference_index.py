import threading

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_examples import SPACE, a_work, some_channel, some_embeddings, some_vectors

from index.embeddings import Embeddings
from index.errors import (
    AlreadyEnrolledError,
    CatalogError,
    IdTakenError,
    IndexBusyError,
    InvalidWorkError,
    SpaceMismatchError,
    UnknownWorkError,
)
from index.reference_index import ChannelEmbeddings, ReferenceIndex
from index.vectors import NO_ID, split_vector_ids


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def index(home, open_index):
    with open_index(home) as index:
        yield index


def found(index, vectors, channel="copy"):
    """Work numbers of the nearest neighbours."""
    return split_vector_ids(index.search(channel, vectors, 1).ids)[0].ravel().tolist()


def files(home):
    return sorted(
        str(p.relative_to(home)) for p in home.rglob("*") if p.suffix in {".npz", ".faiss"}
    )


def test_an_enrolled_work_is_found_with_its_times(index):
    times = np.array([0.0, 0.52, 1.04])
    vectors = some_vectors(3)
    work = index.enroll(a_work(), {"copy": ChannelEmbeddings(SPACE, Embeddings(vectors, times))})
    hits = index.search("copy", vectors[1:2], k=1)
    (number,), (frame,) = (part[0] for part in split_vector_ids(hits.ids))
    assert index.work(int(number)) == work
    assert index.embeddings(int(number), "copy").times[frame] == 0.52
    assert hits.similarities[0, 0] == pytest.approx(1)


def test_it_is_all_there_after_opening_again(home, open_index):
    with open_index(home) as index:
        one = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
        two = index.enroll(a_work("two"), {"copy": some_channel(seed=2)})
    with open_index(home) as index:
        assert index.works() == [one, two]
        assert found(index, some_vectors(5, seed=2)) == [two.number] * 5
        assert index.verify() == []


def test_a_search_sees_what_was_enrolled_since_the_last(index):
    assert index.search("copy", some_vectors(1), 1).ids.tolist() == [[NO_ID]]
    one = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    assert found(index, some_vectors(1, seed=1)) == [one.number]
    two = index.enroll(a_work("two"), {"copy": some_channel(seed=2)})
    assert found(index, some_vectors(1, seed=2)) == [two.number]
    index.remove("two")
    assert found(index, some_vectors(1, seed=2)) == [one.number]


def test_a_removed_work_leaves_nothing_to_be_matched(home, index):
    work = index.enroll(a_work(), {"copy": some_channel(), "semantic": some_channel()})
    index.flush()
    assert index.remove(work.id) == work
    assert index.search("copy", some_vectors(1), 1).ids.tolist() == [[NO_ID]]
    with pytest.raises(UnknownWorkError):
        index.work(work.id)
    with pytest.raises(UnknownWorkError):
        index.embeddings(work.number, "copy")
    assert index.verify() == []
    index.flush()
    assert files(home) == []


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1, 20), st.booleans(), st.booleans())
def test_enrol_then_remove_leaves_no_trace(tmp_path_factory, count, searched, flushed):
    home = tmp_path_factory.mktemp("home")
    with ReferenceIndex.open(home) as index:
        index.enroll(a_work("stays"), {"copy": some_channel(8, seed=1)})
    with ReferenceIndex.open(home) as index:
        before = index.fingerprint(), index.stats(), files(home)
        answer = index.search("copy", some_vectors(4, seed=9), 10).ids if searched else None
        index.enroll(a_work("goes"), {"copy": some_channel(count, seed=2)})
        if flushed:
            index.flush()
        index.remove("goes")
        index.flush()
        assert (index.fingerprint(), index.stats(), files(home)) == before
        again = index.search("copy", some_vectors(4, seed=9), 10).ids
        assert answer is None or np.array_equal(again, answer)
        assert index.verify() == []


def test_a_channel_can_be_added_later(index):
    work = index.enroll(a_work(), {"copy": some_channel()})
    index.add_channel(work.id, "semantic", ChannelEmbeddings("clip@1", some_embeddings(dim=4)))
    assert found(index, some_vectors(5, dim=4), "semantic") == [work.number] * 5
    assert index.space("semantic") == "clip@1"
    with pytest.raises(AlreadyEnrolledError, match="in channel 'semantic' already"):
        index.add_channel(work.id, "semantic", ChannelEmbeddings("clip@1", some_embeddings(dim=4)))
    with pytest.raises(UnknownWorkError):
        index.add_channel("nosferatu", "semantic", some_channel())
    with pytest.raises(UnknownWorkError, match="no embeddings in channel 'face'"):
        index.embeddings(work.number, "face")


def test_spaces_do_not_mix(index):
    index.enroll(a_work("one"), {"copy": some_channel()})
    other = ChannelEmbeddings("sscd@86386042eb85", some_embeddings())
    remedy = "use another --home, or set the descriptor back, or remove the works"
    with pytest.raises(SpaceMismatchError, match=remedy):
        index.enroll(a_work("two"), {"copy": other})
    with pytest.raises(SpaceMismatchError, match=remedy):
        index.check_space("copy", other.space)
    with pytest.raises(SpaceMismatchError, match="vectors of 8 dimensions, these have 4"):
        index.enroll(a_work("two"), {"copy": some_channel(dim=4)})
    index.check_space("copy", SPACE)
    index.check_space("semantic", "anything: the channel is empty")
    assert [work.id for work in index.works()] == ["one"]


def test_an_emptied_channel_takes_another_descriptor(home, open_index):
    with open_index(home) as index:
        index.enroll(a_work("one"), {"copy": some_channel()})
        assert found(index, some_vectors(1)) == [1]
        index.remove("one")
        assert index.space("copy") is None
        wide = ChannelEmbeddings("sscd@2", some_embeddings(dim=16))
        two = index.enroll(a_work("two"), {"copy": wide})
        assert found(index, some_vectors(1, dim=16)) == [two.number]
    with open_index(home) as index:
        assert found(index, some_vectors(1, dim=16)) == [two.number]


def test_refused_works_leave_nothing_behind(home, index):
    index.enroll(a_work("one"), {"copy": some_channel()})
    with pytest.raises(AlreadyEnrolledError):
        index.enroll(a_work("two", digest=a_work("one").digest), {"copy": some_channel()})
    with pytest.raises(IdTakenError):
        index.enroll(a_work("one", digest="f" * 64), {"copy": some_channel()})
    with pytest.raises(InvalidWorkError, match="no embeddings"):
        index.enroll(a_work("two"), {})
    with pytest.raises(InvalidWorkError, match="0 frames to find it by in channel 'copy'"):
        index.enroll(a_work("two"), {"copy": some_channel(0)})
    with pytest.raises(InvalidWorkError, match="cannot be a channel"):
        index.enroll(a_work("two"), {"../copy": some_channel()})
    assert len(files(home)) == 1


def test_stats_count_and_weigh(home, open_index):
    with open_index(home) as index:
        index.enroll(a_work("one", duration=60.0), {"copy": some_channel(5)})
        index.enroll(a_work("two", duration=30.5), {"copy": some_channel(7)})
    with open_index(home) as index:
        stats = index.stats()
    assert (stats.works, stats.seconds) == (2, 90.5)
    copy = stats.channels["copy"]
    assert (copy.space, copy.works, copy.vectors) == (SPACE, 2, 12)
    assert copy.bytes == sum((home / name).stat().st_size for name in files(home))


def test_scans_are_remembered_until_the_index_changes(index):
    index.remember_scan(f"upload {index.fingerprint()}", "{}")
    assert index.recall_scan(f"upload {index.fingerprint()}") == "{}"
    index.enroll(a_work(), {"copy": some_channel()})
    assert index.recall_scan(f"upload {index.fingerprint()}") is None


def test_compact_rebuilds_and_sweeps(home, index):
    index.enroll(a_work(), {"copy": some_channel()})
    orphan = home / "embeddings" / "copy-0.npz"
    orphan.write_bytes(b"12345")
    (home / "embeddings" / "notes.txt").write_text("not ours")
    compaction = index.compact()
    assert compaction.rebuilt == ("copy",)
    assert compaction.swept == ("embeddings/copy-0.npz",)
    assert compaction.freed == 5
    assert (home / "embeddings" / "notes.txt").exists()
    assert index.verify() == []


def test_works_of_another_process_are_seen_after_asking_for_the_fingerprint(
    home, index, open_index
):
    index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    assert found(index, some_vectors(1, seed=1)) == [1]
    with open_index(home) as other:
        two = other.enroll(a_work("two"), {"copy": some_channel(seed=2)})
        other.remove("one")
    index.fingerprint()
    assert found(index, some_vectors(1, seed=1)) == [two.number]


def test_two_writers_do_not_overwrite_each_other(home, open_index):
    with open_index(home) as one, open_index(home) as two:
        for writer, name, seed in ((one, "a", 1), (two, "b", 2), (one, "c", 3), (two, "d", 4)):
            work = writer.enroll(a_work(name), {"copy": some_channel(seed=seed)})
            assert found(writer, some_vectors(1, seed=seed)) == [work.number]
    with open_index(home) as index:
        assert index.verify() == []
        assert [found(index, some_vectors(1, seed=seed)) for seed in (1, 2, 3, 4)] == [
            [1], [2], [3], [4]
        ]  # fmt: skip


def test_a_writer_that_waits_too_long_says_so(home, open_index):
    with open_index(home, lock_timeout=0) as index, FileLock(home / "writer.lock"):
        with pytest.raises(IndexBusyError, match="another process is writing"):
            index.enroll(a_work(), {"copy": some_channel()})
        assert index.works() == []
        assert found(index, some_vectors(1)) == [NO_ID]


def test_many_may_open_a_new_home_at_once(home, open_index):
    opened = []
    threads = [threading.Thread(target=lambda: opened.append(open_index(home))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    assert len({index.fingerprint() for index in opened}) == 1
    for index in opened:
        index.close()


def test_the_catalogue_may_be_elsewhere(home, tmp_path):
    url = f"sqlite:///{tmp_path}/elsewhere.sqlite"
    with ReferenceIndex.open(home, url) as index:
        index.enroll(a_work(), {"copy": some_channel()})
    with ReferenceIndex.open(home, url) as index:
        assert found(index, some_vectors(1)) == [1]
    assert not (home / "catalog.sqlite").exists()


def test_files_are_not_swept_for_a_catalogue_they_do_not_belong_to(home, tmp_path):
    with ReferenceIndex.open(home) as index:
        index.enroll(a_work(), {"copy": some_channel()})
    other = f"sqlite:///{tmp_path}/other.sqlite"
    with ReferenceIndex.open(tmp_path / "other home", other):
        pass
    with pytest.raises(CatalogError, match="belong to another catalogue"):
        ReferenceIndex.open(home, other)
    (home / "catalog.sqlite").unlink()
    with pytest.raises(CatalogError, match="not a catalogue"):
        ReferenceIndex.open(home)
    assert len(files(home)) == 2
