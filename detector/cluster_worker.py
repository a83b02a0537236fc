"""What runs on the nodes of a cluster: workers that scan or describe files, and describers.

A worker is one process that loads the models once and then takes one file after another. Where a
job has describers, workers only decode and match: their pictures are described by these, on GPUs.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import ray

from detector import logs
from detector.batch import Scanner
from detector.cluster import ClusterError
from detector.descriptors import Descriptor, space_of
from detector.descriptors.base import Images
from detector.descriptors.channels import open_channel
from detector.descriptors.joined import JoinedDescriptor
from detector.inputs import Source
from detector.memory import give_back
from detector.people import open_faces
from detector.pipeline import FilmSeen, look_at_film
from detector.settings import Settings
from detector.types import Channel, ScanResult, Submission
from detector.workspace import open_index
from index.catalog import CATALOGUE_ID


@dataclass(frozen=True, slots=True)
class Job:
    """What all workers are to work with.

    Attributes
    ----------
    settings
        Those of the one that asks; the workspace lies under the same path on every node.
    spaces
        The channels of works that run, and what each describes with.
    version
        Of matchcut, where it is asked.
    scan
        What uploads are scanned with; None: films are described, to be enrolled.
    """

    settings: Settings
    spaces: Mapping[Channel, str]
    version: str
    scan: ScanConditions | None = None


@dataclass(frozen=True, slots=True)
class ScanConditions:
    """What else uploads are scanned with; see `detector.batch.Scanner`."""

    has_faces: bool
    min_score: float | None
    today: date
    enrolled: str


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a worker must know of a descriptor that runs elsewhere."""

    name: str
    version: str
    dim: int
    is_on_gpu: bool


class UnfitNodeError(ClusterError):
    """A node of the cluster cannot take part; the text says why, and what to do about it."""


class Describer:
    """Describes the pictures of many workers, those that come at the same time together.

    When it is lost with its node, Ray makes it anew elsewhere, and asks it again what it was asked.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._loading = threading.Lock()
        self._descriptors: dict[Channel, JoinedDescriptor] = {}

    def facts(self, channel: Channel) -> _Facts:
        """Return what workers must know of it; raises as `Worker.prepare`."""
        one = self._descriptor(channel)
        return _Facts(one.name, one.version, one.dim, one.is_on_gpu)

    def describe(self, channel: Channel, images: Images) -> npt.NDArray[np.float32]:
        return self._descriptor(channel).describe(images)

    def _descriptor(self, channel: Channel) -> JoinedDescriptor:
        with self._loading:
            if channel not in self._descriptors:
                _check_version(self._job)
                self._descriptors[channel] = JoinedDescriptor(_open(self._job, channel))
            return self._descriptors[channel]


class RemoteDescriptor:
    """A descriptor whose work describers do, each in turn."""

    def __init__(self, channel: Channel, describers: Sequence[Any]) -> None:
        facts: _Facts = ray.get(describers[0].facts.remote(channel))
        self.name, self.version = facts.name, facts.version
        self.dim, self.is_on_gpu = facts.dim, facts.is_on_gpu
        self._channel = channel
        self._turns = itertools.cycle(describers)

    def describe(self, images: Images) -> npt.NDArray[np.float32]:
        """Return one L2-normalised embedding per picture: float32 [n, dim]."""
        vectors = ray.get(next(self._turns).describe.remote(self._channel, list(images)))
        return np.array(vectors)  # what comes from the object store is read-only


class Worker:
    """Scans uploads, or describes films, one at a time."""

    def __init__(self) -> None:
        self._progress: tuple[float, float | None] | None = None

    def prepare(self, job: Job, describers: Sequence[Any], threads: int) -> None:
        """Open the index, and load the models.

        Parameters
        ----------
        describers
            Who describes pictures; nobody: the worker itself.
        threads
            Of the decoder.

        Raises
        ------
        UnfitNodeError
            Here is another version of matchcut or of a model, or not the workspace.
        DescriptorUnavailableError, ReferenceIndexError
            A model cannot be had, or the index not be opened.
        """
        logs.configure()
        _check_version(job)
        settings = job.settings
        if not (settings.home / CATALOGUE_ID).exists():
            raise UnfitNodeError(
                f"node {socket.gethostname()} has no workspace in {settings.home}: let all nodes "
                "see it under that path, as on a shared file system"
            )
        limits = replace(settings.limits, threads=max(1, min(threads, settings.limits.threads)))
        self._settings = settings = settings.model_copy(update={"limits": limits})
        self._descriptors: dict[Channel, Descriptor] = {
            channel: RemoteDescriptor(channel, describers) if describers else _open(job, channel)
            for channel in job.spaces
        }
        self._index = open_index(settings)
        if (conditions := job.scan) is not None:
            today = conditions.today
            self._scanner = Scanner(
                self._index,
                self._descriptors,
                settings,
                faces=open_faces(self._index, settings, today) if conditions.has_faces else None,
                min_score=conditions.min_score,
                today=today,
                enrolled=conditions.enrolled,
            )

    def scan(self, source: Source, submission: Submission, resume: bool) -> ScanResult:
        """Scan an upload, see `Scanner.scan`."""
        try:
            return self._scanner.scan(source, submission, self._note, resume=resume)
        finally:
            self._progress = None
            give_back()

    def look_at_film(self, source: Source) -> FilmSeen:
        """Describe a film that is to be enrolled, see `detector.pipeline.look_at_film`."""
        try:
            return look_at_film(source, self._index, self._descriptors, self._settings, self._note)
        finally:
            self._progress = None
            give_back()

    def progress(self) -> tuple[float, float | None] | None:
        """Return how many seconds of a file are read, and how many it has, if that is known."""
        return self._progress

    def _note(self, seconds: float, duration: float | None) -> None:
        self._progress = seconds, duration


def _open(job: Job, channel: Channel) -> Descriptor:
    descriptor = open_channel(channel, job.settings, fetch_clip=True)
    if space_of(descriptor) != job.spaces[channel]:
        raise UnfitNodeError(
            f"node {socket.gethostname()} describes channel '{channel}' with "
            f"{space_of(descriptor)}, not with {job.spaces[channel]}: give it the same model"
        )
    return descriptor


def _check_version(job: Job) -> None:
    here = version("matchcut")
    if here != job.version:
        raise UnfitNodeError(
            f"node {socket.gethostname()} has matchcut {here}, and this is {job.version}: install "
            "the same on all"
        )
