"""Who it is, if anybody: an open-set decision with "unknown" as the usual answer.

The nearest enrolled person is always near enough for somebody. So a face's similarity to a person
is measured against what the faces of others have to both of them (cohort normalisation;
Auckenthaler et al., "Score Normalization for Text-Independent Speaker Verification Systems", 2000),
in standard deviations. Between strangers that distance is distributed normally, whatever the
quality of the picture, which `scripts/bench_faces` checks; so it tells how many strangers are to be
expected as near as this in an upload, at the number of people enrolled and of faces seen. The score
falls with that expectation: a gallery a hundred times larger asks for more similarity, not for more
review.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from detector.types import Appearance, Box, Channel, Likeness, Match
from index.person_records import Gallery

_SHRINKAGE = 0.5  # of the cohort's covariance, towards that of vectors in any direction
_ASSUMED_PEOPLE = 100
_EXPECTED = 100.0  # the score is 1/2 where 1 in so many uploads of strangers has such a face
_SAME_FACE = 0.5  # cosine of two tracks from which they count as one face
_CHUNK = 512  # tracks compared at a time
_DATA = Path(__file__).parents[1] / "data"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrack:
    """What is known of one face in one shot; lives in memory only."""

    start: float  # seconds
    end: float
    vector: Floats  # [d], of length 1: the mean of its best pictures
    faces: int  # how many these are
    time: float  # of the best one
    box: Box  # where it is there


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """How the embeddings of other people's faces are distributed. No face can be told from it.

    Attributes
    ----------
    mean
        float32 [d]
    covariance
        float32 [d, d]
    people
        How many people it was taken from.
    """

    mean: Floats
    covariance: Floats
    people: int

    @classmethod
    def of(cls, vectors: Floats) -> Cohort:
        """Take it from one embedding of each of many people, float32 [n, d] of length 1."""
        mean = vectors.mean(axis=0)
        centred = vectors - mean
        return cls(mean, (centred.T @ centred / len(vectors)).astype(np.float32), len(vectors))

    @classmethod
    def unknown(cls, dim: int) -> Cohort:
        """Return what is assumed where no faces of others are at hand: any direction is as likely.

        It yields to the enrolled people as their number grows.
        """
        covariance = np.eye(dim, dtype=np.float32) / np.float32(dim)
        return cls(np.zeros(dim, np.float32), covariance, _ASSUMED_PEOPLE)

    def joined(self, other: Cohort) -> Cohort:
        """Return the cohort of the people of both."""
        people = self.people + other.people
        share = other.people / people
        step = other.mean - self.mean
        covariance = (1 - share) * self.covariance + share * other.covariance
        covariance = covariance + share * (1 - share) * np.outer(step, step)
        return Cohort(self.mean + share * step, covariance.astype(np.float32), people)


def read_cohort(path: Path) -> Cohort:
    """Read what `scripts/make_cohort` wrote.

    Raises
    ------
    ValueError, OSError
        It cannot be read, or holds something else.
    """
    nothing = f"{path} holds no cohort of faces"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mean = np.asarray(arrays["mean"], np.float32)
            covariance = np.asarray(arrays["covariance"], np.float32)
            people = int(arrays["people"])
    except (EOFError, KeyError, TypeError, BadZipFile) as error:  # what NumPy says of other files
        raise ValueError(nothing) from error
    if mean.ndim != 1 or covariance.shape != 2 * mean.shape or people < 2:
        raise ValueError(nothing)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(nothing)
    return Cohort(mean, covariance, people)


def shipped_cohort(space: str) -> Cohort | None:
    """Return the cohort that ships for a descriptor's space, if one does."""
    path = _DATA / f"cohort-{space.replace('@', '-')}.npz"
    return read_cohort(path) if path.is_file() else None


