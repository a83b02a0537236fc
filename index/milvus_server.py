"""A Milvus server that may be away for a while: restarted, moved, not reached.

Whoever asks waits until it is back, up to the service's patience, and then gets one error that
says so. All that is asked may be asked twice: inserting is done by id (upsert).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import ErrorCode, MilvusException, ParamError

from index.errors import CollectionGoneError, VectorServiceError
from index.vector_service import VectorService

_T = TypeVar("_T")

_TIMEOUT_S = 30.0  # of one request
_FIRST_CONTACT_S = 30.0  # who never answered may not be there at all
_REFUSED_S = 20.0  # that a server which answers may need to make up its mind after it was killed
_DELAYS_S = (0.2, 0.5, 1.0, 2.0)
_NOT_FOUND, _NOT_LOADED = ErrorCode.COLLECTION_NOT_FOUND.value, 101
_UNREACHED = 2

_log = logging.getLogger(__name__)
# It prints a traceback for each attempt while a server is away; here it is told in one line.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


class MilvusServer:
    """Requests to a Milvus, that wait for it where it is away. Safe to use from several threads."""

    def __init__(self, service: VectorService) -> None:
        self.service = service
        self._client: MilvusClient | None = None
        self._lock = threading.Lock()
        self._gave_up = threading.Event()
        self._is_away = False  # which has been said

    def ask(self, request: Callable[[MilvusClient, float], _T], collection: str = "") -> _T:
        """Return what a request answers.

        Parameters
        ----------
        request
            Given a client, and the seconds that it may take.
        collection
            What it is about; loaded if need be.

        Raises
        ------
        CollectionGoneError
            There is no such collection.
        VectorServiceError
            The server refuses it, or has been away for too long.
        """
        started = time.monotonic()
        attempt = 0
        while True:
            try:
                answer = request(self._connected(), _TIMEOUT_S)
            except ParamError:
                raise  # before anything was sent
            except (MilvusException, grpc.RpcError) as error:
                self._wait(error, started, attempt, collection)
                attempt += 1
            else:
                self._tell_back()
                return answer

    def stop_waiting(self) -> None:
        """Let those that wait for the server give up at once."""
        self._gave_up.set()

    def close(self) -> None:
        """Let go of the connection."""
        self.stop_waiting()
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _connected(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                self._client = MilvusClient(**self.service.connection, timeout=_TIMEOUT_S)
            return self._client

    def _wait(self, error: Exception, started: float, attempt: int, collection: str) -> None:
        """Wait a moment before the next attempt; raise if there is to be none."""
        code = error.code if isinstance(error, MilvusException) else None
        if code == _NOT_FOUND or "collection not found" in str(error):
            raise CollectionGoneError(f"Milvus has no collection {collection} any more") from error
        is_away = isinstance(error, grpc.RpcError) or code == _UNREACHED
        service = self.service
        patience = service.patience
        if self._client is None:
            patience = min(patience, _FIRST_CONTACT_S)
        elif not is_away:
            patience = min(patience, _REFUSED_S)
        if self._gave_up.is_set() or time.monotonic() - started > patience:
            what = "cannot be reached" if is_away else "refuses what it was asked"
            raise VectorServiceError(
                f"Milvus at {service.address} {what} ({_why(error)}): see that it runs, and that "
                "address, user and password in MATCHCUT_VECTORS are right. Nothing is lost: do the "
                "same again when it is back, a scan with --resume"
            ) from error
        if is_away:
            self._tell_away(patience)
        if code == _NOT_LOADED:
            self._load(collection)
        self._gave_up.wait(_DELAYS_S[min(attempt, len(_DELAYS_S) - 1)])

    def _load(self, collection: str) -> None:
        try:
            self._connected().load_collection(
                collection, replica_number=self.service.replicas, timeout=_TIMEOUT_S
            )
        except (MilvusException, grpc.RpcError) as error:
            _log.debug("collection %s is not loaded yet: %s", collection, error)

    def _tell_away(self, patience: float) -> None:
        with self._lock:
            was_away, self._is_away = self._is_away, True
        if not was_away:
            _log.warning(
                "Milvus at %s does not answer: waiting for it, up to %.0f s",
                self.service.address,
                patience,
            )

    def _tell_back(self) -> None:
        if self._is_away:
            with self._lock:
                was_away, self._is_away = self._is_away, False
            if was_away:
                _log.warning("Milvus at %s is back", self.service.address)


def server_version(service: VectorService, timeout: float) -> str:
    """Ask a Milvus for its version, once.

    Raises
    ------
    VectorServiceError
        It does not answer.
    """
    try:
        client = MilvusClient(**service.connection, timeout=timeout)
        try:
            return str(client.get_server_version(timeout=timeout))
        finally:
            client.close()
    except (MilvusException, grpc.RpcError) as error:
        raise VectorServiceError(
            f"Milvus at {service.address} cannot be reached ({_why(error)})"
        ) from error


def _why(error: Exception) -> str:
    """Say in a line what pymilvus or gRPC says."""
    return " ".join(str(getattr(error, "message", "") or error).split())[:300]
