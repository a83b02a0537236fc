"""`matchcut query`: a clip, a still or a phrase is looked for in works and scanned uploads."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.common import (
    FLAGGED,
    Channels,
    Format,
    Home,
    ListFormat,
    errors,
    fail,
    open_index,
    settings_of,
)

if TYPE_CHECKING:
    from detector.answer_rows import Row
    from detector.query import Answer


class Among(StrEnum):
    """What is searched."""

    WORKS = "works"
    UPLOADS = "uploads"
    ALL = "all"


def query_command(
    path: Annotated[str | None, typer.Argument(metavar="[CLIP|IMAGE]", show_default=False)] = None,
    text: Annotated[
        str | None, typer.Option(help="A phrase instead of a file; needs the semantic channel.")
    ] = None,
    among: Annotated[
        Among, typer.Option("--in", help="Works (and enrolled people), uploads that were scanned.")
    ] = Among.ALL,
    home: Home = None,
    channels: Channels = None,
    limit: Annotated[int, typer.Option(min=1, help="Most works, and most uploads.")] = 10,
    shots: Annotated[int, typer.Option(min=1, help="Most shots of each.")] = 3,
    output_format: ListFormat = Format.TABLE,
    frames: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write what is seen there as RANK-ID-TIME.jpg."),
    ] = None,
) -> None:
    """Ask whether a suspect clip, a still or a phrase is ours, and where else it is seen.

    A clip is aligned with works as in a scan, with weaker matches shown too, and
    compared with uploads shot by shot. For a still or a phrase the best shots of
    works and uploads are listed, for a still also which enrolled people are in it.

    matchcut query suspect.mp4

    matchcut query still.jpg --in works --frames seen/

    matchcut query --text "two men fight on a rooftop" --in uploads --shots 5

    Uploads are those of the last 30 days that were scanned with the semantic
    channel. The nearest are listed even where nothing is near. jsonl and csv have
    a row for each place that was found. Exit code 1 if a clip is flagged.
    """
    with errors():
        from detector.answer_rows import rows_of, write_frames
        from detector.commands.scanning import open_for_scan
        from detector.console import say
        from detector.query import Questions, Wanted

        if (path is None) == (text is None):
            fail("give a clip or an image, or a phrase with --text")
        is_semantic = text is not None or among is Among.UPLOADS
        settings = settings_of(home, channels="semantic" if is_semantic else channels)
        wanted = Wanted(among is not Among.UPLOADS, among is not Among.WORKS, limit, shots)
        with open_index(settings) as index:
            opened = open_for_scan(index, settings)
            questions = Questions(index, opened.descriptors, settings, faces=opened.faces)
            if text is not None:
                answer = questions.ask_phrase(text, wanted)
            else:
                answer = questions.ask_file(str(path), wanted)
            rows = rows_of(answer, index)
        if answer.left_out:
            say(
                f"{answer.left_out} scanned uploads are left out: the semantic channel with its "
                "present model has not seen them; scan them again"
            )
        if answer.result is not None and answer.result.reason is not None:
            say(f"{path} was read in part: {answer.result.reason}")
        _write(answer, rows, output_format)
        if frames is not None:
            for problem in write_frames(rows, frames, settings.protocols):
                say(problem)
            say(f"the pictures are in {frames}")
        is_flagged = answer.result is not None and answer.result.verdict.is_flagged
    raise typer.Exit(FLAGGED if is_flagged else 0)


def _write(answer: Answer, rows: list[Row], output_format: Format) -> None:
    """Write an answer; a table has a clip's scan as `matchcut scan` does."""
    from detector.answer_rows import in_words
    from detector.listing import write_rows
    from detector.output import open_writer

    if output_format is not Format.TABLE:
        write_rows(output_format, [row.values for row in rows], sys.stdout)
        return
    if answer.result is not None:
        writer = open_writer(Format.TABLE, sys.stdout)
        writer.write(answer.result)
        writer.close()
        rows = rows[len(rows) - len(answer.moments) :]
        if not rows:
            return
    write_rows(Format.TABLE, in_words(rows), sys.stdout, none="nothing like it")
