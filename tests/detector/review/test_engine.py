from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from detector.descriptors import DescriptorUnavailableError, space_of
from detector.inputs import Source
from detector.moments import find_moments
from detector.people import describe_reference, people_cipher
from detector.pipeline import enroll
from detector.review.engine import Engine
from detector.samples import SampleSet
from detector.settings import Settings
from detector.types import Channel
from index.person_records import NewPerson
from index.records import Policy
from index.reference_index import ReferenceIndex
from tests.detector.review.conftest import ScannedDesk


@pytest.fixture
def settings(scanned_desk: ScannedDesk, tmp_path: Path) -> Settings:
    """Of a workspace of this test alone, in which films and a person are enrolled."""
    shutil.copytree(scanned_desk.home, tmp_path / "home")
    return scanned_desk.settings.model_copy(update={"home": tmp_path / "home"})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    with Engine.open(settings) as engine:
        yield engine


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep all models away, and the network."""
    monkeypatch.setenv("MATCHCUT_CACHE", str(tmp_path / "cache"))
    for name in ("PIP_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_descriptors_are_those_the_index_has_a_use_for(engine: Engine) -> None:
    found = engine.descriptors()
    assert list(found) == [Channel.COPY]
    assert space_of(found[Channel.COPY]) == engine.index.space(Channel.COPY)


def test_each_model_is_loaded_once_however_many_threads_ask(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: engine.descriptors()[Channel.COPY], range(16)))
    assert len({id(one) for one in found}) == 1


def test_an_empty_workspace_opens_and_says_what_is_missing(tmp_path: Path) -> None:
    with Engine.open(Settings(home=tmp_path)) as engine:
        assert engine.descriptors() == {}
        assert engine.faces() is None
        assert engine.notes() == ("no works are enrolled, so no footage is found",)


def test_a_channel_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DescriptorUnavailableError, match="no channel 'smell'"):
        Engine.open(Settings(home=tmp_path, channels="smell"))


def test_channels_that_the_settings_leave_out_stay_off(settings: Settings) -> None:
    with Engine.open(settings.model_copy(update={"channels": "copy"})) as engine:
        assert engine.faces() is None
        assert engine.notes() == ()
        assert "settings leave out" in str(engine.why_no_phrases())


def test_what_another_process_enrols_and_removes_is_seen(
    engine: Engine, settings: Settings, samples: SampleSet
) -> None:
    film = next(path for path in samples.films if path.stem == "bikes")
    copy = engine.descriptors()[Channel.COPY]
    vector = engine.index.embeddings(engine.index.work("bikes").number, "copy").vectors[3]

    def best() -> str:
        engine.descriptors()
        return find_moments(engine.index, Channel.COPY, vector, 1)[0].id

    assert best() == "bikes"
    with ReferenceIndex.open(settings.home) as other:
        other.remove("bikes")
    assert best() != "bikes"
    with ReferenceIndex.open(settings.home) as other:
        enroll(Source(str(film)), other, {Channel.COPY: copy}, settings, work_id="bikes-again")
    assert best() == "bikes-again"


# --- faces


def about_faces(engine: Engine) -> list[str]:
    return [note for note in engine.notes() if "semantic" not in note]


def test_people_are_found_as_they_are_enrolled_just_now(
    engine: Engine, settings: Settings, portrait: Path
) -> None:
    first = engine.faces()
    assert first is not None
    assert [one.id for one in first.likenesses.gallery.people] == ["eileen"]
    assert engine.faces() is first  # the gallery is opened once
    with ReferenceIndex.open(settings.home) as other:
        (face,) = describe_reference(Source(str(portrait)), first.descriptor, settings).faces
        person = NewPerson(
            id="ann", name="Ann", authority="A. Ann", retain_until=date.max, policy=Policy.REVIEW
        )
        other.people.add(person, space_of(first.descriptor), [face], people_cipher(settings))
    second = engine.faces()
    assert second is not None
    assert [one.id for one in second.likenesses.gallery.people] == ["eileen", "ann"]
    assert second.descriptor is first.descriptor


def test_who_is_removed_or_whose_time_is_over_is_let_go_of(
    engine: Engine, settings: Settings
) -> None:
    assert engine.faces() is not None
    with ReferenceIndex.open(settings.home) as other:
        other.people.update(replace(other.people.get("eileen"), retain_until=date(2026, 1, 1)))
    assert engine.faces() is None
    (note,) = about_faces(engine)
    assert "1 of 1 enrolled people have expired" in note
    with ReferenceIndex.open(settings.home) as other:
        other.people.remove("eileen")
    assert engine.faces() is None
    assert about_faces(engine) == []


def test_without_the_key_nobody_is_found_and_that_is_said(
    scanned_desk: ScannedDesk, settings: Settings, tmp_path: Path
) -> None:
    keyless = settings.model_copy(update={"people_key_file": tmp_path / "nowhere"})
    with Engine.open(keyless) as engine:
        assert engine.cipher() is None
        assert engine.faces() is None
        (note,) = about_faces(engine)
        assert "channel face is off: there is no key" in note
        shutil.copy(scanned_desk.settings.people_key_file, tmp_path / "nowhere")
        assert engine.faces() is not None  # as soon as it is back
        assert about_faces(engine) == []


# --- models that are not there


@pytest.mark.usefixtures("no_models")
def test_what_is_to_be_fetched_is_said_before_anything_is(settings: Settings) -> None:
    with Engine.open(settings) as engine:
        copy, face = about_faces(engine)
    assert "model of channel copy is not on this machine: the first query fetches it" in copy
    assert "model of channel face is not on this machine" in face


@pytest.mark.usefixtures("no_models")
def test_a_model_that_cannot_be_had_is_a_note_and_no_error(settings: Settings) -> None:
    with Engine.open(settings) as engine:
        assert engine.descriptors() == {}
        assert engine.faces() is None
        copy, face = about_faces(engine)
    assert copy.startswith("channel copy is off: ")
    assert face.startswith("channel face is off: ")


def test_works_described_otherwise_are_a_note_and_no_error(settings: Settings) -> None:
    with Engine.open(settings.model_copy(update={"copy_size": 256})) as engine:
        assert engine.descriptors() == {}
        assert "were described with sscd-distilled-224@" in engine.notes()[0]


# --- phrases, and what films are described with


@pytest.mark.usefixtures("no_models")
def test_phrases_need_clip_and_works_that_it_has_seen(settings: Settings) -> None:
    with Engine.open(settings.model_copy(update={"channels": "copy,semantic"})) as engine:
        assert "once works are described in the semantic channel" in str(engine.why_no_phrases())
        assert "channel semantic is off: no enrolled work" in " ".join(engine.notes())


def test_clip_is_used_where_its_weights_are(
    settings: Settings, samples: SampleSet, tiny_clip: Path
) -> None:
    local = settings.model_copy(update={"semantic_model": f"local-dir:{tiny_clip}"})
    with Engine.open(local) as engine:
        assert list(engine.descriptors()) == [Channel.COPY]  # no work has been seen by it
        describing = engine.describing()
        assert list(describing) == [Channel.COPY, Channel.SEMANTIC]
        enroll(Source(str(samples.films[0])), engine.index, describing, local)
        assert list(engine.descriptors()) == [Channel.COPY, Channel.SEMANTIC]
        assert engine.why_no_phrases() is None
    with Engine.open(local.model_copy(update={"semantic_model": "local-dir:/gone"})) as engine:
        assert list(engine.descriptors()) == [Channel.COPY]
        assert "weights of CLIP are not on this machine" in str(engine.why_no_phrases())


@pytest.mark.usefixtures("no_models")
def test_clip_is_never_fetched_even_if_it_is_named(settings: Settings) -> None:
    named = settings.model_copy(update={"channels": "semantic"})
    unavailable = pytest.raises(DescriptorUnavailableError, match="CLIP are not on this machine")
    with Engine.open(named) as engine, unavailable:
        engine.describing()


def test_settings_without_a_channel_of_works_describe_no_film(settings: Settings) -> None:
    named = settings.model_copy(update={"channels": "face"})
    unavailable = pytest.raises(DescriptorUnavailableError, match="the settings name no channel")
    with Engine.open(named) as engine, unavailable:
        engine.describing()
