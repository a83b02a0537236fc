"""The same work on a real Ray cluster, whose nodes may die."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from detector.batch import Batch
from detector.cluster import ClusterBatch, ClusterError, Size, connected, look_at_films, size_for
from detector.descriptors import open_channels
from detector.evaluation.ray_nodes import differences, ray_nodes
from detector.inputs import Source
from detector.output import to_json
from detector.pipeline import enroll, enroll_seen
from detector.settings import load_settings
from detector.types import Status
from index.reference_index import ReferenceIndex

pytestmark = pytest.mark.cluster
pytest.importorskip("ray", reason="no Ray: `pip install -e .[cluster]`")

ONE_EACH = Size(workers=2, threads=1, describers=0, on_gpu=False)


@pytest.fixture(scope="module")
def nodes():
    with ray_nodes(2) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(home=tmp_path_factory.mktemp("home"), channels="copy", mode="fast")


@pytest.fixture(scope="module")
def descriptors(settings):
    return open_channels(settings)[0]


@pytest.fixture(scope="module")
def index(settings, descriptors, samples):
    with ReferenceIndex.open(settings.home) as index:
        for film in samples.films:
            enroll(Source(str(film)), index, descriptors, settings)
        yield index


@pytest.fixture(scope="module")
def uploads(samples):
    return [Source(str(upload.path)) for upload in samples.uploads]


@pytest.fixture(scope="module")
def expected(index, descriptors, settings, uploads):
    """What a scan by one process finds."""
    return [told(result) for result in Batch(index, descriptors, settings).run(uploads)]


def told(result):
    values = to_json(result)
    values.pop("timings")
    return values


def on_cluster(index, descriptors, settings, size=ONE_EACH, **more):
    return ClusterBatch(index, descriptors, settings, size=size, **more)


def test_a_cluster_finds_what_one_process_finds(
    nodes, index, descriptors, settings, uploads, expected
):
    batch = on_cluster(index, descriptors, settings)
    assert differences([told(result) for result in batch.run(uploads)], expected) == []
    assert any(result["matches"] for result in expected)


def test_pictures_may_be_described_elsewhere(
    nodes, index, descriptors, settings, uploads, expected
):
    size = Size(workers=1, threads=1, describers=1, on_gpu=False)
    batch = on_cluster(index, descriptors, settings, size)
    assert differences([told(result) for result in batch.run(uploads)], expected) == []


def test_files_go_on_where_nodes_die(
    nodes, index, descriptors, settings, uploads, expected, tmp_path
):
    many = []
    for number in range(3):
        for upload in uploads:
            path = tmp_path / f"{number}-{Path(upload.name).name}"
            shutil.copyfile(upload.name, path)
            many.append(Source(str(path)))
    draw = random.Random(7)
    moments = set(draw.sample(range(1, len(many) - 5), 2))
    found = []
    for result in on_cluster(index, descriptors, settings).run(many):
        found.append(result)
        if len(found) in moments:
            nodes.kill(draw.randrange(2))
            nodes.add()
    assert [result.source for result in found] == [source.name for source in many]
    for number, result in enumerate(found):
        same = expected[number % len(uploads)]
        result = replace(result, source=same["source"], query_id=same["query_id"])
        assert differences(told(result), same) == []


def test_a_file_that_costs_every_worker_is_left(nodes, index, descriptors, settings, uploads):
    from detector.cluster import _Fleet, _job, _Lost

    def call(worker, source, tried):
        return (
            worker.__ray_terminate__.remote() if source.stem == "bad" else worker.progress.remote()
        )

    with _Fleet(_job(descriptors, settings), ONE_EACH) as fleet:
        results = list(fleet.run([Source("good"), Source("bad"), Source("fine")], call, None))
    assert results[0] is results[2] is None
    assert isinstance(results[1], _Lost)
    assert "3 workers were lost" in results[1].reason


def test_an_unreadable_file_is_a_result(nodes, index, descriptors, settings, tmp_path):
    text = tmp_path / "letter.mp4"
    text.write_text("no video")
    sources = [Source(str(text)), Source(str(tmp_path / "absent.mp4"))]
    results = list(on_cluster(index, descriptors, settings).run(sources))
    assert [result.status for result in results] == [Status.UNREADABLE] * 2
    assert results[1].source == str(tmp_path / "absent.mp4")


def test_what_is_known_is_not_scanned_again(nodes, index, descriptors, settings, uploads):
    list(Batch(index, descriptors, settings).run(uploads))
    again = on_cluster(index, descriptors, settings, resume=True)
    results = list(again.run(uploads))
    remembered = list(Batch(index, descriptors, settings, resume=True).run(uploads))
    assert [to_json(one) for one in results] == [to_json(one) for one in remembered]


def test_films_are_described_on_the_cluster(nodes, descriptors, settings, samples, tmp_path):
    films = [Source(str(film)) for film in samples.films]
    there = settings.model_copy(update={"home": tmp_path / "home"})
    with ReferenceIndex.open(there.home) as index:
        looked = look_at_films(films, descriptors, there, ONE_EACH, lambda _: lambda *_: None)
        for film, seen in zip(films, looked, strict=True):
            assert not isinstance(seen, Exception)
            enroll_seen(film, seen, index)
        here = settings.model_copy(update={"home": tmp_path / "other"})
        with ReferenceIndex.open(here.home) as other:
            for film in films:
                enroll(film, other, descriptors, here)
            for work in other.works():
                one, same = (
                    index.embeddings(work.number, "copy"),
                    other.embeddings(work.number, "copy"),
                )
                assert (one.vectors == same.vectors).all()
                assert (one.times == same.times).all()


def test_a_node_without_the_workspace_says_so(nodes, index, descriptors, settings, uploads):
    moved = settings.model_copy(update={"home": settings.home / "elsewhere"})
    batch = on_cluster(index, descriptors, moved)
    with pytest.raises(
        ClusterError, match=r"has no workspace in .*elsewhere: let all nodes see it"
    ):
        list(batch.run(uploads))


def test_processes_are_shared_out(nodes):
    assert size_for(None, None) == Size(workers=2, threads=1, describers=0, on_gpu=False)
    assert size_for(None, 1) == Size(workers=1, threads=1, describers=1, on_gpu=False)
    assert size_for(8, 0).threads == 1


def test_the_command_scans_on_the_cluster(nodes, index, settings, uploads, samples):
    environment = os.environ | {"RAY_ADDRESS": nodes.address, "MATCHCUT_HOME": str(settings.home)}
    program = Path(sys.executable).with_name("matchcut")
    command = [program, "scan", *(one.name for one in uploads)]
    options = ["--on", "ray", "--format", "csv", "--channels", "copy", "--mode", "fast"]
    here = subprocess.run([*command, *options[2:]], env=environment, capture_output=True, text=True)
    there = subprocess.run([*command, *options], env=environment, capture_output=True, text=True)
    assert there.returncode == here.returncode == 1
    assert there.stdout == here.stdout
    assert "on the Ray cluster: 2 workers" in there.stderr


@pytest.mark.parametrize("address", ["spark://head", "head:10001", ""])
def test_what_is_no_cluster_is_refused(address):
    with pytest.raises(ClusterError, match="ray://HOST:10001"), connected(address):
        pass
