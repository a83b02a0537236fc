"""Uploads and works that lie on servers, as the desk shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.descriptors.sscd import SscdDescriptor
from detector.media import is_playable, probe
from detector.review.evidence import UPLOAD, NoEvidenceError
from detector.review.matrix import matrix_picture
from detector.review.pictures import pair_picture
from detector.review.records import Case
from detector.review.web.films import PLAYABLE, Film, Films
from detector.settings import Settings
from detector.types import Channel
from index.reference_index import ReferenceIndex
from tests.detector.review.conftest import ScannedDesk
from tests.film_server import FilmServer, serving


@pytest.fixture
def index(scanned_desk: ScannedDesk) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(scanned_desk.home) as index:
        yield index


@pytest.fixture
def settings(scanned_desk: ScannedDesk, tmp_path: Path) -> Settings:
    """Return settings with an evidence folder of their own, which allow the web."""
    ours = {"home": tmp_path / "home", "protocols": ("file", "http")}
    return scanned_desk.settings.model_copy(update=ours)


@pytest.fixture
def case(scanned_desk: ScannedDesk) -> Case:
    return scanned_desk.cases["bikes-sped-up"]


def served(case: Case, server: FilmServer) -> Case:
    return replace(case, source=server.url(Path(case.source).name))


def test_frames_and_the_matrix_are_those_of_the_file(
    case: Case, index: ReferenceIndex, settings: Settings, scanned_desk: ScannedDesk, tmp_path: Path
) -> None:
    descriptors = {Channel.COPY: SscdDescriptor(size=scanned_desk.settings.copy_size)}
    other = settings.model_copy(update={"home": tmp_path / "other"})
    pictures = pair_picture(case, 0, 0, 0, index, settings)
    matrix = matrix_picture(case, 0, index, descriptors, settings)
    with serving(Path(case.source).parent) as server:
        there = served(case, server)
        assert pair_picture(there, 0, 0, 0, index, other) == pictures
        assert matrix_picture(there, 0, index, descriptors, other) == matrix
    assert pictures.upload is not None


def test_what_cannot_be_reached_is_told(
    case: Case, index: ReferenceIndex, settings: Settings
) -> None:
    there = replace(case, source="http://127.0.0.1:1/clip.mp4")
    pictures = pair_picture(there, 0, 0, 0, index, settings)
    assert pictures.upload is None
    assert "The upload gives no picture at" in pictures.notes[0]
    descriptors = {Channel.COPY: SscdDescriptor(size=settings.copy_size)}
    with pytest.raises(NoEvidenceError, match=r"gives no pictures: .*[Cc]onnect"):
        matrix_picture(there, 0, index, descriptors, settings)


def played(source: str, settings: Settings) -> Film:
    with ThreadPoolExecutor(1) as pool:  # a loop of its own
        return pool.submit(asyncio.run, Films(settings).open(UPLOAD, source)).result()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_film_is_played_from_a_copy_that_is_made_once(
    ranges: bool, case: Case, settings: Settings
) -> None:
    path = Path(case.source)
    with serving(path.parent, ranges=ranges) as server:
        film = played(server.url(path.name), settings)
        sent = server.sent
        assert played(server.url(path.name), settings) == film
        assert server.sent == sent
    assert film.path.parent == settings.home / PLAYABLE
    assert is_playable(film.path)
    assert np.isclose(probe(film.path).duration or 0, probe(path).duration or 0, atol=0.1)
    assert list(film.path.parent.glob("*.mp4")) == [film.path]


def test_a_film_that_cannot_be_reached_is_not_played(settings: Settings) -> None:
    with pytest.raises(NoEvidenceError, match="The upload cannot be shown: "):
        played("http://127.0.0.1:1/clip.mp4", settings)
    with pytest.raises(NoEvidenceError, match="https:// are not read"):
        played("https://127.0.0.1:1/clip.mp4", settings)
