from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.assets import ASSETS, fetch
from detector.evaluation.edits import Strength
from detector.evaluation.rerender import RENDERINGS
from detector.evaluation.scenes import make_scenes, plan_scenes, same_kind
from detector.evaluation.uploads import LINES, UNEDITED, Clip, Piece, Plan, Upload, make
from detector.media import probe

seconds = st.floats(1.0, 90.0)
few = settings(deadline=None, max_examples=15)


def clips(durations: list[float], name: str) -> list[Clip]:
    return [Clip(Path(f"{name}-{n}.mp4"), duration) for n, duration in enumerate(durations)]


WORKS = clips([4.0, 12.5, 60.0, 30.0, 7.0], "work")
OTHERS = clips([9.0, 3.0, 45.0, 20.0], "other")
KINDS = [frozenset({"work-1", "other-2"}), frozenset({"other-0", "other-1"})]


def plans_of(seed: int) -> list[Plan]:
    return plan_scenes(WORKS, OTHERS, seed, 2, kinds=KINDS)


# --- plans ------------------------------------------------------------------------------------


def test_the_same_clips_and_seed_give_the_same_plans() -> None:
    assert plans_of(1) == plans_of(1)
    assert plans_of(1) != plans_of(2)


def test_every_style_is_planned_for_look_alikes_and_for_innocent_uploads() -> None:
    plans = plans_of(1)
    wanted = [(family, strength) for family in RENDERINGS for strength in Strength] * 2
    unedited = [(UNEDITED, strength) for strength in Strength] * 2
    look_alikes, innocent = (
        sorted((plan.family, plan.strength) for plan in plans if plan.is_negative == negative)
        for negative in (False, True)
    )
    assert look_alikes == sorted(wanted)
    assert innocent == sorted(wanted + unedited)
    assert len({plan.query_id for plan in plans}) == len(plans)
    assert all(plan.edits_all for plan in plans)


def test_only_look_alikes_show_what_is_protected_and_one_work_each() -> None:
    protected = {os.fspath(clip.path) for clip in WORKS}
    for plan in plans_of(1):
        assert all((p.source in protected) == (p.kind == "copy") for p in plan.pieces)
        assert not set(plan.others) & protected
        assert len({p.source for p in plan.pieces if p.kind == "copy"}) == (not plan.is_negative)


def test_every_second_innocent_upload_shows_the_same_kind_of_scene_as_a_work() -> None:
    (alike,) = (os.fspath(clip.path) for clip in OTHERS if clip.ref_id == "other-2")
    innocent = [plan for plan in plans_of(1) if plan.is_negative]
    for plan in innocent[::2]:
        assert alike in {piece.source for piece in plan.pieces}


def test_clips_of_the_same_kind_are_those_of_its_groups() -> None:
    groups = [frozenset("ab"), frozenset("bcd"), frozenset("ef")]
    assert same_kind({"b"}, groups) == {"a", "c", "d"}
    assert same_kind({"a", "e"}, groups) == {"b", "f"}
    assert same_kind({"z"}, groups) == set()


@few
@given(
    works=st.lists(seconds, min_size=1, max_size=6),
    others=st.lists(seconds, min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_pieces_lie_in_their_clips_and_do_not_overlap(
    works: list[float], others: list[float], seed: int
) -> None:
    references, beside = clips(works, "work"), clips(others, "other")
    durations = {os.fspath(clip.path): clip.duration for clip in (*references, *beside)}
    for plan in plan_scenes(references, beside, seed, 1):
        for piece in plan.pieces:
            assert 0 <= piece.start < piece.end <= durations[piece.source] + 1e-9
        copies = sorted((p.start, p.end) for p in plan.pieces if p.kind == "copy")
        assert all(end <= start + 1e-9 for (_, end), (start, _) in itertools.pairwise(copies))
        assert all(end - start <= 8.0 + 1e-9 for start, end in copies)


def test_some_look_alikes_are_out_of_order_and_some_among_other_footage() -> None:
    look_alikes = [plan for plan in plans_of(1) if not plan.is_negative]
    starts = [[p.start for p in plan.pieces if p.kind == "copy"] for plan in look_alikes]
    assert any(len(times) == 1 for times in starts)
    assert any(len(times) > 1 and times == sorted(times) for times in starts)
    assert any(times != sorted(times) for times in starts)
    among = [plan for plan in look_alikes if any(p.kind == "other" for p in plan.pieces)]
    assert 0 < len(among) < len(look_alikes)


# --- made uploads -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    """Plan a look-alike that plays at another speed, and innocent footage in a style."""
    bikes, phone = (os.fspath(fetch(ASSETS[name])) for name in ("bikes", "carphone_pristine"))
    pieces = (
        Piece(phone, 0.0, 0.6, "other"),
        Piece(bikes, 5.0, 6.0, "copy"),
        Piece(bikes, 2.0, 2.5, "copy"),
    )
    innocent = (Piece(phone, 1.0, 1.6, "other"),)
    return [
        Plan("look-alike", "combined", Strength.LIGHT, 1, pieces, True, (phone,)),
        Plan("innocent", "rebuild", Strength.STRONG, 2, innocent, True, (bikes,)),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def scenes(plans: list[Plan], folder: Path) -> list[Upload]:
    return make_scenes(plans, folder)


def test_the_truth_lies_in_the_upload_and_in_the_work(scenes: list[Upload]) -> None:
    look_alike, innocent = scenes
    duration = probe(look_alike.path).duration
    assert duration is not None
    assert [(box.ref_start, box.ref_end) for box in look_alike.truth] == [(5.0, 6.0), (2.0, 2.5)]
    first, second = look_alike.truth
    assert 0 < first.query_start < first.query_end == second.query_start < second.query_end
    assert second.query_end == pytest.approx(duration, abs=0.1)
    assert duration != pytest.approx(2.1, abs=0.05)  # the speed was changed
    assert innocent.truth == ()
    for upload in scenes:
        info = probe(upload.path)
        assert min(info.width, info.height) <= LINES


def test_what_was_made_is_kept_and_told_when_it_is_done(
    scenes: list[Upload], plans: list[Plan], folder: Path
) -> None:
    before = [upload.path.stat() for upload in scenes]
    done: list[Plan] = []
    assert make_scenes(plans, folder, done.append) == scenes
    assert done == plans
    assert [upload.path.stat() for upload in scenes] == before


def test_a_rendering_and_an_edit_of_one_name_are_two_files(
    scenes: list[Upload], plans: list[Plan], folder: Path
) -> None:
    short = replace(plans[0], pieces=plans[0].pieces[:1])
    edited, (rendered,) = make(short, folder), make_scenes([short], folder)
    assert edited.path != rendered.path
    assert edited.words != rendered.words
