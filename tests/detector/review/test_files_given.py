from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.review.errors import NotFoundError
from detector.review.uploads import (
    QUERIES,
    UPLOADS,
    Upload,
    discard,
    keep,
    lies_in,
    name_of,
    new_path,
    safe_name,
    sweep,
)

DIGEST = "a" * 64
HOUR_S = 3600


def an_upload(home: Path, name: str = "clip.mp4", content: bytes = b"film") -> Upload:
    path = new_path(home, name)
    path.write_bytes(content)
    return Upload(path, name, DIGEST, len(content))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../../etc/passwd", "passwd"),
        ("C:\\Users\\eve\\heat.mkv", "heat.mkv"),
        ("/", "upload"),
        ("..", "upload"),
        ("", "upload"),
        (None, "upload"),
        ("a" * 500 + ".mp4", "a" * 196 + ".mp4"),
    ],
)
def test_of_a_name_the_last_part_is_kept_for_people(given: str | None, name: str) -> None:
    assert name_of(given) == name


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "-rf",
        "a/b.mp4",
        "a\0b.mp4",
        "con.mp4",
        "\u202egpj.mp4",
        ".htaccess",
        "x" * 999,
        "äöü",
        "%s",
    ],
)
def test_names_of_files_are_made_of_what_is_harmless(tmp_path: Path, name: str) -> None:
    safe = safe_name(name)
    assert safe.isascii()
    assert safe.isprintable()
    assert safe[0].isalnum()
    assert len(safe) <= 90
    assert (tmp_path / safe).parent == tmp_path
    assert new_path(tmp_path, name).parent == tmp_path / QUERIES


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("clip.MP4", ".mp4"),
        ("clip", ""),
        ("clip.mp4/..", ""),
        ("a.m\0p4", ""),
        ("a.averylongone", ""),
    ],
)
def test_the_suffix_is_kept_if_it_looks_like_one(tmp_path: Path, name: str, suffix: str) -> None:
    assert new_path(tmp_path, name).suffix == suffix


def test_a_kept_file_has_a_folder_of_its_content(tmp_path: Path) -> None:
    upload = an_upload(tmp_path, "Heat (1995).mp4")
    kept = keep(upload, tmp_path, UPLOADS)
    assert kept.path == tmp_path / "uploads" / DIGEST / "Heat_1995.mp4"
    assert kept.was_moved
    assert not upload.path.exists()
    assert lies_in(kept.path, tmp_path, UPLOADS)
    assert not lies_in(kept.path, tmp_path, "library")
    discard(kept.path)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_the_same_file_again_keeps_its_first_name(tmp_path: Path) -> None:
    first = keep(an_upload(tmp_path, "first.mp4"), tmp_path, UPLOADS)
    again = an_upload(tmp_path, "second.mp4")
    assert keep(again, tmp_path, UPLOADS) == (first.path, False)
    assert again.path.exists()


def test_what_was_deleted_meanwhile_cannot_be_kept(tmp_path: Path) -> None:
    upload = an_upload(tmp_path)
    upload.path.unlink()
    with pytest.raises(NotFoundError, match="send it again"):
        keep(upload, tmp_path, UPLOADS)


def test_what_a_killed_desk_has_left_is_swept_and_nothing_younger(tmp_path: Path) -> None:
    old, new = an_upload(tmp_path), an_upload(tmp_path)
    copies = old.path.with_name(f"{old.path.name}.playable")
    copies.mkdir()
    (copies / "copy.mp4").write_bytes(b"film")
    before = new.path.stat().st_mtime - 7 * HOUR_S
    for path in (old.path, copies):
        os.utime(path, (before, before))
    assert sweep(tmp_path) == 2
    assert list((tmp_path / QUERIES).iterdir()) == [new.path]
    assert sweep(tmp_path / "nowhere") == 0
