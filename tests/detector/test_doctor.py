"""What the doctor finds: nothing missing, things that are off, and things that are wrong."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from detector.assets import ASSETS, fetch
from detector.cli import app
from detector.doctor import Check, State, examine
from detector.doctor.machine import machine
from detector.doctor.programs import programs
from detector.doctor.workspace import channels, workspace
from detector.people import people_cipher
from detector.settings import Settings
from index.person_records import NewPerson, ReferenceFace
from index.records import Policy
from index.reference_index import ReferenceIndex


def by_name(checks: Iterator[Check]) -> Mapping[str, Check]:
    return {check.name: check for check in checks}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a workspace with one person, and the key in a file of this test."""
    settings = Settings(home=tmp_path / "home", people_key_file=tmp_path / "people.key")
    face = ReferenceFace(np.eye(1, 128, dtype=np.float32)[0], b"\xff\xd8", "photo.jpg", "0" * 64)
    person = NewPerson(
        id="brigitte",
        name="Brigitte Helm",
        authority="form 12",
        retain_until=date(2099, 12, 31),
        policy=Policy.REVIEW,
    )
    with ReferenceIndex.open(settings.home) as index:
        cipher = people_cipher(settings, make=True)
        index.people.add(person, "sface@fb143eea0783", [face], cipher)
    return settings


def test_nothing_is_made_asked_or_loaded_that_takes_long(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "def refuse(event, arguments):\n"
        "    if event in {'socket.connect', 'socket.getaddrinfo', 'socket.sendto'}:\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(refuse)\n"
        "from detector.cli import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "except SystemExit as end:\n    print(end.code)\n"
        "assert not {'torch', 'open_clip'} & sys.modules.keys()\n"
    )
    command = [sys.executable, "-c", code, "doctor", "--format", "jsonl"]
    done = subprocess.run(
        [*command, "--home", tmp_path / "home"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    *lines, code = done.stdout.splitlines()
    checks = {line["name"]: line for line in map(json.loads, lines)}
    assert checks["workspace"]["state"] == "off"
    assert "works add" in checks["workspace"]["remedy"]
    problems = [line for line in checks.values() if line["state"] == "problem"]
    assert int(code) == (2 if problems else 0)
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_that_is_sound(settings: Settings) -> None:
    fetch(ASSETS[settings.copy_model])
    checks = by_name(examine(settings))
    for name in ("matchcut", "PyAV", "decoders", "OpenCV", "FAISS", "ONNX Runtime", "cores"):
        assert (checks[name].state, checks[name].remedy) == (State.OK, "")
    assert "H.264" in checks["decoders"].found
    assert checks["channel copy"].state is State.OK
    assert ASSETS[settings.copy_model].sha256[:12] in checks["channel copy"].found
    assert checks["catalogue"].state is State.OK
    assert checks["catalogue"].found.endswith("works: 0, people: 1")
    assert checks["people's key"] == Check("people's key", State.OK, str(settings.people_key_file))


def test_a_table_for_people_and_the_exit_code(settings: Settings, monkeypatch) -> None:
    monkeypatch.setenv("MATCHCUT_PEOPLE_KEY_FILE", str(settings.people_key_file))
    settings.people_key_file.chmod(0o640)
    result = run("--home", settings.home)
    assert result.exit_code == 2
    assert "chmod 600" in result.stdout
    assert "catalogue" in result.stdout


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        ("DROP TABLE meta", "catalogue", "no catalogue of matchcut"),
        ("UPDATE meta SET value = 99 WHERE key = 'schema_version'", "catalogue", "upgrade"),
        ("UPDATE catalogue_alembic_version SET version_num = '9999'", "catalogue", "upgrade"),
        ("UPDATE meta SET value = 'x' WHERE key = 'catalogue_id'", "catalogue", "another"),
    ],
)
def test_a_catalogue_that_is_not_ours(
    change: str, check: str, words: str, settings: Settings
) -> None:
    database = sqlite3.connect(settings.home / "catalog.sqlite")
    with database:
        database.execute(change)
    database.close()
    found = by_name(workspace(settings))[check]
    assert found.state is State.PROBLEM
    assert words in found.found + found.remedy


def test_a_desk_without_its_packages(settings: Settings, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "argon2", None)  # as if it were not there
    monkeypatch.delitem(sys.modules, "detector.review.desk", raising=False)
    desk = by_name(workspace(settings))["desk"]
    assert (desk.state, desk.found) == (State.OFF, "argon2 is not installed")
    assert desk.remedy == "`pip install matchcut[review]`"


