"""From a scan's result to a case: what the desk must know of an upload besides what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version

from detector.descriptors import Descriptor, space_of
from detector.faces import FaceChannel
from detector.inputs import Source, digest_of
from detector.media import rate_for
from detector.remote import Media
from detector.review.desk import Desk
from detector.review.records import Actor, CaseSummary
from detector.settings import Settings
from detector.text import encodable
from detector.types import Channel, ScanResult, Verdict
from index.errors import UnknownWorkError
from index.reference_index import ReferenceIndex


def is_for_people(result: ScanResult) -> bool:
    """Whether a result becomes a case: something in it is to be reviewed or blocked."""
    return result.verdict.rank >= Verdict.REVIEW.rank


def open_case(
    desk: Desk,
    result: ScanResult,
    media: Media,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    faces: FaceChannel | None,
    settings: Settings,
    actor: Actor,
    *,
    made: Mapping[str, str] | None = None,
) -> CaseSummary | None:
    """Make a case of a scan's result; the same file again is the same case.

    Parameters
    ----------
    result
        Its source is where the desk finds the file again: a relative path becomes a whole one.
    media
        The file that was scanned, to be hashed.
    index, descriptors, faces, settings
        What it was scanned with.
    made
        What `made_with` returned when the scan began; by default, what it returns now.

    Returns
    -------
    CaseSummary | None
        None if there is nothing for people to look at: no flag above `monitor`.

    Raises
    ------
    InputError
        The file cannot be read any more.
    """
    if not is_for_people(result):
        return None
    if made is None:
        made = made_with(index, descriptors, faces)
    versions = {
        **made,
        "sampling": _sampling(result, settings),
        **references_of(result, index),
    }
    lasting = replace(
        result,
        source=encodable(Source(result.source).address),
        query_id=encodable(result.query_id),
    )
    return desk.cases.open_case(lasting, digest_of(media), versions, actor)


def made_with(
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    faces: FaceChannel | None,
) -> dict[str, str]:
    """Return what scans rest on, by name: the program, the index, and models with their weights.

    Searches from now on see the index as it is now.
    """
    versions = {"matchcut": version("matchcut"), "index": index.fingerprint()}
    for channel, descriptor in descriptors.items():
        versions[channel.value] = space_of(descriptor)
    if faces is not None:
        versions[Channel.FACE.value] = space_of(faces.descriptor)
    return versions


def references_of(result: ScanResult, index: ReferenceIndex) -> dict[str, str]:
    """Return the SHA-256 of the file of every work that was found, as ``work:<id>``."""
    digests = {}
    for flag in result.flags:
        if flag.match.channel is Channel.FACE:
            continue
        try:
            work = index.work(flag.match.ref_id)
        except UnknownWorkError:  # removed since the scan
            continue
        digests[f"work:{work.id}"] = work.digest
    return digests


def _sampling(result: ScanResult, settings: Settings) -> str:
    """Say how densely and how large frames were looked at: short uploads more densely."""
    rate = rate_for(result.duration, settings.rate)
    return f"{rate:.3g} frames/s, {settings.copy_size} px"
