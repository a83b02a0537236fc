from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from detector.inputs import PROTOCOLS, InputError, Source, digest_of, expand
from detector.remote import RemoteFile
from detector.settings import Settings
from index.files import file_digest

WITH_MEMORY = (*PROTOCOLS, "memory")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of uploads, with subfolders and what else lies about."""
    root = tmp_path / "uploads"
    for name in [
        "b.mp4",
        "a.mkv",
        "no-suffix",
        "week 2/late.webm",
        "week 2/early.TS",
        "week 1/dance.gif",
        "week 1/.hidden.mp4",
        ".trash/old.mp4",
        "b.srt",
        "b.json",
        "notes.txt",
        "cover.jpg",
        "song.mp3",
    ]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


@pytest.fixture
def bucket() -> Iterator[str]:
    """Return the address of a bucket, in memory, with the same kinds of files."""
    memory = fsspec.filesystem("memory")
    for name in ["/bucket/b.mp4", "/bucket/a.mkv", "/bucket/deep/c.webm", "/bucket/notes.txt"]:
        memory.pipe_file(name, name.encode())
    yield "memory://bucket"
    memory.rm("/bucket", recursive=True)


def names(sources: list[Source], root: Path) -> list[str]:
    return [str(Path(source.name).relative_to(root)) for source in sources]


# --- folders ----------------------------------------------------------------------------------


def test_a_folder_stands_for_the_videos_in_it_in_order_of_name(folder: Path) -> None:
    assert names(expand([str(folder)]), folder) == [
        "a.mkv",
        "b.mp4",
        "no-suffix",
        "week 1/dance.gif",
        "week 2/early.TS",
        "week 2/late.webm",
    ]


def test_a_file_that_is_named_is_taken_whatever_it_is(folder: Path) -> None:
    named = [str(folder / "notes.txt"), str(folder / "week 1/.hidden.mp4")]
    assert [source.name for source in expand(named)] == named


def test_a_file_that_is_not_there_is_left_to_be_reported(folder: Path) -> None:
    assert expand([str(folder / "gone.mp4")]) == [Source(str(folder / "gone.mp4"))]


def test_files_named_come_in_the_order_they_were_named_and_once(folder: Path) -> None:
    late, early = str(folder / "b.mp4"), str(folder / "a.mkv")
    assert [s.name for s in expand([late, early, late])] == [late, early]
    assert names(expand([late, str(folder)]), folder)[:2] == ["b.mp4", "a.mkv"]


def test_links_that_lead_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "secret.mp4").write_bytes(b"secret")
    (folder / "out.mp4").symlink_to(secret)
    (folder / "outside").symlink_to(tmp_path / "more")
    assert not [name for name in names(expand([str(folder)]), folder) if "out" in name]


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / "again.mp4").symlink_to(folder / "b.mp4")
    assert "again.mp4" in names(expand([str(folder)]), folder)


def test_a_folder_that_links_to_itself_comes_to_an_end(folder: Path) -> None:
    (folder / "round").symlink_to(folder)
    assert len(expand([str(folder)])) == 6


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert expand([str(tmp_path)]) == []


@pytest.mark.parametrize(
    "name", ["a\nb.mp4", "a\tb.mp4", "-rf.mp4", "[red]x[red].mp4", "ü 100%.mp4"]
)
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"odd")
    (source,) = expand([str(tmp_path)])
    assert source.stem == name.removesuffix(".mp4")
    with source.opened() as path:
        assert path.read_bytes() == b"odd"


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"latin")
    (source,) = expand([str(tmp_path)])
    with source.opened() as path:
        assert path.read_bytes() == b"latin"


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("clip.mp4", "clip"),
        ("/a/b/clip.mp4", "clip"),
        ("a.b.mp4", "a.b"),
        ("no-suffix", "no-suffix"),
        ("memory://bucket/deep/clip.webm", "clip"),
    ],
)
def test_the_stem_is_the_name_without_folder_and_suffix(name: str, stem: str) -> None:
    assert Source(name).stem == stem


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    source = Source(str(tmp_path / "gone.mp4"))
    with pytest.raises(InputError, match=r"(?i)no such file"), source.opened():
        pass
    with pytest.raises(InputError, match=r"(?i)no such file"):
        source.state()


def test_what_is_not_a_file_is_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        with pytest.raises(InputError, match="not a file"), Source(str(place)).opened():
            pass


def test_the_state_changes_with_the_content_and_with_the_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    source = Source(str(path))
    path.write_bytes(b"one")
    os.utime(path, ns=(10**18, 10**18))
    first = source.state()
    path.write_bytes(b"three")
    os.utime(path, ns=(10**18, 10**18))
    longer = source.state()
    os.utime(path, ns=(10**18, 10**18 + 1))
    assert len({first, longer, source.state()}) == 3


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film" * 100_000)
    assert file_digest(path) == hashlib.sha256(b"film" * 100_000).hexdigest()


# --- addresses --------------------------------------------------------------------------------


def test_an_address_of_a_folder_stands_for_the_videos_in_it(bucket: str) -> None:
    found = expand([bucket], WITH_MEMORY)
    assert [source.stem for source in found] == ["a", "b", "c"]
    assert all(source.is_url for source in found)


def test_hidden_files_of_a_bucket_are_left_out_too(bucket: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/.hidden.mp4", b"x")
    memory.pipe_file("/bucket/.trash/old.mp4", b"x")
    assert [source.stem for source in expand([bucket], WITH_MEMORY)] == ["a", "b", "c"]


def test_what_an_address_names_is_read_where_it_lies(bucket: str) -> None:
    source = expand([bucket], WITH_MEMORY)[2]
    with source.opened(WITH_MEMORY) as media:
        assert isinstance(media, RemoteFile)
        assert (media.suffix, media.size) == (".webm", len(b"/bucket/deep/c.webm"))
        assert media.read(8, 4) == b"deep"
        assert digest_of(media) == hashlib.sha256(b"/bucket/deep/c.webm").hexdigest()


def test_a_file_address_is_the_file(folder: Path) -> None:
    with Source(f"file://{folder}/b.mp4").opened() as path:
        assert path == folder / "b.mp4"
    assert len(expand([f"file://{folder}"])) == 6


def test_a_file_address_of_what_is_not_a_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with (
        pytest.raises(InputError, match="not a file"),
        Source(f"file://{tmp_path}/pipe.mp4").opened(),
    ):
        pass


def test_the_state_of_an_address_changes_with_its_content(folder: Path) -> None:
    source = Source(f"file://{folder}/b.mp4")
    before = source.state()
    (folder / "b.mp4").write_bytes(b"something longer")
    assert source.state() != before


def test_an_address_that_holds_nothing_is_an_input_error(bucket: str) -> None:
    source = Source(f"{bucket}/gone.mp4")
    with pytest.raises(InputError, match="no such file"), source.opened(WITH_MEMORY):
        pass
    with pytest.raises(InputError, match="no such file"):
        source.state(WITH_MEMORY)


@pytest.mark.parametrize("use", [lambda s, p: s.state(p), lambda s, p: s.opened(p).__enter__()])
def test_an_unknown_protocol_is_an_input_error_that_names_it(use) -> None:
    with pytest.raises(InputError, match="gopher"):
        use(Source("gopher://films/clip.mp4"), ["gopher"])


def test_an_unknown_protocol_cannot_be_expanded() -> None:
    with pytest.raises(InputError, match="gopher"):
        expand(["gopher://films"], ["gopher"])


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("https://films.example/clip.mp4", "https"),
        ("HTTP://films.example/clip.mp4", "http"),
        ("simplecache::s3://films/clip.mp4", "simplecache"),
        ("simplecache::https://films.example/clip.mp4", "simplecache"),
        ("memory://bucket/b.mp4", "memory"),
    ],
)
def test_only_what_is_allowed_is_read_and_the_remedy_is_told(name: str, protocol: str) -> None:
    source = Source(name)
    said = f"{protocol}:// are not read.*MATCHCUT_PROTOCOLS=file,s3,gs,gcs,az,abfs,{protocol}$"
    for use in (source.state, lambda: source.opened().__enter__(), lambda: expand([name])):
        with pytest.raises(InputError, match=said):
            use()


def test_a_part_of_an_address_that_is_not_allowed_is_not_read() -> None:
    allowed = (*PROTOCOLS, "simplecache")
    with pytest.raises(InputError, match="https:// are not read"):
        Source("simplecache::https://films.example/clip.mp4").state(allowed)


def test_protocols_are_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Settings(home=tmp_path).protocols == PROTOCOLS
    (tmp_path / "matchcut.toml").write_text('protocols = ["file", "https"]\n')
    assert Settings(home=tmp_path).protocols == ("file", "https")
    monkeypatch.setenv("MATCHCUT_PROTOCOLS", "s3, HTTPS")
    assert Settings(home=tmp_path).protocols == ("s3", "https")
