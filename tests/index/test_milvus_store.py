from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_examples import some_vectors
from vector_store_conformance import (
    ACTIONS,
    DIM,
    VectorStoreConformance,
    check_against_brute_force,
)

from index.errors import CollectionGoneError
from index.milvus_server import MilvusServer
from index.milvus_store import MilvusStore
from index.vector_service import VectorService
from index.vectors import BruteForceStore

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def server(milvus):
    server = MilvusServer(VectorService(milvus.url))
    yield server
    server.close()


def a_store(server):
    return MilvusStore.create(server, f"test_{secrets.token_hex(6)}", DIM)


@pytest.fixture(scope="module")
def collection(server):
    store = a_store(server)
    yield store
    store.drop()


class TestMilvusStore(VectorStoreConformance):
    @pytest.fixture
    def store(self, collection):
        for number in collection.counts():  # to make another takes seconds
            collection.remove(number)
        return collection


@settings(deadline=None, max_examples=5)
@given(st.lists(ACTIONS, max_size=8))
def test_agrees_with_brute_force(server, sequence):
    store = a_store(server)
    check_against_brute_force(store, sequence)
    store.drop()


def test_to_put_something_twice_is_to_put_it_once(server):
    store = a_store(server)
    for _ in range(2):
        store.put([(1, some_vectors(40)), (2, some_vectors(3, seed=2))])
    assert store.counts() == {1: 40, 2: 3}
    assert len(store) == 43
    assert store.verify() == []
    store.drop()


def test_a_large_work_goes_in_parts_and_is_counted_whole(server):
    store = MilvusStore.create(server, f"test_{secrets.token_hex(6)}", 512)
    vectors = some_vectors(20_000, dim=512)
    store.put([(1, vectors)])
    assert store.counts() == {1: 20_000}
    hits = store.search(vectors[::1000], 1)
    assert (hits.ids[:, 0] & 0xFFFFFF).tolist() == list(range(0, 20_000, 1000))
    store.drop()


def test_many_neighbours_of_many_queries(server):
    store, oracle = a_store(server), BruteForceStore(DIM)
    for each in (store, oracle):
        each.add(1, some_vectors(900))
    queries = some_vectors(700, seed=5)
    got, expected = store.search(queries, 500), oracle.search(queries, 500)
    np.testing.assert_allclose(got.similarities, expected.similarities, atol=1e-5)
    store.drop()


def test_what_was_dropped_is_told(server):
    store = a_store(server)
    assert store.exists()
    store.drop()
    assert not store.exists()
    with pytest.raises(CollectionGoneError):
        store.search(some_vectors(1), 1)
