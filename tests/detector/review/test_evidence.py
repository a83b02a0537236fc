from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from detector.output import from_json, to_json
from detector.review.evidence import (
    Anchor,
    NoEvidenceError,
    PersonEvidence,
    WorkEvidence,
    case_evidence,
    match_of,
)
from detector.review.records import Case
from detector.samples import SampleSet
from detector.settings import Settings
from detector.timeline import timeline
from detector.types import (
    Appearance,
    Box,
    Channel,
    Evidence,
    Flag,
    FramePair,
    Likeness,
    Match,
    ScanResult,
    Segment,
    Verdict,
)
from index.reference_index import ReferenceIndex
from tests.detector.review.conftest import ScannedDesk, case_of

DIGEST = "a" * 64


@pytest.fixture
def index(scanned_desk: ScannedDesk) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(scanned_desk.home) as index:
        yield index


@pytest.fixture
def compilation(scanned_desk: ScannedDesk) -> Case:
    return scanned_desk.cases["best-scenes-compilation"]


def result_of(case: Case) -> ScanResult:
    return from_json(dict(case.result))


def changed(case: Case, *flags: Flag, **values: object) -> Case:
    """Return a case whose scan found something else."""
    result = replace(result_of(case), **({"flags": flags} if flags else {}), **values)  # type: ignore[arg-type]
    return case_of(result, DIGEST)


def reference_time(anchors: tuple[Anchor, ...], time: float) -> float | None:
    """Say where the reference is played, as the page does."""
    for one in anchors:
        if one.query_start <= time <= one.query_end:
            return one.ref_start + (time - one.query_start) * one.speed
    return None


def test_every_planted_copy_is_shown_with_its_film(
    compilation: Case, index: ReferenceIndex, scanned_desk: ScannedDesk, samples: SampleSet
) -> None:
    evidence = case_evidence(compilation, index, scanned_desk.settings)
    assert evidence.upload.problem is None
    assert evidence.upload.digest == compilation.digest
    assert evidence.others == ()
    shown = {one.subject: one for one in evidence.matches}
    planted = next(one for one in samples.uploads if one.path.stem == "best-scenes-compilation")
    assert shown.keys() == {copy.ref_id for copy in planted.copies}
    films = {path.stem: path for path in samples.films}
    for copy in planted.copies:
        one = shown[copy.ref_id]
        assert isinstance(one, WorkEvidence)
        assert one.flag == result_of(compilation).flags[one.number]
        assert one.flag.verdict is Verdict.BLOCK
        assert one.headline.endswith(f"s of {copy.ref_id}")
        assert one.seconds == pytest.approx(copy.query_end - copy.query_start, abs=0.5)
        assert one.reference is not None
        assert one.reference.source == str(films[copy.ref_id])
        assert one.reference.problem is None
        assert one.work is not None
        assert one.reference.digest == one.work.digest
        for share in (0.2, 0.5, 0.8):
            time = copy.query_start + share * (copy.query_end - copy.query_start)
            aligned = copy.ref_start + share * (copy.ref_end - copy.ref_start)
            assert reference_time(one.aligned, time) == pytest.approx(aligned, abs=0.2)
        assert reference_time(one.aligned, 0.1) is None
        segments = one.flag.match.segments
        assert one.timeline == timeline(segments, compilation.duration, one.work.duration)


def test_scores_are_told_raw_normalised_and_calibrated(
    compilation: Case, index: ReferenceIndex, scanned_desk: ScannedDesk
) -> None:
    settings = scanned_desk.settings
    for one in case_evidence(compilation, index, settings).matches:
        assert isinstance(one, WorkEvidence)
        assert one.threshold == settings.copy_channel.min_score
        assert one.score == max(segment.score for segment in one.segments) >= one.threshold
        for number, segment in enumerate(one.segments):
            told = one.flag.match.segments[number]
            assert segment.number == number
            assert segment.evidence == told.evidence
            assert segment.normalised == told.evidence.similarity - told.evidence.ordinary
            assert segment.reaches_threshold
            assert f"{told.evidence.similarity:.2f} similar" in segment.words
            assert "confirms it to" in segment.words
            assert [pair.pair for pair in segment.pairs] == list(told.pairs)
            assert [pair.number for pair in segment.pairs] == list(range(len(told.pairs)))


