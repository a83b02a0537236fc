"""What a scan costs, by stage, as benchmarks measured it; and what uploads of a length take."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.evaluation.capacity import Floats, Work
from detector.media import rate_for

BATCH = 32  # frames that are described at a time, while the next ones are decoded
_QUERY = 30  # frames of a search, in reports of `bench_index` that do not say

Points = tuple[tuple[float, float], ...]
"""Something measured at numbers of vectors, these rising: (vectors, value)."""


class CostsError(ValueError):
    """A file tells no costs; the text says why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What one unit takes of a stage that has a machine for itself."""

    processor: float  # seconds of one core
    seconds: float  # that go by; less than `processor` where it uses several cores

    def __post_init__(self) -> None:
        if not (self.processor >= 0 and self.seconds > 0):
            raise ValueError("a stage takes time")


@dataclass(frozen=True, slots=True)
class Costs:
    """What a scan takes.

    The usual values are those of the README: a virtual machine with two cores, 720p, a distilled
    copy descriptor, uploads of which few show a work.

    Attributes
    ----------
    decode
        Of a second of video.
    describe
        Of a sampled frame, finding the layout included.
    upload
        Of an upload, however long: finding the file, comparing pictures, writing the result.
    search
        Seconds of one core per frame of an upload, by the vectors that are searched.
    bytes_per_vector
        In the index, by the vectors that it has.
    """

    decode: Stage = Stage(0.038, 0.037)
    describe: Stage = Stage(0.020, 0.019)
    upload: Stage = Stage(0.3, 0.3)
    search: Points = ((1e4, 6e-4), (1e5, 5.5e-3), (1e6, 3.2e-3), (1e7, 1.67e-2))
    bytes_per_vector: Points = ((1.0, 2056.0), (1e5, 1040.0), (2e6, 528.0))

    def search_frame(self, vectors: float) -> float:
        """Seconds of one core to search for a frame.

        Between two measured numbers on the line through them (on logarithmic scales), outside in
        proportion to the vectors: all are compared with in a small index, and beyond ten million
        the lists grow, as their number does not (see `index.faiss_structures`).
        """
        sizes = [size for size, _ in self.search]
        values = [value for _, value in self.search]
        if vectors <= 0:
            return 0.0
        nearest = min(max(vectors, sizes[0]), sizes[-1])
        value = float(np.exp(np.interp(math.log(nearest), np.log(sizes), np.log(values))))
        return value * vectors / nearest

    def bytes_of(self, vectors: float) -> float:
        """Bytes that so many vectors take each: as measured at the next smaller number.

        Small ones are kept more precisely, so this is never too little.
        """
        measured = [value for size, value in self.bytes_per_vector if size <= vectors]
        return measured[-1] if measured else self.bytes_per_vector[0][1]


def frames_of(durations: Floats, rate: float) -> Floats:
    """Frames that are sampled of uploads of these lengths in seconds: float64 [n]."""
    return np.array([max(1.0, one * rate_for(one, rate)) for one in durations.tolist()])


def work_of(
    arrivals: Floats,
    durations: Floats,
    costs: Costs,
    rate: float,
    *,
    search_processor: float = 0.0,
    search_elsewhere: float = 0.0,
) -> Work:
    """Return the phases of uploads.

    Decoding runs one batch of frames ahead of describing, so that both overlap but for the first
    batch, which has to be decoded before, and the last, which is described after.

    Parameters
    ----------
    arrivals, durations
        Seconds, float64 [n] each.
    rate
        Frames sampled per second of a long upload.
    search_processor
        Seconds of one core per frame, where each machine searches by itself.
    search_elsewhere
        Seconds of a server per frame, where the vector service does.
    """
    frames = frames_of(durations, rate)
    first = 1 / np.ceil(frames / BATCH)
    decode, describe = durations * costs.decode.seconds, frames * costs.describe.seconds
    decoding, describing = durations * costs.decode.processor, frames * costs.describe.processor
    searching = frames * search_processor
    seconds = np.stack(
        [
            decode * first,
            np.maximum(decode, describe) * (1 - first),
            describe * first + costs.upload.seconds + searching,
        ],
        axis=1,
    )
    processor = np.stack(
        [
            decoding * first,
            (decoding + describing) * (1 - first),
            describing * first + costs.upload.processor + searching,
        ],
        axis=1,
    )
    cores = np.divide(processor, seconds, out=np.zeros_like(seconds), where=seconds > 0)
    return Work(arrivals, seconds, cores, frames * search_elsewhere)


# --- what benchmarks write ----------------------------------------------------------------------


def read_costs(costs: Costs, path: Path) -> Costs:
    """Return the costs with what a file tells of them in place.

    It may be what `scripts/bench_scan --json` or `scripts/bench_index --json` wrote, or
    `scripts/plan_capacity check --json`.

    Raises
    ------
    CostsError
        When it is none of these, or cannot be read.
    """
    try:
        report = json.loads(path.read_text())
        if "costs" in report:
            return with_stages(costs, {name: Stage(**one) for name, one in report["costs"].items()})
        if "sizes" in report:
            return _of_index(costs, report)
        return _of_scan(costs, report)
    except OSError as error:
        raise CostsError(f"{path} cannot be read: {error.strerror}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise CostsError(
            f"{path} tells no costs: give what `bench_scan --json`, `bench_index --json` or "
            f"`plan_capacity check --json` wrote ({error!r})"
        ) from error


def with_stages(costs: Costs, stages: Mapping[str, Stage]) -> Costs:
    """Return the costs with other stages; `KeyError` if one is missing."""
    return replace(
        costs, decode=stages["decode"], describe=stages["describe"], upload=stages["upload"]
    )


def stages_of(
    work: Mapping[str, float],
    *,
    seconds: float,
    frames: int,
    uploads: int,
    processor: float,
    readers: float | None = None,
) -> dict[str, Stage]:
    """Return what the stages take, from a run that was measured.

    Parameters
    ----------
    work
        Seconds of each stage, of all uploads; what is no known stage counts for the upload.
    seconds, frames, uploads
        Seconds of video, sampled frames and uploads in all.
    processor
        Seconds of one core that it all took;
    readers
        and those of the processes that read the files. If it is None, stages count by their time.
    """
    decode, describe = work["decode"], work["describe"] + work.get("layout", 0.0)
    others = sum(
        spent for name, spent in work.items() if name not in ("decode", "describe", "layout")
    )
    # What is left does one thing after another: one core, less where it waits for the disk.
    if readers is None:
        share = processor / (decode + describe + others)
        decoding, describing, rest = decode * share, describe * share, others * share
    else:
        decoding = readers
        rest = min(others, others * (processor - readers) / (describe + others))
        describing = processor - readers - rest
    return {
        "decode": Stage(decoding / seconds, decode / seconds),
        "describe": Stage(describing / frames, describe / frames),
        "upload": Stage(rest / uploads, max(others, 1e-6) / uploads),
    }


def _of_scan(costs: Costs, report: Mapping[str, Any]) -> Costs:
    scan = report["thorough"] if "thorough" in report else report["fast"]
    work = {name: spent for name, spent in scan["work_s"].items() if name != "search"}
    stages = stages_of(
        work,
        seconds=scan["video_s"],
        frames=scan["sampled"],
        uploads=report["uploads"],
        processor=scan["processor_s"],
        readers=scan.get("readers_processor_s"),
    )
    return with_stages(costs, stages)


def _of_index(costs: Costs, report: Mapping[str, Any]) -> Costs:
    rows: Sequence[Mapping[str, Any]] = sorted(report["sizes"], key=lambda row: row["vectors"])
    cores = report["cores_used"] / report.get("frames_of_a_search", _QUERY)
    return replace(
        costs,
        search=tuple((row["vectors"], row["p50_ms"] / 1000 * cores) for row in rows),
        bytes_per_vector=tuple((row["vectors"], row["bytes_per_vector"]) for row in rows),
    )
