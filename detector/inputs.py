"""What the user names on the command line: files, folders and URLs, one source per video."""

from __future__ import annotations

import mimetypes
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from index.files import file_digest

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

    def state(self) -> str:
        """Return what changes when the content does: size and time, or the server's own mark.

        Raises
        ------
        InputError
            When there is no such file.
        """
        with _input_errors(self.name):
            if self.is_url:
                filesystem, path = _filesystem(self.name)
                return str(filesystem.ukey(path))
            stat = Path(self.name).stat()
            return f"{stat.st_size}-{stat.st_mtime_ns}"

    def state_if_there(self) -> str | None:
        """Return the same; None where there is no such file."""
        try:
            return self.state()
        except InputError:
            return None

    @contextmanager
    def local(self) -> Iterator[Path]:
        """Give the video as a local file; that of a URL is a copy which is removed afterwards.

        Raises
        ------
        InputError
            When it cannot be had.
        """
        if not self.is_url:
            path = Path(self.name)
            with _input_errors(self.name):
                if not path.is_file():  # a device or a pipe could block for ever
                    raise FileNotFoundError("no such file" if not path.exists() else "not a file")
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="matchcut-") as folder:
            path = Path(folder) / f"download{PurePosixPath(self.name).suffix}"
            with _input_errors(self.name):
                filesystem, remote = _filesystem(self.name)
                filesystem.get_file(remote, str(path))
            yield path


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a local file; `InputError` where it cannot be read."""
    with _input_errors(str(path)):
        return file_digest(path)


def expand(names: Iterable[str], *, pictures: bool = False) -> list[Source]:
    """Return a source for every file named and every video in the folders named, without repeats.

    Folders are read recursively, in order of name, without hidden files, without files that are no
    video by their type, and without links that lead out of the folder.

    Parameters
    ----------
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
            found.update(dict.fromkeys(_expand_url(name, pictures)))
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


def _expand_url(name: str, pictures: bool) -> list[str]:
    paths = [name]
    with _input_errors(name):
        filesystem, path = _filesystem(name)
        if filesystem.isdir(path):
            found = sorted(filesystem.find(path))
            paths = [
                filesystem.unstrip_protocol(file)
                for file in found
                if _is_wanted(file, pictures) and not _is_hidden(file[len(path) :])
            ]
    return paths


def _filesystem(name: str):  # type: ignore[no-untyped-def]  # fsspec is not typed
    import fsspec

    return fsspec.core.url_to_fs(name)


@contextmanager
def _input_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(error.strerror or str(error)) from error
    except (ValueError, ImportError) as error:  # fsspec: unknown protocol, or its package missing
        raise InputError(f"{name} cannot be opened: {error}") from error
