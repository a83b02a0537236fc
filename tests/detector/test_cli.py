"""The contract of the command line: exit codes, formats, messages, documentation, lightness."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from detector.cli import app
from detector.settings import SETTINGS_FILE, Settings, load_settings
from detector.text import seconds_of

README = (Path(__file__).parents[2] / "README.md").read_text()


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def commands(command=None, words=()):
    """Every command there is, as words: ("works", "add")."""
    command = command or typer.main.get_command(app)
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*words, name))
    else:
        yield words


@pytest.fixture(scope="module")
def home(samples, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    result = run("works", "add", *samples.films, "--home", home, "--channels", "copy")
    assert result.exit_code == 0, result.stderr
    return home


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_explains_itself_and_stands_in_the_readme(words):
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.split()) > 20
    first, *rest = words
    assert f"matchcut {' '.join(words)}" in README or (rest and f"`{first} {rest[0]}" in README)


def test_help_loads_nothing_that_takes_long():
    code = (
        "import sys\n"
        "from detector.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'cv2', 'av', 'torch', 'faiss', 'sqlalchemy', 'pydantic'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_scan_of_the_copy_channel_never_imports_torch(samples, home):
    code = (
        "import sys\n"
        "from detector.cli import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 1, end.code\n"
        "assert 'onnxruntime' in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
        "assert 'open_clip' not in sys.modules\n"
    )
    upload = samples.uploads[0].path
    command = [sys.executable, "-c", code, "scan", upload, "--home", home]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_csv_has_the_columns_of_the_matching_track(samples, home):
    result = run("scan", samples.uploads[0].path, "--home", home, "--format", "csv")
    header, row = csv.reader(io.StringIO(result.stdout))
    assert ",".join(header) == (
        "query_id,ref_id,query_start,query_end,ref_start,ref_end,score,channel,verdict"
    )
    assert row[:2] == [samples.uploads[0].path.stem, "bigbuckbunny"]
    assert all(len(time.partition(".")[2]) == 3 for time in row[2:6])
    assert 0 <= float(row[6]) <= 1
    assert row[7:] == ["copy", "review"]


def test_jsonl_has_one_object_per_upload_with_its_evidence(samples, home):
    paths = [upload.path for upload in samples.uploads[:2]]
    result = run("scan", *paths, "--home", home, "--format", "jsonl", "--workers", "2")
    first, second = map(json.loads, result.stdout.splitlines())
    assert [first["source"], second["source"]] == [str(path) for path in paths]
    assert first["status"] == "ok"
    assert first["channels"] == ["copy"]
    assert first["frames"]["sampled"] > 20
    stages = {"decode", "layout", "describe", "search", "align", "verify"}
    assert first["timings"].keys() == stages
    segment = second["matches"][0]["segments"][0]
    assert segment["pairs"][0]["similarity"] > 0.5
    assert segment["evidence"]["confirmed"] > 0.5
    assert any(edit.startswith("cropped") for edit in segment["edits"])


def test_results_go_to_a_file_and_progress_to_stderr(samples, home, tmp_path):
    output = tmp_path / "flags.csv"
    result = run(
        "scan", samples.uploads[0].path, "--home", home, "--format", "csv", "--output", output
    )
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "1 flagged" in result.stderr
    assert len(output.read_text().splitlines()) == 2


def test_min_score_0_writes_candidates_that_are_not_flagged(samples, home):
    innocent = next(upload for upload in samples.uploads if upload.path.stem == "holiday-slides")
    plain = run("scan", innocent.path, "--home", home, "--format", "csv")
    assert plain.exit_code == 0
    everything = run("scan", innocent.path, "--home", home, "--format", "csv", "--min-score", "0")
    assert everything.exit_code == 0  # candidates below the operating point flag nothing
    rows = list(csv.DictReader(io.StringIO(everything.stdout)))
    assert all(row["verdict"] == "clear" for row in rows)


def test_the_policy_of_a_work_is_the_verdict_of_its_copies(samples, tmp_path):
    film = samples.films[0]
    run("works", "add", film, "--home", tmp_path, "--channels", "copy", "--policy", "allow")
    result = run("scan", samples.uploads[0].path, "--home", tmp_path, "--format", "csv")
    assert result.exit_code == 0  # allowed is not flagged
    assert result.stdout.splitlines()[1].endswith(",copy,allow")


def test_the_same_film_again_is_recognised(samples, home):
    result = run("works", "add", samples.films[1], "--home", home, "--channels", "copy")
    assert result.exit_code == 0
    assert "is in the index already, as bikes" in result.stderr


def test_another_film_of_the_same_name_is_refused_with_the_remedy(samples, home, tmp_path):
    impostor = tmp_path / "bikes.mp4"
    impostor.write_bytes(samples.uploads[0].path.read_bytes())
    result = run("works", "add", impostor, "--home", home, "--channels", "copy")
    assert result.exit_code == 3
    assert "--id" in result.stderr


def test_works_are_listed_and_shown(home):
    rows = list(
        csv.DictReader(io.StringIO(run("works", "list", "--home", home, "--format", "csv").stdout))
    )
    assert [row["id"] for row in rows] == ["bigbuckbunny", "bikes"]
    shown = run("works", "show", "bikes", "--home", home).stdout
    assert "channels         copy" in shown
    assert "policy           review" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["scan", "anything.mp4"], "works add"),
        (["works", "show", "nobody"], "nobody"),
        (["works", "add", "film.mp4", "--channels", "smell"], "there is no channel 'smell'"),
        (["query"], "--text"),
        (["models", "pull", "nothing"], "there is no model 'nothing'"),
    ],
)
def test_usage_and_setup_errors_are_one_sentence_and_exit_code_2(arguments, sentence, tmp_path):
    needs_home = arguments[0] != "models"
    result = run(*arguments, *(["--home", tmp_path] if needs_home else []))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_a_clip_is_asked_about(samples, home):
    result = run("query", samples.uploads[1].path, "--home", home)
    assert result.exit_code == 1
    assert "bikes" in result.stdout or "bigbuckbunny" in result.stdout


def test_a_still_is_found_at_its_moment(samples, home, tmp_path):
    import cv2

    from detector.media import grab

    (image,) = grab(samples.films[1], [6.0], short_side=360)
    still = tmp_path / "still.jpg"
    cv2.imwrite(str(still), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    result = run("query", still, "--home", home)
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "bikes" in line)
    assert seconds_of(row.split("│")[4]) == pytest.approx(6.0, abs=0.3)


def test_a_phrase_is_asked_with_a_local_clip(samples, tiny_clip, tmp_path, monkeypatch):
    monkeypatch.setenv("MATCHCUT_SEMANTIC_MODEL", f"local-dir:{tiny_clip}")
    film = samples.films[1]
    assert run("works", "add", film, "--home", tmp_path).exit_code == 0
    channels = run("works", "show", "bikes", "--home", tmp_path).stdout
    assert "channels         copy, semantic" in channels
    result = run("query", "--text", "a row of bicycles", "--home", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "semantic" in result.stdout


def test_models_are_listed_with_licence_and_place():
    result = run("models", "list")
    assert result.exit_code == 0
    for name in ("sscd-distilled", "sscd", "clip", "yunet", "sface"):
        assert name in result.stdout
    assert "MIT" in result.stdout
    sface = next(line for line in result.stdout.splitlines() if "sface " in line)
    assert [cell.strip() for cell in sface.split("│")[1:4]] == ["sface", "face", "yes"]


def test_a_model_is_not_used_where_another_takes_its_place(monkeypatch):
    monkeypatch.setenv("MATCHCUT_FACE_MODEL", "models/other.onnx")
    rows = {}
    for line in run("models", "list").stdout.splitlines():
        if line.startswith("│ "):
            name, _, used, *_ = (cell.strip() for cell in line.split("│")[1:-1])
            rows[name] = used
    assert (rows["yunet"], rows["sface"]) == ("yes", "")  # YuNet finds the faces for any model


def test_models_are_pulled_by_name_and_the_copy_channels_without_one():
    assert run("models", "pull").stdout.startswith("sscd-distilled ")
    pulled = run("models", "pull", "yunet", "sface").stdout.splitlines()
    assert [line.split()[0] for line in pulled] == ["yunet", "sface"]
    assert all(Path(line.split()[1]).is_file() for line in pulled)


def test_the_index_tells_its_size_and_health(home):
    assert "channel   copy" in run("index", "stats", "--home", home).stdout
    assert run("index", "verify", "--home", home).stdout == "sound\n"
    assert "rebuilt copy" in run("index", "compact", "--home", home).stdout


def test_a_damaged_index_is_found_and_what_is_derived_is_repaired(samples, tmp_path):
    run("works", "add", samples.films[1], "--home", tmp_path, "--channels", "copy")
    (file,) = (tmp_path / "vectors").glob("*.faiss")
    file.write_bytes(file.read_bytes()[:-7])
    assert run("index", "verify", "--home", tmp_path).exit_code == 2
    repaired = run("index", "verify", "--repair", "--home", tmp_path)
    assert repaired.exit_code == 0
    assert repaired.stdout.endswith("repaired\n")


def test_settings_come_from_the_environment_then_the_workspace(tmp_path, monkeypatch):
    (tmp_path / SETTINGS_FILE).write_text("rate = 4\n[copy_channel]\nmin_score = 0.9\n")
    assert load_settings(home=tmp_path).rate == 4
    assert load_settings(home=tmp_path).copy_channel.min_score == 0.9
    assert load_settings(home=tmp_path).copy_channel.floor == Settings().copy_channel.floor
    monkeypatch.setenv("MATCHCUT_RATE", "3")
    assert load_settings(home=tmp_path).rate == 3
    assert load_settings(home=tmp_path, rate=1.0).rate == 1


def test_settings_that_are_wrong_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MATCHCUT_RATE", "often")
    monkeypatch.setenv("MATCHCUT_COPY_CHANNEL__MIN_SCORE", "2 of 3")
    result = run("works", "list", "--home", tmp_path)
    assert result.exit_code == 2
    said = "input should be a valid number, unable to parse string as a number"
    assert result.stderr == (
        f"matchcut: a setting cannot be used: MATCHCUT_RATE: {said}; "
        f"MATCHCUT_COPY_CHANNEL__MIN_SCORE: {said}\n"
    )


def test_every_setting_says_what_it_is():
    assert all(field.description for field in Settings.model_fields.values())


def test_a_watched_folder_is_scanned_as_files_come_and_the_end_is_orderly(home, samples, tmp_path):
    uploads, output = tmp_path / "uploads", tmp_path / "flags.jsonl"
    uploads.mkdir()
    copies = [sample.path for sample in samples.uploads if sample.copies][:2]
    shutil.copyfile(copies[0], uploads / "first.mp4")
    arguments = ["scan", uploads, "--watch", "--every", "0.2", "--format", "jsonl"]
    arguments += ["--output", output, "--home", home]
    with subprocess.Popen([sys.executable, "-m", "detector", *map(str, arguments)]) as watching:
        wait_for_lines(output, 1, watching)
        shutil.copyfile(copies[1], uploads / "second.mp4")
        wait_for_lines(output, 2, watching)
        watching.send_signal(signal.SIGTERM)
    assert watching.returncode == 1
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["query_id"] for line in lines] == ["first", "second"]


def test_a_watching_scan_goes_by_what_is_said_and_enrolled_when_a_file_comes(samples, tmp_path):
    home, uploads, output, table = (tmp_path / n for n in ("home", "in", "out.jsonl", "table.csv"))
    uploads.mkdir()
    table.write_text("file,uploader\nother.mp4,studio_a\n")
    bunny, bikes = sorted(samples.films)
    copy = next(one.path for one in samples.uploads if one.path.stem == "bikes-cropped")
    common = ["--home", home, "--channels", "copy"]
    run("works", "add", bunny, *common)
    arguments = ["scan", uploads, "--watch", "--every", "0.2", "--submissions", table]
    arguments += ["--format", "jsonl", "--output", output, *common]
    with subprocess.Popen([sys.executable, "-m", "detector", *map(str, arguments)]) as watching:
        wait_for_lines(output, 0, watching)
        run("works", "add", bikes, *common)
        table.write_text("file,uploader\nnew.mp4,studio_b\n")
        shutil.copyfile(copy, uploads / "new.mp4")
        wait_for_lines(output, 1, watching)
        table.write_text("nonsense\n")  # somebody is at it
        shutil.copyfile(copy, uploads / "later.mp4")
        wait_for_lines(output, 2, watching)
        watching.send_signal(signal.SIGTERM)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["submission"]["uploader"] for line in lines] == ["studio_b", None]
    assert all(line["matches"][0]["work_id"] == "bikes" for line in lines)


def wait_for_lines(path, count, process):
    while not path.exists() or path.read_text().count("\n") < count:
        assert process.poll() is None
        threading.Event().wait(0.05)


def test_watching_wants_a_format_that_needs_no_end(home, tmp_path):
    result = run("scan", tmp_path, "--watch", "--home", home)
    assert (result.exit_code, "--format jsonl or csv" in result.stderr) == (2, True)
