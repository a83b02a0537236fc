from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.descriptors.sscd import SscdDescriptor
from detector.evaluation.edits import FAMILIES, Strength
from detector.evaluation.figures import measure
from detector.evaluation.generated import GENERATED
from detector.evaluation.metrics import Box
from detector.evaluation.running import _with_twins
from detector.evaluation.uploads import (
    LINES,
    STRUCTURES,
    UNEDITED,
    Clip,
    Piece,
    Plan,
    Upload,
    make,
    make_all,
    plan_copies,
    plan_generic_works,
    plan_negatives,
    read_clips,
    split,
)
from detector.inputs import Source
from detector.media import probe
from detector.pipeline import enroll, scan
from detector.samples import SampleSet
from detector.settings import Settings
from detector.types import Channel
from index.reference_index import ReferenceIndex

seconds = st.floats(1.0, 90.0)
seeds = st.integers(0, 1000)
few = settings(deadline=None, max_examples=15)


def clips(durations: list[float], name: str) -> list[Clip]:
    return [Clip(Path(f"{name}-{n}.mp4"), duration) for n, duration in enumerate(durations)]


WORKS = clips([4.0, 12.5, 60.0, 30.0, 7.0], "work")
OTHERS = clips([9.0, 3.0, 45.0, 20.0], "other")


def assert_pieces_lie_in_their_clips(plans: list[Plan], known: list[Clip]) -> None:
    durations = {os.fspath(clip.path): clip.duration for clip in known}
    for plan in plans:
        for piece in plan.pieces:
            assert 0 <= piece.start < piece.end, plan.query_id
            if piece.kind in ("copy", "other"):
                assert piece.end <= durations[piece.source] + 1e-9, plan.query_id


# --- which clips ------------------------------------------------------------------------------


def test_clips_are_read_by_name_one_of_each_stem(samples: SampleSet, tmp_path: Path) -> None:
    again = tmp_path / "bikes.mp4"
    again.write_bytes(samples.films[1].read_bytes())
    paths = sorted([*samples.films, again], reverse=True)
    read = read_clips(paths)
    assert sorted(clip.ref_id for clip in read) == ["bigbuckbunny", "bikes"]
    assert {clip.ref_id: clip.duration for clip in read}["bikes"] == pytest.approx(10.0, abs=0.1)


@few
@given(count=st.integers(0, 30), share=st.floats(0.1, 0.9), seed=seeds)
def test_clips_are_divided_by_about_the_share(count: int, share: float, seed: int) -> None:
    every = clips([5.0] * count, "clip")
    protected, others = split(every, seed, share)
    assert sorted(clip.ref_id for clip in protected + others) == sorted(c.ref_id for c in every)
    assert len(protected) == pytest.approx(share * count, abs=1.0)
    assert split(every, seed, share) == (protected, others)


@few
@given(seed=seeds, sizes=st.lists(st.integers(1, 4), max_size=6), share=st.floats(0.1, 0.9))
def test_clips_of_the_same_footage_are_never_divided(
    seed: int, sizes: list[int], share: float
) -> None:
    every = clips([5.0] * 24, "clip")
    names = iter(clip.ref_id for clip in every)
    same = [frozenset(next(names) for _ in range(size)) for size in sizes]
    protected, others = split(every, seed, share, same)
    assert len(protected) + len(others) == 24
    kept = {clip.ref_id for clip in protected}
    assert all(group <= kept or not group & kept for group in same)


# --- plans ------------------------------------------------------------------------------------


def test_the_same_clips_and_seed_give_the_same_plans() -> None:
    for seed in (1, 2):
        assert plan_copies(WORKS, OTHERS, seed, 2) == plan_copies(WORKS, OTHERS, seed, 2)
        assert plan_negatives(OTHERS, seed, 30) == plan_negatives(OTHERS, seed, 30)
        assert plan_generic_works(seed) == plan_generic_works(seed)
    assert plan_copies(WORKS, OTHERS, 1, 2) != plan_copies(WORKS, OTHERS, 2, 2)
    assert plan_negatives(OTHERS, 1, 30) != plan_negatives(OTHERS, 2, 30)


