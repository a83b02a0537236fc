from __future__ import annotations

import csv
import io
import json
import math
import os
from dataclasses import replace

import pytest

from detector.output import from_json, open_writer, outcome, print_table, to_json
from detector.tally import Tally
from detector.text import clock
from detector.types import (
    Appearance,
    Box,
    Channel,
    Evidence,
    FaceCounts,
    Fault,
    Flag,
    FrameCounts,
    FramePair,
    Likeness,
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


def appearance(
    start: float = 3.0, likeness: Likeness = Likeness.LIKELY, margin: float = 4.5
) -> Appearance:
    return Appearance(
        start=start,
        end=start + 2.5,
        score=0.97654 if likeness is Likeness.LIKELY else 0.31,
        likeness=likeness,
        similarity=0.62,
        distance=6.1,
        margin=margin,
        faces=5,
        time=start + 1,
        box=Box(0.25, 0.5, 0.125, 0.2),
        reference=3,
    )


def seen(*appearances: Appearance, query_id: str = "interview") -> ScanResult:
    """Make the scan of an upload in which a person is seen."""
    appearances = appearances or (appearance(), appearance(12.0))
    match = Match(
        "anna", Channel.FACE, max(one.score for one in appearances), appearances=appearances
    )
    likely = [one for one in appearances if one.likeness is Likeness.LIKELY]
    verdict = Verdict.REVIEW if likely else Verdict.CLEAR
    return ScanResult(
        source=f"uploads/{query_id}.mp4",
        query_id=query_id,
        status=Status.OK,
        duration=20.0,
        channels=(Channel.FACE,),
        flags=(Flag(match, verdict, "what Anna wants", "Anna Magnani", "consent"),),
        frames=FrameCounts(sampled=60),
        faces=FaceCounts(found=90, unusable=7, tracks=12, likely=2, resembles=0, unknown=10),
    )


UNREADABLE = ScanResult("x/broken.mp4", "broken", Status.UNREADABLE, reason="the file is empty")
HANGING = ScanResult("x/trap.mp4", "trap", Status.UNREADABLE, "it hung", fault=Fault.HANG)
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


def test_an_appearance_is_a_row_without_times_of_a_work() -> None:
    _, one, two = written("csv", seen()).splitlines()
    assert one == "interview,anna,3.000,5.500,,,0.9765,face,review"
    assert two == "interview,anna,12.000,14.500,,,0.9765,face,review"


def test_a_face_that_only_resembles_has_no_part_in_the_verdict() -> None:
    rows = written("csv", seen(appearance(), appearance(12.0, Likeness.RESEMBLES))).splitlines()[1:]
    assert [row.rpartition(",")[2] for row in rows] == ["review", "clear"]


def test_works_and_people_stand_in_one_csv() -> None:
    both = replace(flagged(), flags=(*flagged().flags, *seen().flags))
    rows = list(csv.DictReader(io.StringIO(written("csv", both))))
    assert [row["ref_id"] for row in rows] == ["metropolis", "metropolis", "anna", "anna"]
    assert [row["ref_start"] for row in rows] == ["61.000", "61.000", "", ""]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_survive_in_a_csv(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(written("csv", flagged(name, name, (1.0,)))))
    assert (row["query_id"], row["ref_id"]) == (name, name)


# --- JSON lines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result",
    [
        flagged(),
        UNREADABLE,
        HANGING,
        CLEAR,
        seen(query_id="people"),
        seen(appearance(margin=math.inf), query_id="only one person"),
        seen(appearance(likeness=Likeness.RESEMBLES), query_id="resembling"),
        replace(flagged(), flags=(*seen().flags, *flagged().flags), query_id="both"),
    ],
    ids=lambda result: result.query_id,
)
def test_what_was_written_as_json_is_read_back(result: ScanResult) -> None:
    assert from_json(json.loads(json.dumps(to_json(result)))) == result


def test_a_result_from_before_faults_had_names_is_read_back() -> None:
    values = to_json(UNREADABLE)
    del values["fault"]
    assert from_json(values) == UNREADABLE


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


