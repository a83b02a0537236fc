from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.describe import Described, describe
from detector.descriptors import Descriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.matching import Views
from detector.media import Sampler, find_layout
from detector.samples import Sample, SampleSet, TimedPicture, footage, resized, whole, write_clip
from detector.settings import Settings
from detector.types import Channel
from index.embeddings import Embeddings

SETTINGS = Settings(copy_size=224)


@pytest.fixture(scope="module")
def descriptors() -> dict[Channel, Descriptor]:
    return {Channel.COPY: SscdDescriptor(size=224)}


@pytest.fixture(scope="module")
def film(samples: SampleSet) -> Path:
    return next(path for path in samples.films if path.stem == "bikes")


@pytest.fixture(scope="module")
def enrolled(film: Path, descriptors: dict[Channel, Descriptor]) -> Described:
    """Describe the film as it is when it is enrolled."""
    return describe(film, descriptors, SETTINGS)


@pytest.fixture(scope="module")
def inset(hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor]) -> Described:
    """Describe other footage with the film in a corner from the fourth second on."""
    return describe(hidden_copies["inset"].path, descriptors, SETTINGS, closely=True)


def copy_views(described: Described) -> Views:
    return described.views[Channel.COPY]


def views_per_frame(described: Described) -> np.ndarray:
    views = copy_views(described)
    return np.bincount(views.frames, minlength=len(views))


def similar(vectors: np.ndarray, times: np.ndarray, film: Embeddings) -> np.ndarray:
    """Compare vectors with the film's frames at these times."""
    rows = np.abs(film.times[None] - times[:, None]).argmin(axis=1)
    return np.asarray(np.einsum("ij,ij->i", vectors, film.vectors[rows]))


def test_of_a_film_whole_frames_are_described_and_nothing_else(enrolled: Described) -> None:
    assert set(views_per_frame(enrolled)) == {1}
    assert enrolled.negatives is None
    assert enrolled.duration == pytest.approx(10.0, abs=0.1)
    assert enrolled.problem is None
    views, embeddings = copy_views(enrolled), enrolled.embeddings(Channel.COPY)
    assert len(views) == enrolled.frames.sampled - enrolled.frames.uniform == 60
    assert embeddings.times.tolist() == views.times.tolist()
    assert embeddings.vectors.tolist() == views.vectors.tolist()


def test_an_upload_without_parts_has_no_further_views(
    film: Path, descriptors: dict[Channel, Descriptor], enrolled: Described
) -> None:
    described = describe(film, descriptors, SETTINGS, closely=True)
    assert set(views_per_frame(described)) == {1}
    assert copy_views(described).times.tolist() == copy_views(enrolled).times.tolist()
    whole_frames = described.embeddings(Channel.COPY)
    film_frames = enrolled.embeddings(Channel.COPY)
    assert similar(whole_frames.vectors, whole_frames.times, film_frames).min() > 0.9


def test_an_inset_is_a_view_of_its_own(inset: Described, enrolled: Described) -> None:
    views = copy_views(inset)
    showing = np.flatnonzero(views.times > 3.99)
    assert (views_per_frame(inset)[showing] > 1).all()

    film = enrolled.embeddings(Channel.COPY)
    times = views.times[showing] - 2.0  # of the film
    rows = np.abs(film.times[None] - times[:, None]).argmin(axis=1)
    best = views.vectors[views.best_rows(showing, film.vectors[rows])]
    first = views.vectors[views.first_rows()[showing]]
    assert np.median(similar(best, times, film)) > 0.7
    assert similar(first, times, film).max() < 0.5  # the frames as wholes do not tell


def test_a_layout_is_known_from_the_first_frame_that_has_it(
    inset: Described, hidden_copies: dict[str, Sample]
) -> None:
    """Of the first 32 frames, which are looked at together, too few have the inset to see it."""
    sampled = [frame.image for frame in Sampler(hidden_copies["inset"].path, 6.0)]
    assert find_layout(sampled[:32]).parts == ()
    assert len(find_layout(sampled[32:]).parts) == 1
    first = int(np.searchsorted(copy_views(inset).times, 3.99))
    assert first < 32
    assert views_per_frame(inset)[first] > 1


def test_a_layout_is_known_up_to_the_last_frame_that_has_it(
    hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor], tmp_path: Path
) -> None:
    """Played backwards, too few of the last frames have the inset."""
    path = tmp_path / "backwards.mp4"
    pictures = [picture for _, picture in footage(whole(hidden_copies["inset"].path))]
    write_clip(path, ((n / 25, picture) for n, picture in enumerate(reversed(pictures))))
    assert find_layout([frame.image for frame in Sampler(path, 6.0)][32:]).parts == ()
    described = describe(path, descriptors, SETTINGS, closely=True)
    showing = copy_views(described).times < 5.95
    assert showing.sum() > 32
    assert (views_per_frame(described)[showing] > 1).all()


def test_what_may_be_an_inset_is_a_view_if_it_resembles_a_work_at_a_glance(
    hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor], enrolled: Described
) -> None:
    """The inset is there for too few frames to be sure of it."""
    path = hidden_copies["brief inset"].path
    film = enrolled.embeddings(Channel.COPY)
    glances: list[int] = []

    def like_the_film(vectors: np.ndarray) -> np.ndarray:
        glances.append(len(vectors))
        return np.asarray((vectors @ film.vectors.T).max(axis=1))

    described = describe(path, descriptors, SETTINGS, closely=True, nearest=like_the_film)
    views = copy_views(described)
    showing = np.flatnonzero((views.times > 0.99) & (views.times < 3.45))
    assert (views_per_frame(described)[showing] == 2).all()
    assert sum(glances) < len(views) / 2

    times = views.times[showing] + 1.0  # of the film
    rows = np.abs(film.times[None] - times[:, None]).argmin(axis=1)
    best = views.vectors[views.best_rows(showing, film.vectors[rows])]
    assert np.median(similar(best, times, film)) > 0.7