def test_every_family_is_planned_at_every_strength() -> None:
    plans = plan_copies(WORKS, OTHERS, 1, 2)
    cells = [(plan.family, plan.strength) for plan in plans]
    families = [UNEDITED, *FAMILIES, *STRUCTURES]
    wanted = [(family, strength) for family in families for strength in Strength]
    assert cells == [cell for cell in wanted for _ in range(2)]
    assert len({plan.query_id for plan in plans}) == len(plans)
    assert not any(plan.is_negative for plan in plans)


@few
@given(
    works=st.lists(seconds, min_size=2, max_size=8),
    others=st.lists(seconds, min_size=1, max_size=8),
    seed=seeds,
)
def test_every_planned_interval_lies_in_its_clip(
    works: list[float], others: list[float], seed: int
) -> None:
    references, beside = clips(works, "work"), clips(others, "other")
    copies, negatives = plan_copies(references, beside, seed, 1), plan_negatives(beside, seed, 20)
    assert_pieces_lie_in_their_clips([*copies, *negatives], [*references, *beside])


def test_only_copies_show_what_is_protected() -> None:
    protected = {os.fspath(clip.path) for clip in WORKS}
    plans = [*plan_copies(WORKS, OTHERS, 1, 1), *plan_negatives(OTHERS, 1, 40)]
    for plan in plans:
        for piece in plan.pieces:
            assert (piece.source in protected) == (piece.kind == "copy")
        assert not set(plan.others) & protected


def test_edits_concern_all_of_an_upload_that_is_one_copy_and_nothing_else() -> None:
    alone = [plan for plan in plan_copies(WORKS, OTHERS, 1, 2) if len(plan.pieces) == 1]
    assert alone
    assert all(plan.edits_all for plan in alone)


def test_negatives_are_footage_stills_and_what_nobody_filmed() -> None:
    plans = plan_negatives(OTHERS, 1, 100)
    assert all(plan.is_negative for plan in plans)
    kinds = [{piece.kind for piece in plan.pieces} for plan in plans]
    assert kinds.count({"other"}) == 60
    assert kinds.count({"still"}) == 10
    drawn = [plan.pieces[0].source for plan in plans if plan.pieces[0].kind == "generated"]
    assert len(drawn) == 30
    assert set(drawn) == set(GENERATED)
    assert len({plan.query_id for plan in plans}) == 100


def test_works_of_what_films_have_in_common_are_made_up() -> None:
    plans = plan_generic_works(1)
    assert {piece.kind for plan in plans for piece in plan.pieces} == {"generated"}


