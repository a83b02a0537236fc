"""The one path from a file to the index (`enroll`) and from a file to its verdict (`scan`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from detector.descriptors import Descriptor, space_of
from detector.inputs import InputError, Source
from detector.matching import align, build_match, rank_candidates, similar_pairs
from detector.media import (
    Frame,
    Sampler,
    UnreadableMediaError,
    is_uniform,
    probe,
    rate_for,
    trim_borders,
)
from detector.rights import judge
from detector.settings import Settings
from detector.types import Channel, Flag, FrameCounts, ScanResult, Status
from index.embeddings import Embeddings
from index.files import file_digest
from index.records import NewWork, Policy, Work
from index.reference_index import ChannelEmbeddings, ReferenceIndex

_BATCH = 32
# The last frame may end this much before the file says it does, or this share of it.
_MISSING_SECONDS, _MISSING_SHARE = 1.0, 0.02

OnProgress = Callable[[float, float | None], None]
"""Called with the seconds of video read so far, and with its duration if that is known."""


class NothingToMatchError(Exception):
    """A film has no frame that could be found again; the text says why."""


@dataclass(frozen=True, slots=True)
class Described:
    """What all channels see in a video."""

    embeddings: Mapping[Channel, Embeddings]
    duration: float  # seconds
    frames: FrameCounts
    problem: str | None  # what could not be read, None if all was
    timings: Mapping[str, float]  # seconds of work by stage


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of a film that was to be enrolled."""

    work: Work
    added: tuple[Channel, ...]  # channels that are new; none if all was there already
    problem: str | None  # what could not be read of the film, None if all was


