"""What many tests share."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from databases import KINDS, ServerDatabase
from hypothesis import HealthCheck, settings
from made_once import made_once
from s3fs import S3FileSystem

from detector.assets import ASSETS, fetch
from detector.evaluation.milvus_process import MilvusProcess, why_no_milvus
from detector.samples import (
    Cut,
    Picture,
    PlantedCopy,
    Sample,
    SampleSet,
    TimedPicture,
    build_samples,
    footage,
    resized,
    write_clip,
)
from index.cipher import KEY_BYTES

# On a busy machine anything may take long; that is no fault of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Write out what is no text, such as the names in hostile tests: processes tell in UTF-8."""
    return _as_utf8((yield))


def _as_utf8(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list | tuple):
        return type(value)(map(_as_utf8, value))
    if isinstance(value, dict):
        return {_as_utf8(name): _as_utf8(one) for name, one in value.items()}
    return value


@pytest.fixture(scope="session", autouse=True)
def _no_users_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key of enrolled faces among the tests' files: the user's own is not touched."""

    def make(folder: Path) -> Path:
        path = folder / "people.key"
        path.write_bytes(b64encode(os.urandom(KEY_BYTES)))
        return path

    key_file = made_once(tmp_path_factory, "key", make)  # what one process seals, all can open
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MATCHCUT_PEOPLE_KEY", raising=False)
        environment.setenv("MATCHCUT_PEOPLE_KEY_FILE", str(key_file))
        yield


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a client of a real S3 server on this machine, which s3fs finds as well."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    S3FileSystem.clear_instance_cache()
    # All such servers of a process share their buckets.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST"), timeout=60).close()
    yield boto3.client("s3")
    S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusProcess]:
    """Give a running Milvus; who ends it starts it again."""
    reason = why_no_milvus()
    if reason is not None:
        pytest.skip(reason)
    process = MilvusProcess(tmp_path_factory.mktemp("milvus"))
    process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="session")
def postgresql() -> str:
    """URL of a PostgreSQL server; where there is none, the test is skipped."""
    server = os.environ.get("MATCHCUT_TEST_POSTGRESQL")
    if not server:
        pytest.skip(
            "no PostgreSQL: `scripts/test` starts one where its programs are installed; else set "
            "MATCHCUT_TEST_POSTGRESQL to the URL of a server, for a superuser"
        )
    return server


@pytest.fixture(scope="session")
def empty_on_server(postgresql: str) -> Iterator[ServerDatabase]:
    """Make a database with nothing in it on the server."""
    database = ServerDatabase(postgresql)
    yield database
    database.close()


def _empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database: every test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/database.sqlite"
        return
    with request.getfixturevalue("empty_on_server").lent() as url:
        yield url


database_url = pytest.fixture(_empty, name="database_url", params=KINDS)
# The same, where the other name means a database that has its tables already.
empty_database_url = pytest.fixture(_empty, name="empty_database_url", params=KINDS)


@pytest.fixture(scope="session")
def portrait() -> Path:
    """Return a photo with one face."""
    return fetch(ASSETS["astronaut"])


@pytest.fixture(scope="session")
def portrait_clip(portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of 1 s without a face and 2 s in which the camera moves over the portrait."""

    def make(folder: Path) -> Path:
        path = folder / "interview.mp4"
        still = load_picture(portrait)
        write_clip(path, _moved_over(still, load_picture(fetch(ASSETS["coffee"]))))
        return path

    return made_once(tmp_path_factory, "portrait", make)


def load_picture(path: Path) -> Picture:
    """Read a picture, uint8 [height, width, 3] RGB."""
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def _moved_over(portrait: Picture, before: Picture) -> Iterator[TimedPicture]:
    for n in range(30):
        left = 4 * max(0, n - 10)
        picture = before[:400, 100:500] if n < 10 else portrait[:400, left : left + 400]
        yield n / 10, np.ascontiguousarray(picture)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    """Return the demo's films and uploads, built once for all tests; do not change the files."""
    return made_once(tmp_path_factory, "samples", build_samples)


INSET = (240, 135, 210, 90)  # left, top, width, height in an upload of 480 x 270


def inverted(picture: Picture) -> Picture:
    """Exchange light and dark."""
    return np.asarray(255 - picture, np.uint8)


def _with_inset(ground: Cut, film: Cut, at: float) -> Iterator[TimedPicture]:
    left, top, width, height = INSET
    insets = (resized(width, height)(picture) for _, picture in footage(film))
    for time, picture in footage(ground):
        shown = resized(480, 270)(picture)
        inset = next(insets, None) if time > at - 1e-6 else None
        if inset is not None:
            shown[top : top + height, left : left + width] = inset
        yield time, shown


@pytest.fixture(scope="session")
def hidden_copies(
    samples: SampleSet, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Sample]:
    """Return copies of a film that are hard to see, by what was done.

    `inset`, `brief inset` (gone before the upload ends) and `inverted`.
    """

    def make(folder: Path) -> dict[str, Sample]:
        film = next(path for path in samples.films if path.stem == "bikes")
        slides = next(s.path for s in samples.uploads if s.path.stem == "holiday-slides")
        inset, negative = folder / "inset.mp4", folder / "inverted.mp4"
        brief = folder / "brief-inset.mp4"
        write_clip(inset, _with_inset(Cut(slides, 0, 10), Cut(film, 2, 8), at=4.0))
        write_clip(brief, _with_inset(Cut(slides, 0, 10), Cut(film, 2, 4.5), at=1.0))
        write_clip(negative, footage(Cut(film, 2, 8, (inverted, resized(480, 204)))))
        where = "in a corner"
        return {
            "inset": Sample(inset, 10.0, (PlantedCopy("bikes", 4, 10, 2, 8, where),)),
            "brief inset": Sample(brief, 10.0, (PlantedCopy("bikes", 1, 3.5, 2, 4.5, where),)),
            "inverted": Sample(negative, 6.0, (PlantedCopy("bikes", 0, 6, 2, 8, "inverted"),)),
        }

    return made_once(tmp_path_factory, "hidden", make)


_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
_CLIP_PREPROCESSING = {
    "mean": [0.48, 0.46, 0.41],
    "std": [0.27, 0.26, 0.28],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small CLIP with random weights, as open_clip loads it with `local-dir:`."""
    return _save_clip(tmp_path_factory.mktemp("clip"), seed=0, width=32)


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of another such CLIP: its weights are others, and its vectors wider."""
    return _save_clip(tmp_path_factory.mktemp("other-clip"), seed=1, width=48)


def _save_clip(folder: Path, seed: int, width: int) -> Path:
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    config = {**_CLIP, "embed_dim": width}
    model = open_clip.CLIP(**config)
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    whole = {"model_cfg": config, "preprocess_cfg": _CLIP_PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    return folder
