r"""How a work's picture lies in an upload's: found from local features, checked block by block.

Embeddings say that two frames look alike. This says whether one *is* the other: which part of the
work is where in the upload, at what size and angle, and how much of it is the same there.

1. Features. SIFT (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004),
   compared with the Hellinger kernel (RootSIFT: Arandjelovic and Zisserman, CVPR 2012). A mirrored
   or a negative picture has the same features with their numbers in another order, so the work is
   looked for in all four variants, while features are extracted once.
2. Hypotheses. A feature has a place, a size and an angle, so every single pair of features proposes
   a similarity transform (Philbin et al., "Object retrieval with large vocabularies and fast
   spatial matching", CVPR 2007). All are tried, none at random, and the best are fitted again as
   affine transforms to what agrees with them. A homography (MAGSAC++: Barath et al., CVPR 2020)
   takes over where it explains clearly more.
3. Check. The work is laid over the upload, and blocks of both are correlated. Footage of another
   take in the same room registers perfectly by its background; where the people are, it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""One RGB picture, [height, width, 3]."""

Floats = npt.NDArray[np.float64]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_PIXELS = 480 * 270  # larger pictures are scaled down to this area before anything else
_MOST_FEATURES = 800
_LEAST_CONTRAST = 0.02  # half of Lowe's, for dark and faded pictures
_RATIO = 0.9  # nearest to second nearest feature; loose, for the geometry sorts them out
_MOST_MATCHES = 300

_NEAR, _CLOSE = 8.0, 3.0  # pixels of the geometric mean of both pictures: for a first guess, a fit
_SAME_SCALE = 1.6  # factor by which sizes of features may differ from the hypothesis
_SAME_ANGLE = np.radians(30)
_SEEDS = 4
_LEAST_INLIERS = 6
_CELL = 6  # pixels: features nearer to each other than this are one
_CLEARLY_MORE = 1.15  # inliers of a homography per inlier of an affine transform
_SURE = 40  # inliers, and half of the matches: no other variant of the work will have more

_SCALES = (0.08, 8.0)  # side of the work's picture in the upload, of its own size
_MOST_STRETCH = 2.5
_LEAST_OVERLAP = 0.015  # of the upload's area, and of the work's

_CANVAS = 240  # pixels of the geometric mean of the sides of the compared overlap
_BLOCK = 12
_SMOOTH = 1.5  # pixels; noise, coding and inexact fits are not to matter
TEXTURE = 5.0  # 8-bit levels of standard deviation
AGREES = 0.6  # correlation of a block
_LEAST_BLOCKS = 8
_CHANGED = 0.5  # correlation of a block of the work with itself at another time
_FEW_CHANGED = 24  # blocks; with fewer, what changes says less than the whole picture

CORNERS: Floats = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
"""Of the unit square, clockwise from the upper left."""


