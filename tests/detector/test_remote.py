"""Films on servers: what is not needed is not fetched, and a server that fails is told in words."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from detector.batch import Batch
from detector.decoding.wire import BrokenWireError
from detector.descriptors import Descriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.inputs import InputError, Source, digest_of, expand
from detector.media import (
    Limits,
    Sampler,
    UnreadableMediaError,
    first_frame,
    grab,
    grab_run,
    is_playable,
    is_still,
    probe,
    reading,
    write_playable,
)
from detector.pipeline import enroll, scan
from detector.remote import RemoteFile, UnreachableError, answered
from detector.samples import SampleSet, write_clip
from detector.settings import Settings
from detector.types import Channel, Mode, ScanResult, Status
from index.reference_index import ReferenceIndex
from tests.film_server import FilmServer, serving

WEB = ("http",)
SECONDS = 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a long clip in several containers, and a photo."""
    folder = tmp_path_factory.mktemp("films")
    noise = np.random.default_rng(5).integers(0, 255, (144, 256 + 3000, 3), np.uint8)
    frames = ((n / 25, noise[:, 3 * n % 3000 :][:, :256]) for n in range(25 * SECONDS))
    write_clip(folder / "end.mp4", frames, gop=50)
    rewrap(folder / "end.mp4", folder / "front.mp4", movflags="faststart")
    rewrap(folder / "end.mp4", folder / "film.mkv")
    rewrap(folder / "end.mp4", folder / "film.ts")
    rewrap(folder / "end.mp4", folder / "pieces.mp4", movflags="frag_keyframe+empty_moov")
    cv2.imwrite(str(folder / "photo.jpg"), noise[:100, :100])
    (folder / "empty.mp4").touch()
    (folder / "letter.mp4").write_text("Dear Sir or Madam")
    return folder


def rewrap(path: Path, copy: Path, **options: str) -> None:
    with av.open(path) as source, av.open(copy, "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)


@pytest.fixture
def server(folder: Path) -> Iterator[FilmServer]:
    with serving(folder) as server:
        yield server


def sampled(media: Any, rate: float = 2.0, **options: Any) -> list[tuple[float, bytes]]:
    return [(one.time, one.image.tobytes()) for one in Sampler(media, rate, **options)]


LOOKS = {
    "probe": probe,
    "grab": partial(grab, times=[SECONDS - 1.0, 12.3]),
    "grab_run": partial(grab_run, times=[20.0, 20.5, 21.0]),
    "sampled": sampled,
    "sampled seldom": partial(sampled, rate=0.5),
    "sampled in part": partial(sampled, rate=8.0, windows=[(10.0, 12.0), (40.0, 44.0)]),
    "first frame": partial(first_frame, short_side=100),
    "playable": is_playable,
    "still": is_still,
}


@pytest.mark.parametrize("name", ["end.mp4", "front.mp4", "film.mkv", "film.ts", "pieces.mp4"])
@pytest.mark.parametrize("look", LOOKS)
def test_a_film_on_a_server_looks_the_same(
    name: str, look: str, folder: Path, server: FilmServer
) -> None:
    with Source(server.url(name)).opened(WEB) as media:
        assert isinstance(media, RemoteFile)
        seen, there = LOOKS[look](media), LOOKS[look](folder / name)
    assert str(seen) == str(there) if isinstance(seen, list) else np.all(seen == there)


def test_a_picture_on_a_server_looks_the_same(folder: Path, server: FilmServer) -> None:
    with Source(server.url("photo.jpg")).opened(WEB) as media:
        assert is_still(media)
        assert np.array_equal(first_frame(media, 80), first_frame(folder / "photo.jpg", 80))


@pytest.mark.parametrize("name", ["end.mp4", "front.mp4"])
@pytest.mark.parametrize(
    ("look", "share"), [("grab", 0.3), ("sampled seldom", 0.5), ("sampled in part", 0.6)]
)
def test_what_is_not_needed_of_a_long_film_is_not_fetched(
    name: str, look: str, share: float, folder: Path, server: FilmServer
) -> None:
    size = (folder / name).stat().st_size
    with Source(server.url(name)).opened(WEB) as media:
        LOOKS[look](media)
    assert server.sent < share * size


def test_a_film_is_read_through_once(folder: Path, server: FilmServer) -> None:
    size = (folder / "front.mp4").stat().st_size
    with Source(server.url("front.mp4")).opened(WEB) as media:
        sampled(media)
    assert size * 0.9 < server.sent < size * 1.1


def test_a_copy_for_browsers_is_the_same(folder: Path, server: FilmServer, tmp_path: Path) -> None:
    with Source(server.url("film.mkv")).opened(WEB) as media:
        list(write_playable(media, tmp_path / "far.mp4"))
    list(write_playable(folder / "film.mkv", tmp_path / "near.mp4"))
    assert (tmp_path / "far.mp4").read_bytes() == (tmp_path / "near.mp4").read_bytes()


def test_a_digest_is_that_of_the_file(folder: Path, server: FilmServer) -> None:
    with Source(server.url("end.mp4")).opened(WEB) as media:
        assert digest_of(media) == digest_of(folder / "end.mp4")


@pytest.mark.parametrize(
    ("name", "words"), [("empty.mp4", "the file is empty"), ("letter.mp4", "not a video")]
)
def test_what_is_no_video_is_told_as_of_a_local_file(
    name: str, words: str, server: FilmServer
) -> None:
    with (
        Source(server.url(name)).opened(WEB) as media,
        pytest.raises(UnreadableMediaError, match=words),
    ):
        probe(media)


def test_of_a_server_that_knows_no_parts_the_whole_is_copied(folder: Path) -> None:
    with serving(folder, ranges=False) as server:
        with Source(server.url("end.mp4")).opened(WEB) as path:
            assert isinstance(path, Path)
            assert path.read_bytes() == (folder / "end.mp4").read_bytes()
            assert path.suffix == ".mp4"
        assert not path.exists()


def test_the_copy_is_removed_after_an_error_too(folder: Path) -> None:
    def fail(url: str) -> None:
        with Source(url).opened(WEB) as path:
            copies.append(path)
            raise RuntimeError("scan failed")

    copies: list[Any] = []
    with serving(folder, ranges=False) as server, pytest.raises(RuntimeError):
        fail(server.url("end.mp4"))
    assert not copies[0].exists()


def test_the_state_changes_with_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"one")
    with serving(tmp_path) as server:
        source = Source(server.url("a.mp4"))
        before = source.state(WEB)
        assert source.state(WEB) == before
        (tmp_path / "a.mp4").write_bytes(b"two")
        os.utime(tmp_path / "a.mp4", ns=(10**18, 10**18))
        assert source.state(WEB) != before


