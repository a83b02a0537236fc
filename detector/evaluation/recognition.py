"""How well faces are told apart: figures from similarities, whatever they were made with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether two pictures show one person, over many pairs."""

    pairs: int
    genuine: int  # of one person
    accuracy: float  # at the threshold that suits these pairs best
    threshold: float  # that one
    at_1_percent: float  # share of genuine pairs above 99 % of the others
    at_01_percent: float  # above 99.9 % of them


@dataclass(frozen=True, slots=True)
class Identification:
    """Who it is, if anybody enrolled, over many pictures."""

    enrolled: int  # pictures of people who are enrolled, by other pictures
    strangers: int  # pictures shown to a gallery without their person
    identified: float  # share of the first that are found to be likely the right person
    nearest: float  # share whose nearest person is the right one, however far
    flagged: float  # share of the strangers who are found to be likely somebody: FPIR
    missed_at_1_percent: float  # FNIR where 1 % of the strangers are flagged
    missed_at_01_percent: float


def verification(similarities: Floats, genuine: Flags) -> Verification:
    """Measure verification.

    Parameters
    ----------
    similarities
        float [n], higher for pairs that rather are of one person; -inf where no face was found.
    genuine
        bool [n], whether they are.
    """
    others = similarities[~genuine]
    # Between two neighbouring values every threshold does the same.
    order = np.sort(similarities)
    thresholds = np.append(order, np.inf)
    sorted_genuine, sorted_others = np.sort(similarities[genuine]), np.sort(others)
    right = len(sorted_genuine) - np.searchsorted(sorted_genuine, thresholds)
    right += np.searchsorted(sorted_others, thresholds)
    best = int(np.argmax(right))
    return Verification(
        pairs=len(similarities),
        genuine=int(genuine.sum()),
        accuracy=float(right[best] / len(similarities)),
        threshold=float(thresholds[best]),
        at_1_percent=share_above(similarities[genuine], others, 0.01),
        at_01_percent=share_above(similarities[genuine], others, 0.001),
    )


def share_above(wanted: Floats, others: Floats, allowed: float) -> float:
    """Return the share of `wanted` above all but the share `allowed` of the others."""
    if not len(wanted):
        return float("nan")
    highest = np.sort(others)[::-1]
    tolerated = int(allowed * len(others))
    limit = highest[tolerated] if tolerated < len(others) else -np.inf
    return float((wanted > limit).mean())


def identification(
    right: Floats, is_nearest: Flags, strangers: Floats, min_score: float
) -> Identification:
    """Measure open-set identification.

    Parameters
    ----------
    right
        float [n], of pictures of enrolled people: the score of the right person; 0 where another
        person has a higher one, or there is no usable face.
    is_nearest
        bool [n], whether that person is the nearest.
    strangers
        float [m], of pictures of people who are not enrolled: the highest score of any person.
    min_score
        The operating point.
    """
    return Identification(
        enrolled=len(right),
        strangers=len(strangers),
        identified=float((right >= min_score).mean()) if len(right) else float("nan"),
        nearest=float(is_nearest.mean()) if len(right) else float("nan"),
        flagged=float((strangers >= min_score).mean()) if len(strangers) else float("nan"),
        missed_at_1_percent=1 - share_above(right, strangers, 0.01),
        missed_at_01_percent=1 - share_above(right, strangers, 0.001),
    )
