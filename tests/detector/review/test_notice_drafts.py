from __future__ import annotations

from datetime import UTC, datetime

import pytest
from desk_examples import a_flag, a_likeness, a_result, digest_of_source

from detector.review.notices import draft_values, elements, facts_of, misfits, problems
from detector.review.records import Case, NoticeKind
from detector.types import (
    Appearance,
    Box,
    Channel,
    Evidence,
    Flag,
    Likeness,
    Match,
    Segment,
    Verdict,
)
from tests.detector.review.conftest import ScannedDesk, case_of

URL = "https://video.example/watch?v=17"


def a_case(*flags: Flag, url: str | None = URL) -> Case:
    result = a_result("uploads/clip.mp4", *flags, uploader="mallory", url=url)
    return case_of(result, digest_of_source("uploads/clip.mp4"))


def a_work(title: str = "Metropolis", *segments: Segment, **changes: object) -> Flag:
    match = Match("metropolis", Channel.COPY, 0.9, segments or (a_segment(),))
    return Flag(match, Verdict.REVIEW, "", title, **{"owner": "Murnau Foundation"} | changes)  # type: ignore[arg-type]


def a_segment(start: float = 1.0, edits: tuple[str, ...] = (), speed: float = 1.0) -> Segment:
    evidence = Evidence(0.9, 0.1, 1.0, 0.5, 4.0)
    return Segment(start, start + 4, 62.0, 66.0, 0.9, speed, evidence, edits=edits)


def a_person(*likenesses: Likeness, name: str = "Brigitte Helm") -> Flag:
    appearances = tuple(
        Appearance(5.0 * n, 5.0 * n + 3, 0.9, one, 0.6, 6.0, 3.0, 6, 5.0 * n, Box(0, 0, 1, 1), 0)
        for n, one in enumerate(likenesses)
    )
    match = Match("brigitte-helm", Channel.FACE, 0.9, appearances=appearances)
    return Flag(match, Verdict.REVIEW, "", name, "consent form 12/2026")


@pytest.mark.parametrize("kind", NoticeKind)
def test_nothing_is_stated_or_answered_by_machine(kind: NoticeKind) -> None:
    """Statements are not ticked, and what has to be considered or looked up is left empty."""
    case = a_case(a_work(), a_person(Likeness.LIKELY))
    values = draft_values(kind, facts_of(case))
    known = {"works", "people", "owner", "material", "passages", "facts", "mandate"}

    for one in elements(kind):
        if one.kind == "check":
            assert values[one.name] is False
        elif one.name not in known:
            assert not values[one.name]
        else:
            assert values[one.name]


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_draft_has_all_elements_of_the_right_type(kind: NoticeKind) -> None:
    values = draft_values(kind, facts_of(a_case(a_work(), a_person(Likeness.LIKELY))))
    assert list(values) == [one.name for one in elements(kind)]
    assert misfits(kind, values) == ()


def test_a_dmca_notice_names_works_owner_passages_and_edits() -> None:
    case = a_case(a_work("Metropolis", a_segment(), a_segment(7.0, ("mirrored", "darker"))))
    values = draft_values(NoticeKind.DMCA, facts_of(case))

    assert values["material"] == [URL]
    assert values["works"] == ["Metropolis, owned by Murnau Foundation"]
    assert values["owner"] == "Murnau Foundation"
    assert values["passages"] == [
        "0:01.0 to 0:05.0 shows 1:02.0 to 1:06.0 of Metropolis",
        "0:07.0 to 0:11.0 shows 1:02.0 to 1:06.0 of Metropolis (mirrored, darker)",
    ]


def test_a_change_of_speed_is_an_edit() -> None:
    values = draft_values(NoticeKind.DMCA, facts_of(a_case(a_work("M", a_segment(speed=1.25)))))
    assert values["passages"] == ["0:01.0 to 0:05.0 shows 1:02.0 to 1:06.0 of M (1.25x speed)"]


def test_a_scene_that_looks_alike_is_not_called_a_copy() -> None:
    flag = a_flag("metropolis", Channel.SEMANTIC)
    facts = facts_of(a_case(flag))
    assert "resembles" in draft_values(NoticeKind.DMCA, facts)["passages"][0]
    assert "of scenes that resemble Metropolis" in draft_values(NoticeKind.DSA, facts)["facts"]