def describe(
    path: Path,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> Described:
    """Sample a video and describe its frames; decoding runs beside describing.

    Memory is bounded whatever the length: frames live in two batches, only vectors are kept.

    Raises
    ------
    UnreadableMediaError
        When the file gives no frame.
    """
    info = probe(path)
    rate = rate_for(info.duration, settings.rate)
    sampler = Sampler(path, rate, short_side=settings.copy_size)
    timings = {"decode": 0.0, "describe": 0.0}
    times: list[float] = []
    vectors: dict[Channel, list[np.ndarray]] = {channel: [] for channel in descriptors}
    sampled = 0
    for frames, seconds in _batches(sampler):
        timings["decode"] += seconds
        started = time.perf_counter()
        sampled += len(frames)
        kept = [frame for frame in frames if not is_uniform(frame.image)]
        times += [frame.time for frame in kept]
        if kept:
            images = [trim_borders(frame.image) for frame in kept]
            for channel, descriptor in descriptors.items():
                vectors[channel].append(descriptor.describe(images))
        timings["describe"] += time.perf_counter() - started
        if on_progress is not None:
            on_progress(frames[-1].time, info.duration)
    end = sampler.end or 0.0
    embeddings = {
        channel: Embeddings(
            np.concatenate([np.empty((0, descriptors[channel].dim), np.float32), *parts]),
            np.array(times),
        )
        for channel, parts in vectors.items()
    }
    return Described(
        embeddings=embeddings,
        duration=max(end, info.duration or 0.0) if sampler.error is None else end,
        frames=FrameCounts(sampled, sampled - len(times), sampler.undecodable),
        problem=_what_is_missing(sampler, info.duration, 1 / rate),
        timings=timings,
    )


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
    for channel, descriptor in descriptors.items():
        index.check_space(channel, space_of(descriptor))
    with source.local() as path:
        try:
            digest = file_digest(path)
        except OSError as error:
            raise InputError(error.strerror or str(error)) from error
        known = index.find_digest(digest)
        missing = {
            channel: descriptor
            for channel, descriptor in descriptors.items()
            if known is None or channel not in index.channels(known.number)
        }
        if known is not None and not missing:
            return Enrolled(known, (), None)
        described = describe(path, missing, settings, on_progress)
    counts = described.frames
    if counts.sampled == counts.uniform:
        raise NothingToMatchError(
            f"all {counts.sampled} sampled frames are uniform (black, one colour, test card), so "
            "nothing could be recognised"
        )
    contents = {
        str(channel): ChannelEmbeddings(space_of(descriptor), described.embeddings[channel])
        for channel, descriptor in missing.items()
    }
    if known is not None:
        for name, content in contents.items():
            index.add_channel(known.number, name, content)
        return Enrolled(known, tuple(missing), described.problem)
    work = NewWork(
        id=work_id or source.stem,
        title=title or source.stem,
        owner=owner,
        policy=policy,
        source=source.name if source.is_url else str(Path(source.name).absolute()),
        digest=digest,
        duration=described.duration,
        frames_sampled=counts.sampled,
        frames_uniform=counts.uniform,
    )
    return Enrolled(index.enroll(work, contents), tuple(missing), described.problem)


def scan(
    source: Source,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    *,
    min_score: float | None = None,
    on_progress: OnProgress | None = None,
) -> ScanResult:
    """Find the enrolled works in an upload. A file that cannot be read is a result, not an error.

    Parameters
    ----------
    min_score
        Matches and segments below it are left out; by default the channel's operating point.

    Raises
    ------
    index.errors.SpaceMismatchError
        When the works were described with another descriptor.
    """
    for channel, descriptor in descriptors.items():
        index.check_space(channel, space_of(descriptor))
    try:
        with source.local() as path:
            described = describe(path, descriptors, settings, on_progress)
    except (InputError, UnreadableMediaError) as error:
        return ScanResult(source.name, source.stem, Status.UNREADABLE, reason=str(error))
    timings = {**described.timings, "search": 0.0, "align": 0.0}
    flags: list[Flag] = []
    for channel, embeddings in described.embeddings.items():
        flags += _match(channel, embeddings, described, index, settings, min_score, timings)
    flags.sort(key=lambda flag: (-flag.verdict.rank, -flag.match.score))
    return ScanResult(
        source=source.name,
        query_id=source.stem,
        status=Status.OK if described.problem is None else Status.PARTIAL,
        reason=described.problem,
        duration=described.duration,
        channels=tuple(descriptors),
        flags=tuple(flags),
        frames=described.frames,
        timings=timings,
    )


def _match(
    channel: Channel,
    query: Embeddings,
    described: Described,
    index: ReferenceIndex,
    settings: Settings,
    min_score: float | None,
    timings: dict[str, float],
) -> Iterator[Flag]:
    """Search, align and judge an upload in one channel, adding to `timings`."""
    if len(query) == 0:
        return
    thresholds = settings.channel(channel)
    lowest = thresholds.min_score if min_score is None else min_score
    started = time.perf_counter()
    hits = index.search(channel, query.vectors, settings.neighbours)
    candidates = rank_candidates(hits, thresholds.floor, settings.max_candidates)
    timings["search"] += time.perf_counter() - started
    started = time.perf_counter()
    for candidate in candidates:
        work = index.work(candidate.work_number)
        ref = index.embeddings(work.number, channel)
        runs = align(
            similar_pairs(query, ref, thresholds.floor),
            thresholds.aligned,
            thresholds.least_evidence,
        )
        durations = described.duration, work.duration
        match = build_match(channel, work.id, query, ref, runs, durations, thresholds, lowest)
        if match is not None:
            yield judge(match, work, thresholds.min_score)
    timings["align"] += time.perf_counter() - started


def _batches(sampler: Sampler) -> Iterator[tuple[list[Frame], float]]:
    """Read batches of frames one ahead, each with the seconds that decoding it took."""
    frames = iter(sampler)

    def read() -> tuple[list[Frame], float]:
        started = time.perf_counter()
        return list(islice(frames, _BATCH)), time.perf_counter() - started

    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        ahead = pool.submit(read)
        while True:
            batch, seconds = ahead.result()
            if not batch:
                return
            ahead = pool.submit(read)
            yield batch, seconds


def _what_is_missing(sampler: Sampler, duration: float | None, interval: float) -> str | None:
    problems = []
    if sampler.error is not None:
        problems.append(sampler.error)
    if sampler.undecodable:
        problems.append(f"{sampler.undecodable} packets could not be decoded")
    end = sampler.end or 0.0
    if duration is not None:
        allowed = max(_MISSING_SECONDS, 2 * interval, _MISSING_SHARE * duration)
        if end < duration - allowed:
            problems.append(f"frames end at {end:.1f} s of {duration:.1f} s")
    return "; ".join(problems) or None
