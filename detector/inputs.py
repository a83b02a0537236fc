"""What the user names on the command line: files, folders and URLs, one source per video."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

from detector.remote import (
    PATIENCE,
    Media,
    RandomAccess,
    RemoteFile,
    UnreachableError,
    answered,
    in_words,
)
from index.files import file_digest

PROTOCOLS = ("file", "s3", "gs", "gcs", "az", "abfs")  # of addresses that may be read

_WEB = ("http", "https")
_IN_REMOTE = frozenset({*_WEB, "s3", "gs", "gcs"})  # whose packages `matchcut[remote]` brings
_PART = 1 << 22  # bytes read at a time
_MARKS = ("size", "ETag", "Content-MD5", "Digest", "Last-Modified")

# What a folder of uploads holds besides videos. A type that is not known is taken for a video: an
# upload may have any name, and passing over one in silence would be worse than a line in the log.
_NO_VIDEO = ("audio/", "image/", "text/", "font/")
_NO_VIDEO_SUFFIXES = frozenset(
    {
        *(".csv", ".db", ".doc", ".docx", ".exe", ".gz", ".htm", ".html", ".json", ".jsonl"),
        *(".md", ".nfo", ".part", ".pdf", ".py", ".sqlite", ".srt", ".tar", ".toml", ".txt"),
        *(".vtt", ".xml", ".yaml", ".yml", ".zip"),
    }
)
_VIDEO_SUFFIXES = frozenset({".ts", ".mts", ".m2ts", ".gif"})  # which `mimetypes` misjudges


class InputError(Exception):
    """A file or address cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """One video, by the path or URL under which it was found."""

    name: str

    @property
    def stem(self) -> str:
        """The file's name without folder and suffix: its id in results."""
        return PurePosixPath(self.name.replace(os.sep, "/")).stem

    @property
    def is_url(self) -> bool:
        return "://" in self.name

    @property
    def address(self) -> str:
        """Where it will be found again from any folder: its URL, or the whole path."""
        return self.name if self.is_url else str(Path(self.name).absolute())

    def state(self, protocols: Collection[str] = PROTOCOLS) -> str:
        """Return what changes when the content does: size and time, or the server's own mark.

        Parameters
        ----------
        protocols
            Those that an address may have.

        Raises
        ------
        InputError
            When there is no such file, or its server does not answer.
        """
        with input_errors(self.name):
            if self.is_url:
                return _mark_of(*_filesystem(self.name, protocols))
            stat = Path(self.name).stat()
            return f"{stat.st_size}-{stat.st_mtime_ns}"

    def state_if_there(self, protocols: Collection[str] = PROTOCOLS) -> str | None:
        """Return the same; None where there is no such file."""
        try:
            return self.state(protocols)
        except InputError:
            return None

    @contextmanager
    def opened(self, protocols: Collection[str] = PROTOCOLS) -> Iterator[Media]:
        """Give the video: a local file, or one on a server that is read piece by piece.

        Where a server cannot send a part of a file, it is a copy of the whole, which is removed
        afterwards.

        Parameters
        ----------
        protocols
            Those that an address may have.

        Raises
        ------
        InputError
            When it cannot be had.
        """
        remote = None
        with input_errors(self.name):
            filesystem, path = open_filesystem(self.name, protocols)
            if filesystem is None:
                local = Path(path)
                if not local.is_file():  # a device or a pipe could block for ever
                    raise InputError("not a file" if local.exists() else "no such file")
            else:
                remote = _remote(filesystem, path, self.name)
        if filesystem is None:
            yield local
        elif remote is not None:
            with closing(remote):
                yield remote
        else:
            with tempfile.TemporaryDirectory(prefix="matchcut-") as folder:
                local = Path(folder) / f"download{PurePosixPath(self.name).suffix}"
                with input_errors(self.name):
                    _copy(filesystem, path, local)
                yield local


def digest_of(media: Media) -> str:
    """Return the SHA-256 of a file, of which one on a server is read as a whole.

    Raises
    ------
    InputError
        It cannot be read.
    """
    if not isinstance(media, RemoteFile):
        with input_errors(str(media)):
            return file_digest(media)
    digest = hashlib.sha256()
    place = 0
    try:
        while place < media.size:
            part = media.read(place, _PART)
            digest.update(part)
            place += len(part)
    except UnreachableError as error:
        raise InputError(str(error)) from error
    return digest.hexdigest()


def expand(
    names: Iterable[str], protocols: Collection[str] = PROTOCOLS, *, pictures: bool = False
) -> list[Source]:
    """Return a source for every file named and every video in the folders named, without repeats.

    Folders are read recursively, in order of name, without hidden files, without files that are no
    video by their type, and without links that lead out of the folder.

    Parameters
    ----------
    protocols
        Those that an address may have.
    pictures
        Whether pictures in folders are wanted, too.

    Raises
    ------
    InputError
        When a folder or address cannot be listed.
    """
    found: dict[str, None] = {}
    for name in names:
        if "://" in name:
            found.update(dict.fromkeys(_expand_url(name, protocols, pictures)))
        elif Path(name).is_dir():
            found.update(dict.fromkeys(_walk(Path(name), pictures)))
        else:
            found[name] = None  # if it cannot be read, that is reported with its reason
    return [Source(name) for name in found]


