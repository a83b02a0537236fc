from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from index_examples import a_work, some_channel, some_vectors

from index.errors import VectorServiceError
from index.milvus_server import MilvusServer
from index.milvus_store import MilvusStore
from index.reference_index import ChannelEmbeddings, ReferenceIndex
from index.vector_service import VectorService
from index.vectors import split_vector_ids

pytestmark = pytest.mark.cluster


@pytest.fixture
def service(milvus):
    return VectorService(milvus.url)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def index(home, service):
    with ReferenceIndex.open(home, vectors=service) as index:
        yield index


def found(index, seed=0):
    """The works that the nearest vectors to some of a work's are of."""
    works, _ = split_vector_ids(index.search("copy", some_vectors(5, seed=seed), 1).ids)
    return sorted(set(works.ravel().tolist()))


def collections(index, service):
    """The names of the collections of an index on the server."""
    server = MilvusServer(service)
    return MilvusStore.names(server, f"matchcut_{index._catalog.id[:12]}_")


def test_what_is_acknowledged_is_found_and_what_is_removed_is_not(index, home, service):
    first = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    second = index.enroll(a_work("two"), {"copy": some_channel(seed=2)})
    assert found(index, 1) == [first.number]
    with ReferenceIndex.open(home, vectors=service) as other:
        assert found(other, 2) == [second.number]
        index.remove("one")
        third = index.enroll(a_work("three"), {"copy": some_channel(seed=3)})
        other.refresh()
        assert first.number not in found(other, 1)
        assert found(other, 3) == [third.number]
        assert other.verify() == []
    index.remove("two")
    index.remove("three")
    assert found(index, 3) == [-1]
    assert collections(index, service) == []


def test_it_finds_what_faiss_finds(home, service):
    with ReferenceIndex.open(home) as faiss:
        for number in range(30):
            faiss.enroll(a_work(f"w{number}"), {"copy": some_channel(40, dim=64, seed=number)})
        noise = some_vectors(60, dim=64, seed=99)
        queries = some_vectors(40, dim=64, seed=7)[:30] + 0.2 * noise[:30]
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        expected = faiss.search("copy", queries, 20)
        with ReferenceIndex.open(home, vectors=service) as index:  # brings over what is there
            got = index.search("copy", queries, 20)
        np.testing.assert_allclose(got.similarities, expected.similarities, atol=1e-5)
        np.testing.assert_array_equal(got.ids, expected.ids)


def test_what_was_done_without_the_service_is_made_up_for(home, service):
    with ReferenceIndex.open(home, vectors=service) as index:
        gone = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    with ReferenceIndex.open(home) as elsewhere:  # as after a crash before the server was told
        elsewhere.remove("one")
        new = elsewhere.enroll(a_work("two"), {"copy": some_channel(seed=2)})
    with ReferenceIndex.open(home, vectors=service) as index:
        assert index.verify() == [
            f"channel 'copy': collection {collections(index, service)[0]} is out of date"
        ]
        assert found(index, 1) == [new.number] != [gone.number]
        assert index.verify() == []


def test_a_collection_that_is_lost_is_filled_again(index, service):
    work = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    assert found(index, 1) == [work.number]
    (name,) = collections(index, service)
    MilvusStore(MilvusServer(service), name, 8).drop()
    assert found(index, 1) == [work.number]
    assert len(collections(index, service)) == 1


def test_damage_is_found_and_repaired(index, service):
    work = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    (name,) = collections(index, service)
    store = MilvusStore(MilvusServer(service), name, 8)
    store.put([(work.number + 1, some_vectors(3))])
    assert index.verify(repair=True) == [
        f"channel 'copy': collection {name}: it holds other works than it should"
    ]
    assert index.verify() == []
    assert found(index, 1) == [work.number]


def test_compaction_puts_another_collection_in_the_place_of_the_first(index, service):
    work = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
    before = collections(index, service)
    assert index.compact().rebuilt == ("copy",)
    after = collections(index, service)
    assert len(after) == 1
    assert after != before
    assert found(index, 1) == [work.number]
    assert index.stats().channels["copy"].structure == "Milvus HNSW"


def test_a_channel_moves_to_another_space(index, service):
    one = index.enroll(a_work("one"), {"semantic": some_channel(seed=1)})
    two = index.enroll(a_work("two"), {"semantic": some_channel(seed=2)})
    for work, seed in ((one, 11), (two, 12)):
        content = ChannelEmbeddings("other@1", some_channel(6, dim=16, seed=seed).embeddings)
        index.restaging.stage("semantic", work.number, content)
    index.restaging.switch("semantic", "other@1")
    hits = index.search("semantic", some_vectors(6, dim=16, seed=12), 1)
    assert set(split_vector_ids(hits.ids)[0].ravel().tolist()) == {two.number}
    assert len(collections(index, service)) == 1


def test_two_writers_lose_nothing(home, service):
    def enrol(names):
        with ReferenceIndex.open(home, vectors=service) as index:
            for name in names:
                content = some_channel(seed=int(name[1:]))
                index.enroll(a_work(name), {"copy": content})

    threads = [
        threading.Thread(target=enrol, args=([f"w{number}" for number in range(first, 10, 2)],))
        for first in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ReferenceIndex.open(home, vectors=service) as index:
        assert len(index.works()) == 10
        assert index.verify() == []
        for number in range(10):
            assert found(index, number) == [index.work(f"w{number}").number]


def test_a_server_that_is_away_is_waited_for_but_not_for_ever(home, service, milvus, caplog):
    with ReferenceIndex.open(home, vectors=service) as index:
        first = index.enroll(a_work("one"), {"copy": some_channel(seed=1)})
        assert found(index, 1) == [first.number]
        milvus.kill()
        answers = []
        asking = threading.Thread(target=lambda: answers.append(found(index, 1)))
        asking.start()
        try:
            with ReferenceIndex.open(home, vectors=replace(service, patience=1.0)) as impatient:
                with pytest.raises(VectorServiceError, match=r"127.0.0.1:19530.*Nothing is lost"):
                    found(impatient, 1)
                with pytest.raises(VectorServiceError, match="cannot be reached"):
                    impatient.enroll(a_work("two"), {"copy": some_channel(seed=2)})
            assert answers == []
        finally:
            milvus.start()
        asking.join(120)
        assert answers == [[first.number]]
        index.refresh()
        assert found(index, 2) == [index.work("two").number]
        assert index.verify() == []
    told = [record.message for record in caplog.records if record.name == "index.milvus_server"]
    assert "Milvus at 127.0.0.1:19530/default does not answer: waiting for it, up to 300 s" in told
    assert told[-1] == "Milvus at 127.0.0.1:19530/default is back"
