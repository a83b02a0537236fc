"""Forms with files, read as they come: straight into the workspace, and no more than is allowed.

What a web framework does with files by itself, to put them into the system's temporary folder
first, is nothing for films. An endpoint that takes files has no parameters of the body, so that
nothing is read before it is known who sends it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedWriter

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse, Response
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from detector.review.errors import InvalidError
from detector.review.uploads import Upload, name_of, new_path
from detector.review.web.security import CSRF_HEADER, visitor
from detector.settings import Settings

_MOST_FIELDS = 100
_MOST_TEXT = 1 << 16  # bytes of all fields together
_WRITTEN_AT_ONCE = 1 << 20  # bytes: each time costs a thread
_ROOM = 256 << 20  # bytes that an upload leaves on the disk, so that the desk can go on

_UNREADABLE = "this is no form with files, or it was cut off on its way: send it again"


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """What a form with files held."""

    fields: Mapping[str, tuple[str, ...]]
    files: tuple[Upload, ...]  # in the workspace, and now of whoever asked for them

    def text(self, name: str) -> str:
        """Return a field; "" if it is not there."""
        values = self.fields.get(name, ())
        return values[-1] if values else ""

    def only_file(self) -> Upload:
        """Return the file; `InvalidError` if none was chosen."""
        if not self.files:
            raise InvalidError("choose a file")
        return self.files[0]


@asynccontextmanager
async def receive(
    request: Request, settings: Settings, most_files: int = 1
) -> AsyncIterator[ReceivedForm]:
    """Read a form with files; they are deleted if the block fails.

    Raises
    ------
    InvalidError
        It is no such form, was cut off, or a file is empty; or there are too many files or fields.
    HTTPException
        The files are larger than the settings allow, or there is no room for them.
    """
    receiver = _Receiver(settings, most_files)
    try:
        try:
            _demand_room(request, settings)
            if request.headers.get(CSRF_HEADER) is None and visitor(request).csrf:
                # A browser without scripts: the form was read to see that it is the desk's own.
                await _take_over(request, receiver)
            else:
                await _read(request, receiver)
        except OSError as error:
            raise HTTPException(
                HTTPStatus.INSUFFICIENT_STORAGE, f"the file cannot be stored: {error.strerror}"
            ) from error
        yield receiver.form()
    except BaseException:
        await run_in_threadpool(receiver.discard)
        raise


def is_by_script(request: Request) -> bool:
    """Whether a page's script (``upload.js``) sent a form: it reads JSON, and moves on itself."""
    return request.headers.get("accept", "").startswith("application/json")


def sent_to(request: Request, path: str) -> Response:
    """Send the browser on after a form with files."""
    if is_by_script(request):
        return JSONResponse({"location": path})
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _demand_room(request: Request, settings: Settings) -> None:
    given = request.headers.get("content-length", "")
    settings.home.mkdir(parents=True, exist_ok=True)
    if given.isdecimal() and int(given) + _ROOM > shutil.disk_usage(settings.home).free:
        raise HTTPException(
            HTTPStatus.INSUFFICIENT_STORAGE, "there is no room for it on the desk's disk"
        )


async def _read(request: Request, receiver: _Receiver) -> None:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidError(_UNREADABLE)
    try:
        parser = MultipartParser(boundary, receiver.callbacks())  # type: ignore[arg-type]
        async for chunk in request.stream():
            parser.write(chunk)
            if receiver.pending >= _WRITTEN_AT_ONCE:
                await run_in_threadpool(receiver.write)
        parser.finalize()
    except (FormParserError, ClientDisconnect) as error:
        raise InvalidError(_UNREADABLE) from error
    await run_in_threadpool(receiver.write)
    if not receiver.is_whole:
        raise InvalidError(_UNREADABLE)


async def _take_over(request: Request, receiver: _Receiver) -> None:
    def copy(upload: UploadFile) -> None:
        receiver.begin_file(upload.filename or "")
        upload.file.seek(0)
        while chunk := upload.file.read(_WRITTEN_AT_ONCE):
            receiver.add(chunk)
            receiver.write()
        receiver.end_part()
        receiver.write()

    for name, value in (await request.form()).multi_items():
        if isinstance(value, UploadFile):
            await run_in_threadpool(copy, value)
        else:
            receiver.begin_field(name)
            receiver.add(value.encode("utf-8", "replace"))
            receiver.end_part()


