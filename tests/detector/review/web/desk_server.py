"""The real desk on a socket of this machine, for tests that come with a browser of their own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI

from detector.review.web.serving import DeskServer

_PATIENCE_S = 60
PATIENCE_MS = 1000 * _PATIENCE_S  # for browsers; what works takes far less, on a busy machine, too


@contextmanager
def running(
    app: FastAPI, certificate: Path | None = None, key: Path | None = None
) -> Iterator[str]:
    """Serve an application on a free port of 127.0.0.1 while the block runs.

    The pages' policy forbids ``eval``: a browser's test waits with Playwright's locators, not with
    ``wait_for_function`` of a text.

    Parameters
    ----------
    certificate, key
        PEM files, for TLS; the application must have been made with ``secure=True`` then.

    Returns
    -------
    Iterator[str]
        The address, such as ``http://127.0.0.1:43210``.
    """
    server = DeskServer(app, certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # who connects now waits their turn
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        scheme = "http" if certificate is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_PATIENCE_S)
            assert not thread.is_alive(), "the server does not end"
