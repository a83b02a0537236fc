"""A web server on this machine that serves a folder's files, by parts of them or only whole."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FilmServer(ThreadingHTTPServer):
    """Serves the files of a folder under their names.

    Attributes
    ----------
    ranges
        Whether it knows how to send a part of a file.
    sent
        Bytes of files that it has sent.
    most
        After so many it says nothing any more, or breaks the connection; None: never.
    is_silent
        Which of the two.
    breaks
        After it has broken so many connections it sends all again; 0: it never does.
    """

    daemon_threads = True

    def __init__(self, folder: Path, *, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.ranges = ranges
        self.sent = 0
        self.most: int | None = None
        self.is_silent = False
        self.breaks = 0
        self.lock = threading.Lock()
        self.over = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where somebody hangs up."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def may_send(self, count: int) -> bool:
        with self.lock:
            if self.most is None or self.sent + count <= self.most:
                self.sent += count
                return True
            if self.breaks:
                self.breaks -= 1
                self.most = self.most if self.breaks else None
            return False


class _Handler(BaseHTTPRequestHandler):
    server: FilmServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        if self.server.over.is_set():  # its connections outlive it
            self.close_connection = True
            return
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, end = 0, len(content)
        if asked is not None and self.server.ranges:
            start, end = int(asked[1]), min(int(asked[2]) + 1, len(content))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Content-Type", "video/mp4")
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        self.end_headers()
        if with_body:
            self._send(content[start:end])

    def _send(self, content: bytes) -> None:
        for first in range(0, len(content), 1 << 14):
            part = content[first : first + (1 << 14)]
            if not self.server.may_send(len(part)):
                if self.server.is_silent:
                    self.server.over.wait()
                self.close_connection = True
                return
            try:
                self.wfile.write(part)
            except OSError:  # whoever asked has gone
                self.close_connection = True
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(folder: Path, *, ranges: bool = True) -> Iterator[FilmServer]:
    server = FilmServer(folder, ranges=ranges)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