@dataclass(frozen=True, slots=True)
class Features:
    """Local features of a picture: extracted once, registered with several others."""

    picture: Picture  # as analysed, at most 480 x 270 in area
    points: Floats  # [n, 2] pixels
    scales: Floats  # [n] pixels
    angles: Floats  # [n] radians
    descriptors: npt.NDArray[np.float32]  # [n, 128], of unit length


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a work's picture lies in an upload's.

    `matrix` maps homogeneous points of the work's picture to the upload's, where each picture spans
    [0, 1] x [0, 1] with the origin at the upper left, whatever its size.
    """

    matrix: Floats  # [3, 3], the last element 1
    inliers: int  # matched features that agree with the matrix, at distinct places
    matches: int  # matched features
    inverted: bool  # light is dark and dark is light
    projective: bool  # the matrix is a homography, not only affine
    agreement: float  # share of the textured blocks of the overlap that look the same, in [0, 1]

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def confidence(self) -> float:
        """How likely it is that the one picture was made from the other, in [0, 1].

        Even at 12 inliers and 70 % agreement: hard edits (logos all over, 60 kbit/s) keep above,
        other takes of one set-up mostly stay below. `confirm` tells those better.
        """
        return _sigmoid(_evidence(self.inliers, self.agreement))


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the frame pairs of one segment say together."""

    pairs: int
    registered: int
    inliers: float  # median over the registered pairs, as `agreement`
    agreement: float
    drift: float  # how far the work's picture moves about in the upload's, in shares of its size
    changed: int  # blocks, over all pairs, where the work does not look as at another time
    changes: float  # agreement of these, in [0, 1]; 0 without any

    @property
    def confidence(self) -> float:
        """How likely it is that the upload shows the work, not its look-alike, in [0, 1].

        To the evidence of single pairs come two things that only several can tell. What stands
        still looks the same in every take; so blocks where the work changes count more, as far as
        there are any. And an edit puts the picture at one place, while two cameras that move about
        the same things see them from ever other sides.
        """
        if not self.registered:
            return 0.0
        total = self.changed + _FEW_CHANGED
        changes = (self.changes * self.changed + self.agreement * _FEW_CHANGED) / total
        evidence = _evidence(self.inliers, self.agreement) + 20 * (changes - 0.65)
        # Of 460 copies the most drifting one had 0.081; of 188 look-alikes 56 had more than 0.1.
        evidence -= min(120 * max(self.drift - 0.03, 0.0), 15.0)
        return _sigmoid(evidence + 2 * (self.registered / self.pairs - 1))


def _evidence(inliers: float, agreement: float) -> float:
    return 1.2 * float(np.log(inliers / 12)) + 14 * (agreement - 0.7)


def _sigmoid(evidence: float) -> float:
    return float(1 / (1 + np.exp(-evidence)))


@dataclass(frozen=True, slots=True)
class Overlap:
    """The part of the upload where the work should be, beside the work laid over it."""

    upload: Picture  # [h, w, 3], cut out
    work: Picture  # [h, w, 3], warped
    inside: npt.NDArray[np.bool_]  # [h, w] where there is work
    box: Box  # in the unit square of the upload
    correlation: Floats  # [rows, columns] of blocks, in [-1, 1]; NaN where there is nothing to see


def extract(picture: Picture) -> Features:
    """Find the local features of an RGB picture, [height, width, 3] of any size."""
    height, width = picture.shape[:2]
    scale = min(1.0, float(np.sqrt(_PIXELS / (width * height))))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    sift = cv2.SIFT.create(nfeatures=_MOST_FEATURES, contrastThreshold=_LEAST_CONTRAST)
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        descriptors = np.empty((0, 128), np.float32)
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), 1.0)
    return Features(
        picture=picture,
        points=np.array([k.pt for k in keypoints], np.float64).reshape(-1, 2),
        scales=np.array([k.size for k in keypoints], np.float64),
        angles=np.radians(np.array([k.angle for k in keypoints], np.float64)),
        descriptors=np.sqrt(descriptors / sums).astype(np.float32),
    )


def register(upload: Picture | Features, work: Picture | Features) -> Registration | None:
    """Find how a work's picture lies in an upload's; None where no part of it is found.

    Pictures are RGB, [height, width, 3]; 360 lines are enough. `extract` the features of a picture
    that is registered with several others, and give these instead.
    """
    ours = upload if isinstance(upload, Features) else extract(upload)
    theirs = work if isinstance(work, Features) else extract(work)
    best: _Fit | None = None
    for mirrored, inverted in ((False, False), (True, False), (False, True), (True, True)):
        fit = _fit(ours, theirs, mirrored, inverted)
        if fit is not None and (best is None or fit.inliers > best.inliers):
            best = fit
        if best is not None and best.inliers >= max(_SURE, best.matches / 2):
            break
    if best is None:
        return None
    matrix = _in_unit_squares(best.matrix, ours.picture, theirs.picture)
    overlap = overlay(ours.picture, theirs.picture, matrix)
    seen = overlap.correlation[~np.isnan(overlap.correlation)] * (-1 if best.inverted else 1)
    agreement = float((seen > AGREES).mean()) if seen.size >= _LEAST_BLOCKS else 0.0
    return Registration(
        matrix, best.inliers, best.matches, best.inverted, best.projective, agreement
    )


