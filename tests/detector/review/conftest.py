"""A desk on each kind of database, who works at it, and real cases: clips that were scanned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from databases import KINDS, ServerDatabase
from desk_examples import CHEAP, Staff, hire
from made_once import made_once
from sqlalchemy import Engine, create_engine

from detector.descriptors import Descriptor, space_of
from detector.descriptors.sface import FaceDescriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.inputs import Source, digest_of
from detector.output import to_json
from detector.people import describe_reference, open_faces, people_cipher
from detector.pipeline import enroll, scan
from detector.review.desk import Desk
from detector.review.records import Case, CaseState
from detector.samples import SampleSet
from detector.settings import Settings
from detector.types import Channel, ScanResult
from index.catalog import Catalog
from index.person_records import NewPerson
from index.records import Policy
from index.reference_index import ReferenceIndex


@pytest.fixture(scope="session")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the database file of a desk on which nobody has worked yet; do not change it."""
    path = tmp_path_factory.mktemp("new") / "desk.sqlite"
    Desk.at(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def desk_on_server(postgresql: str) -> Iterator[ServerDatabase]:
    """Make a database with the tables of a desk and of a catalogue on the server."""

    def prepare(url: str) -> None:
        Desk.at(url).close()
        Catalog.create(url).close()

    database = ServerDatabase(postgresql, prepare)
    yield database
    database.close()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database with a desk's tables: tests run on SQLite and on PostgreSQL.

    `test_migrations` makes the tables; no other test need wait for that.
    """
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("new_desk"), tmp_path / "database.sqlite")
        yield f"sqlite:///{path}"
        return
    with request.getfixturevalue("desk_on_server").lent() as url:
        yield url


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a new desk; every test that asks for it runs on SQLite and on PostgreSQL."""
    with Desk.at(database_url, CHEAP) as desk:
        yield desk


@pytest.fixture
def staff(desk: Desk) -> Staff:
    """Return who works at the desk: anna and ben review, carol approves, dora is the admin."""
    return hire(desk)


@pytest.fixture
def database(desk: Desk, database_url: str) -> Iterator[Engine]:
    """Return the desk's database, to be read and changed past the desk's code."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class ScannedDesk:
    """A workspace with two films and a person enrolled, and cases of uploads that hold them."""

    home: Path
    settings: Settings
    descriptors: Mapping[Channel, Descriptor]
    cases: Mapping[str, Case]  # by stem of the upload


def case_of(result: ScanResult, digest: str, number: int = 1) -> Case:
    """Make a case of a scan's result as the store does."""
    now = datetime.now(UTC)
    return Case(
        id=number,
        source=result.source,
        name=Path(result.source).name,
        digest=digest,
        submission=result.submission,
        state=CaseState.OPEN,
        verdict=result.verdict,
        is_joined=False,
        score=max((flag.match.score for flag in result.flags), default=0.0),
        duration=result.duration,
        subjects=(),
        claim=None,
        opened_at=now,
        updated_at=now,
        result=to_json(result),
        versions={},
    )


@pytest.fixture(scope="session")
def scanned_desk(
    samples: SampleSet,
    portrait: Path,
    portrait_clip: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> ScannedDesk:
    """Enrol two films and a person, and scan a few uploads; do not change the workspace."""
    descriptors: dict[Channel, Descriptor] = {Channel.COPY: SscdDescriptor(size=224)}

    def make(home: Path) -> tuple[Settings, dict[str, Case]]:
        settings = Settings(home=home, copy_size=224)
        faces = FaceDescriptor()
        names = ("bikes-sped-up", "best-scenes-compilation")
        uploads = [sample.path for sample in samples.uploads if sample.path.stem in names]
        with ReferenceIndex.open(home) as index:
            for film in samples.films:
                enroll(Source(str(film)), index, descriptors, settings, policy=Policy.BLOCK)
            (face,) = describe_reference(Source(str(portrait)), faces, settings).faces
            person = NewPerson(
                id="eileen",
                name="Eileen Collins",
                authority="NASA",
                retain_until=date.max,
                policy=Policy.REVIEW,
            )
            index.people.add(person, space_of(faces), [face], people_cipher(settings, make=True))
            channel = open_faces(index, settings, date(2026, 6, 1))
            cases = {}
            for number, path in enumerate([*uploads, portrait_clip], 1):
                who = channel if path == portrait_clip else None
                result = scan(Source(str(path)), index, descriptors, settings, faces=who)
                cases[path.stem] = case_of(result, digest_of(path), number)
        return settings, cases

    settings, cases = made_once(tmp_path_factory, "desk", make)
    return ScannedDesk(settings.home, settings, descriptors, cases)
