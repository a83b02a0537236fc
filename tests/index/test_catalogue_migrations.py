"""A catalogue is made by migrations alone, and one from before there were any is taken over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from index_examples import ON_SQLITE
from migrated import constraints_of, differences, newest, run_at_once
from sqlalchemy import Engine, create_engine, inspect, text

from index.catalog import Catalog
from index.catalogue_tables import MIGRATIONS
from index.errors import CatalogError
from index.schema import HEAD, SCHEMA_VERSION, Base

_FIRST_TABLES = """
CREATE TABLE meta (key VARCHAR(64) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key));
CREATE TABLE works (
  number {number},
  id VARCHAR(128) NOT NULL,
  title TEXT NOT NULL,
  owner TEXT,
  policy VARCHAR(16) NOT NULL,
  source TEXT NOT NULL,
  digest VARCHAR(64) NOT NULL,
  duration {real} NOT NULL,
  frames_sampled INTEGER NOT NULL,
  frames_uniform INTEGER NOT NULL,
  added_at {time} NOT NULL,
  CONSTRAINT policy_is_known CHECK (policy IN ('block', 'review', 'monitor', 'allow')),
  UNIQUE (id),
  UNIQUE (digest)
);
CREATE TABLE embeddings (
  work_number INTEGER NOT NULL,
  channel VARCHAR(32) NOT NULL,
  space TEXT NOT NULL,
  file TEXT NOT NULL,
  digest VARCHAR(64) NOT NULL,
  count INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  PRIMARY KEY (work_number, channel),
  FOREIGN KEY (work_number) REFERENCES works (number) ON DELETE CASCADE,
  UNIQUE (file)
);
CREATE TABLE index_files (
  channel VARCHAR(32) NOT NULL,
  space TEXT NOT NULL,
  file TEXT NOT NULL,
  digest VARCHAR(64) NOT NULL,
  content VARCHAR(64) NOT NULL,
  PRIMARY KEY (channel)
);
CREATE TABLE scans (
  key TEXT NOT NULL, result TEXT NOT NULL, finished_at {time} NOT NULL, PRIMARY KEY (key)
)
"""
_LATER_TABLE = """
CREATE TABLE uploads (
  key VARCHAR(64) NOT NULL,
  source TEXT NOT NULL,
  content TEXT NOT NULL,
  conditions TEXT NOT NULL,
  facts TEXT NOT NULL,
  file TEXT NOT NULL,
  digest VARCHAR(64) NOT NULL,
  size INTEGER NOT NULL,
  kept_at {time} NOT NULL,
  PRIMARY KEY (key)
)
"""
_ROWS = """
INSERT INTO meta VALUES ('schema_version', '1'), ('catalogue_id', 'c0ffee');
INSERT INTO works VALUES
  (7, 'metropolis', 'Metropolis', NULL, 'block', 'm.mp4', '{digest}', 9000.5, 9, 1,
   '2026-11-01 12:00:00');
INSERT INTO embeddings VALUES (7, 'copy', 'sscd@1', 'embeddings/7.npz', '{digest}', 9000, 512);
INSERT INTO scans VALUES ('upload.mp4', '{{}}', '2026-11-02 12:00:00')
"""
_TYPES = {
    "sqlite": {
        "number": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
        "real": "DOUBLE",
        "time": "DATETIME",
    },
    "postgresql": {
        "number": "SERIAL NOT NULL PRIMARY KEY",
        "real": "DOUBLE PRECISION",
        "time": "TIMESTAMP WITH TIME ZONE",
    },
}


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """Return a database without any tables."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def execute(database: Engine, script: str) -> None:
    with database.begin() as connection:
        filled = script.format(**_TYPES[database.dialect.name], digest="0" * 64)
        for statement in filled.split(";"):
            connection.execute(text(statement))


def facts_of(database: Engine) -> dict[str, str]:
    """Return what a catalogue says of itself."""
    with database.connect() as connection:
        return {row.key: row.value for row in connection.execute(text("SELECT * FROM meta"))}


def revision_of(database: Engine) -> str | None:
    with database.connect() as connection:
        return MIGRATIONS.revision(connection)


def check_tables(database: Engine) -> None:
    """See that the tables are there, with all columns, keys and indexes."""
    with database.connect() as connection:
        assert differences(connection, Base.metadata) == []


def test_a_new_catalogue_is_made_by_the_migrations(database, database_url):
    Catalog.create(database_url).close()
    check_tables(database)
    assert revision_of(database) == HEAD == newest(MIGRATIONS)
    facts = facts_of(database)
    assert facts.keys() == {"schema_version", "catalogue_id"}
    assert facts["schema_version"] == str(SCHEMA_VERSION)  # so that older versions open it
    Catalog.create(database_url).close()
    assert facts_of(database) == facts