class _File:
    """A file that is being written."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.path = new_path(settings.home, name)
        self.size = 0
        self._digest = hashlib.sha256()
        self._file: BufferedWriter | None = None

    def write(self, data: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("xb")
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def end(self) -> None:
        if self._file is not None:
            self._file.close()

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
        self.path.unlink(missing_ok=True)

    def upload(self) -> Upload:
        return Upload(self.path, self.name, self._digest.hexdigest(), self.size)


class _Receiver:
    """Puts the parts of a form where they belong; what is to be written waits for `write`."""

    def __init__(self, settings: Settings, most_files: int) -> None:
        self._settings = settings
        self._most_files = most_files
        self._files: list[_File] = []
        self._fields: dict[str, list[str]] = {}
        self._part: _File | str | None = None  # the file, or the field's name
        self._text = bytearray()  # of the field
        self._text_size = 0  # bytes of all fields
        self._files_size = 0  # of all files, also of what waits
        self._headers: dict[bytes, bytes] = {}
        self._header = (bytearray(), bytearray())
        self._waiting: list[tuple[_File, bytes | None]] = []  # None: it is complete
        self.pending = 0  # bytes that wait
        self.is_whole = False

    def callbacks(self) -> dict[str, object]:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": lambda data, start, end: self.add(data[start:end]),
            "on_part_end": self.end_part,
            "on_end": self._on_end,
        }

    def begin_file(self, name: str) -> None:
        if not name:  # a field for files in which none was chosen
            self._part = None
            return
        if len(self._files) == self._most_files:
            most = "one file" if self._most_files == 1 else f"at most {self._most_files} files"
            raise InvalidError(f"give {most} at a time")
        self._part = _File(name_of(name), self._settings)
        self._files.append(self._part)

    def begin_field(self, name: str) -> None:
        if sum(map(len, self._fields.values())) == _MOST_FIELDS:
            raise InvalidError("this form has too many fields")
        self._part = name
        self._text.clear()

    def add(self, data: bytes) -> None:
        """Take a piece of the file or field that has begun."""
        if isinstance(self._part, _File):
            self._files_size += len(data)
            self._demand_size()
            self._waiting.append((self._part, data))
            self.pending += len(data)
        elif self._part is not None:
            self._text_size += len(data)
            if self._text_size > _MOST_TEXT:
                raise InvalidError("the fields of this form hold too much text")
            self._text.extend(data)

    def end_part(self) -> None:
        if isinstance(self._part, _File):
            self._waiting.append((self._part, None))
        elif self._part is not None:
            text = self._text.decode("utf-8", "replace").replace("\0", "")
            self._fields.setdefault(self._part, []).append(text)
        self._part = None

    def write(self) -> None:
        """Write what waits."""
        for file, data in self._waiting:
            if data is None:
                file.end()
            else:
                file.write(data)
        self._waiting.clear()
        self.pending = 0

    def form(self) -> ReceivedForm:
        for file in self._files:
            if file.size == 0:
                raise InvalidError(f"{file.name} is empty")
        fields = {name: tuple(values) for name, values in self._fields.items()}
        return ReceivedForm(fields, tuple(file.upload() for file in self._files))

    def discard(self) -> None:
        """Delete what was written."""
        for file in self._files:
            file.discard()

    def _on_part_begin(self) -> None:
        self._headers.clear()
        self._part = None

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        name.clear()
        value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if name is None:
            raise InvalidError(_UNREADABLE)
        if b"filename" in options:
            self.begin_file(options[b"filename"].decode("utf-8", "replace"))
        else:
            self.begin_field(name.decode("utf-8", "replace"))

    def _on_end(self) -> None:
        self.is_whole = True

    def _demand_size(self) -> None:
        most = self._settings.review_upload_limit
        if self._files_size > most:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"this is larger than the {most / 1e9:.3g} GB that are taken at a time: set "
                "MATCHCUT_REVIEW_UPLOAD_LIMIT, or use the command line",
            )
