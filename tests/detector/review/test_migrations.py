"""The database is made by migrations alone, and is what the tables in the code say."""

from __future__ import annotations

import pytest
from desk_examples import open_case
from migrated import constraints_of, differences, newest, run_at_once
from sqlalchemy import text

from detector.review.database import MIGRATIONS, ReviewDatabase, review_url
from detector.review.desk import Desk
from detector.review.errors import DatabaseError
from detector.review.schema import HEAD, Base
from detector.settings import Settings
from index.catalog import Catalog


@pytest.fixture
def database_url(empty_database_url):
    """URL of a database without the tables: here is tested how they are made."""
    return empty_database_url


def test_the_migrations_make_the_tables_of_the_code(database):
    with database.connect() as connection:
        assert MIGRATIONS.revision(connection) == HEAD == newest(MIGRATIONS)
        assert differences(connection, Base.metadata) == []


def test_the_migrations_make_the_constraints_of_the_code(database):
    made = constraints_of(database, Base.metadata)
    with database.begin() as connection:
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
    assert made == constraints_of(database, Base.metadata)
    assert made["review_decisions"]


def test_it_is_all_there_after_opening_again(desk, database_url):
    case = open_case(desk)
    with Desk.at(database_url) as again:
        assert again.cases.get(case.id).name == case.name
        assert again.audit.verify().count == desk.audit.verify().count == 1


def test_several_processes_may_make_it_at_once(database_url):
    code = (
        "import sys; from detector.review.database import ReviewDatabase\n"
        "input(); ReviewDatabase.open(sys.argv[1]).close()"
    )
    run_at_once(code, database_url)
    database = ReviewDatabase.open(database_url)
    with database.reading() as session:
        assert session.execute(text("SELECT * FROM review_alembic_version")).all() == [(HEAD,)]
        assert session.execute(text("SELECT count(*) FROM review_audit_head")).scalar() == 1
    database.close()


def test_cases_of_the_first_version_are_kept(desk, database, database_url):
    case = open_case(desk)
    with database.begin() as connection:
        for name, columns in (("queue", "state, gravity, score"), ("gravest", "gravity, score")):
            connection.execute(text(f"DROP INDEX review_cases_{name}"))
            connection.execute(
                text(f"CREATE INDEX review_cases_{name} ON review_cases ({columns})")
            )
        connection.execute(text("ALTER TABLE review_cases DROP COLUMN is_joined"))
        connection.execute(text("UPDATE review_alembic_version SET version_num = '0001'"))
    with Desk.at(database_url) as again:
        kept = again.cases.get(case.id)
        assert (kept.name, kept.is_joined) == (case.name, False)


def test_a_database_of_a_newer_version_is_left_alone(desk, database, database_url):
    with database.begin() as connection:
        connection.execute(text("UPDATE review_alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="made by a newer matchcut: upgrade"):
        Desk.at(database_url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://desk:secret@127.0.0.1:1/desk", r"desk:\*\*\*@127.0.0.1.*check the address"),
        ("sqlite:////dev/null/desk.sqlite", "check the address, the permissions"),
        ("mysql://desk@localhost/desk", "SQLite and PostgreSQL, not with mysql"),
        ("a file", "not the URL of a database"),
    ],
)
def test_what_cannot_be_opened_is_told_without_the_password(url, why):
    with pytest.raises(DatabaseError, match=why) as told:
        Desk.at(url)
    assert "secret" not in str(told.value)


def test_what_is_no_database_is_left_alone(tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"no database, but footage" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        Desk.at(f"sqlite:///{film}")
    assert film.read_bytes() == b"no database, but footage" * 100


def test_a_desk_and_a_catalogue_share_a_database(desk, database_url):
    catalog = Catalog.create(database_url)
    open_case(desk)
    assert catalog.works() == []
    catalog.close()
    with Desk.at(database_url) as again:
        assert again.cases.find().total == 1


def test_a_workspace_has_a_desk_of_its_own(tmp_path):
    settings = Settings(home=tmp_path / "home")
    with Desk.open(settings) as desk:
        open_case(desk)
    assert (tmp_path / "home" / "review.sqlite").is_file()


def test_a_workspace_may_have_its_desk_on_a_server(tmp_path):
    settings = Settings(home=tmp_path, database_url="postgresql://desk@server/films")
    assert review_url(settings).drivername == "postgresql+psycopg"
