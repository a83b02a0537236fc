"""The works move to another CLIP model by one command, which may be stopped at any moment."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tomllib

import pytest
from typer.testing import CliRunner

from detector.cli import app
from detector.descriptors import space_of
from detector.descriptors.clip import ClipDescriptor
from detector.samples import Cut, resized, transcode
from detector.settings import SETTINGS_FILE, load_settings
from detector.types import Channel
from index.records import staged_name
from index.reference_index import ChannelEmbeddings, ReferenceIndex

SETTINGS = """# ours
rate = 2.0  # a second
semantic_model = "{model}"

[limits]
frames = 100000  # more are a trap
"""
FILMS = ("first", "second", "third")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("MATCHCUT_SEMANTIC_MODEL", "MATCHCUT_SEMANTIC_WEIGHTS", "MATCHCUT_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def old(tiny_clip):
    """Name of a model, and its space."""
    name = f"local-dir:{tiny_clip}"
    return name, space_of(ClipDescriptor(name))


@pytest.fixture(scope="module")
def new(other_clip):
    name = f"local-dir:{other_clip}"
    return name, space_of(ClipDescriptor(name))


@pytest.fixture(scope="module")
def described(samples, old, tmp_path_factory):
    """A workspace with three films of two seconds; copy it, as the films may be changed."""
    folder = tmp_path_factory.mktemp("described")
    home, films = folder / "home", folder / "films"
    home.mkdir()
    films.mkdir()
    (home / SETTINGS_FILE).write_text(SETTINGS.format(model=old[0]))
    for number, name in enumerate(FILMS):
        cut = Cut(samples.films[0], number, number + 2, (resized(160, 90),))
        transcode(films / f"{name}.mp4", [cut])
    result = run("works", "add", films, "--home", home)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def folder(described, tmp_path):
    """Its copy, in the same place to the works: their films are found there."""
    kept = tmp_path / "kept"
    shutil.copytree(described, kept)
    yield described
    shutil.rmtree(described)
    shutil.copytree(kept, described)


@pytest.fixture
def home(folder):
    return folder / "home"


def state(home):
    """Return the channel's space, which works have it, and how many works are staged."""
    with ReferenceIndex.open(home) as index:
        staged = index.restaging.staged(Channel.SEMANTIC)
        works = [w.id for w in index.works() if Channel.SEMANTIC in index.channels(w.number)]
        assert index.verify() == []
        return index.space(Channel.SEMANTIC), works, 0 if staged is None else staged.works


def scan(home, film="first"):
    path = home.parent / "films" / f"{film}.mp4"
    return run("scan", path, "--home", home, "--channels", "copy,semantic", "--format", "jsonl")


def test_the_works_and_the_settings_move_together(home, new):
    result = run("reembed", "--model", new[0], "--home", home)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"moved 3 works to {new[1]}\n"
    assert state(home) == (new[1], list(FILMS), 0)
    text = (home / SETTINGS_FILE).read_text()
    assert tomllib.loads(text)["semantic_model"] == new[0]
    for kept in ("# ours\nrate = 2.0  # a second\n", "[limits]\nframes = 100000  # more are a"):
        assert kept in text
    found = scan(home)
    assert found.exit_code in (0, 1), found.stderr
    assert json.loads(found.stdout)["channels"] == ["copy", "semantic"]
    again = run("reembed", "--home", home)
    assert again.stdout == f"all 3 works are described with {new[1]}\n"


KILLED = """
import os, signal, sys
import open_clip  # before calls are traced, as that brings very much
from detector import describe, reembed
from detector.cli import app

calls = 0

def trace(frame, event, _):
    global calls
    code = frame.f_code
    if code.co_name == sys.argv[1] and "restaging" in code.co_filename:
        calls += 1
        if calls == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

sys.settrace(trace)
app(sys.argv[3:])
"""