class Likenesses:
    """The enrolled people, ready to be compared with.

    Parameters
    ----------
    gallery
        Who is enrolled, with at least one person.
    cohort
        Faces of other people. The enrolled join it: they are others to each other.
    """

    def __init__(self, gallery: Gallery, cohort: Cohort) -> None:
        self.gallery = gallery
        people = len(gallery.people)
        sums = np.zeros((people, gallery.vectors.shape[1]), np.float32)
        np.add.at(sums, gallery.rows, gallery.vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        self._templates = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
        self._cohort = cohort.joined(Cohort.of(self._templates))

    def distances(self, vectors: Floats) -> npt.NDArray[np.float64]:
        """Measure how much nearer faces are to each person than strangers are.

        Parameters
        ----------
        vectors
            float32 [n, d], each of length 1.

        Returns
        -------
        float64 [n, people], in standard deviations
        """
        return distances(vectors, self._templates, self._cohort, joined=True)

    def nearest_reference(self, person: int, vector: Floats) -> tuple[int, float]:
        """Return the number of a person's enrolled face most like a vector, and its cosine."""
        rows = np.flatnonzero(self.gallery.rows == person)
        similar = self.gallery.vectors[rows] @ vector
        best = int(np.argmax(similar))
        return int(self.gallery.numbers[rows[best]]), float(similar[best])


def distances(
    faces: Floats, people: Floats, cohort: Cohort, *, joined: bool = False
) -> npt.NDArray[np.float64]:
    """Measure how much nearer faces are to people than the cohort's faces are to both.

    The product of two embeddings, both without the cohort's mean, has a standard deviation over
    the cohort for each of the two: the geometric mean of these is the unit.

    Parameters
    ----------
    faces, people
        float32 [n, d] and [m, d], each of length 1.
    joined
        Whether the people have joined the cohort. As nobody is a stranger to themselves, each one's
        own share of the covariance is then left out.

    Returns
    -------
    float64 [n, m], in standard deviations
    """
    faces, people = faces - cohort.mean, people - cohort.mean
    product = (faces @ people.T).astype(np.float64)
    sizes = np.einsum("ij,ij->i", faces, faces)[:, None], np.einsum("ij,ij->i", people, people)
    of_faces = np.einsum("ij,ij->i", faces @ cohort.covariance, faces).astype(np.float64)[:, None]
    of_people = np.einsum("ij,ij->i", people @ cohort.covariance, people).astype(np.float64)
    if joined:
        share = cohort.people / (cohort.people - 1)
        of_faces = share * of_faces - product**2 / (cohort.people - 1)
        of_people = share * of_people - sizes[1].astype(np.float64) ** 2 / (cohort.people - 1)
    even = float(np.trace(cohort.covariance)) / len(cohort.mean)
    variances = [
        (1 - _SHRINKAGE) * np.maximum(spread, 0.0) + _SHRINKAGE * even * size
        for spread, size in zip((of_faces, of_people), sizes, strict=True)
    ]
    return np.asarray(product / (variances[0] * variances[1]) ** 0.25)


def decide(
    tracks: Sequence[FaceTrack], likenesses: Likenesses, min_score: float, resembles_from: float
) -> list[tuple[int, Appearance] | None]:
    """Decide for each track which enrolled person it shows, if any.

    Parameters
    ----------
    min_score
        Operating point: from this score on a face is likely the person's.
    resembles_from
        From this score on it is said to resemble the person, below nothing is said.

    Returns
    -------
    list
        For each track the person's place in the gallery and what is known; None: unknown.
    """
    if not tracks:
        return []
    vectors = np.array([track.vector for track in tracks])
    # Each different face has one chance, however long it is seen.
    trials = len(leaders(vectors)) * len(likenesses.gallery.people)
    decided: list[tuple[int, Appearance] | None] = []
    for start in range(0, len(tracks), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        rows = likenesses.distances(vectors[chunk])
        order = np.argsort(-rows, axis=1)[:, :2]
        for track, row, nearest in zip(tracks[chunk], rows, order, strict=True):
            person, best = int(nearest[0]), float(row[nearest[0]])
            second = float(row[nearest[1]]) if len(nearest) > 1 else -math.inf
            score = likeness_score(best, second, trials)
            if score < resembles_from:
                decided.append(None)
                continue
            reference, similarity = likenesses.nearest_reference(person, track.vector)
            appearance = Appearance(
                start=track.start,
                end=track.end,
                score=score,
                likeness=Likeness.LIKELY if score >= min_score else Likeness.RESEMBLES,
                similarity=similarity,
                distance=best,
                margin=best - second,
                faces=track.faces,
                time=track.time,
                box=track.box,
                reference=reference,
                runner_up=likenesses.gallery.people[nearest[1]].id if len(nearest) > 1 else None,
            )
            decided.append((person, appearance))
    return decided


def matches_of(decided: Sequence[tuple[int, Appearance] | None], gallery: Gallery) -> list[Match]:
    """Gather what was decided by person, the surest first."""
    found: dict[int, list[Appearance]] = {}
    for one in decided:
        if one is not None:
            found.setdefault(one[0], []).append(one[1])
    matches = [
        Match(
            gallery.people[person].id,
            Channel.FACE,
            max(one.score for one in appearances),
            appearances=tuple(joined(appearances)),
        )
        for person, appearances in found.items()
    ]
    return sorted(matches, key=lambda match: -match.score)


def appearances_above(match: Match, lowest: float) -> Match | None:
    """Return a match with its appearances from a score on; None if there is none."""
    kept = tuple(one for one in match.appearances if one.score >= lowest)
    return replace(match, appearances=kept) if kept else None


def likeness_score(distance: float, second: float, trials: int) -> float:
    """Turn a distance into a score.

    Parameters
    ----------
    distance
        To the nearest person, in standard deviations of strangers.
    second
        To the one who comes second.
    trials
        People enrolled times different faces in the upload: as often a stranger has a chance.

    Returns
    -------
    float
        In [0, 1]. 0.9 where one in 900 uploads of strangers is expected to have a face as near
        as this; at most 1/2 where two people are as near as each other.
    """
    expected = trials * math.erfc(distance / math.sqrt(2)) / 2
    # Of two people, the face is rather that one's whose strangers are less often so near.
    rather = (distance**2 - max(second, 0.0) ** 2) / 2 if distance > 0 else 0.0
    return 1 / (1 + _EXPECTED * expected) / (1 + math.exp(-min(rather, 700.0)))


def leaders(vectors: Floats, least: float = _SAME_FACE) -> list[list[int]]:
    """Group tracks that show the same face, float32 [n, d], in order of appearance.

    Each goes to the group whose first track is most like it, if its cosine is at least `least`.
    """
    groups: list[list[int]] = []
    firsts = np.empty_like(vectors)
    for row, vector in enumerate(vectors):
        similar = firsts[: len(groups)] @ vector
        if len(groups) and similar.max() >= least:
            groups[int(np.argmax(similar))].append(row)
        else:
            firsts[len(groups)] = vector
            groups.append([row])
    return groups


def joined(appearances: Sequence[Appearance], most: float = 1.0) -> list[Appearance]:
    """Join appearances of one person that follow within `most` seconds, if of one likeness.

    What is told of the joined one is told of its surest part.
    """
    result: list[Appearance] = []
    for one in sorted(appearances, key=lambda a: (a.likeness, a.start)):
        last = result[-1] if result else None
        if last is None or last.likeness is not one.likeness or one.start > last.end + most:
            result.append(one)
            continue
        result[-1] = replace(
            max(last, one, key=lambda a: a.score),
            start=min(last.start, one.start),
            end=max(last.end, one.end),
            faces=last.faces + one.faces,
        )
    return sorted(result, key=lambda a: a.start)