def test_a_work_found_in_two_channels_is_named_once() -> None:
    facts = facts_of(a_case(a_flag("metropolis"), a_flag("metropolis", Channel.SEMANTIC)))
    assert draft_values(NoticeKind.DMCA, facts)["works"] == [
        "Metropolis, owned by Murnau Foundation"
    ]


def test_a_dsa_notice_says_what_was_found() -> None:
    facts = facts_of(a_case(a_work(), a_person(Likeness.LIKELY, Likeness.LIKELY)))
    values = draft_values(NoticeKind.DSA, facts)
    assert values["works"] == ["Metropolis, owned by Murnau Foundation", "Brigitte Helm"]
    assert values["facts"].split("\n") == [
        "The material has 4.0 s of footage taken from Metropolis, owned by Murnau Foundation, in "
        "1 passage.",
        "The material shows the likeness of Brigitte Helm for 6.0 s in 2 passages.",
        "This was found by comparing its pictures with reference material.",
    ]


def test_a_likeness_notice_names_the_person_and_who_speaks_for_them() -> None:
    values = draft_values(NoticeKind.LIKENESS, facts_of(a_case(a_person(Likeness.LIKELY))))
    assert values["people"] == ["Brigitte Helm"]
    assert values["mandate"] == "consent form 12/2026"
    assert values["passages"] == ["0:00.0 to 0:03.0 shows the likeness of Brigitte Helm"]


def test_a_face_that_only_resembles_is_never_in_a_notice() -> None:
    """It is probably somebody else's."""
    case = a_case(a_person(Likeness.RESEMBLES), a_person(Likeness.RESEMBLES, Likeness.LIKELY))
    (person,) = facts_of(case).people
    assert [one.start for one in person.passages] == [5.0]
    assert facts_of(a_case(a_likeness())).people == ()


def test_what_is_not_flagged_is_not_in_a_notice() -> None:
    allowed = a_flag("licensed-film", verdict=Verdict.ALLOW, licence="L-17")
    facts = facts_of(a_case(a_work(), allowed))
    assert [one.title for one in facts.works] == ["Metropolis"]


def test_what_the_machine_does_not_know_stays_empty() -> None:
    facts = facts_of(a_case(a_work(owner=None), url=None))
    values = draft_values(NoticeKind.DMCA, facts)
    assert values["works"] == ["Metropolis"]
    assert values["owner"] == ""
    assert values["material"] == []
    missing = [one.element for one in problems(NoticeKind.DMCA, values)]
    assert {"owner", "material"} <= set(missing)


def test_a_title_cannot_break_out_of_its_line() -> None:
    values = draft_values(NoticeKind.DMCA, facts_of(a_case(a_work("Metro\npolis\u202e"))))
    assert values["works"] == ["Metro\\npolis\\u202e, owned by Murnau Foundation"]


def test_facts_of_scanned_clips(scanned_desk: ScannedDesk) -> None:
    compilation = facts_of(scanned_desk.cases["best-scenes-compilation"])
    sped_up = facts_of(scanned_desk.cases["bikes-sped-up"])
    interview = facts_of(scanned_desk.cases["interview"])

    assert len(compilation.works) == 2
    assert all(one.is_copy and one.seconds > 2 for one in compilation.works)
    (bikes,) = sped_up.works
    assert any("speed" in edit for one in bikes.passages for edit in one.edits)
    (person,) = interview.people
    assert (person.name, person.authority) == ("Eileen Collins", "NASA")
    assert interview.works == ()


def test_a_draft_tells_nothing_of_the_uploader() -> None:
    facts = facts_of(a_case(a_work()))
    assert facts.submission.uploader == "mallory"
    for kind in NoticeKind:
        assert "mallory" not in str(draft_values(kind, facts))


def test_when_it_was_submitted_is_known() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    result = a_result("uploads/clip.mp4", submitted_at=at)
    assert facts_of(case_of(result, digest_of_source("a"))).submission.submitted_at == at
