from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace

import pytest

from detector.output import from_json, open_writer, outcome, summary, to_json
from detector.text import clock
from detector.types import (
    Channel,
    Evidence,
    Flag,
    FrameCounts,
    FramePair,
    Match,
    ScanResult,
    Segment,
    Status,
    Verdict,
)

EVIDENCE = Evidence(
    similarity=0.81, ordinary=0.12, agreement=0.93, change=1.0, seconds=2.5, confirmed=0.75
)


def segment(start: float = 1.0, score: float = 0.98765) -> Segment:
    return Segment(
        query_start=start,
        query_end=start + 2.5,
        ref_start=61.00049,
        ref_end=63.5,
        score=score,
        speed=1.0,
        evidence=EVIDENCE,
        pairs=(FramePair(start, 61.0, 0.9), FramePair(start + 1, 62.0, 0.8)),
        edits=("mirrored", "cropped to 75 %"),
    )


def flagged(
    query_id: str = "upload", work_id: str = "metropolis", starts: tuple[float, ...] = (1.0, 12.0)
) -> ScanResult:
    match = Match(work_id, Channel.COPY, 0.98765, tuple(segment(start) for start in starts))
    return ScanResult(
        source=f"uploads/{query_id}.mp4",
        query_id=query_id,
        status=Status.OK,
        duration=20.0,
        channels=(Channel.COPY, Channel.SEMANTIC),
        flags=(Flag(match, Verdict.REVIEW, "the work's policy", "Metropolis", owner=None),),
        frames=FrameCounts(sampled=60, uniform=2, undecodable=1),
        timings={"decode": 0.5, "search": 0.01},
    )


UNREADABLE = ScanResult("x/broken.mp4", "broken", Status.UNREADABLE, reason="the file is empty")
CLEAR = ScanResult("x/holiday.mp4", "holiday", Status.OK, duration=65.25)
ODD_NAMES = ["[red]danger[/red]", "[/]", "a,b", 'say "hi"', "two\nlines", "ü", "=1+1", "[link=x]y"]


def written(output_format: str, *results: ScanResult) -> str:
    stream = io.StringIO()
    writer = open_writer(output_format, stream)
    for result in results:
        writer.write(result)
    writer.close()
    return stream.getvalue()


# --- CSV --------------------------------------------------------------------------------------


def test_the_csv_has_the_columns_of_the_matching_track_first() -> None:
    assert written("csv") == (
        "query_id,ref_id,query_start,query_end,ref_start,ref_end,score,channel,verdict\n"
    )


def test_a_segment_is_a_row_with_times_to_the_millisecond() -> None:
    _, one, two = written("csv", flagged()).splitlines()
    assert one.startswith("upload,metropolis,1.000,3.500,61.000,63.500,0.98")
    assert one.endswith(",copy,review")
    assert two.startswith("upload,metropolis,12.000,14.500,")


def test_the_score_in_a_csv_is_a_number_between_0_and_1() -> None:
    (row,) = csv.DictReader(io.StringIO(written("csv", flagged(starts=(1.0,)))))
    assert float(row["score"]) == pytest.approx(0.98765, abs=0.001)


def test_uploads_without_segments_have_no_rows() -> None:
    assert written("csv", UNREADABLE, CLEAR) == written("csv")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_survive_in_a_csv(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(written("csv", flagged(name, name, (1.0,)))))
    assert (row["query_id"], row["ref_id"]) == (name, name)


# --- JSON lines -------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [flagged(), UNREADABLE, CLEAR], ids=lambda r: r.query_id)
def test_what_was_written_as_json_is_read_back(result: ScanResult) -> None:
    assert from_json(json.loads(json.dumps(to_json(result)))) == result