def test_what_may_be_an_inset_and_resembles_nothing_is_not_looked_at(
    hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor]
) -> None:
    def unlike_any(vectors: np.ndarray) -> np.ndarray:
        return np.full(len(vectors), 0.3, np.float32)

    path = hidden_copies["brief inset"].path
    for nearest in (unlike_any, None):
        described = describe(path, descriptors, SETTINGS, closely=True, nearest=nearest)
        assert set(views_per_frame(described)) == {1}


def test_the_first_view_of_a_frame_is_the_whole_of_it(
    inset: Described, hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor]
) -> None:
    plain = describe(hidden_copies["inset"].path, descriptors, SETTINGS)
    one, other = plain.embeddings(Channel.COPY), inset.embeddings(Channel.COPY)
    assert one.times.tolist() == other.times.tolist()
    assert np.einsum("ij,ij->i", one.vectors, other.vectors).min() > 0.9


def test_only_the_copy_channel_looks_at_parts(
    hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor]
) -> None:
    both = {**descriptors, Channel.SEMANTIC: SscdDescriptor(size=64)}
    described = describe(hidden_copies["inset"].path, both, SETTINGS, closely=True)
    copy, shots = described.views[Channel.COPY], described.embeddings(Channel.SEMANTIC)
    assert len(copy.vectors) > len(copy)
    assert len(shots) < len(copy) / 4


def test_the_semantic_channel_sees_shots(film: Path) -> None:
    """The film of bikes is cut at 1.2, 3.0, 5.5, 7.5 and 9.7 seconds."""
    small = {Channel.SEMANTIC: SscdDescriptor(size=64)}
    shots = describe(film, small, SETTINGS).embeddings(Channel.SEMANTIC)
    assert shots.spans is not None
    starts, ends = shots.spans.T
    assert [np.abs(starts - cut).min() < 0.3 for cut in (1.2, 3.0, 5.5, 7.5)] == [True] * 4
    assert (starts[0], ends[-1]) == (0.0, pytest.approx(10.0, abs=0.1))
    assert (starts[1:] == ends[:-1]).all()
    assert 5 <= len(shots) <= 8


def test_of_an_upload_some_negatives_are_looked_at(
    hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor], enrolled: Described
) -> None:
    described = describe(hidden_copies["inverted"].path, descriptors, SETTINGS, closely=True)
    negatives, film = described.negatives, enrolled.embeddings(Channel.COPY)
    assert negatives is not None
    assert 4 <= len(negatives) <= len(copy_views(described)) / 4
    assert set(negatives.times) <= set(copy_views(described).times)
    assert similar(negatives.vectors, negatives.times + 2.0, film).min() > 0.8
    whole_frames = described.embeddings(Channel.COPY)
    assert similar(whole_frames.vectors, whole_frames.times + 2.0, film).max() < 0.5


def test_a_negative_can_be_described_as_what_it_was(
    hidden_copies: dict[str, Sample], descriptors: dict[Channel, Descriptor], enrolled: Described
) -> None:
    path = hidden_copies["inverted"].path
    described = describe(path, descriptors, SETTINGS, negative=True)
    views = copy_views(described)
    film = enrolled.embeddings(Channel.COPY)
    assert np.median(similar(views.vectors, views.times + 2.0, film)) > 0.9


def test_frames_that_show_nothing_have_no_view_of_any_kind(
    film: Path, descriptors: dict[Channel, Descriptor], tmp_path: Path
) -> None:
    path = tmp_path / "black-lead-in.mp4"

    def frames() -> list[TimedPicture]:
        black = np.zeros((136, 320, 3), np.uint8)
        shown = [picture for _, picture in footage(whole(film, resized(320, 136)))][::4][:40]
        return [(n / 8, picture) for n, picture in enumerate([black] * 40 + shown)]

    write_clip(path, frames())
    described = describe(path, descriptors, SETTINGS, closely=True)
    assert described.frames.uniform >= 25
    assert described.negatives is not None
    assert copy_views(described).times[0] >= 4.9
    assert described.negatives.times[0] >= 4.9


def test_an_upload_that_shows_nothing_has_no_views(
    descriptors: dict[Channel, Descriptor], tmp_path: Path
) -> None:
    path = tmp_path / "black.mp4"
    write_clip(path, ((n / 10, np.zeros((90, 160, 3), np.uint8)) for n in range(30)))
    described = describe(path, descriptors, SETTINGS, closely=True)
    assert described.frames.uniform == described.frames.sampled > 0
    assert len(copy_views(described)) == 0
    assert len(described.embeddings(Channel.COPY)) == 0
    assert described.negatives is not None
    assert len(described.negatives) == 0


def test_progress_is_told_in_seconds_of_video(
    film: Path, descriptors: dict[Channel, Descriptor]
) -> None:
    told: list[tuple[float, float | None]] = []
    describe(film, descriptors, SETTINGS, lambda *seconds: told.append(seconds))
    at = [seconds for seconds, _ in told]
    assert at == sorted(at)
    assert at[-1] == pytest.approx(10.0, abs=0.3)
    assert all(duration == pytest.approx(10.0, abs=0.1) for _, duration in told)
