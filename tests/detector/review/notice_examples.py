"""Notices that are complete, as somebody would have filled them in."""

from __future__ import annotations

from typing import Any

from detector.review.notice_elements import (
    NO_CONSENT,
    NO_EXCEPTION,
    NO_LICENCE,
    NOT_FAIR_USE,
    elements,
)
from detector.review.records import NoticeKind

_VALUES: dict[str, Any] = {
    "recipient": "Example Video, Inc.\n1 Main Street, Springfield",
    "works": ["Metropolis, owned by Murnau Foundation"],
    "people": ["Brigitte Helm, actor"],
    "material": ["https://video.example/watch?v=17", "https://video.example/watch?v=18"],
    "passages": ["0:01.0 to 0:05.0 shows 0:02.0 to 0:06.0 of Metropolis"],
    "owner": "Murnau Foundation",
    "complainant": "Rights Desk GmbH",
    "address": "Hauptstraße 5\n10115 Berlin",
    "phone": "+49 30 123456",
    "email": "rights@desk.example",
    "fair_use": NOT_FAIR_USE,
    "fair_use_why": "The scene is shown as it is, without any comment.",
    "licence": NO_LICENCE,
    "facts": "The material has 4.0 s of footage taken from Metropolis.",
    "law": "§§ 16, 19a UrhG",
    "reasons": "Nobody has allowed this use.",
    "exceptions": NO_EXCEPTION,
    "exceptions_why": "It is neither a quotation nor a parody.",
    "use": "It sells a course.",
    "consent": NO_CONSENT,
    "mandate": "Power of attorney of 2026-01-05",
    "good_faith": True,
    "accuracy": True,
}


def complete(kind: NoticeKind) -> dict[str, Any]:
    """Return the values of a notice that can be signed: of all that is required, and no more."""
    return {
        one.name: _VALUES.get(one.name) or one.choices[0] for one in elements(kind) if one.required
    }
