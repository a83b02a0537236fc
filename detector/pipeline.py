"""The one path from a file to the index (`enroll`) and from a file to its verdict (`scan`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

import numpy as np
import numpy.typing as npt

from detector.background import background_of
from detector.describe import Described, OnProgress, Window, describe
from detector.descriptors import Descriptor, space_of
from detector.faces import FaceChannel, FaceWatch
from detector.inputs import InputError, Source, digest_of
from detector.matching import above, with_cast
from detector.matching.likeness import appearances_above
from detector.media import UnreadableMediaError
from detector.passes import look_twice
from detector.remote import Media
from detector.replaced import mark_replaced, mark_strangers_to_cast
from detector.rights import Circumstances, judge, judge_likeness
from detector.search import LookAlikes, Matching, is_worth_a_look, nearest, timed, too_ordinary
from detector.settings import Settings
from detector.text import clock
from detector.timeline import Interval
from detector.types import (
    Channel,
    Fault,
    Flag,
    Likeness,
    Match,
    Mode,
    ScanResult,
    Status,
    Submission,
)
from index.embeddings import Embeddings
from index.records import NewWork, Policy, Work
from index.reference_index import ChannelEmbeddings, ReferenceIndex
from index.rights_records import Kind, Rights

NOTHING_KNOWN = Submission()


class NothingToMatchError(Exception):
    """A film has no frame that could be found again; the text says why."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of a film that was to be enrolled."""

    work: Work
    added: tuple[Channel, ...]  # channels that are new; none if all was there already
    problem: str | None  # what could not be read of the film, None if all was


@dataclass(frozen=True, slots=True)
class FilmSeen:
    """What was seen in a film, to be enrolled."""

    digest: str  # SHA-256 of its file
    channels: Mapping[Channel, ChannelEmbeddings]  # those that it did not have
    duration: float
    sampled: int  # frames
    uniform: int  # of these
    problem: str | None = None  # what could not be read of it


def enroll(
    source: Source,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    *,
    work_id: str | None = None,
    title: str | None = None,
    owner: str | None = None,
    policy: Policy = Policy.REVIEW,
    on_progress: OnProgress | None = None,
) -> Enrolled:
    """Protect a film. The same file again adds only the channels it does not have yet.

    Raises
    ------
    InputError, UnreadableMediaError
        When the film cannot be read.
    NothingToMatchError
        When all its frames are uniform, so that nothing could ever be found.
    index.errors.ReferenceIndexError
        When the index refuses it: id taken, another descriptor's vectors, busy.
    """
    seen = look_at_film(source, index, descriptors, settings, on_progress)
    return enroll_seen(
        source, seen, index, work_id=work_id, title=title, owner=owner, policy=policy
    )