# --- servers that fail --------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.mp4", "gone.mp4"])
def test_a_server_that_is_not_there_or_has_no_such_file(url: str, server: FilmServer) -> None:
    source = Source(url if "://" in url else server.url(url))
    for use in (source.state, lambda p: source.opened(p).__enter__()):
        with pytest.raises(InputError, match=r"Connect call failed|Not Found"):
            use(WEB)


def test_a_server_that_ends_midway_ends_the_film(server: FilmServer) -> None:
    """What came before tells nothing of the film: with the server back, it may be read whole."""
    server.most = 1 << 20
    with Source(server.url("front.mp4")).opened(WEB) as media:
        sampler = Sampler(media, 2.0)
        with pytest.raises(UnreachableError, match="did not send what was asked for"):
            list(sampler)
        with pytest.raises(UnreachableError):  # and is not asked again
            grab(media, [SECONDS - 1.0])
    server.most = None
    with Source(server.url("front.mp4")).opened(WEB) as media:
        assert probe(media).width == 256


def test_a_connection_that_breaks_is_made_again(folder: Path, server: FilmServer) -> None:
    server.most = 1 << 20
    server.breaks = 2  # and then it may send again
    with Source(server.url("front.mp4")).opened(WEB) as media:
        assert sampled(media) == sampled(folder / "front.mp4")
    assert server.breaks == 0


def test_a_server_that_says_nothing_is_left(server: FilmServer) -> None:
    server.most, server.is_silent = 1 << 20, True
    with Source(server.url("front.mp4")).opened(WEB) as media:
        assert isinstance(media, RemoteFile)
        hasty = RemoteFile(media._file, media.name, media.size, patience=0.3)
        with pytest.raises(UnreachableError, match="the server sent nothing for 0 s"):
            sampled(hasty)