def test_a_person_is_shown_beside_who_comes_second(
    scanned_desk: ScannedDesk, index: ReferenceIndex
) -> None:
    case = scanned_desk.cases["interview"]
    (one,) = case_evidence(case, index, scanned_desk.settings).matches
    assert isinstance(one, PersonEvidence)
    assert one.person is not None
    assert one.person.name == "Eileen Collins"
    assert one.headline.startswith("Eileen Collins is likely seen for")
    assert one.threshold == scanned_desk.settings.face_channel.min_score
    (appearance,) = one.appearances
    assert appearance.has_pictures
    assert appearance.margin is None
    assert appearance.runner_up is None
    assert len(one.line.spans) == 1

    (flag,) = result_of(case).flags
    (seen,) = flag.match.appearances
    second = replace(seen, margin=4.5, runner_up="eileen")
    gone = replace(seen, margin=2.0, runner_up="somebody", likeness=Likeness.RESEMBLES, score=0.3)
    match = replace(flag.match, appearances=(second, gone))
    case = changed(case, replace(flag, match=match))
    (one,) = case_evidence(case, index, scanned_desk.settings).matches
    assert isinstance(one, PersonEvidence)
    first, last = one.appearances
    assert first.runner_up is not None
    assert last.runner_up is not None
    assert (first.margin, first.runner_up.name) == (4.5, "Eileen Collins")
    assert "4.5 above the next enrolled person" in first.words
    assert (last.margin, last.runner_up.name) == (2.0, "somebody")
    assert not last.has_pictures
    assert not last.reaches_threshold
    assert len(one.line.spans) == 1  # only the likely one


def test_somebody_who_only_resembles_the_person_is_said_to(
    scanned_desk: ScannedDesk, index: ReferenceIndex
) -> None:
    case = scanned_desk.cases["interview"]
    (flag,) = result_of(case).flags
    (seen,) = flag.match.appearances
    match = replace(flag.match, appearances=(replace(seen, likeness=Likeness.RESEMBLES),))
    case = changed(case, replace(flag, match=match, verdict=Verdict.CLEAR))
    evidence = case_evidence(case, index, scanned_desk.settings)
    assert evidence.matches == ()
    (one,) = evidence.others
    assert one.headline == "Somebody resembles Eileen Collins"
    assert one.seconds == 0


def segment(start: float, ref: float, speed: float = 1.0, score: float = 0.5) -> Segment:
    return Segment(
        start, start + 4, ref, ref + 4 * speed, score, speed, Evidence(0.7, 0.2, 0.5, 1.0, 4.0),
        (FramePair(start, ref, 0.8),),
    )  # fmt: skip


def flag(work: str, *segments: Segment, verdict: Verdict, **values: object) -> Flag:
    score = max((one.score for one in segments), default=0.4)
    match = Match(work, Channel.COPY, score, segments)
    return Flag(match, verdict, "a rule", work.title(), None, **values)  # type: ignore[arg-type]


