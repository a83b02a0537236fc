"""The look-alike lane from a saved CLIP to the desk: enrol, scan, ask, move to another model.

The weights are random, so what it finds alike is only what is nearly the same; all else is as with
real ones.
"""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from desk_examples import CHEAP, PASSWORD
from desk_office import NAMES, open_office
from typer.testing import CliRunner

from detector.assets import ASSETS, fetch
from detector.cli import app
from detector.media import Sampler
from detector.review.desk import Desk
from detector.review.records import COMMAND_LINE
from detector.samples import Cut, resized, transcode
from detector.settings import load_settings
from detector.types import Channel


def run(*arguments: object) -> str:
    """Run a command, and return what it prints."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code in (0, 1), done.output
    return done.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_clip: Path) -> Path:
    """Return a workspace in which the semantic channel alone is on."""
    for name in ("MATCHCUT_SEMANTIC_WEIGHTS", "MATCHCUT_HOME", "MATCHCUT_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    (home / "matchcut.toml").write_text(
        f'channels = "semantic"\nsemantic_model = "local-dir:{tiny_clip}"\ncopy_size = 224\n'
        "[semantic_channel]\nusual = 0.99\n"
    )
    with Desk.at(f"sqlite:///{home / 'review.sqlite'}", CHEAP) as desk:
        full_name, role = NAMES["rosa"]
        desk.accounts.add("rosa", full_name, role, PASSWORD, COMMAND_LINE)
    return home


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Path]:
    """Return two short films, and an upload that shows one of them smaller."""
    size = resized(320, 136)
    bikes = Cut(fetch(ASSETS["bikes"]), 3.0, 7.0, (size,))
    cuts = {
        "bikes": [bikes],
        "bunny": [Cut(fetch(ASSETS["bigbuckbunny"]), 0.0, 3.0, (size,))],
        "vlog": [Cut(fetch(ASSETS["carphone_pristine"]), 0.0, 2.0, (size,)), bikes],
    }
    paths = {name: tmp_path / f"{name}.mp4" for name in cuts}
    for name, path in paths.items():
        transcode(path, cuts[name], bit_rate=300_000 if name == "vlog" else None)
    return paths


def test_the_lane_goes_from_a_saved_model_to_the_desk(
    home: Path, clips: dict[str, Path], other_clip: Path, tmp_path: Path
) -> None:
    run("works", "add", clips["bikes"], clips["bunny"], "--home", home, "--policy", "block")
    scanned = run("scan", clips["vlog"], "--home", home, "--format", "jsonl", "--cases")
    (match,) = json.loads(scanned)["matches"]
    assert (match["work_id"], match["channel"], match["verdict"]) == ("bikes", "semantic", "review")
    assert "like" in match["notes"][0]
    assert all(one["query_start"] >= 1.4 for one in match["segments"])

    # A phrase, a still and a clip are looked for in works and in what was scanned.
    phrase = run("query", "--text", "bicycles in a street", "--home", home, "--format", "jsonl")
    assert {json.loads(row)["in"] for row in phrase.splitlines()} == {"work", "upload"}
    frame = next(iter(Sampler(clips["bikes"], 1.0)))
    still = tmp_path / "still.png"
    save(still, frame.image)
    nearest = [
        json.loads(row)
        for row in run("query", still, "--home", home, "--format", "jsonl").splitlines()
    ]
    assert nearest[0]["in"] == "work"
    assert nearest[0]["id"] == "bikes"
    assert "vlog" in {row["id"] for row in nearest if row["in"] == "upload"}
    assert "vlog" in run("query", clips["vlog"], "--home", home)

    with open_office(home, {}, load_settings(home=home)) as office:
        rosa = office.browser("rosa")
        (case,) = office.desk.cases.find().items
        page = unescape(rosa.get(f"/cases/{case.id}").text)
        assert match["notes"][0] in page.replace("One shot", "one shot")
        assert "A resemblance alone decides nothing" in page
        # They play in step at the key frames.
        found = re.search(r'data-start="([\d.]+)" data-end="[\d.]+" data-ref="(-?[\d.]+)"', page)
        assert found is not None
        (pair,) = match["segments"][0]["pairs"]
        behind = pair["query_time"] - float(found[1])
        assert float(found[2]) + behind == pytest.approx(pair["ref_time"])
        matrix = rosa.get(f"/api/v1/cases/{case.id}/matches/0/matrix.png")
        assert (matrix.status_code, matrix.headers["content-type"]) == (200, "image/png")
        asked = rosa.follow("/query/phrase", phrase="bicycles in a street")
        assert "bicycles in a street" in unescape(asked)

    # Another model: the works move to it at once, and what was scanned before is told apart.
    run("reembed", "--model", f"local-dir:{other_clip}", "--home", home)
    assert f"local-dir:{other_clip}" in (home / "matchcut.toml").read_text()
    again = json.loads(run("scan", clips["vlog"], "--home", home, "--format", "jsonl"))
    assert [one["work_id"] for one in again["matches"]] == ["bikes"]
    assert [one["channel"] for one in again["matches"]] == [Channel.SEMANTIC]


def save(path: Path, picture: object) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path)