# --- made uploads -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plans(samples: SampleSet) -> list[Plan]:
    """Plan a copy that plays faster, between other footage; a mirrored one; and none."""
    bunny, bikes = map(os.fspath, samples.films)
    phone = next(os.fspath(s.path) for s in samples.uploads if s.path.stem == "phone-call")
    between = (
        Piece(phone, 0.0, 2.0, "other"),
        Piece(bikes, 3.0, 8.0, "copy"),
        Piece(phone, 2.0, 4.0, "other"),
    )
    alone = (Piece(bunny, 0.5, 4.5, "copy"),)
    innocent = (Piece(phone, 0.0, 2.0, "other"), Piece("gradient", 0.0, 2.0, "generated"))
    return [
        Plan("speed-0", "speed", Strength.LIGHT, 1, between, edits_all=False),
        Plan("mirror-0", "mirror", Strength.LIGHT, 2, alone, edits_all=True),
        Plan("negative-0", UNEDITED, Strength.LIGHT, 3, innocent, edits_all=True),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def uploads(plans: list[Plan], folder: Path) -> list[Upload]:
    return make_all(plans, folder)


def test_uploads_come_in_the_order_of_their_plans(plans: list[Plan], uploads: list[Upload]) -> None:
    assert [upload.plan for upload in uploads] == plans
    assert [upload.path.stem for upload in uploads] == [plan.query_id for plan in plans]
    assert "mirror" in uploads[1].words


def test_the_truth_fits_the_upload(uploads: list[Upload]) -> None:
    faster, mirrored, negative = uploads
    (box,) = faster.truth
    assert box.pair == ("speed-0", "bikes")
    assert (box.query_start, box.ref_start, box.ref_end) == (2.0, 3.0, 8.0)
    assert box.query_end - box.query_start != pytest.approx(5.0, abs=0.1)  # the speed was changed
    assert probe(faster.path).duration == pytest.approx(box.query_end + 2.0, abs=0.1)
    assert mirrored.truth == (Box("mirror-0", "bigbuckbunny", 0.0, 4.0, 0.5, 4.5),)
    assert probe(mirrored.path).duration == pytest.approx(4.0, abs=0.1)
    assert negative.truth == ()
    assert probe(negative.path).duration == pytest.approx(4.0, abs=0.1)
    for upload in uploads:
        info = probe(upload.path)
        assert min(info.width, info.height) <= LINES


def test_what_was_made_is_kept(uploads: list[Upload], folder: Path) -> None:
    upload = uploads[1]
    before = upload.path.stat()
    assert make(upload.plan, folder) == upload
    assert upload.path.stat() == before


def test_another_plan_is_another_file(
    uploads: list[Upload], folder: Path, plans: list[Plan]
) -> None:
    shorter = replace(plans[1], pieces=(replace(plans[1].pieces[0], end=1.5),))
    made = make(shorter, folder)
    assert made.path not in {upload.path for upload in uploads}
    assert made.truth == (Box("mirror-0", "bigbuckbunny", 0.0, 1.0, 0.5, 1.5),)
    assert probe(made.path).duration == pytest.approx(1.0, abs=0.1)


def test_a_made_set_is_scanned_and_measured(
    samples: SampleSet, uploads: list[Upload], tmp_path: Path
) -> None:
    descriptors = {Channel.COPY: SscdDescriptor(size=224)}
    small = Settings(copy_size=224)
    predictions: list[Box] = []
    with ReferenceIndex.open(tmp_path) as index:
        for film in samples.films:
            enroll(Source(os.fspath(film)), index, descriptors, small)
        for upload in uploads:
            result = scan(Source(os.fspath(upload.path)), index, descriptors, small, min_score=0.0)
            predictions += [
                Box(
                    result.query_id,
                    flag.match.ref_id,
                    segment.query_start,
                    segment.query_end,
                    segment.ref_start,
                    segment.ref_end,
                    segment.score,
                )
                for flag in result.flags
                for segment in flag.match.segments
            ]
    figures = measure(uploads, predictions, operating_point=0.5)
    assert figures.found == figures.recall_without_false_flags == 1.0
    assert (figures.negatives, figures.flagged_negatives) == (1, ())
    assert figures.segment_ap > 0.8
    assert figures.boundary_error < 0.5
    assert {(cell.family, cell.found, cell.copies) for cell in figures.cells} == {
        ("speed", 1, 1),
        ("mirror", 1, 1),
    }


def test_works_that_show_the_same_as_an_upload_are_its_twins(tmp_path: Path) -> None:
    pieces = (Piece("/films/a.mp4", 0, 3, "copy"), Piece("/clips/b.mp4", 0, 3, "other"))
    plan = Plan("one", "none", Strength.LIGHT, 1, pieces, True, ("/clips/c.mp4",))
    truth = (Box("one", "a", 0, 3, 0, 3),)
    groups = [{"a", "again"}, {"b", "protected"}, {"c", "never shown"}]
    assert _with_twins(Upload(plan, tmp_path, truth, ""), groups).twins == {"again", "protected"}
    beside = replace(plan, family="stack")
    assert "never shown" in _with_twins(Upload(beside, tmp_path, truth, ""), groups).twins