def test_the_gravest_comes_first_and_numbers_are_those_of_the_scan(
    compilation: Case, index: ReferenceIndex, scanned_desk: ScannedDesk
) -> None:
    case = changed(
        compilation,
        flag("allowed", segment(0, 0), verdict=Verdict.ALLOW, licence="L-7"),
        flag("watched", segment(0, 0, score=0.9), verdict=Verdict.MONITOR),
        flag("weak", segment(4, 0, score=0.6), verdict=Verdict.BLOCK),
        flag("bikes", segment(4, 0, 1.25), segment(0, 5, score=0.95), verdict=Verdict.BLOCK,
             nearly=("licence L-8 ended on 2026-03-01",)),
    )  # fmt: skip
    evidence = case_evidence(case, index, scanned_desk.settings)
    assert [(one.subject, one.number) for one in evidence.matches] == [
        ("bikes", 3),
        ("weak", 2),
        ("watched", 1),
    ]
    assert [(one.subject, one.flag.licence) for one in evidence.others] == [("allowed", "L-7")]
    bikes = evidence.matches[0]
    assert isinstance(bikes, WorkEvidence)
    assert bikes.flag.nearly == ("licence L-8 ended on 2026-03-01",)
    assert bikes.headline == "8.0 s of Bikes in 2 segments"
    assert [anchor.segment for anchor in bikes.aligned] == [1, 0]
    assert bikes.segments[0].edits == ("1.25x speed",)
    assert not bikes.segments[0].reaches_threshold
    assert bikes.segments[1].reaches_threshold
    assert "not compared in detail" in bikes.segments[0].words


def test_what_has_gone_is_said_and_the_rest_is_shown(
    compilation: Case, scanned_desk: ScannedDesk, tmp_path: Path
) -> None:
    case = changed(compilation, source=str(tmp_path / "gone.mp4"))
    with ReferenceIndex.open(tmp_path / "empty") as nothing:
        evidence = case_evidence(case, nothing, scanned_desk.settings)
        person = scanned_desk.cases["interview"]
        (seen,) = case_evidence(person, nothing, scanned_desk.settings).matches
    assert evidence.upload.problem == f"The upload is no longer at {tmp_path / 'gone.mp4'}"
    for one in evidence.matches:
        assert isinstance(one, WorkEvidence)
        assert one.work is None
        assert one.reference is None
        assert one.timeline is not None
        assert one.flag.title in one.headline
    assert isinstance(seen, PersonEvidence)
    assert seen.person is None


def test_an_address_is_played_if_it_may_be_read(
    compilation: Case, index: ReferenceIndex, scanned_desk: ScannedDesk
) -> None:
    case = changed(compilation, source="s3://bucket/clip.mp4")
    assert case_evidence(case, index, scanned_desk.settings).upload.problem is None
    case = changed(compilation, source="https://films.example/clip.mp4")
    problem = case_evidence(case, index, scanned_desk.settings).upload.problem
    assert problem is not None
    assert problem.startswith(
        "The upload is at https://films.example/clip.mp4: addresses that begin with https://"
    )


def test_a_match_of_which_nothing_counts_has_no_timeline(
    compilation: Case, index: ReferenceIndex, scanned_desk: ScannedDesk
) -> None:
    case = changed(compilation, flag("bikes", verdict=Verdict.CLEAR))
    (one,) = case_evidence(case, index, scanned_desk.settings).others
    assert isinstance(one, WorkEvidence)
    assert (one.timeline, one.aligned, one.segments) == (None, (), ())
    assert one.headline == "Nothing that counts of Bikes"


@pytest.mark.parametrize("number", [-1, 2, 10**30])
def test_a_match_that_is_not_there_is_refused(compilation: Case, number: int) -> None:
    with pytest.raises(NoEvidenceError, match="no match"):
        match_of(compilation, number)


def test_an_infinite_margin_is_none(index: ReferenceIndex, compilation: Case) -> None:
    box = Box(0.1, 0.1, 0.2, 0.2)
    seen = Appearance(0, 1, 0.95, Likeness.LIKELY, 0.8, 9.0, math.inf, 3, 0.5, box, 1)
    match = Match("eileen", Channel.FACE, 0.95, appearances=(seen,))
    case = changed(compilation, Flag(match, Verdict.REVIEW, "", "Eileen", None))
    (one,) = case_evidence(case, index, Settings()).matches
    assert isinstance(one, PersonEvidence)
    assert one.appearances[0].margin is None
    assert to_json(result_of(case))["matches"][0]["appearances"][0]["margin"] is None
