"""What an upload says of its own origin: C2PA content credentials, read with the c2pa library.

Credentials are claims by whoever signed them. Valid means that nothing was changed since, not that
they are true; who is to be believed is for a trust list to say. Most videos have none, and sites
strip them off: their absence says nothing. Nothing is ever fetched from the network, for an upload
must not choose which addresses are visited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.x509 import load_pem_x509_certificates

if TYPE_CHECKING:
    import c2pa

NO_CREDENTIALS = "No content credentials: this says nothing about where the video is from."


class TrustListError(Exception):
    """The list of trusted signers cannot be used; the text says why."""


class ProvenanceState(StrEnum):
    """What became of the content credentials."""

    NONE = "none"  # there are none
    VALID = "valid"  # nothing was changed since they were signed
    INVALID = "invalid"  # the file or the credentials were changed since
    UNREADABLE = "unreadable"  # nobody can tell


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the content credentials of a file say; all texts but `summary` come from the file."""

    state: ProvenanceState
    summary: str  # of the state, in a sentence
    is_trusted: bool = False  # the signer is on the trust list
    signer: str | None = None  # whom the certificate names
    issuer: str | None = None  # the organisation it names
    signed_at: datetime | None = None  # by a time stamp, if there is one
    generator: str | None = None  # the program that wrote them
    declared: tuple[str, ...] = ()  # how the video came about, in words
    actions: tuple[str, ...] = ()  # what was done to it, in order
    problems: tuple[str, ...] = ()


# The last part of a digital source type of the IPTC (cv.iptc.org/newscodes/digitalsourcetype) or
# of C2PA, in words.
_SOURCES = {
    "trainedAlgorithmicMedia": "made with generative AI",
    "trainedAlgorithmicData": "made with generative AI",
    "compositeWithTrainedAlgorithmicMedia": "composite with generative AI",
    "compositeSynthetic": "composite with synthetic parts",
    "algorithmicMedia": "made by an algorithm that was not trained",
    "algorithmicallyEnhanced": "enhanced by an algorithm",
    "dataDrivenMedia": "drawn from data by a program",
    "virtualRecording": "recorded in a virtual world",
    "digitalCapture": "captured by a camera",
    "computationalCapture": "captured by a camera and computed",
    "compositeCapture": "composite of captured pictures",
    "composite": "composite",
    "screenCapture": "captured from a screen",
    "negativeFilm": "digitised from film",
    "positiveFilm": "digitised from film",
    "print": "digitised from a print",
    "digitalCreation": "made digitally by a person",
    "digitalArt": "made digitally by a person",
    "humanEdits": "edited by a person",
    "minorHumanEdits": "slightly edited by a person",
}
# Actions of the C2PA specification after which the video looks or sounds different.
_EDITS = frozenset(
    "c2pa." + name
    for name in (
        "addedText", "adjustedColor", "changedSpeed", "color_adjustments", "cropped", "deleted",
        "drawing", "dubbed", "edited", "enhanced", "filtered", "orientation", "placed", "removed",
        "resized", "translated", "trimmed",
    )
)  # fmt: skip
_PROBLEMS = {
    "assertion.bmffHash.mismatch": "the file was changed after it was signed",
    "assertion.dataHash.mismatch": "the file was changed after it was signed",
    "assertion.boxesHash.mismatch": "the file was changed after it was signed",
    "assertion.hashedURI.mismatch": "what is declared was changed after it was signed",
    "claimSignature.mismatch": "the signature does not fit what is declared",
    "signingCredential.expired": "the certificate had expired",
    "signingCredential.revoked": "the certificate was revoked",
    "signingCredential.invalid": "the certificate is not one for content credentials",
}
_UNTRUSTED = "signingCredential.untrusted"  # no problem of the file: we know of no such signer


def read_provenance(path: Path, trust_list: Path | None = None) -> Provenance:
    """Read the content credentials of a file; whatever the file is, there is an answer.

    Parameters
    ----------
    trust_list
        PEM file with the certificates of who is trusted to sign, or to say who may; None: nobody.

    Raises
    ------
    TrustListError
        The trust list cannot be read, or holds no certificates.
    ImportError
        The c2pa library is not installed (`pip install matchcut[review]`).
    """
    import c2pa

    anchors = None if trust_list is None else _certificates(trust_list)
    try:
        with _context(anchors) as context, c2pa.Reader(path, context=context) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return Provenance(ProvenanceState.NONE, NO_CREDENTIALS)
    except c2pa.C2paError.NotSupported:
        return Provenance(
            ProvenanceState.NONE,
            "No content credentials: a file of this kind holds none that are read. This says "
            "nothing about where the video is from.",
        )
    except c2pa.C2paError as error:
        return _unread(error)
    return _provenance(store)


