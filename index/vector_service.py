"""Where vectors are kept if not in the home folder: the address of a Milvus, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from index.errors import VectorServiceError

SCHEMES = {"milvus": "http", "milvus+tls": "https"}  # ours, and what stands for it in pymilvus
DEFAULT_PORT = 19530

# Measured by `scripts/bench_index --vectors`, see docs/cluster.md.
INDEX = "HNSW"
BUILD: Mapping[str, Any] = {"M": 16, "efConstruction": 200}
SEARCH: Mapping[str, Any] = {"ef": 128}
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class VectorService:
    """A vector database, and how it is to keep and to search.

    Attributes
    ----------
    url
        ``milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE]``, or ``milvus+tls://...``.
    index, build, search
        Kind of the collections' index, in Milvus' words, and the parameters of building and of
        searching it.
    replicas
        In how many copies a collection is held in memory, to be searched by that many machines.
    patience
        Seconds that it is waited for when it does not answer.

    Raises
    ------
    VectorServiceError
        The URL is none of these.
    """

    url: str = field(repr=False)  # it may hold a password
    index: str = INDEX
    build: Mapping[str, Any] = field(default_factory=lambda: dict(BUILD))
    search: Mapping[str, Any] = field(default_factory=lambda: dict(SEARCH))
    replicas: int = 1
    patience: float = PATIENCE_S

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            is_known = parts.scheme in SCHEMES and parts.hostname and (parts.port or 1) > 0
        except ValueError:
            is_known = False
        if not is_known:
            raise VectorServiceError(
                "this is not where vectors can be kept: give "
                "milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or nothing for FAISS files in "
                "the workspace"
            )

    @property
    def address(self) -> str:
        """Host, port and database: what tells a service from others, without a password."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or DEFAULT_PORT}/{self.database}"

    @property
    def database(self) -> str:
        return urlsplit(self.url).path.strip("/") or "default"

    @property
    def connection(self) -> dict[str, Any]:
        """How pymilvus is to connect to it."""
        parts = urlsplit(self.url)
        uri = f"{SCHEMES[parts.scheme]}://{parts.hostname}:{parts.port or DEFAULT_PORT}"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return {"uri": uri, "user": user, "password": password, "db_name": self.database}
