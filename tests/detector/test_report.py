from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector import report
from detector.media import grab
from detector.report import (
    PAIRS_PER_MATCH,
    ReportedWork,
    choose_pairs,
    write_report,
)
from detector.report_people import APPEARANCES_PER_PERSON, ReportedPerson, reported_people
from detector.samples import PlantedCopy, Sample, SampleSet
from detector.text import amount, clock, visible
from detector.timeline import covered, timeline
from detector.types import (
    Appearance,
    Box,
    Channel,
    Evidence,
    FaceCounts,
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
from index.cipher import Cipher
from index.reference_index import ReferenceIndex

CREATED = datetime(2025, 3, 4, 15, 42, tzinfo=UTC)
HOSTILE = "<script>alert('a')\" onload=\"alert(1)\u202e4pm.exe"


class Page(HTMLParser):
    """What a browser would find in a report."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._silent = False
        self.feed(html)
        self.text = re.sub(r"\s+", " ", self.text).replace("\N{EN DASH}", "-")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._silent = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]

    @property
    def pictures(self) -> list[str]:
        return [
            value for value in self.values("src") if value.startswith("data:image/jpeg;base64,")
        ]


def segment(
    copy: PlantedCopy, pairs: int = 3, score: float = 0.97, edits: tuple[str, ...] = ()
) -> Segment:
    """Turn a planted copy into the segment that a perfect scan finds."""
    seconds = copy.query_end - copy.query_start
    speed = (copy.ref_end - copy.ref_start) / seconds
    steps = [(n + 0.5) / pairs * seconds for n in range(pairs)]
    evenly = tuple(
        FramePair(copy.query_start + step, copy.ref_start + speed * step, 0.9) for step in steps
    )
    return Segment(
        copy.query_start,
        copy.query_end,
        copy.ref_start,
        copy.ref_end,
        score,
        speed,
        Evidence(similarity=0.9, ordinary=0.1, agreement=1.0, change=1.0, seconds=seconds),
        evenly,
        edits,
    )


def flag(work: ReportedWork, *segments: Segment, verdict: Verdict = Verdict.BLOCK) -> Flag:
    match = Match(work.id, Channel.COPY, max(s.score for s in segments), segments)
    return Flag(match, verdict, f"rule for {work.title}", work.title, work.owner)


def scanned(sample: Sample, *flags: Flag) -> ScanResult:
    return ScanResult(
        str(sample.path),
        sample.path.stem,
        Status.OK,
        duration=sample.duration,
        channels=(Channel.COPY,),
        flags=flags,
        frames=FrameCounts(sampled=24, uniform=3),
    )


@pytest.fixture(scope="module")
def works(samples: SampleSet) -> dict[str, ReportedWork]:
    bunny, bikes = samples.films
    return {
        bunny.stem: ReportedWork(bunny.stem, "Big Buck Bunny", "Blender", 5.28, str(bunny)),
        bikes.stem: ReportedWork(bikes.stem, "Bikes", None, 10.0, str(bikes)),
    }


def upload(samples: SampleSet, name: str) -> Sample:
    return next(sample for sample in samples.uploads if sample.path.stem == name)


def true_result(sample: Sample, works: dict[str, ReportedWork]) -> ScanResult:
    copies = sample.copies
    return scanned(sample, *(flag(works[copy.ref_id], segment(copy)) for copy in copies))


def written(
    folder: Path,
    results: Sequence[ScanResult],
    works: dict[str, ReportedWork],
    people: dict[str, ReportedPerson] | None = None,
) -> tuple[str, Page]:
    path = folder / "report.html"
    versions = {"matchcut": "0.1.0"}
    write_report(path, results, works, people or {}, created=CREATED, versions=versions)
    assert list(folder.iterdir()) == [path]
    html = path.read_text(encoding="utf-8")
    return html, Page(html)


def test_the_whole_demo(tmp_path: Path, samples: SampleSet, works: dict[str, ReportedWork]) -> None:
    results = [true_result(sample, works) for sample in samples.uploads]
    copies = sum(len(sample.copies) for sample in samples.uploads)
    html, page = written(tmp_path, results, works)

    for sample in samples.uploads:
        assert sample.path.name in page.text
    flagged = [sample for sample in samples.uploads if sample.copies]
    assert f"{len(flagged)} of {len(results)} uploads flagged" in page.text
    assert "copy (10 uploads)" in page.text
    assert "2025-03-04 15:42 UTC" in page.text
    assert "matchcut 0.1.0" in page.text
    assert "24 sampled, 3 of them left out for showing nothing" in page.text
    assert "mean similarity 0.90" in page.text
    assert "Edited: 1.25x speed" in page.text
    assert (
        "holiday-vlog-with-bikes.mp4 contains 4.0 s of Bikes (0:02.0-0:06.0 of the upload"
        " shows 0:03.0-0:07.0 of the work), score 0.97 (copy channel). Rule: rule for Bikes"
    ) in page.text

    assert len(page.pictures) == 2 * 3 * copies
    assert page.values("role") == ["img"] * copies
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = page.values("href")
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= set(ids)
    named = " ".join(page.values("aria-labelledby")).split()
    assert set(named) <= set(ids)
    assert len([link for link in links if re.fullmatch(r"#upload-\d+", link)]) == len(flagged)

    assert all(not value.startswith(("http:", "https:", "//")) for value in page.values("src"))
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "url(" not in html
    assert "@import" not in html


def test_what_was_done_to_the_work_is_said_of_each_segment(
    tmp_path: Path, samples: SampleSet, works: dict[str, ReportedWork]
) -> None:
    sample = upload(samples, "bikes-sped-up")
    first, second = PlantedCopy("bikes", 0, 4, 0, 4, ""), PlantedCopy("bikes", 4, 8, 5, 10, "")
    edited = segment(first, edits=("mirrored", "cropped to 75 %", "1.25x speed"))
    _, page = written(
        tmp_path, [scanned(sample, flag(works["bikes"], edited, segment(first)))], works
    )
    assert page.text.count("Edited:") == 1
    assert "Edited: mirrored, cropped to 75 %, 1.25x speed" in page.text
    _, page = written(tmp_path, [scanned(sample, flag(works["bikes"], segment(second)))], works)
    assert "Edited: 1.25x speed" in page.text


def test_pictures_are_of_the_aligned_moments(
    tmp_path: Path, samples: SampleSet, works: dict[str, ReportedWork]
) -> None:
    _, page = written(tmp_path, [true_result(upload(samples, "bikes-sped-up"), works)], works)
    images = []
    for uri in page.pictures:
        data = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert image is not None
        assert min(image.shape[:2]) == report.PICTURE_SIDE
        images.append(image.astype(float))
    pairs = list(zip(images[::2], images[1::2], strict=True))
    for query, ref in pairs:
        assert query.shape == ref.shape
        assert np.abs(query - ref).mean() < 10
    assert np.abs(pairs[0][0] - pairs[1][1]).mean() > 20


def test_the_gravest_comes_first(
    tmp_path: Path, samples: SampleSet, works: dict[str, ReportedWork]
) -> None:
    copy = PlantedCopy("bikes", 0, 4, 0, 4, "")
    bikes = works["bikes"]
    cases = [("a", Verdict.MONITOR, 0.99), ("b", Verdict.REVIEW, 0.7), ("c", Verdict.BLOCK, 0.6)]
    results = [
        ScanResult(
            f"{name}.mp4",
            name,
            Status.OK,
            flags=(flag(bikes, segment(copy, score=score), verdict=verdict),),
        )
        for name, verdict, score in [*cases, ("d", Verdict.REVIEW, 0.8)]
    ]
    _, page = written(tmp_path, results, works)
    table = page.text.partition("Flagged uploads")[2].partition("Evidence")[0]
    assert re.findall(r"(\w)\.mp4 (\w+)", table) == [
        ("c", "Block"), ("d", "Review"), ("b", "Review"), ("a", "Monitor"),
    ]  # fmt: skip


def test_a_hostile_name_is_only_text(
    tmp_path: Path, samples: SampleSet, works: dict[str, ReportedWork]
) -> None:
    sample = upload(samples, "bikes-cropped")
    found = true_result(sample, works).flags
    titled = replace(found[0], title=HOSTILE, owner=HOSTILE, reason=HOSTILE)
    results = [
        ScanResult(f"in/1{HOSTILE}", "1", Status.OK, duration=10.0, flags=(titled,)),
        ScanResult(f"in/2{HOSTILE}", "2", Status.UNREADABLE, reason=HOSTILE),
        ScanResult(f"in/3{HOSTILE}\udcff", "3", Status.OK),
    ]
    html, page = written(tmp_path, results, works)
    assert "script" not in page.tags
    assert not page.values("onload")
    assert "<script" not in html
    assert "\u202e" not in html
    assert all(f"{n}<script>alert('a')\" onload=" in page.text for n in (1, 2, 3))
    assert "\\u202e4pm.exe\\udcff" in page.text


def test_footage_that_is_gone_is_said_to_be_gone(
    tmp_path: Path, samples: SampleSet, works: dict[str, ReportedWork]
) -> None:
    sample = upload(samples, "bikes-cropped")
    moved = {**works, "bikes": replace(works["bikes"], source="films/moved.mp4")}
    (tmp_path / "a").mkdir()
    _, page = written(tmp_path / "a", [true_result(sample, works)], moved)
    assert page.text.count("The reference file is no longer at films/moved.mp4") == 1
    assert page.text.count("no picture") == 3
    assert len(page.pictures) == 3

    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(sample.path.read_bytes()[:300])
    result = replace(true_result(sample, works), source=str(damaged))
    remote = {**works, "bikes": replace(works["bikes"], source="https://films/bikes.mp4")}
    (tmp_path / "b").mkdir()
    _, page = written(tmp_path / "b", [result], remote)
    assert "The reference file is at https://films/bikes.mp4: addresses that begin" in page.text
    assert "The upload gives no picture at 0:01.7: " in page.text
    assert not page.pictures

    (tmp_path / "c").mkdir()
    _, page = written(tmp_path / "c", [true_result(sample, works)], {})
    assert "The catalogue does not know this work's reference file." in page.text
    assert len(page.pictures) == 3


def test_files_that_could_not_be_read_and_matches_that_were_not_flagged(
    tmp_path: Path, samples: SampleSet, works: dict[str, ReportedWork]
) -> None:
    sample = upload(samples, "phone-call")
    copy = PlantedCopy("bikes", 1, 3, 4, 6, "")
    low = flag(works["bikes"], segment(copy, score=0.31), verdict=Verdict.CLEAR)
    allowed = flag(works["bikes"], segment(copy), verdict=Verdict.ALLOW)
    partial = replace(
        true_result(upload(samples, "bikes-cropped"), works),
        status=Status.PARTIAL,
        reason="the file ends early",
        frames=FrameCounts(7, 0, 12),
    )
    results = [
        scanned(sample, low, allowed),
        partial,
        ScanResult("empty.mp4", "empty", Status.UNREADABLE, reason="the file is empty"),
    ]
    _, page = written(tmp_path, results, works)
    assert "empty.mp4 not at all the file is empty" in page.text
    assert "bikes-cropped.mp4 in part, flagged the file ends early" in page.text
    assert "Only part of this file could be read: the file ends early." in page.text
    assert "12 packets undecodable" in page.text
    assert "1 upload with nothing to flag" in page.text
    assert "Clear: Bikes, copy score 0.31, 0:01.0-0:03.0" in page.text
    assert "Allowed: Bikes" in page.text


def test_nothing_scanned(tmp_path: Path) -> None:
    _, page = written(tmp_path, [], {})
    assert "Nothing was flagged." in page.text
    assert "none ran" in page.text


def test_the_number_of_pictures_is_bounded(
    tmp_path: Path,
    samples: SampleSet,
    works: dict[str, ReportedWork],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report, "PAIRS_PER_REPORT", PAIRS_PER_MATCH + 2)
    sample = upload(samples, "bikes-cropped")
    result = scanned(sample, flag(works["bikes"], segment(sample.copies[0], pairs=20)))
    other = replace(result, query_id="other")
    _, page = written(tmp_path, [result, other], works)
    assert len(page.pictures) == 2 * (PAIRS_PER_MATCH + 2)
    assert f"Pictures are left out for {PAIRS_PER_MATCH - 2} frame pairs" in page.text


# --- people -----------------------------------------------------------------------------------

FACE = Box(0.3, 0.12, 0.25, 0.32)  # in the first frames of the portrait


def appearance(
    start: float = 1.0, score: float = 0.99, likeness: Likeness = Likeness.LIKELY
) -> Appearance:
    return Appearance(
        start=start,
        end=start + 0.5,
        score=score,
        likeness=likeness,
        similarity=0.62,
        distance=6.1,
        margin=math.inf,
        faces=5,
        time=start + 0.2,
        box=FACE,
        reference=2,
    )


def interview(
    clip: Path, *appearances: Appearance, verdict: Verdict = Verdict.REVIEW
) -> ScanResult:
    """Make the scan of a clip in which a person is seen."""
    match = Match(
        "anna", Channel.FACE, max(one.score for one in appearances), appearances=appearances
    )
    return ScanResult(
        str(clip),
        clip.stem,
        Status.OK,
        duration=3.0,
        channels=(Channel.FACE,),
        flags=(Flag(match, verdict, "what Anna wants", "Anna Magnani", "contract 17"),),
        frames=FrameCounts(sampled=24),
        faces=FaceCounts(found=40, tracks=12, likely=2, resembles=0, unknown=10),
    )


@pytest.fixture
def anna(portrait: Path) -> dict[str, ReportedPerson]:
    """Return a person of whom one enrolled face was found, number 2."""
    _, jpeg = cv2.imencode(".jpg", cv2.imread(str(portrait))[:200, 150:350])
    return {"anna": ReportedPerson("anna", {2: jpeg.tobytes()})}


def test_a_person_is_shown_with_both_faces_and_how_alike_they_are(
    tmp_path: Path, portrait_clip: Path, anna: dict[str, ReportedPerson]
) -> None:
    near = replace(appearance(2.0), margin=4.2, faces=1)
    result = interview(portrait_clip, appearance(), near)
    _, page = written(tmp_path, [result], {}, anna)
    assert "Anna Magnani authority: contract 17" in page.text
    assert (
        "interview.mp4 likely shows Anna Magnani for 1.0 s in 2 appearances, score 0.99 (face"
        " channel). Rule: what Anna wants"
    ) in page.text
    assert "0.62 similar; 6.1 standard deviations above strangers; 5 pictures" in page.text
    assert "strangers; 4.2 above the next enrolled person; 1 picture " in page.text
    assert "0:01.0-0:01.5" in page.text
    faces = "12 faces followed, 2 likely, 0 resemble, 10 unknown; nothing is kept of the unknown"
    assert page.text.count(faces) == 2  # of the scan, and of the upload
    assert "inf" not in page.text

    assert len(page.pictures) == 4
    assert page.pictures[1] == page.pictures[3]  # the enrolled face
    upload_face, enrolled_face, *_ = map(decoded, page.pictures)
    assert enrolled_face.shape == (200, 200, 3)
    assert max(upload_face.shape) <= 200
    ids = page.values("id")
    assert set(" ".join(page.values("aria-labelledby")).split()) <= set(ids)
    assert len(ids) == len(set(ids))
    assert page.values("role") == ["img"]


def decoded(uri: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def test_the_face_is_cut_out_of_the_upload_where_it_is(
    tmp_path: Path, portrait_clip: Path, anna: dict[str, ReportedPerson]
) -> None:
    boxes = [Box(0.0, 0.0, 0.2, 0.2), Box(0.7, 0.7, 0.2, 0.2)]
    seen = [replace(appearance(1.0 + n), box=box) for n, box in enumerate(boxes)]
    _, page = written(tmp_path, [interview(portrait_clip, *seen)], {}, anna)
    (frame,) = grab(portrait_clip, [1.2], short_side=720)
    size = round(0.27 * len(frame))  # the face, and as much around it as there is
    corner = cv2.cvtColor(frame[:size, :size], cv2.COLOR_RGB2BGR)
    shown = decoded(page.pictures[0])
    difference = shown.astype(float) - cv2.resize(corner, shown.shape[1::-1])
    assert np.abs(difference).mean() < 6
    other = decoded(page.pictures[2])
    difference = other.astype(float) - cv2.resize(corner, other.shape[1::-1])
    assert np.abs(difference).mean() > 20


def test_of_a_face_that_only_resembles_no_picture_is_kept(
    tmp_path: Path, portrait_clip: Path, anna: dict[str, ReportedPerson]
) -> None:
    resembling = appearance(2.0, 0.31, Likeness.RESEMBLES)
    both = interview(portrait_clip, appearance(), resembling)
    _, page = written(tmp_path, [both], {}, anna)
    assert len(page.pictures) == 2
    assert "Faces that only resemble Anna Magnani, and are probably somebody else's" in page.text
    assert "0:02.0-0:02.5 (score 0.31)" in page.text

    alone = interview(portrait_clip, resembling, verdict=Verdict.CLEAR)
    _, page = written(tmp_path, [alone], {}, anna)
    assert not page.pictures
    assert "Nothing was flagged." in page.text
    assert "Clear: Anna Magnani, face score 0.31, 0:02.0-0:02.5" in page.text


def test_a_person_who_allows_it_has_no_pictures(
    tmp_path: Path, portrait_clip: Path, anna: dict[str, ReportedPerson]
) -> None:
    result = interview(portrait_clip, appearance(), appearance(2.0), verdict=Verdict.ALLOW)
    _, page = written(tmp_path, [result], {}, anna)
    assert not page.pictures
    assert "Allowed: Anna Magnani, face score 0.99, 0:01.0-0:01.5 of the upload and 1" in page.text


def test_the_surest_of_many_appearances_have_pictures(
    tmp_path: Path, portrait_clip: Path, anna: dict[str, ReportedPerson]
) -> None:
    many = [appearance(0.1 * n, 0.91 + n / 1000) for n in range(APPEARANCES_PER_PERSON + 3)]
    _, page = written(tmp_path, [interview(portrait_clip, *many)], {}, anna)
    assert len(page.pictures) == 2 * APPEARANCES_PER_PERSON
    assert "Also likely, without pictures here: 1 0:00.0-0:00.5 (score 0.91), 2 0:00.1" in page.text
    assert "and 6 more" in page.text  # in the table


def test_a_work_and_a_person_stand_in_one_report(
    tmp_path: Path,
    samples: SampleSet,
    works: dict[str, ReportedWork],
    portrait_clip: Path,
    anna: dict[str, ReportedPerson],
) -> None:
    copied = true_result(upload(samples, "bikes-cropped"), works)
    seen = interview(portrait_clip, appearance())
    both = replace(copied, flags=(*copied.flags, *seen.flags), faces=seen.faces)
    _, page = written(tmp_path, [both, seen], works, anna)
    assert "Work or person" in page.text
    assert "bikes-cropped.mp4 contains" in page.text
    assert "bikes-cropped.mp4 likely shows Anna Magnani" in page.text
    assert len(page.pictures) == 2 * (3 + 1 + 1)
    assert "24 faces followed, 4 likely" in page.text


def test_without_the_key_enrolled_faces_are_not_shown(tmp_path: Path, portrait_clip: Path) -> None:
    result = interview(portrait_clip, appearance())
    with ReferenceIndex.open(tmp_path / "home") as index:
        people = reported_people([result], index.people, cipher=None)
    (tmp_path / "out").mkdir()
    _, page = written(tmp_path / "out", [result], {}, people)
    assert "The enrolled faces are not shown: there was no key to open them." in page.text
    assert len(page.pictures) == 1
    assert page.text.count("no picture") == 1


def test_a_person_who_was_removed_since_is_still_reported(
    tmp_path: Path, portrait_clip: Path
) -> None:
    result = interview(portrait_clip, appearance())
    with ReferenceIndex.open(tmp_path / "home") as index:
        people = reported_people([result], index.people, Cipher(bytes(32)))
    (tmp_path / "out").mkdir()
    _, page = written(tmp_path / "out", [result], {}, people)
    assert "The person is not enrolled any more." in page.text


def test_an_upload_that_is_gone_has_no_face_to_show(
    tmp_path: Path, anna: dict[str, ReportedPerson]
) -> None:
    _, page = written(tmp_path, [interview(Path("in/gone.mp4"), appearance())], {}, anna)
    assert "The upload is no longer at in/gone.mp4" in page.text
    assert len(page.pictures) == 1


def test_a_hostile_name_of_a_person_is_only_text(
    tmp_path: Path, portrait_clip: Path, anna: dict[str, ReportedPerson]
) -> None:
    result = interview(portrait_clip, appearance())
    named = replace(result.flags[0], title=HOSTILE, owner=HOSTILE, reason=HOSTILE)
    html, page = written(tmp_path, [replace(result, flags=(named,))], {}, anna)
    assert "script" not in page.tags
    assert not page.values("onload")
    assert "\u202e" not in html


# --- the file ---------------------------------------------------------------------------------


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        write_report(tmp_path / "report.html", [], {}, created=CREATED, versions={})
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("the old one")
    html, _ = written(tmp_path, [], {})
    assert "the old one" not in html


def test_every_segment_gets_a_pair_before_any_gets_a_second() -> None:
    copies = [PlantedCopy("w", n, n + 1, n, n + 1, "") for n in range(4)]
    segments = tuple(segment(c, pairs=5, score=0.5 + n / 10) for n, c in enumerate(copies))
    match = Match("w", Channel.COPY, 0.8, segments)
    assert [len(pairs) for pairs in choose_pairs(match, most=6)] == [1, 1, 2, 2]
    assert [len(pairs) for pairs in choose_pairs(match, most=2)] == [0, 0, 1, 1]
    assert [len(pairs) for pairs in choose_pairs(match, most=99)] == [5, 5, 5, 5]
    last = segments[3].pairs
    assert choose_pairs(match, most=6)[3] == (last[0], last[-1])


def test_a_timeline_shows_speed_and_order() -> None:
    sped_up = segment(PlantedCopy("w", 0, 8, 0, 10, ""))
    line = timeline([sped_up], 8.0, 10.0)
    assert line.same_scale
    assert line.bands == [(0, 80, 0, 100)]
    assert [tick.label for tick in line.work.ticks] == [
        "0:00",
        "0:02",
        "0:04",
        "0:06",
        "0:08",
        "0:10",
    ]
    assert [tick.x for tick in line.upload.ticks] == [0, 20, 40, 60, 80]

    swapped = [
        segment(PlantedCopy("w", 0, 5, 5, 10, "")),
        segment(PlantedCopy("w", 5, 10, 0, 5, "")),
    ]
    assert timeline(swapped, 10.0, 10.0).bands == [(0, 50, 50, 100), (50, 100, 0, 50)]


def test_a_timeline_of_a_long_film_shows_the_part_that_matters() -> None:
    line = timeline([segment(PlantedCopy("w", 2, 8, 4000, 4006, ""))], 10.0, 7200.0)
    assert line.same_scale
    start, end = line.work.view
    assert start < 4000
    assert 4006 < end < 4020
    ((left, right),) = line.work.overview
    assert (left, right) == pytest.approx((55.556, 55.956))
    assert not line.upload.overview

    parts = [segment(PlantedCopy("w", n, n + 1, 700 * n, 700 * n + 1, "")) for n in range(10)]
    scattered = timeline(parts, None, None)
    assert not scattered.same_scale
    assert scattered.upload.width == scattered.work.width == 100
    assert len(scattered.work.ticks) <= 7


def test_seconds_covered_twice_count_once() -> None:
    assert covered([(5, 6), (0, 3), (2, 4)]) == 5
    assert covered([]) == 0


def test_words() -> None:
    assert [clock(s) for s in (0, 9.84, 59.96, 3599.99)] == [
        "0:00.0", "0:09.8", "1:00.0", "1:00:00.0",
    ]  # fmt: skip
    assert clock(4210, 0) == "1:10:10"
    assert [amount(s) for s in (9.84, 59.97, 75, 3599.7, 4210)] == [
        "9.8 s", "1 min 0 s", "1 min 15 s", "1 h 0 min", "1 h 10 min",
    ]  # fmt: skip
    assert visible("naïve 电影\u202e\n\udcff") == "naïve 电影\\u202e\\n\\udcff"