def test_a_segment_whose_pictures_were_not_compared_is_read_back_too() -> None:
    plain = replace(segment(), evidence=replace(EVIDENCE, confirmed=None), pairs=(), edits=())
    match = Match("metropolis", Channel.COPY, plain.score, (plain,))
    result = replace(CLEAR, flags=(Flag(match, Verdict.ALLOW, "policy", "Metropolis", "UFA"),))
    assert from_json(json.loads(json.dumps(to_json(result)))) == result


@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_upload_is_one_line_of_json(name: str) -> None:
    lines = written("jsonl", flagged(name), UNREADABLE).splitlines()
    assert [json.loads(line)["query_id"] for line in lines] == [name, "broken"]


def test_the_json_says_what_the_contract_promises() -> None:
    values = json.loads(written("jsonl", flagged()))
    assert values["status"] == "ok"
    assert values["duration"] == 20.0
    assert values["channels"] == ["copy", "semantic"]
    assert values["verdict"] == "review"
    assert values["timings"] == {"decode": 0.5, "search": 0.01}
    assert values["frames"] == {"sampled": 60, "uniform": 2, "undecodable": 1}
    (match,) = values["matches"]
    assert (match["work_id"], match["channel"], match["verdict"]) == (
        "metropolis",
        "copy",
        "review",
    )
    found = match["segments"][0]
    assert found["pairs"][0] == {"query_time": 1.0, "ref_time": 61.0, "similarity": 0.9}
    assert found["evidence"] == {
        "similarity": 0.81,
        "ordinary": 0.12,
        "agreement": 0.93,
        "change": 1.0,
        "seconds": 2.5,
        "confirmed": 0.75,
    }
    assert found["edits"] == ["mirrored", "cropped to 75 %"]


def test_the_json_of_an_unreadable_upload_says_why() -> None:
    values = json.loads(written("jsonl", UNREADABLE))
    assert (values["status"], values["reason"]) == ("unreadable", "the file is empty")
    assert values["matches"] == []


# --- the table --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["[red]danger[/red]", "[/]", "[bold", "[link=x]y", "ü", "=1+1"])
def test_names_that_look_like_markup_survive_in_the_table(name: str) -> None:
    assert name in written("table", flagged(name))
    assert name in written("table", flagged(work_id=name))


def test_a_name_cannot_begin_a_line_of_its_own_in_the_table() -> None:
    lines = written("table", flagged("two\nlines\x1b[31m")).splitlines()
    assert not [line for line in lines if line.startswith("lines")]
    assert not [line for line in lines if "\x1b" in line]


def test_the_table_says_what_became_of_every_upload() -> None:
    table = written("table", flagged(), UNREADABLE, CLEAR)
    for text in ("review", "metropolis", "0:01.0", "the file is empty", "holiday", "clear"):
        assert text in table


def test_a_table_of_nothing_is_nothing() -> None:
    assert written("table") == ""


# --- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0:00.0"),
        (5.04, "0:05.0"),
        (59.94, "0:59.9"),
        (59.96, "1:00.0"),
        (65.3, "1:05.3"),
        (3599.96, "1:00:00.0"),
        (3725.3, "1:02:05.3"),
    ],
)
def test_seconds_are_written_as_people_do(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_outcome_of_a_scan_fits_in_a_line() -> None:
    assert outcome(flagged()) == "review; metropolis 0.99"
    assert outcome(UNREADABLE) == "unreadable: the file is empty"
    assert outcome(CLEAR) == "clear"


def test_the_summary_counts_what_matters() -> None:
    text = summary([flagged(), UNREADABLE, CLEAR])
    assert text == "3 uploads, 1:25.2 of video: 1 flagged, 0 read in part, 1 unreadable"


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "table"])
def test_a_name_that_is_no_text_does_not_end_the_batch(output_format: str) -> None:
    """File names are bytes: one in Latin-1 must not make the results of all others unwritable."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    writer = open_writer(output_format, stream)
    writer.write(flagged(os.fsdecode(b"caf\xe9")))
    writer.write(flagged("next"))
    writer.close()
    stream.flush()
    assert b"next" in raw.getvalue()
