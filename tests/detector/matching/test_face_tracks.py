from __future__ import annotations

import numpy as np
import pytest

from detector.matching.face_tracks import (
    MOST_KEPT,
    Sighting,
    Track,
    Tracker,
    faces_that_agree,
)
from detector.samples import Picture
from detector.types import Box

RNG = np.random.default_rng(7)
STREET, STUDIO = (RNG.integers(0, 255, (90, 160, 3), np.uint8) for _ in range(2))
BLANK = np.zeros((112, 112, 3), np.uint8)


def face(
    time: float, left: float = 0.4, top: float = 0.3, width: float = 0.1, quality: float = 0.5
) -> Sighting:
    """Return a square face; heights are shares of a picture of 16:9."""
    return Sighting(time, Box(left, top, width, width * 16 / 9), quality, BLANK)


def follow(
    frames: list[tuple[float, Picture, list[Sighting]]], tracker: Tracker | None = None
) -> list[Track]:
    tracker = tracker or Tracker()
    ended = [track for frame in frames for track in tracker.add(*frame)]
    return sorted(ended + tracker.finish(), key=lambda track: (track.start, track.last.box.left))


def spans(tracks: list[Track]) -> list[tuple[float, float]]:
    return [(track.start, track.end) for track in tracks]


def test_two_faces_are_followed_as_they_move():
    """One goes to the right, one to the left; they pass at different heights."""
    frames = [
        (n / 2, STREET, [face(n / 2, 0.1 + 0.05 * n, 0.1), face(n / 2, 0.8 - 0.05 * n, 0.6)])
        for n in range(12)
    ]
    one, other = follow(frames)
    assert spans([one, other]) == [(0, 5.5), (0, 5.5)]
    assert {sighting.box.top for sighting in one.best} in ({0.1}, {0.6})


def test_a_face_that_is_missed_once_is_followed_on():
    seen = [(n / 2, STREET, [] if n == 3 else [face(n / 2)]) for n in range(8)]
    assert spans(follow(seen)) == [(0, 3.5)]


def test_one_that_is_away_for_longer_is_another_track():
    seen = [(n / 2, STREET, [] if n in (3, 4) else [face(n / 2)]) for n in range(8)]
    assert spans(follow(seen)) == [(0, 1.0), (2.5, 3.5)]


def test_a_cut_ends_all_tracks():
    frames = [(n / 2, STREET if n < 4 else STUDIO, [face(n / 2)]) for n in range(8)]
    assert spans(follow(frames)) == [(0, 1.5), (2.0, 3.5)]


def test_a_jump_or_a_change_of_size_is_another_face():
    frames = [(n / 2, STREET, [face(n / 2, left=0.1 if n < 2 else 0.6)]) for n in range(4)]
    assert spans(follow(frames)) == [(0, 0.5), (1.0, 1.5)]
    frames = [(n / 2, STREET, [face(n / 2, width=0.1 if n < 2 else 0.2)]) for n in range(4)]
    assert spans(follow(frames)) == [(0, 0.5), (1.0, 1.5)]


def test_where_the_picture_changes_the_likeness_decides():
    changed = np.where(np.arange(160)[None, :, None] < 110, STREET, STUDIO).astype(np.uint8)
    frames = [(n / 2, STREET if n < 3 else changed, [face(n / 2)]) for n in range(6)]
    assert spans(follow(frames, Tracker(lambda one, other: True))) == [(0, 2.5)]
    assert spans(follow(frames, Tracker(lambda one, other: False))) == [(0, 1.0), (1.5, 2.5)]


def test_nobody_asks_for_the_likeness_while_the_picture_stays():
    def never(one: Sighting, other: Sighting) -> bool:
        raise AssertionError("asked")

    assert spans(follow([(n / 2, STREET, [face(n / 2)]) for n in range(6)], Tracker(never)))


def test_only_the_best_pictures_are_kept():
    qualities = [0.1, 0.9, 0.5, 0.0, 0.3, 0.8, 0.2, 0.7, 0.6, 0.4, 0.05, 0.35]
    frames = [(n / 8, STREET, [face(n / 8, quality=q)]) for n, q in enumerate(qualities)]
    (track,) = follow(frames)
    assert [one.quality for one in track.best] == sorted(qualities, reverse=True)[:MOST_KEPT]


def test_a_long_track_is_cut():
    frames = [(n / 2, STREET, [face(n / 2)]) for n in range(50)]
    assert spans(follow(frames)) == [(0, 9.5), (10.0, 19.5), (20.0, 24.5)]


def test_a_track_lasts_as_long_as_its_face_can_be_told():
    """In the dark before and after it nobody knows whose face it is."""
    usable = [False, False, True, True, True, False, False]
    frames = [(n / 2, STREET, [face(n / 2, quality=0.5 * good)]) for n, good in enumerate(usable)]
    (track,) = follow(frames)
    assert (track.start, track.end) == (1.0, 2.0)


def test_pictures_of_two_people_in_one_track_are_told_apart():
    one, other = np.eye(8, dtype=np.float32)[:2]

    def near(vector: np.ndarray) -> np.ndarray:
        moved = vector + 0.2 * RNG.standard_normal(8).astype(np.float32)
        return moved / np.linalg.norm(moved)

    vectors = np.array([near(one), near(other), near(one), near(one), near(other)])
    assert [group.tolist() for group in faces_that_agree(vectors)] == [[0, 2, 3], [1, 4]]


@pytest.mark.parametrize("count", [0, 1])
def test_few_pictures_agree_with_themselves(count):
    groups = faces_that_agree(np.eye(4, dtype=np.float32)[:count])
    assert [group.tolist() for group in groups] == [[0]] * count