class SlowFile:
    """A file that keeps whoever reads it waiting."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.file = path.open("rb")
        self.seek, self.close = self.file.seek, self.file.close
        self.seconds = seconds

    def read(self, size: int) -> bytes:
        threading.Event().wait(self.seconds)
        return self.file.read(size)


def test_the_time_that_a_server_takes_is_no_silence_of_the_decoder(folder: Path) -> None:
    path = folder / "front.mp4"
    probe(path)  # there is a decoder
    slow = RemoteFile(SlowFile(path, 0.4), "slow.mp4", path.stat().st_size)
    assert probe(slow, Limits(silence=0.3)) == probe(path)
    slow.close()


class ShrunkFile(SlowFile):
    """A file of which there is less than was said."""

    def read(self, size: int) -> bytes:
        return self.file.read(size)[:100]


def test_a_server_that_sends_less_than_it_said(folder: Path) -> None:
    path = folder / "front.mp4"
    shrunk = RemoteFile(ShrunkFile(path, 0), "shrunk.mp4", path.stat().st_size)
    with pytest.raises(UnreachableError, match="less than it had announced"):
        probe(shrunk)
    with pytest.raises(InputError, match="less than it had announced"):
        digest_of(shrunk)
    shrunk.close()


@pytest.mark.parametrize(
    "wanted", [None, [0], [-1, 10], [0, 0], [1 << 40, 10], ["0", 10], [0.0, 1], {"path": "/etc"}]
)
def test_a_child_gets_nothing_but_parts_of_the_file(wanted: object, folder: Path) -> None:
    path = folder / "front.mp4"
    with path.open("rb") as file:
        media = RemoteFile(file, "front.mp4", path.stat().st_size)
        with pytest.raises(BrokenWireError, match="asks for what is not there"):
            reading._part(media, wanted)
        assert reading._part(media, [4, 4]) == b"ftyp"
    with pytest.raises(BrokenWireError):
        reading._part(path, [4, 4])  # a local file is not read for it


def test_a_child_is_given_no_keys(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("MATCHCUT_PEOPLE_KEY", "hush")
    reading._pool.close()
    with (folder / "front.mp4").open("rb"):
        child = reading._pool.take()
    environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    child.close()
    assert b"hush" not in environment
    assert b"PYTHONPATH=" in environment


def test_whoever_asks_gets_the_error() -> None:
    def fail() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        answered(fail)


# --- works and uploads ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def descriptors() -> dict[Channel, Descriptor]:
    return {Channel.COPY: SscdDescriptor(size=224)}


@pytest.fixture
def settings() -> Settings:
    return Settings(copy_size=224, protocols="file,http")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(tmp_path / "home") as index:
        yield index


def without_names(result: ScanResult) -> dict[str, object]:
    return {
        name: getattr(result, name)
        for name in ("query_id", "status", "reason", "duration", "flags", "frames")
    }


def test_a_work_at_an_address_is_found_and_verified(
    samples: SampleSet,
    index: ReferenceIndex,
    descriptors: dict[Channel, Descriptor],
    settings: Settings,
) -> None:
    film = next(path for path in samples.films if path.stem == "bikes")
    upload = next(one.path for one in samples.uploads if one.path.stem == "bikes-cropped")
    with serving(film.parent) as films, serving(upload.parent) as uploads:
        url = films.url(film.name)
        work = enroll(Source(url), index, descriptors, settings).work
        assert (work.id, work.source, work.digest) == ("bikes", url, digest_of(film))
        local = scan(Source(str(upload)), index, descriptors, settings)
        there = Source(uploads.url(upload.name))
        assert without_names(scan(there, index, descriptors, settings)) == without_names(local)
    (flag,) = local.flags
    assert all(one.evidence.confirmed is not None for one in flag.match.segments)
    assert any("cropped" in edit for one in flag.match.segments for edit in one.edits)

    # Without the film's server nothing is concluded, as when a local film is gone.
    (later,) = scan(Source(str(upload)), index, descriptors, settings).flags
    assert later.match.ref_id == "bikes"
    assert all(one.evidence.confirmed is None for one in later.match.segments)


def test_an_address_of_the_web_is_read_only_if_that_is_allowed(
    samples: SampleSet, index: ReferenceIndex, descriptors: dict[Channel, Descriptor]
) -> None:
    film, settings = samples.films[0], Settings(copy_size=224)
    with serving(film.parent) as server:
        source = Source(server.url(film.name))
        with pytest.raises(InputError, match=r"http:// are not read.*MATCHCUT_PROTOCOLS="):
            enroll(source, index, descriptors, settings)
        result = scan(source, index, descriptors, settings)
        assert result.status is Status.UNREADABLE
        assert "MATCHCUT_PROTOCOLS=" in (result.reason or "")
        assert server.sent == 0


def test_a_fast_scan_fetches_a_part_of_a_long_upload(
    folder: Path,
    server: FilmServer,
    index: ReferenceIndex,
    descriptors: dict[Channel, Descriptor],
    settings: Settings,
) -> None:
    fast = settings.model_copy(update={"mode": Mode.FAST})
    sizes = [(folder / name).stat().st_size for name in ("front.mp4", "end.mp4")]
    sources = [Source(server.url(name)) for name in ("front.mp4", "end.mp4")]
    results = list(Batch(index, descriptors, fast).run(sources))
    assert server.sent < 0.75 * sum(sizes)
    for result, name in zip(results, ("front.mp4", "end.mp4"), strict=True):
        local = scan(Source(str(folder / name)), index, descriptors, fast)
        assert without_names(result) == without_names(local)


def test_an_upload_whose_server_ends_midway_is_scanned_again(
    server: FilmServer,
    index: ReferenceIndex,
    descriptors: dict[Channel, Descriptor],
    settings: Settings,
) -> None:
    source = Source(server.url("front.mp4"))
    server.most = 1 << 20
    (result,) = Batch(index, descriptors, settings, resume=True).run([source])
    assert (result.status, result.fault) == (Status.UNREADABLE, None)
    assert "the server did not send what was asked for" in (result.reason or "")
    server.most = None
    (result,) = Batch(index, descriptors, settings, resume=True).run([source])
    assert result.status is Status.OK


# --- S3 ---------------------------------------------------------------------------------------


@pytest.fixture
def bucket(folder: Path, s3: Any) -> tuple[str, Callable[[str, bytes], None]]:
    """Return the address of a bucket with the films, and what puts another object into it."""
    s3.create_bucket(Bucket="films")

    def put(name: str, content: bytes) -> None:
        s3.put_object(Bucket="films", Key=name, Body=content)

    for name in ("week 1/front.mp4", "week 1/film.mkv"):
        put(name, (folder / Path(name).name).read_bytes())
    put("week 1/notes.txt", b"notes")
    return "s3://films", put


def test_uploads_in_a_bucket_of_s3(
    bucket: tuple[str, Callable[[str, bytes], None]],
    folder: Path,
    index: ReferenceIndex,
    descriptors: dict[Channel, Descriptor],
) -> None:
    address, put = bucket
    sources = expand([address])
    assert [one.name for one in sources] == [
        "s3://films/week 1/film.mkv",
        "s3://films/week 1/front.mp4",
    ]
    for source in sources:
        with source.opened() as media:
            assert isinstance(media, RemoteFile)
            assert str(sampled(media)) == str(sampled(folder / Path(source.name).name))
    settings = Settings(copy_size=224, mode=Mode.FAST)
    results = Batch(index, descriptors, settings).run(sources)
    assert [one.status for one in results] == [Status.OK, Status.OK]

    before = sources[0].state()
    put("week 1/film.mkv", b"other")
    assert sources[0].state() != before
    with pytest.raises(InputError, match="no such file"):
        Source(f"{address}/gone.mp4").state()


def test_a_film_that_is_replaced_while_it_is_read_is_not_mixed_with_the_other(
    bucket: tuple[str, Callable[[str, bytes], None]], folder: Path
) -> None:
    address, put = bucket
    with Source(f"{address}/week 1/front.mp4").opened() as media:
        frames = iter(Sampler(media, 2.0))
        next(frames)
        put("week 1/front.mp4", (folder / "end.mp4").read_bytes())
        with pytest.raises(UnreachableError):
            list(frames)


@pytest.mark.parametrize(
    ("module", "address"), [("s3fs", "s3://films/a.mp4"), ("aiohttp", "http://films/a.mp4")]
)
def test_where_a_package_is_missing_the_remedy_is_told(
    module: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    known = sys.modules["fsspec.registry"]._registry  # what was found before
    for protocol in ("s3", "http"):
        monkeypatch.delitem(known, protocol, raising=False)
    with pytest.raises(InputError, match=rf"{module}.*`pip install matchcut\[remote\]`"):
        Source(address).state(("s3", "http"))