def _certificates(trust_list: Path) -> str:
    """Read a trust list; of one that is none the library would say that files are damaged."""
    try:
        content = trust_list.read_bytes()
        load_pem_x509_certificates(content)
    except (OSError, ValueError) as error:
        raise TrustListError(
            f"the trust list {trust_list} cannot be used ({error}): give a PEM file of "
            "certificates, or leave MATCHCUT_TRUST_LIST unset"
        ) from error
    return content.decode("ascii", "replace")


def _context(anchors: str | None) -> c2pa.Context:
    import c2pa

    values: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}
    }
    if anchors is not None:
        values["trust"] = {"trust_anchors": anchors}
    return c2pa.Context(c2pa.Settings.from_dict(values))


def _unread(error: c2pa.C2paError) -> Provenance:
    import c2pa

    kind, _, rest = str(error).partition(": ")
    if kind == "Remote":
        address = rest.rpartition(" ")[2]
        return Provenance(
            ProvenanceState.UNREADABLE,
            "The content credentials lie elsewhere and are not fetched.",
            problems=(f"they are said to lie at {address}",),
        )
    damaged = (
        c2pa.C2paError.Assertion,
        c2pa.C2paError.AssertionNotFound,
        c2pa.C2paError.Decoding,
        c2pa.C2paError.Manifest,
        c2pa.C2paError.Signature,
        c2pa.C2paError.Verify,
    )
    if isinstance(error, damaged):
        return Provenance(
            ProvenanceState.INVALID,
            "There are content credentials, but they are damaged.",
            problems=(rest or kind,),
        )
    return Provenance(
        ProvenanceState.UNREADABLE,
        "Whether there are content credentials cannot be told: the file is not read.",
        problems=(rest or kind,),
    )


def _provenance(store: Mapping[str, Any]) -> Provenance:
    """Say in words what a manifest store says, see the c2pa library's JSON."""
    manifests = store.get("manifests", {})
    active = manifests.get(store.get("active_manifest"), {})
    others = [one for label, one in manifests.items() if label != store.get("active_manifest")]
    trusted = store.get("validation_state") == "Trusted"
    valid = trusted or store.get("validation_state") == "Valid"
    signature = active.get("signature_info") or {}
    if trusted:
        summary = "Content credentials by a trusted signer, unchanged since they were signed."
    elif valid:
        summary = (
            "Content credentials, unchanged since they were signed; whether the signer is to be "
            "believed is not known."
        )
    else:
        summary = (
            "There are content credentials, but they do not fit the file: do not rely on them."
        )
    declared = list(_declared(active))
    for one in others:
        declared += [f"{words} (said of something it was made from)" for words in _declared(one)]
    return Provenance(
        state=ProvenanceState.VALID if valid else ProvenanceState.INVALID,
        summary=summary,
        is_trusted=trusted,
        signer=signature.get("common_name"),
        issuer=signature.get("issuer"),
        signed_at=_time(signature.get("time")),
        generator=_generator(active),
        declared=tuple(dict.fromkeys(declared)),
        actions=tuple(_action_in_words(one) for one in _actions(active)),
        problems=tuple(dict.fromkeys(_problems(store))),
    )


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in manifest.get("assertions", ()):
        data = assertion.get("data")
        if str(assertion.get("label")).startswith("c2pa.actions") and isinstance(data, Mapping):
            yield from (one for one in data.get("actions") or () if isinstance(one, Mapping))


def _declared(manifest: Mapping[str, Any]) -> Iterator[str]:
    for action in _actions(manifest):
        source = str(action.get("digitalSourceType", "")).rstrip("/").rpartition("/")[2]
        if source in _SOURCES:
            yield _SOURCES[source]
        if action.get("action") in _EDITS:
            yield "edited"


def _action_in_words(action: Mapping[str, Any]) -> str:
    words = str(action.get("action", "")).removeprefix("c2pa.").replace("_", " ")
    agent = action.get("softwareAgent")
    name = agent.get("name") if isinstance(agent, Mapping) else agent
    return f"{words} with {name}" if name else words


def _generator(manifest: Mapping[str, Any]) -> str | None:
    for one in manifest.get("claim_generator_info") or ():
        return " ".join(str(one[key]) for key in ("name", "version") if one.get(key)) or None
    generator = manifest.get("claim_generator")
    return str(generator) if generator else None


def _problems(store: Mapping[str, Any]) -> Iterator[str]:
    for status in store.get("validation_status") or ():
        code = str(status.get("code"))
        if code != _UNTRUSTED:
            yield _PROBLEMS.get(code) or f"{status.get('explanation') or 'a check failed'} ({code})"


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo is not None else time.replace(tzinfo=UTC)