def confirm(
    registrations: Sequence[Registration | None], pictures: Sequence[tuple[Picture, Picture]]
) -> Confirmation:
    """Weigh the registrations of several frame pairs of one segment together.

    `pictures` are those pairs, (upload, work); the further apart in time they are, the more they
    say.
    """
    found = [
        (registration, *pair)
        for registration, pair in zip(registrations, pictures, strict=True)
        if registration is not None
    ]
    if not found:
        return Confirmation(len(pictures), 0, 0.0, 0.0, 0.0, 0, 0.0)
    matrices = np.array([registration.matrix for registration, _, _ in found])
    same = changed = 0
    for number, (registration, upload, work) in enumerate(found):
        other = found[(number + len(found) // 2) % len(found)][2]
        if other is work:
            continue
        now, then = (overlay(upload, film, registration.matrix) for film in (work, other))
        between = correlate_blocks(now.work, then.work, now.inside)
        moved = (between < _CHANGED) & ~np.isnan(now.correlation)
        sign = -1 if registration.inverted else 1
        same += int((sign * now.correlation[moved] > AGREES).sum())
        changed += int(moved.sum())
    return Confirmation(
        pairs=len(pictures),
        registered=len(found),
        inliers=float(np.median([registration.inliers for registration, _, _ in found])),
        agreement=float(np.median([registration.agreement for registration, _, _ in found])),
        drift=drift(matrices),
        changed=changed,
        changes=same / max(changed, 1),
    )


def drift(matrices: Floats) -> float:
    """How far matrices, [n, 3, 3], typically lie from their median.

    That is the median over the matrices of the largest distance at any corner, in shares of the
    size of the work's picture in the upload.
    """
    corners = np.array([map_points(matrix, CORNERS) for matrix in matrices])
    middle = np.median(corners, axis=0)
    size = max(float(np.linalg.norm(np.ptp(middle, axis=0))), 1e-9)
    return float(np.median(np.linalg.norm(corners - middle, axis=2).max(axis=1)) / size)


# --- from features to a transform -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fit:
    matrix: Floats  # [3, 3] from pixels of the work to pixels of the upload
    inliers: int
    matches: int
    inverted: bool
    projective: bool


@dataclass(frozen=True, slots=True)
class _Matches:
    """Features of the upload beside those of the work that resemble them."""

    upload: Floats  # [n, 2] pixels
    work: Floats  # [n, 2] pixels
    scales: Floats  # [n] size in the upload per size in the work
    angles: Floats  # [n] radians from the work to the upload


_NUMBERS = np.arange(128).reshape(4, 4, 8)  # rows, columns, directions
_MIRRORED = _NUMBERS[::-1][:, :, -np.arange(8) % 8].ravel()
_INVERTED = _NUMBERS[::-1, ::-1].ravel()


def _variant(work: Features, mirrored: bool, inverted: bool) -> Features:
    """Features of the picture's mirror image, of its negative, or of both.

    A negative turns every gradient round, so a feature's angle turns by half a circle, and with it
    the grid that its descriptor is laid out on. A mirror turns the grid inside out.
    """
    points, angles, descriptors = work.points, work.angles, work.descriptors
    if inverted:
        angles, descriptors = angles + np.pi, descriptors[:, _INVERTED]
    if mirrored:
        points = np.stack([work.picture.shape[1] - 1 - points[:, 0], points[:, 1]], axis=1)
        angles, descriptors = np.pi - angles, descriptors[:, _MIRRORED]
    return Features(work.picture, points, work.scales, angles, descriptors)


def _fit(upload: Features, work: Features, mirrored: bool, inverted: bool) -> _Fit | None:
    variant = _variant(work, mirrored, inverted)
    matches = _match(upload, variant)
    if len(matches.scales) < _LEAST_INLIERS:
        return None
    best, most = None, 0
    for rows in _seeds(matches):
        affine = _refine(matches, rows)
        if affine is None:
            continue
        inliers = _distinct(matches, _errors(affine, matches) < _CLOSE)
        if inliers > most and _is_plausible(affine, upload, work):
            best, most = affine, inliers
    if best is None or most < _LEAST_INLIERS:
        return None
    projective = False
    homography = _homography(matches, best)
    if homography is not None and _is_plausible(homography, upload, work):
        inliers = _distinct(matches, _errors(homography, matches) < _CLOSE)
        if inliers >= _CLEARLY_MORE * most + 4:
            best, most, projective = homography, inliers, True
    if mirrored:
        best = best @ np.array([[-1, 0, work.picture.shape[1] - 1], [0, 1, 0], [0, 0, 1.0]])
    return _Fit(best, most, len(matches.scales), inverted, projective)


def _match(upload: Features, work: Features) -> _Matches:
    """Pair features that are each other's nearest, and clearly nearer than the next ones."""
    if len(upload.points) < 2 or len(work.points) < 2:
        empty = np.empty((0, 2))
        return _Matches(empty, empty, np.empty(0), np.empty(0))
    likeness = upload.descriptors @ work.descriptors.T
    rows = np.arange(len(likeness))
    nearest = likeness.argmax(axis=1)
    top = likeness[rows, nearest]
    mutual = likeness.argmax(axis=0)[nearest] == rows
    likeness[rows, nearest] = -1.0
    second = likeness.max(axis=1)
    ratio = np.sqrt(np.maximum(1 - top, 0) / np.maximum(1 - second, 1e-9))
    good = np.flatnonzero(mutual & (ratio < _RATIO))
    good = good[np.argsort(ratio[good], kind="stable")[:_MOST_MATCHES]]
    partners = nearest[good]
    return _Matches(
        upload.points[good],
        work.points[partners],
        upload.scales[good] / work.scales[partners],
        upload.angles[good] - work.angles[partners],
    )


def _seeds(matches: _Matches) -> list[npt.NDArray[np.intp]]:
    """What agrees with the best of the transforms that single matches propose."""
    rotation = matches.scales * np.exp(1j * matches.angles)
    upload, work = matches.upload @ (1, 1j), matches.work @ (1, 1j)
    shift = upload - rotation * work
    distance = np.abs(rotation[:, None] * work + shift[:, None] - upload)
    near = distance < _NEAR * np.sqrt(matches.scales)[:, None]
    turn = np.angle(rotation[None, :] / rotation[:, None])
    size = np.abs(np.log(matches.scales[None, :] / matches.scales[:, None]))
    near &= (np.abs(turn) < _SAME_ANGLE) & (size < np.log(_SAME_SCALE))
    seeds = []
    votes = near.sum(axis=1)
    for _ in range(_SEEDS):
        best = int(votes.argmax())
        if votes[best] < 4:
            break
        seeds.append(np.flatnonzero(near[best]))
        votes[near[best]] = 0
    return seeds


def _refine(matches: _Matches, rows: npt.NDArray[np.intp]) -> Floats | None:
    """Fit an affine transform to matches, then to all that agree with it, ever more closely."""
    matrix = None
    for tolerance in (_NEAR, _NEAR, 5.0, 4.0, _CLOSE, _CLOSE):
        if len(rows) < 4:
            return None
        work = np.column_stack([matches.work[rows], np.ones(len(rows))])
        # Few matches on nearly one line would let the other axis take any value: hold it a little
        # to a similarity transform by the virtual points beside each that its size and angle give.
        arms = (matches.scales[rows] * np.exp(1j * matches.angles[rows]))[:, None]
        weight = 12.0 / np.sqrt(len(rows))
        ends = [
            weight * np.column_stack([(arms * unit).real, (arms * unit).imag]) for unit in (1, 1j)
        ]
        left = np.concatenate(
            [work, *(np.tile([*axis, 0.0], (len(rows), 1)) * weight for axis in np.eye(2))]
        )
        right = np.concatenate([matches.upload[rows], *ends])
        solution, *_ = np.linalg.lstsq(left, right, rcond=None)
        matrix = np.vstack([solution.T, [0.0, 0.0, 1.0]])
        rows = np.flatnonzero(_errors(matrix, matches) < tolerance)
    return matrix


def _errors(matrix: Floats, matches: _Matches) -> Floats:
    """Distance of each match from a transform, in pixels of the geometric mean of the pictures."""
    mapped = map_points(matrix, matches.work)
    distance = np.hypot(*(mapped - matches.upload).T)
    return np.asarray(distance / np.sqrt(_scale(matrix)), np.float64)


def _homography(matches: _Matches, affine: Floats) -> Floats | None:
    # A picture seen at an angle departs from its affine transform towards its edges.
    near = np.flatnonzero(_errors(affine, matches) < 4 * _NEAR)
    if len(near) < 2 * _LEAST_INLIERS:
        return None
    limit = _CLOSE * float(np.sqrt(_scale(affine)))
    work, upload = matches.work[near], matches.upload[near]
    matrix, _ = cv2.findHomography(work, upload, cv2.USAC_MAGSAC, limit, maxIters=2000)
    if matrix is None or abs(matrix[2, 2]) < 1e-9:
        return None
    return np.asarray(matrix / matrix[2, 2], np.float64)


def _distinct(matches: _Matches, inliers: npt.NDArray[np.bool_]) -> int:
    """How many places, in both pictures, the inliers take up."""
    places = (
        np.unique(np.floor(points[inliers] / _CELL), axis=0)
        for points in (matches.upload, matches.work)
    )
    return min(len(place) for place in places)


def _scale(matrix: Floats) -> float:
    return float(np.sqrt(max(abs(np.linalg.det(matrix[:2, :2])), 1e-12)))


def map_points(matrix: Floats, points: Floats) -> Floats:
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def clip(polygon: Floats, box: Box) -> Floats:
    """Cut a convex polygon, [n, 2], to a box; [m, 2], empty where they do not meet.

    Side by side of the box (Sutherland and Hodgman, 1974). OpenCV's intersection of polygons is
    wrong at times where edges nearly coincide, as they do for unedited pictures.
    """
    for axis, limit, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        kept: list[Floats] = []
        depths = sign * (polygon[:, axis] - limit)
        for number in range(len(polygon)):
            one, two = depths[number - 1], depths[number]
            if (one >= 0) != (two >= 0):
                start, end = polygon[number - 1], polygon[number]
                kept.append(start + (end - start) * one / (one - two))
            if two >= 0:
                kept.append(polygon[number])
        polygon = np.array(kept).reshape(-1, 2)
    return polygon


def area_of(polygon: Floats) -> float:
    """Area of a simple polygon, [n, 2], by the shoelace formula."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)


def _is_plausible(matrix: Floats, upload: Features, work: Features) -> bool:
    """Whether a film's picture could have been edited like that."""
    height, width = work.picture.shape[:2]
    corners = CORNERS * (width, height)
    if (matrix[2, :2] @ corners.T + matrix[2, 2]).min() < 0.3:
        return False  # a corner on, or behind, the horizon
    large, small = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if small < _SCALES[0] or large > _SCALES[1] or large / small > _MOST_STRETCH:
        return False
    mapped = map_points(matrix, corners)
    if not cv2.isContourConvex(mapped.astype(np.float32)):
        return False
    height, width = upload.picture.shape[:2]
    overlap = area_of(clip(mapped, (0.0, 0.0, float(width), float(height))))
    return overlap > _LEAST_OVERLAP * max(float(width * height), area_of(mapped))


def _in_unit_squares(matrix: Floats, upload: Picture, work: Picture) -> Floats:
    """Turn a transform of pixel centres into one of pictures that each span the unit square."""

    def pixels(picture: Picture) -> Floats:
        height, width = picture.shape[:2]
        return np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1.0]])

    unit = np.linalg.inv(pixels(upload)) @ matrix @ pixels(work)
    return np.asarray(unit / unit[2, 2], np.float64)


