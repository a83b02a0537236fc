"""What a table would change is known, and all that is wrong with it, before anything is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rights_examples import TODAY, a_licence, a_person, a_work

from detector.importing import (
    Film,
    as_new,
    plan_licences,
    plan_people,
    plan_works,
)
from detector.inputs import Source
from detector.rights_csv import (
    LicenceLine,
    PersonLine,
    TableError,
    WorkLine,
    read_licences,
    read_people,
    read_works,
    write_licences,
    write_people,
    write_works,
)
from index.person_records import LIKENESS_POLICIES
from index.records import Policy

HEAT = replace(a_work(), id="heat", title="Heat", owner="Studio A", number=8)
ANNA, BRUNO = a_person(), replace(a_person(), id="bruno", name="Bruno", number=2)
DAY = timedelta(days=1)


def no_files(_: str) -> list[str]:
    return []


@pytest.fixture
def film(tmp_path: Path) -> str:
    (tmp_path / "ronin.mp4").write_bytes(b"a film")
    return str(tmp_path / "ronin.mp4")


@pytest.fixture
def photo(tmp_path: Path) -> str:
    (tmp_path / "carla.jpg").write_bytes(b"a photo")
    return str(tmp_path / "carla.jpg")


# --- works ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (WorkLine(2, id="heat"), HEAT),
        (WorkLine(2, id="heat", title="Heat (1995)"), replace(HEAT, title="Heat (1995)")),
        (WorkLine(2, id="heat", owner="Studio B"), replace(HEAT, owner="Studio B")),
        (WorkLine(2, id="heat", owner=""), replace(HEAT, owner=None)),
        (WorkLine(2, id="heat", policy=Policy.ALLOW), replace(HEAT, policy=Policy.ALLOW)),
        (WorkLine(2, path="films/heat.mkv"), HEAT),  # its id is the stem
        (WorkLine(2, path="/elsewhere/x.mp4", id="heat"), HEAT),  # no film is read again
    ],
)
def test_a_work_that_is_enrolled_becomes_what_its_line_says(
    line: WorkLine, changed: object
) -> None:
    changes = plan_works([line], [a_work(), HEAT])
    assert changes.films == ()
    assert changes.updates == (() if changed == HEAT else (changed,))
    assert changes.unchanged == (changed == HEAT)


def test_a_work_that_is_not_enrolled_is_a_film_to_be(film: str) -> None:
    changes = plan_works(
        [
            WorkLine(2, path=film),
            WorkLine(3, "s3://cdn/x.mp4", "x", "X", "Studio B", Policy.BLOCK),
        ],
        [HEAT],
    )
    assert changes.updates == ()
    assert changes.films == (
        Film(Source(film), "ronin", None, None, Policy.REVIEW),
        Film(Source("s3://cdn/x.mp4"), "x", "X", "Studio B", Policy.BLOCK),
    )


def test_all_that_is_wrong_with_a_table_of_works_is_told(film: str, tmp_path: Path) -> None:
    lines = [
        WorkLine(2, id="heat", title="fine"),
        WorkLine(3, id="heat", title="again"),
        WorkLine(4, id="ronin"),
        WorkLine(5, path=str(tmp_path / "missing.mp4")),
        WorkLine(6, path=str(tmp_path), id="folder"),
        WorkLine(7, path=film, id="a/b"),
        WorkLine(8, path=film, id="one"),
        WorkLine(9, path=film, id="two"),
    ]
    with pytest.raises(TableError) as caught:
        plan_works(lines, [HEAT])
    problems = caught.value.problems
    assert list(problems) == [3, 4, 5, 6, 7, 9]
    assert problems[3] == "id 'heat' is in line 2 already"
    assert problems[4] == "'ronin' is not enrolled, and there is no path to enrol it from"
    assert problems[5].endswith("missing.mp4: no such file")
    assert problems[6].endswith("is a folder; give each film a line")
    assert problems[7].startswith("'a/b' cannot be an id")
    assert problems[9] == f"path {film!r} is in line 8 already"


@given(
    st.lists(st.sampled_from(Policy), max_size=4),
    st.text("=+'é \n", max_size=5),
    st.none() | st.text('@-";,', min_size=1, max_size=5),
)
def test_an_export_of_works_changes_nothing(
    policies: list[Policy], title: str, owner: str | None
) -> None:
    works = [
        replace(a_work(), id=f"work {n}", title=title, owner=owner, policy=policy, number=n)
        for n, policy in enumerate(policies)
    ]
    changes = plan_works(read_works(write_works(works).encode()), works)
    assert (changes.updates, changes.films, changes.unchanged) == ((), (), len(works))


# --- people -----------------------------------------------------------------------------------


def test_a_person_who_is_enrolled_becomes_what_their_line_says() -> None:
    later = date(2031, 1, 1)
    lines = [
        PersonLine(2, id="anna", name="Anna", authority="her heirs", retain_until=later),
        PersonLine(3, name="Bruno", policy=Policy.ALLOW),  # his id is made of the name
    ]
    changes = plan_people(lines, [ANNA, BRUNO], no_files, TODAY)
    assert changes.updates == (
        replace(ANNA, name="Anna", authority="her heirs", retain_until=later),
        replace(BRUNO, policy=Policy.ALLOW),
    )
    assert (changes.new, changes.unchanged, changes.unread) == ((), 0, {})


def test_files_of_who_is_enrolled_are_told_if_no_face_is_from_them(tmp_path: Path) -> None:
    known, new = str(tmp_path / "known.jpg"), str(tmp_path / "new.jpg")
    line = PersonLine(2, id="anna", files=(known, new))
    changes = plan_people([line], [ANNA], lambda _: [known], TODAY)
    assert changes.unread == {"anna": (new,)}
    assert changes.unchanged == 1


def test_a_person_who_is_not_enrolled_is_to_be(photo: str) -> None:
    line = PersonLine(2, "Carla Bruni", authority="consent", retain_until=TODAY, files=(photo,))
    (new,) = plan_people([line], [ANNA], no_files, TODAY).new
    assert (new.person.id, new.person.name) == ("carla_bruni", "Carla Bruni")
    assert new.person.policy is Policy.REVIEW
    assert new.sources == (Source(photo),)


def test_all_that_is_wrong_with_a_table_of_people_is_told(photo: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    agreed = {"authority": "consent", "retain_until": TODAY}
    lines = [
        PersonLine(2, id="anna"),
        PersonLine(3, id="anna"),
        PersonLine(4, id="bruno", retain_until=TODAY - DAY),
        PersonLine(5, "Carla"),
        PersonLine(6, "Dario", **agreed, files=(str(tmp_path / "missing.jpg"),)),
        PersonLine(7, "Elsa", **agreed, files=(str(tmp_path / "empty"),)),
        PersonLine(8, "三船敏郎", **agreed, files=(photo,)),
        PersonLine(9, "Fulvia", "f/g", **agreed, files=(photo,)),
        PersonLine(10, "Gina", authority="x", retain_until=TODAY - DAY, files=(photo,)),
    ]
    with pytest.raises(TableError) as caught:
        plan_people(lines, [ANNA, BRUNO], no_files, TODAY)
    problems = caught.value.problems
    assert list(problems) == list(range(3, 11))
    assert problems[3] == "id 'anna' is in line 2 already"
    assert problems[4].startswith("the last day 2026-03-14 is over")
    assert problems[5].startswith("'carla' is not enrolled, and would need authority")
    assert "retain_until" in problems[5]
    assert "files" in problems[5]
    assert problems[6].endswith("missing.jpg: no such file")
    assert problems[7].startswith("no photo or video in")
    assert problems[8] == "no id can be made of the name '三船敏郎': give one"
    assert problems[9].startswith("'f/g' cannot be an id")
    assert problems[10].startswith("the last day 2026-03-14 is over")


def test_who_has_expired_may_be_in_a_table_as_they_are() -> None:
    expired = replace(ANNA, retain_until=TODAY - DAY)
    line = PersonLine(2, id="anna", retain_until=TODAY - DAY, policy=Policy.MONITOR)
    changes = plan_people([line], [expired], no_files, TODAY)
    assert changes.updates == (replace(expired, policy=Policy.MONITOR),)


@given(
    st.lists(st.sampled_from(LIKENESS_POLICIES), max_size=4),
    st.text("=+'é \n", min_size=1, max_size=5).filter(str.strip),
    st.dates(date(2020, 1, 1), date(2040, 1, 1)),
)
def test_an_export_of_people_changes_nothing(
    policies: list[Policy], name: str, until: date
) -> None:
    people = [
        replace(ANNA, id=f"person {n}", name=name, retain_until=until, policy=policy, number=n)
        for n, policy in enumerate(policies)
    ]
    files = ["/photos/a;b.jpg", "/photos/=c.jpg"]
    table = write_people((one, files) for one in people).encode()
    changes = plan_people(read_people(table), people, lambda _: files, TODAY)
    assert (changes.updates, changes.new, changes.unread) == ((), (), {})
    assert changes.unchanged == len(people)


# --- licences ---------------------------------------------------------------------------------


def test_licences_that_are_there_already_are_not_added_again() -> None:
    known = a_licence(4, licensee="studio_a")
    other = replace(as_new(known), licensee="studio_b")
    lines = [LicenceLine(2, as_new(known)), LicenceLine(3, other), LicenceLine(4, other)]
    assert plan_licences(lines, [a_work()], [], [known]) == [other]
    table = write_licences([known]).encode()
    assert plan_licences(read_licences(table), [a_work()], [], [known]) == []


def test_licences_of_what_is_not_enrolled_are_told_with_their_lines() -> None:
    of_work = as_new(a_licence())
    lines = [
        LicenceLine(2, of_work),
        LicenceLine(3, replace(of_work, ref_id="nosferatu")),
        LicenceLine(4, as_new(a_licence(kind="person", ref_id="metropolis"))),
    ]
    with pytest.raises(TableError) as caught:
        plan_licences(lines, [a_work()], [ANNA], [])
    assert caught.value.problems == {
        3: "no work 'nosferatu' is enrolled",
        4: "no person 'metropolis' is enrolled",
    }