def test_the_migrations_make_the_constraints_of_the_code(database, database_url):
    Catalog.create(database_url).close()
    made = constraints_of(database, Base.metadata)
    Base.metadata.drop_all(database)
    Base.metadata.create_all(database)
    assert made == constraints_of(database, Base.metadata)
    assert made["rules"]


@ON_SQLITE
def test_the_migrations_never_use_a_number_again(database, database_url):
    Catalog.create(database_url).close()
    found = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
    with database.connect() as connection:
        made = set(connection.scalars(text(found)))
    wanted = {
        name
        for name, table in Base.metadata.tables.items()
        if table.dialect_options["sqlite"]["autoincrement"]
    }
    assert made == wanted != set()


def test_a_catalogue_of_the_first_version_is_taken_over(database, database_url):
    execute(database, _FIRST_TABLES)
    execute(database, _ROWS)
    catalog = Catalog.open(database_url)
    assert catalog.id == "c0ffee"
    assert catalog.recall_scan("upload.mp4") == "{}"
    (work,) = catalog.works()
    assert (work.number, work.id, work.duration) == (7, "metropolis", 9000.5)
    assert [file.file for file in catalog.embeddings_files(7)] == ["embeddings/7.npz"]
    check_tables(database)
    assert revision_of(database) == HEAD
    assert facts_of(database) == {"schema_version": "1", "catalogue_id": "c0ffee"}
    catalog.close()


def test_what_a_later_version_added_stays_and_gets_its_indexes(database, database_url):
    execute(database, _FIRST_TABLES)
    execute(database, _ROWS)
    execute(database, _LATER_TABLE)
    added = "INSERT INTO uploads VALUES ('k', 's', 'c', '', '', 'f', 'd', 1, '2026-11-03 12:00:00')"
    execute(database, added)
    Catalog.open(database_url).close()
    check_tables(database)
    with database.connect() as connection:
        assert connection.execute(text("SELECT key, file FROM uploads")).all() == [("k", "f")]


def test_a_catalogue_that_cannot_be_taken_over_is_left_as_it_was(database, database_url):
    execute(database, _FIRST_TABLES)
    execute(database, _ROWS)
    execute(database, "CREATE TABLE uploads (whose TEXT)")
    before = set(inspect(database).get_table_names())
    with pytest.raises(CatalogError, match="cannot open the catalogue"):
        Catalog.open(database_url)
    assert set(inspect(database).get_table_names()) == before
    assert [column["name"] for column in inspect(database).get_columns("uploads")] == ["whose"]


@pytest.mark.parametrize("opened", [Catalog.open, Catalog.create])
def test_a_catalogue_of_newer_migrations_is_refused(opened, database, database_url):
    Catalog.create(database_url).close()
    execute(database, "UPDATE catalogue_alembic_version SET version_num = '9999'")
    execute(database, "DROP TABLE exclusions")
    newer = rf"newer matchcut \(its schema is version 9999, this one knows up to {HEAD}\): upgrade"
    with pytest.raises(CatalogError, match=newer):
        opened(database_url)
    assert revision_of(database) == "9999"
    assert not inspect(database).has_table("exclusions")


@pytest.mark.parametrize("opened", [Catalog.open, Catalog.create])
def test_a_catalogue_of_a_newer_schema_is_refused(opened, database, database_url):
    execute(database, _FIRST_TABLES)
    execute(database, _ROWS)
    execute(database, "UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    newer = rf"its schema is version 2, this one knows up to {SCHEMA_VERSION}\): upgrade"
    with pytest.raises(CatalogError, match=newer):
        opened(database_url)
    assert revision_of(database) is None
    assert not inspect(database).has_table("uploads")


def test_a_database_that_is_no_catalogue_is_not_made_one_by_opening(database, database_url):
    with pytest.raises(CatalogError, match="not a catalogue of matchcut"):
        Catalog.open(database_url)
    assert inspect(database).get_table_names() == []


@pytest.mark.parametrize("opened", ["create", "open"])
def test_several_processes_may_open_it_at_once(opened, database, database_url):
    if opened == "open":
        execute(database, _FIRST_TABLES)
        execute(database, _ROWS)
    code = (
        "import sys; from index.catalog import Catalog\n"
        f"input(); print(Catalog.{opened}(sys.argv[1]).id)"
    )
    run_at_once(code, database_url)
    check_tables(database)
    assert facts_of(database).keys() == {"schema_version", "catalogue_id"}
    with database.connect() as connection:
        versions = connection.execute(text("SELECT * FROM catalogue_alembic_version")).all()
    assert versions == [(HEAD,)]


def test_only_a_catalogue_that_is_not_up_to_date_needs_alembic(database, database_url):
    execute(database, _FIRST_TABLES)
    execute(database, _ROWS)
    code = (
        "import sys; from index.catalog import Catalog\n"
        "Catalog.open(sys.argv[1]).works()\n"
        "Catalog.create(sys.argv[1]).works()\n"
        "print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, database_url]
    told = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        for _ in ("taken over", "up to date")
    ]
    assert told == ["True", "False"]