def look_at_film(
    source: Source,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> FilmSeen:
    """Describe a film in the channels that it does not have yet; nothing is written.

    Raises
    ------
    InputError, UnreadableMediaError, NothingToMatchError, SpaceMismatchError
        See `enroll`.
    """
    for channel, descriptor in descriptors.items():
        index.check_space(channel, space_of(descriptor))
    with source.opened(settings.protocols) as media:
        digest = digest_of(media)
        known = index.find_digest(digest)
        missing = {
            channel: descriptor
            for channel, descriptor in descriptors.items()
            if known is None or channel not in index.channels(known.number)
        }
        if known is not None and not missing:
            return FilmSeen(digest, {}, known.duration, known.frames_sampled, known.frames_uniform)
        described = describe(media, missing, settings, on_progress)
    counts = described.frames
    if counts.sampled == counts.uniform:
        raise NothingToMatchError(
            f"all {counts.sampled} sampled frames are uniform (black, one colour, test card), so "
            "nothing could be recognised"
        )
    return FilmSeen(
        digest,
        {
            channel: ChannelEmbeddings(space_of(descriptor), described.embeddings(channel))
            for channel, descriptor in missing.items()
        },
        described.duration,
        counts.sampled,
        counts.uniform,
        described.problem,
    )


def enroll_seen(
    source: Source,
    seen: FilmSeen,
    index: ReferenceIndex,
    *,
    work_id: str | None = None,
    title: str | None = None,
    owner: str | None = None,
    policy: Policy = Policy.REVIEW,
) -> Enrolled:
    """Protect a film that was described, see `enroll`."""
    known = index.find_digest(seen.digest)
    if known is not None:
        there = index.channels(known.number)
        added = {name: content for name, content in seen.channels.items() if name not in there}
        for name, content in added.items():
            index.add_channel(known.number, name, content)
        return Enrolled(known, tuple(added), seen.problem)
    work = NewWork(
        id=work_id or source.stem,
        title=title or source.stem,
        owner=owner,
        policy=policy,
        source=source.address,
        digest=seen.digest,
        duration=seen.duration,
        frames_sampled=seen.sampled,
        frames_uniform=seen.uniform,
    )
    contents = {str(name): content for name, content in seen.channels.items()}
    return Enrolled(index.enroll(work, contents), tuple(seen.channels), seen.problem)


def scan(
    source: Source,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    *,
    faces: FaceChannel | None = None,
    min_score: float | None = None,
    submission: Submission = NOTHING_KNOWN,
    today: date | None = None,
    on_progress: OnProgress | None = None,
    before: Described | None = None,
    on_described: Callable[[Described], object] = lambda _: None,
) -> ScanResult:
    """Find enrolled works and people in an upload. An unreadable file is a result, not an error.

    Parameters
    ----------
    faces
        Who is to be found by their face; None: nobody looks at faces.
    min_score
        Matches and segments below it are left out; by default the channel's operating point.
    submission
        How the upload came in, for the licences.
    today
        The day to judge by, for the licences; by default the present one in UTC.
    before
        What the channels saw in the same file before: it is not read again where that will do.
    on_described
        Is given what the channels saw, if the file was read.

    Raises
    ------
    index.errors.SpaceMismatchError
        When the works were described with another descriptor.
    """
    for channel, descriptor in descriptors.items():
        index.check_space(channel, space_of(descriptor))
    lowest = {
        channel: settings.channel(channel).min_score if min_score is None else min_score
        for channel in descriptors
    }
    try:
        with source.opened(settings.protocols) as media:
            watch = None
            if before is not None and faces is None and not is_worth_a_look(before, index):
                described = before
            else:
                described, watch = _look(media, index, descriptors, settings, faces, on_progress)
                on_described(described)
            upload = Circumstances(
                today or datetime.now(UTC).date(), described.duration, submission
            )
            timings = {**described.timings, "search": 0.0, "align": 0.0, "verify": 0.0}
            views = dict(described.views)
            if _looks_negative(described, index, settings):
                copy = {Channel.COPY: descriptors[Channel.COPY]}
                windows = described.windows
                negative = describe(media, copy, settings, negative=True, windows=windows)
                views[Channel.COPY] = views[Channel.COPY].joined(negative.views[Channel.COPY])
                for stage, seconds in negative.timings.items():
                    timings[stage] += seconds
            flags: list[Flag] = []
            seen = None
            if faces is not None and watch is not None:
                seen = _Seen(watch, faces, index, settings, timings)
                flags += seen.flags(min_score, upload)
            copied: list[Interval] = []
            if Channel.COPY in views:
                point = settings.copy_channel.min_score
                matching = Matching(descriptors[Channel.COPY], index, settings, timings)
                found = matching.aligned(views[Channel.COPY], described.duration)
                for match, work in matching.verified(found, media):
                    kept = above(match, lowest[Channel.COPY])
                    if kept is None:
                        continue
                    copied += [
                        (one.query_start, one.query_end)
                        for one in kept.segments
                        if one.score >= point
                    ]
                    if seen is not None:
                        kept = seen.in_copy(kept, work, media)
                    rights = index.rights.of(Kind.WORK, work.number)
                    flags.append(judge(kept, work, point, rights, upload))
            if described.shots is not None:
                # The works may have moved to another model while the upload was described.
                with index.comparing(Channel.SEMANTIC, space_of(descriptors[Channel.SEMANTIC])):
                    flags += _look_alikes(
                        described.shots,
                        copied,
                        LookAlikes(index, settings, timings),
                        lowest[Channel.SEMANTIC],
                        upload,
                        index,
                        settings,
                        seen,
                    )
    except (InputError, UnreadableMediaError) as error:
        fault = error.fault if isinstance(error, UnreadableMediaError) else None
        return unreadable(source, str(error), submission, fault)
    flags.sort(key=lambda flag: (-flag.verdict.rank, -flag.match.score))
    return ScanResult(
        source=source.name,
        query_id=source.stem,
        status=Status.OK if described.problem is None else Status.PARTIAL,
        reason=described.problem,
        fault=described.fault,
        duration=described.duration,
        channels=(*descriptors, *([Channel.FACE] if faces is not None else [])),
        flags=tuple(flags),
        frames=described.frames,
        faces=None if seen is None else seen.counts,
        timings=timings,
        submission=submission,
    )


def unreadable(
    source: Source, reason: str, submission: Submission, fault: Fault | None = None
) -> ScanResult:
    """Return what is said of an upload that could not be read."""
    return ScanResult(
        source.name,
        source.stem,
        Status.UNREADABLE,
        reason=reason,
        fault=fault,
        submission=submission,
    )


def _look_alikes(
    shots: Embeddings,
    copied: Sequence[Interval],
    search: LookAlikes,
    lowest: float,
    upload: Circumstances,
    index: ReferenceIndex,
    settings: Settings,
    seen: _Seen | None,
) -> list[Flag]:
    """Judge the works that shots look like where they are not copied."""
    rights: dict[int, Rights] = {}

    def excluded(work: Work) -> list[Interval]:
        rights[work.number] = index.rights.of(Kind.WORK, work.number)
        return [(one.start, one.end) for one in rights[work.number].exclusions]

    point = settings.semantic_channel.min_score
    flags = []
    for found, work in search.found(shots, copied, excluded):
        match = found if seen is None else seen.beside(found, work)
        if match.score >= lowest:
            flags.append(judge(match, work, point, rights[work.number], upload))
    return flags


def _look(
    media: Media,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    faces: FaceChannel | None,
    on_progress: OnProgress | None,
) -> tuple[Described, FaceWatch | None]:
    """Describe an upload as closely as the settings say; return what watched its faces, too."""
    watch: FaceWatch | None = None
    in_passes = settings.mode is Mode.FAST and Channel.COPY in descriptors

    def look(*, share: float = 1.0, windows: Sequence[Window] | None = None) -> Described:
        nonlocal watch
        watch = None if faces is None else FaceWatch(faces.descriptor)
        only_copies = in_passes and share == 1.0  # shots were seen at a glance
        return describe(
            media,
            {Channel.COPY: descriptors[Channel.COPY]} if only_copies else descriptors,
            settings,
            on_progress,
            closely=True,
            nearest=partial(nearest, index),
            watch=watch,
            share=share,
            windows=windows,
        )

    def faces_seen() -> list[Window]:
        if faces is None or watch is None:
            return []
        matches, _ = watch.people(faces.likenesses, settings.face_channel)
        return [(one.start, one.end) for match in matches for one in match.appearances]

    if not in_passes:
        return look(), watch
    background = background_of(index, Channel.COPY, space_of(descriptors[Channel.COPY]))

    def limits(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.float32(settings.suspicious) + too_ordinary(vectors, background, settings)

    return look_twice(look, partial(nearest, index), limits, faces_seen), watch


class _Seen:
    """The people seen in an upload."""

    def __init__(
        self,
        watch: FaceWatch,
        faces: FaceChannel,
        index: ReferenceIndex,
        settings: Settings,
        timings: dict[str, float],
    ) -> None:
        self._watch = watch
        self._faces = faces
        self._index = index
        self._lowest = settings.face_channel.min_score
        self._protocols = settings.protocols
        self._people = {person.id: person for person in faces.likenesses.gallery.people}
        self._matches, self.counts = watch.people(faces.likenesses, settings.face_channel)
        timings["faces"] = watch.seconds
        self._timings = timings  # seconds by stage, added to

    def flags(self, min_score: float | None, upload: Circumstances) -> list[Flag]:
        lowest = self._lowest if min_score is None else min_score
        flags = []
        for match in self._matches:
            kept = appearances_above(match, lowest)
            if kept is not None:
                person = self._people[kept.ref_id]
                rights = self._index.rights.of(Kind.PERSON, person.number)
                flags.append(judge_likeness(kept, person, rights, upload))
        return flags

    def beside(self, match: Match, work: Work) -> Match:
        """Add to a look-alike of a work who of its cast is seen in the upload."""
        likely = {
            one.ref_id: [face for face in one.appearances if face.likeness is Likeness.LIKELY]
            for one in self._matches
        }
        words = {}
        for person_id in self._index.people.cast(work.number):
            if faces := likely.get(person_id):
                start, end = clock(faces[0].start), clock(faces[0].end)
                name = self._people[person_id].name
                words[person_id] = f"{name}, of its cast, is seen as well ({start} - {end})"
        return with_cast(match, words)

    def in_copy(self, match: Match, work: Work, media: Media) -> Match:
        """Say of the segments of a copy whether their faces are the film's."""
        with timed(self._timings, "faces"):
            descriptor = self._faces.descriptor
            # If the film is gone, or cannot be reached, nothing is concluded.
            with suppress(InputError), Source(work.source).opened(self._protocols) as film:
                match = mark_replaced(match, self._watch.tracks, media, film, descriptor)
            names = {person.id: person.name for person in self._people.values()}
            cast = self._index.people.cast(work.number)
            return mark_strangers_to_cast(match, self._matches, names, cast)


def _looks_negative(described: Described, index: ReferenceIndex, settings: Settings) -> bool:
    """Whether a frame of the upload, light and dark exchanged, looks like one of a work."""
    negatives = described.negatives
    if negatives is None or len(negatives) == 0:
        return False
    return float(nearest(index, negatives.vectors).max()) > settings.negative_similarity
