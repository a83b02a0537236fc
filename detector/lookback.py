"""Works that were protected after an upload was scanned: which uploads have to be looked at again.

What was seen in them is compared with these works alone, which takes a hundredth of the time that
reading the files would. An upload deserves a scan if one of the works aligns with it so well that a
scan would go on to compare pictures, or resembles what was only glanced at (parts of pictures,
negatives, in the mode `fast` most frames).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from detector.descriptors import Descriptor, space_of
from detector.kept import FORM, unpack
from detector.search import LookAlikes, Matching, is_worth_a_look
from detector.settings import Settings
from detector.types import Channel
from index.errors import DamagedFileError
from index.records import Work
from index.reference_index import ReferenceIndex
from index.selection import Selection
from index.uploads import Upload


@dataclass(frozen=True, slots=True)
class LookedBack:
    """What became of the uploads that are kept."""

    seen: int
    deserving: tuple[Upload, ...]  # the oldest first
    unclear: tuple[str, ...]  # why others were not compared


def look_back(
    works: Collection[Work],
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> LookedBack:
    """Find the kept uploads that may show one of these works.

    Parameters
    ----------
    descriptors
        Of the channels to compare in; what was seen by others is not compared.
    on_progress
        Called with how many uploads are done, of how many.

    Raises
    ------
    index.errors.DamagedFileError
        The embeddings of a work cannot be read.
    """
    looking = _Looking(works, index, descriptors, settings)
    uploads = index.uploads.all()
    decided: dict[str, bool | str] = {}  # by file: the same content may have come several times
    deserving: list[Upload] = []
    unclear: list[str] = []
    for done, upload in enumerate(uploads, start=1):
        if upload.file not in decided:
            decided[upload.file] = looking.at(upload)
        answer = decided[upload.file]
        if isinstance(answer, str):
            unclear.append(answer)
        elif answer:
            deserving.append(upload)
        on_progress(done, len(uploads))
    return LookedBack(len(uploads), tuple(deserving), tuple(unclear))


class _Looking:
    """Compares uploads with some works."""

    def __init__(
        self,
        works: Collection[Work],
        index: ReferenceIndex,
        descriptors: Mapping[Channel, Descriptor],
        settings: Settings,
    ) -> None:
        self._index = index
        self._among = Selection(index, [work.number for work in works])
        self._spaces = {channel: space_of(d) for channel, d in descriptors.items()}
        self._settings = settings
        timings = {"search": 0.0, "align": 0.0}
        self._look_alikes = LookAlikes(index, settings, timings, self._among)
        self._copies = None
        if Channel.COPY in descriptors:
            self._copies = Matching(
                descriptors[Channel.COPY], index, settings, timings, self._among
            )

    def at(self, upload: Upload) -> bool | str:
        """Whether an upload deserves a scan; in words, why that cannot be told."""
        if upload.facts.get("form") != FORM:
            return f"{upload.source} was described by another version: scan it again"
        try:
            described = unpack(upload.facts, self._index.uploads.arrays(upload))
        except DamagedFileError as error:
            return str(error)
        alike = self._alike(upload.facts["spaces"])
        if not alike:
            return f"{upload.source} was described with other models: scan it again"
        if self._copies is not None and Channel.COPY in alike:
            if is_worth_a_look(described, self._among):
                return True
            lowest = self._settings.copy_channel.min_score
            views = described.views[Channel.COPY]
            for match, _ in self._copies.aligned(views, described.duration):
                if match.score >= lowest or self._copies.is_worth_verifying(match):
                    return True
        if described.shots is None or Channel.SEMANTIC not in alike:
            return False
        with self._index.comparing(Channel.SEMANTIC, self._spaces[Channel.SEMANTIC]):
            found = self._look_alikes.found(described.shots)
        lowest = self._settings.semantic_channel.min_score
        return any(match.score >= lowest for match, _ in found)

    def _alike(self, spaces: Mapping[str, str]) -> Sequence[Channel]:
        """Channels in which an upload's vectors can be compared with the works'."""
        return [channel for channel, space in self._spaces.items() if spaces.get(channel) == space]
