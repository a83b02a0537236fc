"""Which uploads come first, and which of their shots, compared with the obvious way to tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kept_examples import keep, refreshed, vectors_of

from detector.kept import shots_in
from detector.moments import Where, find_alike, find_in_uploads
from index.embeddings import Embeddings
from index.reference_index import ReferenceIndex


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(tmp_path / "home") as index:
        yield index


def similarities(index: ReferenceIndex, clip: Embeddings) -> dict[str, np.ndarray]:
    """Return how similar each shot of each upload is to each of the clip's, [clip, upload]."""
    seen = {one.source: shots_in(index.uploads.arrays(one)) for one in index.uploads.all()}
    return {source: clip.vectors @ shots.vectors.T for source, shots in seen.items() if shots}


def test_uploads_are_ranked_by_the_mean_of_the_best_of_each_shot(index: ReferenceIndex) -> None:
    for seed in range(10):
        keep(index, f"{seed}.mp4", seed, shots=4 + seed)
    clip = Embeddings(vectors_of(99, 6), np.arange(6.0))
    tables = similarities(index, clip)
    means = {source: table.max(axis=1).mean() for source, table in tables.items()}
    ranked = sorted(means, key=lambda source: -means[source])

    found = find_alike(refreshed(index), clip, limit=4, shots=2)

    assert list(dict.fromkeys(one.source for one in found)) == ranked[:4]
    for one in found:
        assert one.where is Where.UPLOAD
        assert one.clip_time is not None
        table = tables[one.source]
        of_clip, of_upload = int(one.clip_time), int(one.start / 2)
        assert one.similarity == pytest.approx(table[of_clip].max(), abs=1e-5)
        assert table[of_clip].argmax() == of_upload
    for source in ranked[:4]:
        pairs = [one for one in found if one.source == source]
        assert 1 <= len(pairs) <= 2
        assert pairs[0].similarity == pytest.approx(tables[source].max(), abs=1e-5)
        assert len({one.time for one in pairs}) == len(pairs)


def test_a_clip_without_shots_is_like_nothing(index: ReferenceIndex) -> None:
    keep(index, "a.mp4", 1)
    nothing = Embeddings(vectors_of(1, 1)[:0], np.empty(0))
    assert find_alike(refreshed(index), nothing, limit=4, shots=2) == []


def test_an_upload_of_many_similar_shots_does_not_hide_the_others(index: ReferenceIndex) -> None:
    (wanted,) = vectors_of(1, 1)
    keep(index, "long.mp4", 1, shots=700, spread=0.01)
    keep(index, "short.mp4", 2, shots=3)
    uploads = refreshed(index)
    nearest = uploads.search(wanted[None], 512)[0]
    assert {hit.upload.sources for hit in nearest} == {("/in/long.mp4",)}
    found = find_in_uploads(uploads, wanted, limit=2, shots=3)
    assert [one.title for one in found] == ["long.mp4"] * 3 + ["short.mp4"] * 3
    assert [one.similarity for one in found[:3]] == [hit.similarity for hit in nearest[:3]]
    assert [one.title for one in find_in_uploads(uploads, wanted, 1, 1)] == ["long.mp4"]
