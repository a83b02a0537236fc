"""Figures of a scan for Prometheus."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from detector.cli import app
from detector.inputs import InputError
from detector.scan_metrics import published
from detector.types import Fault, FrameCounts, ScanResult, Status

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
RESULTS = [
    ScanResult("a.mp4", "a", Status.OK, duration=60.0, timings={"decode": 2.0, "search": 0.5}),
    ScanResult(
        "b.mp4",
        "b",
        Status.PARTIAL,
        reason="cut off",
        duration=30.0,
        timings={"decode": 1.0},
        frames=FrameCounts(undecodable=7),
    ),
    ScanResult("c.mp4", "c", Status.UNREADABLE, reason="no video"),
    ScanResult("d.mp4", "d", Status.UNREADABLE, reason="it stood still", fault=Fault.HANG),
    ScanResult("e.mp4", "e", Status.PARTIAL, reason="it crashed", fault=Fault.CRASH, duration=9.0),
]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Return each value by the metric's name and its labels, in order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_results_are_handed_on_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "scan.prom"
    with published(file, None, waiting=7) as watching:
        assert figures(file.read_text())["matchcut_scan_uploads_waiting",] == 7
        assert list(watching(RESULTS)) == RESULTS
    found = figures(file.read_text())
    assert found["matchcut_scan_uploads_total", "ok", "clear"] == 1
    assert found["matchcut_scan_uploads_total", "unreadable", "clear"] == 2
    assert found["matchcut_scan_video_seconds_total",] == 99
    assert found["matchcut_scan_stage_seconds_total", "decode"] == 3
    faults = {
        labels[0]: value
        for (name, *labels), value in found.items()
        if name == "matchcut_scan_faults_total"
    }
    assert faults == {"partial": 1, "unreadable": 1, "hang": 1, "crash": 1, "packet": 7}
    assert found["matchcut_scan_uploads_waiting",] == 2
    started = found["matchcut_scan_started_timestamp_seconds",]
    latest = found["matchcut_scan_latest_upload_timestamp_seconds",]
    assert started <= latest <= found["matchcut_scan_ended_timestamp_seconds",]
    assert [one.name for one in tmp_path.iterdir()] == ["scan.prom"]


def test_nothing_clashes_with_what_the_node_exporter_says_of_itself(tmp_path: Path) -> None:
    with published(tmp_path / "scan.prom", None, waiting=0):
        pass
    found = figures((tmp_path / "scan.prom").read_text())
    assert all(name.startswith("matchcut_") for name, *_ in found)
    assert found["matchcut_scan_process_resident_memory_bytes",] > 0


def test_every_metric_is_documented(tmp_path: Path) -> None:
    with published(tmp_path / "scan.prom", None, waiting=3) as watching:
        list(watching(RESULTS))
    names = {name for name, *_ in figures((tmp_path / "scan.prom").read_text())}
    ours = {name for name in names if "_process_" not in name}
    assert [name for name in sorted(ours) if f"`{name}`" not in DOCUMENT] == []


def test_every_kind_of_fault_is_documented() -> None:
    kinds = [*Fault, Status.UNREADABLE, Status.PARTIAL, "packet"]
    assert [kind for kind in kinds if f"`{kind}`" not in DOCUMENT] == []


def test_a_scan_that_dies_has_not_ended(tmp_path: Path) -> None:
    file = tmp_path / "scan.prom"
    with pytest.raises(ZeroDivisionError), published(file, None, waiting=1):
        raise ZeroDivisionError
    assert figures(file.read_text())["matchcut_scan_ended_timestamp_seconds",] == 0


def test_figures_are_served_on_loopback_while_it_runs(free_port: int) -> None:
    address = f"http://127.0.0.1:{free_port}/metrics"
    with published(None, free_port, waiting=3) as watching:
        next(watching(RESULTS))
        with urlopen(address, timeout=60) as answer:
            found = figures(answer.read().decode())
        assert found["matchcut_scan_uploads_waiting",] == 2
        with pytest.raises(InputError, match="--metrics-port"), published(None, free_port, 0):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port))


def test_a_disk_that_fails_later_ends_no_scan(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "textfiles"
    folder.mkdir()
    with published(folder / "scan.prom", None, waiting=3) as watching:
        (folder / "scan.prom").unlink()
        folder.rmdir()
        assert list(watching(RESULTS)) == RESULTS
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("scan.txt", "names end in .prom"), ("nowhere/scan.prom", "cannot be written")],
)
def test_a_file_that_would_never_be_read_is_refused(
    name: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence), published(tmp_path / name, None, 1):
        pass


def test_a_scan_on_the_command_line_writes_them_and_names_nobody(samples, tmp_path: Path) -> None:
    def run(*arguments: object) -> int:
        words = [*map(str, arguments), "--home", str(tmp_path / "home"), "--channels", "copy"]
        return CliRunner().invoke(app, words).exit_code

    run("works", "add", samples.films[1])
    upload = next(one.path for one in samples.uploads if one.path.stem == "bikes-cropped")
    file = tmp_path / "scan.prom"
    assert run("scan", upload, "--metrics", file, "--metrics-port", 0) == 1
    found = figures(file.read_text())
    assert found["matchcut_scan_uploads_total", "ok", "review"] == 1
    assert found["matchcut_scan_stage_seconds_total", "decode"] > 0
    assert found["matchcut_scan_uploads_waiting",] == 0
    assert "bikes" not in file.read_text()