# --- the check --------------------------------------------------------------------------------


def overlay(upload: Picture, work: Picture, matrix: Floats, side: float = _CANVAS) -> Overlap:
    """Lay a work's picture over the upload's, and correlate the two block by block.

    Parameters
    ----------
    matrix
        Maps the unit square of the work to that of the upload, as in `Registration`.
    side
        Pixels of the geometric mean of the sides that the overlap is scaled down to.
    """
    corners = np.clip(map_points(matrix, CORNERS), 0, 1)
    left, top, right, bottom = (
        float(edge) for edge in (*corners.min(axis=0), *corners.max(axis=0))
    )
    width, height = max(right - left, 1e-6), max(bottom - top, 1e-6)
    pixels = width * upload.shape[1], height * upload.shape[0]
    scale = min(1.0, side / max(float(np.sqrt(pixels[0] * pixels[1])), 1.0))
    size = (max(_BLOCK, round(pixels[0] * scale)), max(_BLOCK, round(pixels[1] * scale)))
    x, y = size[0] / width, size[1] / height
    canvas = np.array([[x, 0, -x * left], [0, y, -y * top], [0, 0, 1]])
    ours = _warp(upload, canvas, size)
    theirs = _warp(work, canvas @ matrix, size)
    inside = _warp(np.full_like(work, 255), canvas @ matrix, size)[:, :, 0] > 250
    box = left, top, right, bottom
    return Overlap(ours, theirs, inside, box, correlate_blocks(ours, theirs, inside))