def killed(function, call, *arguments):
    """Run a command that is killed when a function is called for so many times."""
    command = [sys.executable, "-c", KILLED, function, str(call), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_killed_halfway_scans_go_on_with_the_old_and_it_goes_on_where_it_was(home, old, new):
    move = ("reembed", "--model", new[0], "--home", home)
    killed("stage", 3, *move)
    assert state(home) == (old[1], list(FILMS), 2)
    found = scan(home)
    assert found.exit_code in (0, 1), found.stderr
    assert json.loads(found.stdout)["channels"] == ["copy", "semantic"]
    assert (
        f"moving    semantic: 2 works described with {new[1]}"
        in run("index", "stats", "--home", home).stdout
    )

    forgetful = run("reembed", "--home", home)
    assert forgetful.exit_code == 2
    assert "give the --model and --weights that it was begun with" in forgetful.stderr

    result = run(*move)
    assert result.exit_code == 0, result.stderr
    assert "[1/1]" in result.stderr  # the two others were not described again
    assert state(home) == (new[1], list(FILMS), 0)


def test_killed_between_the_settings_and_the_switch_the_same_without_options_ends_it(
    home, old, new
):
    killed("_rename", 1, "reembed", "--model", new[0], "--home", home)
    assert load_settings(home=home).semantic_model == new[0]
    assert state(home) == (old[1], list(FILMS), 3)
    refused = scan(home)
    assert refused.exit_code == 2
    assert "`matchcut reembed`" in refused.stderr
    with ReferenceIndex.open(home) as index:  # and what was described suffers damage
        (staged,) = index._catalog.embeddings_files(2, channel=staged_name(Channel.SEMANTIC))
        (home / staged.file).write_bytes(b"")
    result = run("reembed", "--home", home)
    assert "[1/1]" in result.stderr
    assert result.stdout == f"moved 3 works to {new[1]}\n"
    assert state(home) == (new[1], list(FILMS), 0)
    assert scan(home).exit_code in (0, 1)


def test_nothing_moves_without_films_that_are_gone_or_changed_unless_they_are_left_out(
    home, folder, old, new
):
    gone, changed = folder / "films" / "first.mp4", folder / "films" / "third.mp4"
    back = folder / "back.mp4"
    gone.rename(back)
    with changed.open("ab") as file:
        file.write(b"more")
    settings = (home / SETTINGS_FILE).read_text()
    move = ("reembed", "--model", new[0], "--home", home)
    result = run(*move)
    assert result.exit_code == 3
    assert "nothing is moved, as 2 of 3 works are not described: first, third" in result.stderr
    assert "its content is another" in result.stderr
    assert "--leave-out" in result.stderr
    assert state(home) == (old[1], list(FILMS), 1)
    assert (home / SETTINGS_FILE).read_text() == settings

    result = run(*move, "--leave-out")
    assert result.exit_code == 3
    assert result.stdout == f"moved 1 works to {new[1]}\n"
    assert "2 works are without the channel semantic: first, third" in result.stderr
    assert state(home) == (new[1], ["second"], 0)

    back.rename(gone)
    result = run("reembed", "--home", home)
    assert result.exit_code == 3
    assert result.stdout == f"described 1 works with {new[1]}\n"
    assert state(home) == (new[1], ["first", "second"], 0)


def test_a_move_is_given_up_by_naming_the_model_in_use(home, old, new):
    with ReferenceIndex.open(home) as index:
        content = ChannelEmbeddings(new[1], index.embeddings(1, Channel.COPY))
        index.restaging.stage(Channel.SEMANTIC, 1, content)
    result = run("reembed", "--model", old[0], "--home", home)
    assert result.exit_code == 0
    assert "that is forgotten" in result.stderr
    assert state(home) == (old[1], list(FILMS), 0)
    assert scan(home).exit_code in (0, 1)


def test_clip_is_turned_on_for_all_works(folder, old, tmp_path):
    home = tmp_path / "home"
    assert run("reembed", "--model", old[0], "--home", home).exit_code == 2  # no works
    films = folder / "films"
    added = run("works", "add", films / "first.mp4", "--home", home, "--channels", "copy")
    assert added.exit_code == 0, added.stderr
    result = run("reembed", "--model", old[0], "--home", home)
    assert result.stdout == f"described 1 works with {old[1]}\n"
    assert state(home) == (old[1], ["first"], 0)
    assert load_settings(home=home).semantic_model == old[0]
    assert scan_of_copy(home, films)["channels"] == ["copy", "semantic"]


def scan_of_copy(home, films):
    result = run("scan", films / "first.mp4", "--home", home, "--format", "jsonl")
    return json.loads(result.stdout)


def test_names_become_whole_paths_the_file_keeps_its_mode_and_a_variable_is_told_of(
    home, new, monkeypatch
):
    (home / SETTINGS_FILE).chmod(0o600)
    monkeypatch.chdir(home)
    shutil.copytree(new[0].removeprefix("local-dir:"), home / "clip")
    monkeypatch.setenv("MATCHCUT_SEMANTIC_MODEL", load_settings(home=home).semantic_model)
    result = run("reembed", "--model", "local-dir:clip", "--weights", "none.pt", "--home", home)
    assert result.exit_code == 0, result.stderr
    assert "MATCHCUT_SEMANTIC_MODEL is set and goes before matchcut.toml" in result.stderr
    assert (home / SETTINGS_FILE).stat().st_mode & 0o777 == 0o600
    monkeypatch.delenv("MATCHCUT_SEMANTIC_MODEL")
    settings = load_settings(home=home)
    assert settings.semantic_model == f"local-dir:{home / 'clip'}"
    assert settings.semantic_weights == str(home / "none.pt")
