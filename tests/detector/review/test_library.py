from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from desk_examples import Staff

from detector.assets import ASSETS, fetch
from detector.inputs import Source, digest_of
from detector.media import UnreadableMediaError
from detector.people import NoFaceError
from detector.pipeline import enroll
from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
)
from detector.review.library import Library, NewFilm
from detector.review.records import Event
from detector.review.uploads import Upload, new_path
from detector.samples import SampleSet
from detector.settings import Settings
from index.person_records import NewPerson
from index.records import Policy
from index.reference_index import ReferenceIndex
from index.rights_records import Kind

UNTIL = datetime.now(UTC).date() + timedelta(days=365)


@pytest.fixture(scope="session")
def bikes_home(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with one film, "bikes", added on the command line; do not change it."""
    home = tmp_path_factory.mktemp("library") / "home"
    settings = Settings(home=home, copy_size=64)
    film = next(path for path in samples.films if path.stem == "bikes")
    with Engine.open(settings) as engine:
        enroll(Source(str(film)), engine.index, engine.describing(), settings)
    return home


@pytest.fixture
def engine(bikes_home: Path, tmp_path: Path) -> Iterator[Engine]:
    shutil.copytree(bikes_home, tmp_path / "home")
    with Engine.open(Settings(home=tmp_path / "home", copy_size=64)) as engine:
        yield engine


@pytest.fixture
def library(engine: Engine, desk: Desk) -> Library:
    return Library(engine, desk)


def given(engine: Engine, path: Path, name: str | None = None) -> Upload:
    """Put a file where the desk puts what it is given."""
    to = new_path(engine.settings.home, name or path.name)
    shutil.copy(path, to)
    return Upload(to, name or path.name, digest_of(to), to.stat().st_size)


def newest(desk: Desk) -> Event:
    return desk.audit.events(limit=1)[0]


@pytest.fixture
def bunny(engine: Engine, samples: SampleSet) -> Upload:
    path = next(path for path in samples.films if path.stem != "bikes")
    return given(engine, path, "Big Buck Bunny (2008).mp4")


# --- works


def test_a_film_is_kept_described_and_told_of(
    library: Library, engine: Engine, desk: Desk, staff: Staff, bunny: Upload
) -> None:
    new = library.new_film(
        bunny, "", "Big  Buck Bunny", "Blender Foundation", Policy.BLOCK, staff.anna
    )
    assert (new.id, new.title) == ("Big Buck Bunny (2008)", "Big Buck Bunny")
    steps: list[float] = []
    added = library.add_work(bunny, new, staff.anna, lambda done, note: steps.append(done))
    kept = Path(added.work.source)
    assert kept == engine.settings.home / "library" / bunny.digest / "Big_Buck_Bunny_2008.mp4"
    assert digest_of(kept) == bunny.digest
    assert not bunny.path.exists()
    assert added.channels == ("copy",)
    assert steps == sorted(steps)
    event = newest(desk)
    assert (event.actor, event.action) == ("anna", "work.added")
    assert event.subject == "work:Big Buck Bunny (2008)"
    assert event.after == {
        "title": "Big Buck Bunny",
        "owner": "Blender Foundation",
        "policy": "block",
    }
    assert event.evidence == {"film": bunny.digest}
    assert event.versions["copy"].startswith("sscd-distilled-64@")
    assert desk.audit.verify().problems == ()


def test_what_is_added_is_found_at_once_and_by_other_processes(
    library: Library, engine: Engine, staff: Staff, bunny: Upload
) -> None:
    new = NewFilm("bunny", "Bunny")
    number = library.add_work(bunny, new, staff.anna).work.number
    vector = engine.index.embeddings(number, "copy").vectors[0]
    with ReferenceIndex.open(engine.settings.home) as other:
        for index in (engine.index, other):
            assert index.search("copy", vector[None], 1).ids[0, 0] >> 24 == number


def test_the_same_film_again_adds_nothing(
    library: Library, engine: Engine, desk: Desk, staff: Staff, samples: SampleSet
) -> None:
    film = next(path for path in samples.films if path.stem == "bikes")
    again = given(engine, film)
    with pytest.raises(ConflictError, match="enrolled already, as work 'bikes'"):
        library.add_work(again, NewFilm("other", "Other"), staff.anna)
    assert [work.id for work in library.works().items] == ["bikes"]
    assert not (engine.settings.home / "library" / again.digest).exists()
    assert newest(desk).action != "work.added"


def test_what_is_no_film_leaves_nothing_behind(
    library: Library, engine: Engine, staff: Staff, tmp_path: Path
) -> None:
    text = tmp_path / "film.mp4"
    text.write_text("this is not a film")
    upload = given(engine, text)
    with pytest.raises(UnreadableMediaError):
        library.add_work(upload, NewFilm("film", "Film"), staff.anna)
    assert library.works().total == 1
    assert list((engine.settings.home / "library").rglob("*")) == []
    assert not upload.path.exists()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (("bikes", "Title", ""), "another film goes by the id 'bikes'"),
        (("a/b", "Title", ""), "cannot be an id"),
        (("", "x" * 301, ""), "the title is too long"),
        (("", "a\u202eb", ""), "holds what does not show"),
        (("", "Title", "o" * 301), "the owner is too long"),
    ],
)
def test_what_is_said_of_a_film_is_checked_before_it_is_described(
    library: Library, staff: Staff, bunny: Upload, fields: tuple[str, str, str], problem: str
) -> None:
    with pytest.raises((InvalidError, ConflictError), match=problem):
        library.new_film(bunny, *fields, Policy.REVIEW, staff.anna)


def test_edits_are_told_with_what_was_before(library: Library, desk: Desk, staff: Staff) -> None:
    library.edit_work("bikes", staff.anna, title="Bikes!", owner="Ferris", policy=Policy.BLOCK)
    event = newest(desk)
    assert event.action == "work.edited"
    assert event.before == {"title": "bikes", "owner": None, "policy": "review"}
    assert event.after == {"title": "Bikes!", "owner": "Ferris", "policy": "block"}
    library.edit_work("bikes", staff.anna, owner="")
    assert library.work("bikes").work.owner is None
    last = newest(desk).number
    library.edit_work("bikes", staff.anna, title="Bikes!")  # as it is
    assert newest(desk).number == last


def test_removing_a_work_takes_an_approver_and_deletes_its_upload(
    library: Library, desk: Desk, staff: Staff, bunny: Upload
) -> None:
    kept = Path(library.add_work(bunny, NewFilm("bunny", "Bunny"), staff.anna).work.source)
    with pytest.raises(NotAllowedError):
        library.remove_work("bunny", staff.anna)
    library.remove_work("bunny", staff.carol, "the licence to protect it has ended")
    assert not kept.parent.exists()
    event = newest(desk)
    assert (event.action, event.actor) == ("work.removed", "carol")
    assert event.why == "the licence to protect it has ended"
    assert event.evidence == {"film": bunny.digest}
    with pytest.raises(NotFoundError):
        library.work("bunny")


def test_a_film_that_was_not_uploaded_here_stays_where_it_is(
    library: Library, staff: Staff
) -> None:
    source = Path(library.work("bikes").work.source)
    library.remove_work("bikes", staff.carol)
    assert source.is_file()


def test_the_state_of_enrolment_is_told(library: Library) -> None:
    entry = library.work("bikes")
    (channel,) = entry.channels
    assert channel.name == "copy"
    assert channel.frames == entry.work.frames_sampled - entry.work.frames_uniform
    assert entry.missing is None


def test_a_film_that_has_gone_is_told(library: Library, staff: Staff, bunny: Upload) -> None:
    Path(library.add_work(bunny, NewFilm("bunny", "Bunny"), staff.anna).work.source).unlink()
    assert "reference file" in str(library.work("bunny").missing)


def test_works_are_searched_and_listed_in_parts(
    library: Library, staff: Staff, bunny: Upload
) -> None:
    library.add_work(bunny, NewFilm("bunny", "Big Buck Bunny", "Blender"), staff.anna)
    assert [work.id for work in library.works().items] == ["bunny", "bikes"]
    assert [work.id for work in library.works("BLEND").items] == ["bunny"]
    part = library.works(limit=1, offset=1)
    assert ([work.id for work in part.items], part.total) == (["bikes"], 2)


def test_viewers_change_nothing(library: Library, staff: Staff, bunny: Upload) -> None:
    def licence() -> object:
        return library.add_licence(Kind.WORK, "bikes", staff.vera, document="17")

    for change in (
        lambda: library.new_film(bunny, "", "", "", Policy.REVIEW, staff.vera),
        lambda: library.add_work(bunny, NewFilm("b", "B"), staff.vera),
        lambda: library.edit_work("bikes", staff.vera, title="Mine"),
        lambda: library.set_cast("bikes", [], staff.vera),
        lambda: library.add_rule(Kind.WORK, "bikes", staff.vera, policy=Policy.ALLOW),
        lambda: library.add_exclusion("bikes", staff.vera, start=0, end=1, why="x"),
        lambda: library.remove_licence(1, staff.vera),
        licence,
    ):
        with pytest.raises(NotAllowedError):
            change()
    assert library.work("bikes").rights.licences == ()


# --- people


def photo_of(engine: Engine, portrait: Path) -> Upload:
    return given(engine, portrait, "IMG_0001.png")


def eileen(library: Library, staff: Staff) -> NewPerson:
    return library.new_person(
        "", "Eileen Collins", "NASA, consent 12", UNTIL, Policy.REVIEW, staff.carol
    )


def test_a_person_is_enrolled_and_the_photos_are_deleted(
    library: Library, engine: Engine, desk: Desk, staff: Staff, portrait: Path
) -> None:
    photo = photo_of(engine, portrait)
    added = library.add_person([photo], eileen(library, staff), staff.carol)
    assert (added.person.id, added.person.faces) == ("eileen_collins", 1)
    assert not photo.path.exists()
    event = newest(desk)
    assert (event.action, event.subject) == ("person.added", "person:eileen_collins")
    assert event.after == {
        "name": "Eileen Collins",
        "authority": "NASA, consent 12",
        "retain_until": UNTIL.isoformat(),
        "policy": "review",
        "faces": 1,
    }
    assert event.evidence == {"photo 1": photo.digest}
    assert event.versions["face"].startswith("sface@")
    assert engine.index.people.sources("eileen_collins") == ["IMG_0001.png"]
    assert engine.faces() is not None


def test_more_photos_add_faces_and_others_are_told_of(
    library: Library,
    engine: Engine,
    desk: Desk,
    staff: Staff,
    portrait: Path,
    portrait_clip: Path,
) -> None:
    library.add_person([photo_of(engine, portrait)], eileen(library, staff), staff.carol)
    files = [given(engine, portrait_clip), given(engine, fetch(ASSETS["coffee"]))]
    added = library.add_faces("eileen_collins", files, staff.carol)
    assert added.person.faces > 1
    (warning,) = added.warnings
    assert warning.startswith("coffee.png is not used: no face in it")
    event = newest(desk)
    assert event.action == "person.faces"
    assert (event.before, event.after) == ({"faces": 1}, {"faces": added.person.faces})
    assert event.evidence == {"photo 1": files[0].digest}
    assert not any(file.path.exists() for file in files)


def test_without_a_face_nobody_is_enrolled_and_the_photos_are_deleted_too(
    library: Library, engine: Engine, desk: Desk, staff: Staff
) -> None:
    coffee = given(engine, fetch(ASSETS["coffee"]))
    with pytest.raises(NoFaceError, match=r"coffee.png is not used: no face in it"):
        library.add_person([coffee], eileen(library, staff), staff.carol)
    assert not coffee.path.exists()
    assert library.people().total == 0
    assert newest(desk).action != "person.added"


def test_people_take_an_approver(
    library: Library, engine: Engine, staff: Staff, portrait: Path
) -> None:
    with pytest.raises(NotAllowedError):
        library.new_person("", "Eileen", "NASA", UNTIL, Policy.REVIEW, staff.anna)
    new = eileen(library, staff)
    with pytest.raises(NotAllowedError):
        library.add_person([photo_of(engine, portrait)], new, staff.anna)
    library.add_person([photo_of(engine, portrait)], new, staff.carol)
    with pytest.raises(NotAllowedError):
        library.add_faces(new.id, [], staff.anna)
    with pytest.raises(NotAllowedError):
        library.edit_person(new.id, staff.anna, name="Somebody")
    with pytest.raises(NotAllowedError):
        library.remove_person(new.id, staff.anna)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (("", "", "NASA", UNTIL, Policy.REVIEW), "the name is missing"),
        (("", "Eileen", " ", UNTIL, Policy.REVIEW), "the authority is missing"),
        (("", "Eileen", "NASA", date(2020, 1, 1), Policy.REVIEW), "2020-01-01 is over"),
        (("", "Eileen", "NASA", UNTIL, Policy.BLOCK), "likeness alone never leads"),
        (("", "李", "NASA", UNTIL, Policy.REVIEW), "cannot be an id"),
    ],
)
def test_what_is_said_of_a_person_is_checked_first(
    library: Library, staff: Staff, fields: tuple[str, str, str, date, Policy], problem: str
) -> None:
    with pytest.raises(InvalidError, match=problem):
        library.new_person(*fields, staff.carol)


def test_an_edit_and_an_erasure_of_a_person_are_told(
    library: Library, engine: Engine, desk: Desk, staff: Staff, portrait: Path
) -> None:
    person = eileen(library, staff)
    library.add_person([photo_of(engine, portrait)], person, staff.carol)
    sooner = UNTIL - timedelta(days=30)
    library.edit_person(person.id, staff.carol, retain_until=sooner, policy=Policy.MONITOR)
    event = newest(desk)
    assert event.before is not None
    assert event.after is not None
    assert (event.before["retain_until"], event.before["policy"]) == (UNTIL.isoformat(), "review")
    assert (event.after["retain_until"], event.after["policy"]) == (sooner.isoformat(), "monitor")
    library.set_cast("bikes", [person.id], staff.anna)
    assert newest(desk).after == {"cast": [person.id]}
    assert [work.id for work in library.person(person.id).works] == ["bikes"]
    library.remove_person(person.id, staff.carol, "she asked for it")
    event = newest(desk)
    assert (event.action, event.why) == ("person.removed", "she asked for it")
    assert engine.faces() is None
    assert engine.index.verify() == []
    with pytest.raises(NotFoundError):
        library.person(person.id)


# --- rights


def test_a_licence_is_written_down_and_told_under_its_work(
    library: Library, desk: Desk, staff: Staff
) -> None:
    licence = library.add_licence(
        Kind.WORK,
        "bikes",
        staff.anna,
        document="contract 17",
        licensee="ferris",
        territories=["de", "at"],
        ends=UNTIL,
    )
    assert library.work("bikes").rights.licences == (licence,)
    event = newest(desk)
    assert (event.action, event.subject) == ("licence.added", "work:bikes")
    assert event.after is not None
    assert event.after["territories"] == ["AT", "DE"]
    library.remove_licence(licence.number, staff.anna, "cancelled")
    event = newest(desk)
    assert (event.action, event.why) == ("licence.removed", "cancelled")
    assert event.before is not None
    assert event.before["document"] == "contract 17"
    assert library.licences().total == 0


def test_rules_and_exclusions_are_told_too(library: Library, desk: Desk, staff: Staff) -> None:
    rule = library.add_rule(
        Kind.WORK, "bikes", staff.anna, policy=Policy.BLOCK, channel="copy", min_seconds=5
    )
    exclusion = library.add_exclusion("bikes", staff.anna, start=0, end=2, why="ident")
    rights = library.work("bikes").rights
    assert (rights.rules, rights.exclusions) == ((rule,), (exclusion,))
    library.remove_rule(rule.number, staff.anna)
    library.remove_exclusion(exclusion.number, staff.anna)
    events = desk.audit.events(subject="work:bikes")
    assert [event.action for event in events] == [
        "exclusion.removed",
        "rule.removed",
        "exclusion.added",
        "rule.added",
    ]
    assert desk.audit.verify().problems == ()


def test_what_the_index_refuses_changes_nothing(library: Library, desk: Desk, staff: Staff) -> None:
    last = newest(desk).number
    with pytest.raises(NotFoundError, match="no work 'gone'"):
        library.add_licence(Kind.WORK, "gone", staff.anna, document="17")
    with pytest.raises(InvalidError, match="is no country"):
        library.add_licence(Kind.WORK, "bikes", staff.anna, document="17", territories=["UK"])
    with pytest.raises(InvalidError, match="the document is missing"):
        library.add_licence(Kind.WORK, "bikes", staff.anna, document=" ")
    with pytest.raises(InvalidError, match="never blocked"):
        library.add_rule(Kind.WORK, "bikes", staff.anna, policy=Policy.BLOCK, channel="semantic")
    with pytest.raises(InvalidError):
        library.add_exclusion("bikes", staff.anna, start=5, end=4000, why="too long")
    with pytest.raises(NotFoundError):
        library.remove_licence(99, staff.anna)
    assert newest(desk).number == last


def test_rights_are_searched(library: Library, staff: Staff) -> None:
    for document in ("contract 17", "letter of May"):
        library.add_licence(Kind.WORK, "bikes", staff.anna, document=document)
    assert [one.document for one in library.licences("MAY").items] == ["letter of May"]
    assert library.licences("bikes").total == 2
    assert library.rules("bikes").total == 0
    assert library.exclusions("bikes").total == 0


def test_many_threads_change_the_library_at_once(
    library: Library, desk: Desk, staff: Staff, bunny: Upload
) -> None:
    def change(number: int) -> int:
        if number == 7:
            return library.add_work(bunny, NewFilm("bunny", "Bunny"), staff.anna).work.number
        document = f"contract {number}"
        return library.add_licence(Kind.WORK, "bikes", staff.anna, document=document).number

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(24)))
    assert library.licences().total == 23
    assert library.works().total == 2
    actions = Counter(event.action for event in desk.audit.events())
    assert (actions["licence.added"], actions["work.added"]) == (23, 1)
    assert desk.audit.verify().problems == ()
