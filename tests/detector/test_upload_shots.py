"""The shots of scanned uploads are found as if all kept files were compared one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from kept_examples import SPACE, keep, refreshed, vectors_of

from detector.kept import FORM, shots_in
from detector.upload_shots import UploadShots
from index.reference_index import ReferenceIndex
from index.uploads import NewUpload


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(tmp_path / "home") as index:
        yield index


def compared_one_by_one(
    index: ReferenceIndex, vector: npt.NDArray[np.float32]
) -> list[tuple[str, int, float]]:
    """Return content, shot and similarity of all shots of all kept files, the best first."""
    found = {}
    for upload in index.uploads.all():
        seen = shots_in(index.uploads.arrays(upload))
        assert seen is not None
        for shot, similarity in enumerate((seen.vectors @ vector).tolist()):
            found[upload.content, shot] = similarity
    best = sorted(found.items(), key=lambda item: -item[1])
    return [(content, shot, similarity) for (content, shot), similarity in best]


def found_in(shots: UploadShots, seed: int = 99) -> set[str]:
    """Return the names of all uploads that anything is found in."""
    hits = shots.search(vectors_of(seed, 1), 1000)[0]
    return {Path(source).name for hit in hits for source in hit.upload.sources}


def test_the_nearest_are_those_of_comparing_all_kept_files(index: ReferenceIndex) -> None:
    for seed in range(12):
        keep(index, f"{seed}.mp4", seed, shots=1 + seed)
    shots = refreshed(index)
    assert len(shots) == 12
    asked = vectors_of(99, 6)
    for vector, hits in zip(asked, shots.search(asked, 20), strict=True):
        expected = compared_one_by_one(index, vector)[:20]
        assert [(hit.upload.content, hit.number) for hit in hits] == [one[:2] for one in expected]
        similarities = [hit.similarity for hit in hits]
        assert similarities == pytest.approx([one[2] for one in expected], abs=1e-5)


def test_a_hit_tells_when_its_shot_is(index: ReferenceIndex) -> None:
    keep(index, "a.mp4", 1)
    (hit,) = refreshed(index).search(vectors_of(1, 5)[3:4], 1)[0]
    assert hit.upload.sources == ("/in/a.mp4",)
    assert (hit.number, hit.start, hit.time, hit.end) == (3, 6.0, 6.5, 8.0)
    assert hit.similarity == pytest.approx(1, abs=0.001)


def test_where_nothing_is_kept_nothing_is_found(index: ReferenceIndex) -> None:
    assert refreshed(index).search(vectors_of(1, 2), 5) == [[], []]


def test_a_refresh_sees_what_was_kept_and_forgotten_meanwhile(index: ReferenceIndex) -> None:
    keep(index, "a.mp4", 1)
    keep(index, "b.mp4", 2)
    shots = refreshed(index)
    assert found_in(shots) == {"a.mp4", "b.mp4"}
    index.uploads.forget(["/in/a.mp4"])
    keep(index, "c.mp4", 3)
    shots.refresh()
    assert found_in(shots) == {"b.mp4", "c.mp4"}
    keep(index, "b.mp4", 4)  # another file under the same name
    shots.refresh()
    contents = {hit.upload.content for hit in shots.search(vectors_of(99, 1), 1000)[0]}
    assert contents == {f"{seed:064x}" for seed in (3, 4)}
    index.uploads.forget(["/in/b.mp4", "/in/c.mp4"])
    shots.refresh()
    assert (len(shots), found_in(shots)) == (0, set())


def test_the_same_content_under_two_names_is_one_upload_with_both(index: ReferenceIndex) -> None:
    keep(index, "a.mp4", 1)
    keep(index, "again.mp4", 1)
    shots = refreshed(index)
    hits = shots.search(vectors_of(1, 1), 1000)[0]
    assert len(hits) == 5
    assert {hit.upload.sources for hit in hits} == {("/in/again.mp4", "/in/a.mp4")}
    index.uploads.forget(["/in/again.mp4"])
    shots.refresh()
    assert found_in(shots) == {"a.mp4"}


def test_the_same_content_described_twice_counts_as_it_was_last(index: ReferenceIndex) -> None:
    keep(index, "a.mp4", 1, shots=5, conditions="1")
    keep(index, "again.mp4", 1, shots=3, conditions="2")
    shots = refreshed(index)
    assert len(shots.search(vectors_of(1, 1), 1000)[0]) == 3
    assert (found_in(shots), shots.left_out) == ({"a.mp4", "again.mp4"}, 0)


def test_what_another_model_or_version_saw_is_counted_and_left_out(index: ReferenceIndex) -> None:
    keep(index, "a.mp4", 1)
    keep(index, "other-model.mp4", 2, space="clip@2")
    keep(index, "other-form.mp4", 3, form=FORM - 1)
    shots = refreshed(index)
    assert (found_in(shots), shots.left_out) == ({"a.mp4"}, 2)


def test_an_upload_without_shots_is_there_and_never_found(index: ReferenceIndex) -> None:
    facts = {"form": FORM, "spaces": {"semantic": SPACE}}
    index.uploads.keep(NewUpload("/in/black.mp4", "b" * 64, "1", facts), {})
    keep(index, "a.mp4", 1)
    shots = refreshed(index)
    assert (found_in(shots), shots.left_out, len(shots)) == ({"a.mp4"}, 0, 2)


def test_what_is_damaged_is_logged_and_left_out(
    index: ReferenceIndex, caplog: pytest.LogCaptureFixture
) -> None:
    keep(index, "a.mp4", 1)
    keep(index, "b.mp4", 2)
    damaged = next(one for one in index.uploads.all() if one.source == "/in/b.mp4")
    (index.home / damaged.file).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        shots = refreshed(index)
    assert "/in/b.mp4 cannot be read" in caplog.text
    assert (found_in(shots), shots.left_out) == ({"a.mp4"}, 1)


def test_threads_may_search_while_uploads_come_and_go(index: ReferenceIndex) -> None:
    for seed in range(8):
        keep(index, f"{seed}.mp4", seed)
    shots = refreshed(index)

    def look(seed: int) -> set[str]:
        shots.refresh()
        return found_in(shots, seed)

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(look, seed) for seed in range(40)]
        for seed in range(4):
            index.uploads.forget([f"/in/{seed}.mp4"])
    staying = {f"{seed}.mp4" for seed in range(4, 8)}
    assert all(staying <= one.result() for one in found)
    shots.refresh()
    assert found_in(shots) == staying