def _walk(root: Path, pictures: bool) -> Iterator[str]:
    inside = root.resolve()

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: {error.strerror}")

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(files):
            path = Path(folder) / file
            if file.startswith(".") or not _is_wanted(file, pictures):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                continue
            yield str(path)


def _is_wanted(name: str, pictures: bool) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _VIDEO_SUFFIXES:
        return True
    kind = mimetypes.guess_type(name)[0] or ""
    if pictures and kind.startswith("image/"):
        return True
    return suffix not in _NO_VIDEO_SUFFIXES and not kind.startswith(_NO_VIDEO)


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _expand_url(name: str, protocols: Collection[str], pictures: bool) -> list[str]:
    check_protocol(name, protocols)
    if _protocol_of(name) in _WEB and not name.endswith("/"):
        return [name]  # to ask whether it is a folder would be to fetch it
    paths = [name]
    with input_errors(name):
        filesystem, path = _filesystem(name, protocols)
        if filesystem.isdir(path):
            found = sorted(filesystem.find(path))
            paths = [
                filesystem.unstrip_protocol(file)
                for file in found
                if _is_wanted(file, pictures) and not _is_hidden(file[len(path) :])
            ]
    return paths


# --- servers ----------------------------------------------------------------------------------


def check_protocol(name: str, protocols: Collection[str] = PROTOCOLS) -> None:
    """Refuse an address that has a protocol which is not allowed.

    Raises
    ------
    InputError
        The text says how to allow it.
    """
    for part in name.split("::"):  # "simplecache::https://..." is read by both
        protocol = _protocol_of(part)
        if protocol not in protocols:
            raise InputError(
                f"addresses that begin with {protocol}:// are not read unless they are allowed: "
                f"MATCHCUT_PROTOCOLS={','.join([*protocols, protocol])}"
            )


def _protocol_of(name: str) -> str:
    return name.partition("://")[0].lower()


def _names_of(filesystem: Any) -> tuple[str, ...]:
    names = filesystem.protocol
    return (names,) if isinstance(names, str) else tuple(names)


def open_filesystem(name: str, protocols: Collection[str]) -> tuple[Any, str]:
    """Return what fsspec reads an address with, and the path in it; None for this machine's files.

    Raises
    ------
    InputError
        The protocol is not allowed; for other errors see `input_errors`.
    """
    if "://" not in name:
        return None, name
    filesystem, path = _filesystem(name, protocols)
    return None if "file" in _names_of(filesystem) else filesystem, path


def _filesystem(name: str, protocols: Collection[str]) -> tuple[Any, str]:
    """Return what reads an address, and the path in it."""
    check_protocol(name, protocols)
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False}  # what is new is to be seen
    if _protocol_of(name) in _WEB:
        import aiohttp

        # By default five minutes in all, which is not enough for a film.
        limit = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=PATIENCE)
        options["client_kwargs"] = {"timeout": limit}
    return cast(tuple[Any, str], fsspec.core.url_to_fs(name, **options))


def _mark_of(filesystem: Any, path: str) -> str:
    """Return a server's own mark of a file's content."""
    if not set(_WEB).intersection(_names_of(filesystem)):
        return str(answered(lambda: filesystem.ukey(path)))
    info = answered(lambda: filesystem.info(path))  # by its `ukey` no page ever changes
    marks = repr([info.get(name) for name in _MARKS])
    return hashlib.sha256(marks.encode()).hexdigest()


def _remote(filesystem: Any, path: str, name: str) -> RemoteFile | None:
    """Open a file on a server; None if the server gives it only as a whole."""
    file = answered(lambda: filesystem.open(path, "rb", cache_type="none"))
    size = getattr(file, "size", None)
    try:
        if size is None:
            raise ValueError("its size is not known")
        if size:  # who does not know ranges would send all of it
            answered(lambda: (file.seek(size - 1), file.read(1)))
    except ValueError:
        file.close()
        return None
    return RemoteFile(cast(RandomAccess, file), name, size)


def _copy(filesystem: Any, path: str, copy: Path) -> None:
    with answered(lambda: filesystem.open(path, "rb", block_size=0)) as file, copy.open("wb") as to:
        while part := answered(partial(file.read, _PART)):
            to.write(part)


@contextmanager
def input_errors(name: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file or an address into an `InputError` that says why."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(in_words(error)) from error
    except ImportError as error:
        remedy = ": `pip install matchcut[remote]`" if _protocol_of(name) in _IN_REMOTE else ""
        raise InputError(f"{name} cannot be opened: {error}{remedy}") from error
    except Exception as error:
        if "://" not in name and not isinstance(error, ValueError):
            raise
        # The packages that talk to servers have errors of many kinds.
        raise InputError(f"{name} cannot be opened: {in_words(error)}") from error