def _warp(picture: Picture, unit: Floats, size: tuple[int, int]) -> Picture:
    """Warp a picture by a matrix from its unit square to pixels, without aliasing."""
    height, width = picture.shape[:2]
    x, y = (float(np.hypot(*unit[:2, axis])) for axis in (0, 1))
    if x < width or y < height:
        smaller = (max(1, min(width, round(x))), max(1, min(height, round(y))))
        picture = np.asarray(cv2.resize(picture, smaller, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = picture.shape[:2]
    to_unit = np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height], [0, 0, 1.0]])
    to_centres = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
    warped = cv2.warpPerspective(picture, to_centres @ unit @ to_unit, size, flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.uint8)


def correlate_blocks(upload: Picture, work: Picture, inside: npt.NDArray[np.bool_]) -> Floats:
    """Correlate blocks, [rows, columns]; NaN where neither has texture, or there is no work."""
    ours, theirs = (
        cut_to_blocks(cv2.GaussianBlur(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), (0, 0), _SMOOTH))
        for p in (upload, work)
    )
    ours -= ours.mean(axis=2, keepdims=True)
    theirs -= theirs.mean(axis=2, keepdims=True)
    own, other = (np.sqrt((blocks**2).mean(axis=2)) for blocks in (ours, theirs))
    correlation = (ours * theirs).mean(axis=2) / np.maximum(own * other, 1.0)
    seen = (np.maximum(own, other) > TEXTURE) & cut_to_blocks(inside).all(axis=2)
    return np.where(seen, correlation, np.nan)


def cut_to_blocks(image: npt.NDArray[Any]) -> Floats:
    """Cut a picture, [height, width], to [rows, columns, pixels of a block]."""
    rows, columns = image.shape[0] // _BLOCK, image.shape[1] // _BLOCK
    cut = image[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return cut.transpose(0, 2, 1, 3).reshape(rows, columns, -1).astype(np.float64)
