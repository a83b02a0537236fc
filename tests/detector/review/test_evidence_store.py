from __future__ import annotations

import logging
import stat
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from s3fs import S3FileSystem

from detector.inputs import PROTOCOLS, InputError
from detector.review.evidence_store import EVIDENCE, EvidenceStore
from detector.settings import Settings

NAME = f"{'ab' * 32}/pair-0123456789abcdef-u.jpg"


def bucket(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue("s3").create_bucket(Bucket="evidence")
    return "evidence"


@pytest.fixture(params=["workspace", "folder", "file address", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> EvidenceStore:
    places: dict[str, Callable[[], str | None]] = {
        "workspace": lambda: None,
        "folder": lambda: str(tmp_path / "elsewhere"),
        "file address": lambda: f"file://{tmp_path}/elsewhere",
        "s3": lambda: f"s3://{bucket(request)}/desk",
    }
    settings = Settings(home=tmp_path / "home", evidence=places[request.param]())
    return EvidenceStore(settings, patience=60)


def test_what_is_kept_is_there_under_its_name_only(
    store: EvidenceStore, caplog: pytest.LogCaptureFixture
) -> None:
    assert store.get(NAME) is None
    store.put(NAME, b"one")
    store.put(NAME.replace("-u", "-r"), b"two")
    assert (store.get(NAME), store.get(NAME.replace("-u", "-r"))) == (b"one", b"two")
    store.put(NAME, b"three")
    assert store.get(NAME) == b"three"
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_the_check_leaves_nothing_behind(store: EvidenceStore, tmp_path: Path) -> None:
    store.check()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_pictures_lie_in_the_workspace_unless_the_settings_say_more(tmp_path: Path) -> None:
    EvidenceStore(Settings(home=tmp_path)).put(NAME, b"one")
    assert (tmp_path / EVIDENCE / NAME).read_bytes() == b"one"


def test_folders_are_made_on_servers_that_have_them(tmp_path: Path) -> None:
    class WithFolders(MemoryFileSystem):  # type: ignore[misc]  # fsspec is not typed
        protocol = "folders"
        made: set[str] = set()  # noqa: RUF012 - as fsspec's own

        def exists(self, path: str, **options: object) -> bool:
            return path in self.made

        def makedirs(self, path: str, exist_ok: bool = False) -> None:
            self.made.add(path)

        def pipe_file(self, path: str, value: bytes, **options: object) -> None:
            if path.rpartition("/")[0] not in self.made:
                raise FileNotFoundError(path)
            super().pipe_file(path, value, **options)

    fsspec.register_implementation("folders", WithFolders, clobber=True)
    settings = Settings(home=tmp_path, evidence="folders://desk", protocols=(*PROTOCOLS, "folders"))
    store = EvidenceStore(settings)
    store.put(NAME, b"one")
    assert store.get(NAME) is None  # there is no "desk", which somebody may have mistyped
    WithFolders.made.add(fsspec.core.url_to_fs("folders://desk")[1])
    store.put(NAME, b"one")
    assert store.get(NAME) == b"one"


def test_what_cannot_be_kept_or_read_is_said_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "no folder"
    blocked.write_text("a file")
    store = EvidenceStore(Settings(home=tmp_path, evidence=str(blocked)))
    with caplog.at_level(logging.WARNING):
        store.put(NAME, b"one")
        assert store.get(NAME) is None
    assert [record.getMessage().split(": ")[0] for record in caplog.records] == [
        f"{blocked}/{NAME} is not kept",
        f"{blocked}/{NAME} is made anew",
    ]
    with pytest.raises(InputError):
        store.check()
    assert stat.S_ISREG(blocked.stat().st_mode)


def test_a_server_that_is_away_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    S3FileSystem.clear_instance_cache()
    store = EvidenceStore(Settings(home=tmp_path, evidence="s3://evidence/desk"), patience=0.5)
    store.put(NAME, b"one")
    assert store.get(NAME) is None
    assert len(caplog.records) == 2
    S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ftp://host/desk", "MATCHCUT_PROTOCOLS="),
        ("https://host/desk", "no evidence can be written to https://host/desk"),
    ],
)
def test_an_address_that_pictures_cannot_be_kept_at_is_refused(address: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Settings(evidence=address)
