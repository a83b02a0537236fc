"""A real Milvus on this machine, started and ended as tests and benchmarks like.

It binds its ports on all interfaces whatever it is told, so it only starts in a network of its own
(`scripts/test` makes one): where nobody else could reach it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

PORT = 19530
_PATIENCE_S, _TRIES = 60.0, 8
_ASKED_S = 5.0
_SERVE = """
import signal, sys
from milvus import default_server
default_server.set_base_dir(sys.argv[1])
default_server.start()
signal.pause()
"""


def why_no_milvus() -> str | None:
    """Say why no Milvus can be started here; None if it can."""
    try:
        import milvus  # noqa: F401
        import pymilvus  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed: `pip install -e .[cluster-test]`"
    if {name for _, name in socket.if_nameindex()} != {"lo"}:
        return "Milvus would listen to other machines: `scripts/test` runs this in a network alone"
    return None


class MilvusProcess:
    """A standalone Milvus that keeps its data in a folder."""

    url = f"milvus://127.0.0.1:{PORT}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if _is_open():
            raise RuntimeError(f"something else listens on port {PORT} of this network")
        self._folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            with (self._folder / "server.log").open("a") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _SERVE, str(self._folder)],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            deadline = time.monotonic() + _PATIENCE_S
            while time.monotonic() < deadline and self._process.poll() is None:
                if _answers():
                    return
                time.sleep(0.2)
            # After a hard kill this version may lose its own etcd as it starts, and hang.
            self.kill()
        raise RuntimeError((self._folder / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        """End it as a supervisor would: it is asked first, and not for long."""
        process, self._process = self._process, None
        if process is None:
            return
        # Who is not asked stays in its own books as running, for minutes after it is back.
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(_ASKED_S)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while _is_open():
            time.sleep(0.1)


def _is_open() -> bool:
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", PORT)) == 0


def _answers() -> bool:
    from index.errors import VectorServiceError
    from index.milvus_server import server_version
    from index.vector_service import VectorService

    try:
        return _is_open() and bool(server_version(VectorService(MilvusProcess.url), 5))
    except VectorServiceError:
        return False