def test_the_json_says_everything_of_an_appearance() -> None:
    values = json.loads(written("jsonl", seen(replace(appearance(), runner_up="bette"))))
    assert values["faces"] == {
        "found": 90,
        "unusable": 7,
        "tracks": 12,
        "likely": 2,
        "resembles": 0,
        "unknown": 10,
    }
    (match,) = values["matches"]
    assert (match["person_id"], match["name"], match["authority"]) == (
        "anna",
        "Anna Magnani",
        "consent",
    )
    assert not match.keys() & {"work_id", "title", "owner", "segments"}
    assert match["appearances"] == [
        {
            "start": 3.0,
            "end": 5.5,
            "score": 0.97654,
            "likeness": "likely",
            "similarity": 0.62,
            "distance": 6.1,
            "margin": 4.5,
            "faces": 5,
            "time": 4.0,
            "box": {"left": 0.25, "top": 0.5, "width": 0.125, "height": 0.2},
            "reference": 3,
            "runner_up": "bette",
        }
    ]


def test_who_comes_second_is_kept_and_was_not_known_to_older_results() -> None:
    result = seen(replace(appearance(), runner_up="bette"))
    values = json.loads(written("jsonl", result))
    assert from_json(values) == result
    del values["matches"][0]["appearances"][0]["runner_up"]
    (read,) = from_json(values).flags[0].match.appearances
    assert read == appearance()


@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_no_infinity_is_written_where_one_person_alone_is_enrolled(output_format: str) -> None:
    text = written(output_format, seen(appearance(margin=math.inf)))
    assert "inf" not in text.lower()
    if output_format == "jsonl":
        assert json.loads(text)["matches"][0]["appearances"][0]["margin"] is None


def test_where_nobody_looked_for_faces_the_json_says_so() -> None:
    assert json.loads(written("jsonl", flagged()))["faces"] is None


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


def test_an_appearance_stands_in_the_table_with_how_sure_it_is() -> None:
    table = written("table", seen(appearance(), appearance(12.0, Likeness.RESEMBLES)))
    header, one, two = (line for line in table.splitlines() if line[0] in "┃│")
    assert "work or person" in header
    cells = [cell.strip() for cell in one.split("│")[1:-1]]
    assert cells == [
        "interview", "review", "anna", "0:03.0 - 0:05.5", "", "0.98", "face", "likely",
    ]  # fmt: skip
    assert [cell.strip() for cell in two.split("│")[6:9]] == ["0.31", "face", "resembles"]


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
    assert outcome(seen()) == "review; anna 0.98"
    assert outcome(seen(appearance(likeness=Likeness.RESEMBLES))) == "clear; resembles anna 0.31"


def tally(*results: ScanResult) -> Tally:
    counted = Tally()
    for result in results:
        counted.add(result)
    return counted


def test_the_summary_tells_how_fast_it_was() -> None:
    text = tally(flagged(), UNREADABLE, CLEAR).summary(10)
    assert text.startswith("3 uploads, 1:25.2 of video in 0:10.0 (8.53 times real time): 1 flagged")


def test_the_summary_counts_what_matters() -> None:
    text = tally(flagged(), UNREADABLE, CLEAR).summary()
    assert text == "3 uploads, 1:25.2 of video: 1 flagged, 0 read in part, 1 unreadable"


def test_the_summary_counts_faces_where_somebody_looked_for_them() -> None:
    text = tally(seen(), seen(), CLEAR).summary()
    assert text.endswith(
        "0 unreadable; 24 faces followed, 4 likely, 0 resemble, 20 unknown; nothing is kept of the "
        "unknown"
    )


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


def test_the_table_of_a_batch_counts_verdicts_and_what_is_shown_most_often() -> None:
    uploads = [flagged(work_id="heat") for _ in range(7)]
    uploads += [flagged(work_id=f"work-{number}") for number in range(6)]
    stream = io.StringIO()
    print_table(tally(*uploads, UNREADABLE, CLEAR).table(), stream)
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in stream.getvalue().splitlines()
        if "│" in line
    ]
    assert rows == [
        ["review", "13", "heat 7, work-0 1, work-1 1, work-2 1, work-3 1, and 2 more"],
        ["clear", "1", ""],
        ["unreadable", "1", ""],
    ]