def test_a_catalogue_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"no database" * 1000)
    found = by_name(workspace(Settings(home=tmp_path)))["catalogue"]
    assert found.state is State.PROBLEM
    assert "file is not a database" in found.found
    assert "backup" in found.remedy


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/works.sqlite"
    found = by_name(workspace(Settings(home=tmp_path, database_url=url)))["catalogue"]
    assert found.state is State.OFF
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_and_its_password_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://ann:hush@127.0.0.1:1/works"
    checks = by_name(workspace(Settings(home=tmp_path, database_url=url)))
    assert checks["catalogue"].state is State.PROBLEM
    assert "cannot be opened" in checks["catalogue"].found
    assert "MATCHCUT_DATABASE_URL" in checks["catalogue"].remedy
    assert not any("hush" in check.found for check in checks.values())


def test_a_vector_service_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("pymilvus", reason="no pymilvus: `pip install -e .[cluster]`")
    settings = Settings(home=tmp_path, vectors="milvus://ann:hush@127.0.0.1:1")
    check = by_name(workspace(settings))["vectors"]
    assert check.state is State.PROBLEM
    assert "127.0.0.1:1/default cannot be reached" in check.found
    assert "hush" not in check.found
    assert "MATCHCUT_VECTORS" in check.remedy


def test_a_vector_service_that_is_none(tmp_path: Path) -> None:
    check = by_name(workspace(Settings(home=tmp_path, vectors="localhost:19530")))["vectors"]
    assert check.state is State.PROBLEM
    assert "milvus://" in check.found


def test_where_pictures_of_cases_are_kept(tmp_path: Path, s3: Any) -> None:
    """The doctor writes there, and leaves nothing."""
    checks = by_name(workspace(Settings(home=tmp_path)))
    assert "evidence" not in checks
    s3.create_bucket(Bucket="desk")
    settings = Settings(home=tmp_path, evidence="s3://desk/pictures")
    assert by_name(workspace(settings))["evidence"].state is State.OK
    assert s3.list_objects_v2(Bucket="desk")["KeyCount"] == 0
    gone = Settings(home=tmp_path, evidence="s3://gone/pictures")
    check = by_name(workspace(gone))["evidence"]
    assert check.state is State.PROBLEM
    assert "bucket does not exist" in check.found
    assert "MATCHCUT_EVIDENCE" in (check.remedy or "")


def test_the_key_of_the_faces(settings: Settings) -> None:
    def key() -> Check:
        return by_name(workspace(settings))["people's key"]

    settings.people_key_file.chmod(0o604)
    assert key().remedy == f"`chmod 600 {settings.people_key_file}`"
    settings.people_key_file.chmod(0o600)
    settings.people_key_file.write_text("secret")
    assert key().state is State.PROBLEM
    assert "secret" not in key().found
    settings.people_key_file.unlink()
    assert "enrolled faces cannot be read, people: 1" in key().found


def test_models_that_are_missing_damaged_or_left_out(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MATCHCUT_CACHE", str(tmp_path))
    asset = ASSETS["sscd-distilled"]
    settings = Settings(home=tmp_path / "home", channels="copy,face", face_model="own.onnx")
    checks = by_name(channels(settings))
    assert checks["channel copy"].state is State.OFF
    assert "models pull sscd-distilled" in checks["channel copy"].remedy
    assert checks["channel semantic"].found == "the settings leave it out"
    assert checks["channel face"].state is State.PROBLEM
    assert "there is no own.onnx" in checks["channel face"].found
    damaged = tmp_path / "assets" / f"{asset.package}-{asset.version}" / asset.file_name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(bytes(asset.size))
    found = by_name(channels(settings))["channel copy"]
    assert found.state is State.PROBLEM
    assert "is damaged" in found.found


def test_channels_that_do_not_exist(tmp_path: Path) -> None:
    (found,) = channels(Settings(home=tmp_path, channels="smell"))
    assert found.state is State.PROBLEM


@pytest.mark.parametrize(
    ("package", "check"),
    [("opencv-python-headless", "OpenCV"), ("onnxruntime-gpu", "ONNX Runtime")],
)
def test_two_packages_that_overwrite_each_other(
    package: str, check: str, tmp_path: Path, monkeypatch
) -> None:
    about = tmp_path / f"{package.replace('-', '_')}-4.10.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 4.10.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = by_name(programs())[check]
    assert found.state is State.PROBLEM
    assert f"{package} 4.10.0" in found.found
    assert f"`pip uninstall -y {package.replace('-headless', '').replace('-gpu', '')}" in (
        found.remedy
    )


def test_a_gpu_that_is_not_used_and_one_whose_driver_fails(tmp_path: Path, monkeypatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559 MiB, 580.95.05'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = by_name(programs())["GPU"]
    assert found.found.startswith("NVIDIA H100 80GB HBM3, 81559 MiB, 580.95.05")
    assert found.state in {State.OK, State.OFF}  # by which ONNX Runtime is installed
    program.write_text("#!/bin/sh\nexit 9\n")
    found = by_name(programs())["GPU"]
    assert (found.state, "driver" in found.remedy) == (State.OFF, True)


def test_too_few_open_files() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        found = by_name(machine())["open files"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert found.state is State.PROBLEM
    assert "ulimit -n" in found.remedy
