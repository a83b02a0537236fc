"""Which edits made the upload out of the work, in words for a reviewer.

Geometry is read off the median of several pairs' registrations, light and colour off the work laid
over the upload. Of several pairs of one segment an edit is the same; what differs from pair to pair
is the film. Only what is sure is said: below its threshold a difference has no name, since coding a
film again changes it a little, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from detector.matching.geometry import (
    AGREES,
    CORNERS,
    TEXTURE,
    Box,
    Floats,
    Overlap,
    Picture,
    Registration,
    area_of,
    clip,
    correlate_blocks,
    cut_to_blocks,
    drift,
    map_points,
    overlay,
)
from detector.media import trim_borders

_STEADY = 0.05  # drift up to which the pairs tell of one and the same place in the upload

# Beside each threshold stands the most that was measured of ten clips coded again down to 60 kbit/s
# and 180 lines, or pasted in at 25 % of the width: what has no name must stay well below.

# Geometry.
_TURNED = 2.0  # degrees; 0.5
_CUT = 0.05  # share of a side; 0.01, and borders of less are cut off by players and encoders
_STRETCHED = 0.06  # logarithm of width by height; 0.01, and 0.02 where 704 columns became 720
_SKEWED = 0.1  # shear; 0.006
_AT_AN_ANGLE = 0.03  # of the picture's size, from its corners to the best affine transform's
_CENTRED = 0.04  # of a side of the upload

# What lies beyond a panel of a split screen, or behind bars.
_FOREIGN = 0.7  # share of the blocks that look different; the rest are alike by chance
_FILLED = 0.5  # share of all blocks that look different from which it is more than a logo
_LEAST_FOREIGN = 5  # blocks, of one pair on average
_LEAST_HIDDEN = 1.5  # the same behind bars, which are known to be plain

# Light, in 8-bit levels of luma.
_LIGHTER = 10.0  # 1.5
_CONTRAST = 0.15  # logarithm of its change; 0.04
_LEAST_SPREAD = 12.0  # standard deviation of the work's blocks from which its contrast is known

# Colour, in 8-bit levels of Cb and Cr.
_GREY = 2.5  # root mean square of what is called grey
_COLOURED = 6.0  # root mean square from which the work counts as coloured
_TINT = 8.0  # shift of all colours alike; 1.1
_VARIED = 3.0  # standard deviation from which a turn of the hues can be seen
_GONE = 0.35  # of the work's colours: with less, the upload's colours are its own
_HUE = 15.0  # degrees; 2
_SATURATION = 1.5  # times, beyond what the contrast explains; 1.2

# Texture. Very low bit rates soften, and then it is said of them, too.
_SOFTER = (
    0.7  # edges per edge in the work; 0.83 at 200 kbit/s, 0.55 to 0.7 after a blur of 2 pixels
)
_SHARPER = 1.18  # 1.08 where a crop was scaled up again
_NOISE = 1.5  # 8-bit levels of standard deviation more than in the work; 0.2

# What was put over the picture.
_PERSISTS = 0.8  # share of the pairs in which a block is covered, and by the same
_COVERED = (0.01, 0.35)  # share of the overlap: less is chance, more is no mere logo
_LEAST_PAIRS = 3  # one pair alone may differ by what moves

_FINE = 400.0  # pixels of the geometric mean of the sides at which texture is compared
_LEAST_SEEN = 20  # blocks to judge light and colour by
_SPEED = 0.03  # share; short segments tell their speed no better


def name_edits(
    registrations: Sequence[Registration | None],
    pictures: Sequence[tuple[Picture, Picture]],
    speed: float = 1.0,
) -> tuple[str, ...]:
    """Say in words how the work was edited; nothing for a mere copy.

    Parameters
    ----------
    registrations
        Of the frame pairs of one segment; None for those that could not be registered.
    pictures
        Those pairs, (upload, work), each RGB, [height, width, 3], with any borders they have.
    speed
        Seconds of the work that pass in one second of the upload.

    Returns
    -------
    tuple
        The most telling first: place and shape, then light and colour, then speed. Shares are
        rounded to 5 %.
    """
    found = [
        (registration, pair)
        for registration, pair in zip(registrations, pictures, strict=True)
        if registration is not None
    ]
    words = _picture_words(*zip(*found, strict=True)) if found else []
    if abs(speed - 1) > _SPEED:
        words.append(f"{round(speed, 2):g}x speed")
    return tuple(words)


def _picture_words(
    registrations: tuple[Registration, ...], pictures: tuple[tuple[Picture, Picture], ...]
) -> list[str]:
    """Words for what was done to the picture, from the pairs that tell the same of it."""
    kinds = [(one.mirrored, one.inverted, one.projective) for one in registrations]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    kept = [number for number, one in enumerate(kinds) if one == kind]
    matrices = np.array([registrations[number].matrix for number in kept])
    pairs = [pictures[number] for number in kept]
    mirrored, inverted, projective = kind
    if drift(matrices) > _STEADY:
        # Shaking or zooming: each pair has its own place, of which nothing can be said in general.
        overlaps = [overlay(*pair, matrix) for pair, matrix in zip(pairs, matrices, strict=True)]
        words = ["mirrored"] if mirrored else []
        return words + _photometric_words(overlaps, inverted)
    matrix = np.median(matrices, axis=0)
    overlaps = [overlay(*pair, matrix) for pair in pairs]
    shared = _map_of(overlaps, inverted)
    content = _content([work for _, work in pairs])
    bare = _content([upload for upload, _ in pairs])
    panel = _within_bars(_panel(shared, overlaps[0].box), bare, shared, overlaps[0].box)
    words = _geometric_words(matrix, pairs[0], panel, content, projective)
    details = [overlay(*pair, matrix, side=_FINE) for pair in pairs]
    words += _photometric_words(overlaps, inverted) + _texture_words(details, inverted)
    if _is_overlaid(shared, overlaps[0].box, panel):
        words.append("overlaid with text or a logo")
    return words


# --- place and shape --------------------------------------------------------------------------


def _geometric_words(
    matrix: Floats, pair: tuple[Picture, Picture], panel: Box, content: Box, projective: bool
) -> list[str]:
    upload, work = pair
    affine, distance = _affine(matrix)
    to_pixels = np.array(
        [
            [upload.shape[1] / work.shape[1], upload.shape[1] / work.shape[0]],
            [upload.shape[0] / work.shape[1], upload.shape[0] / work.shape[0]],
        ]
    )
    linear = affine[:2, :2] * to_pixels
    mirrored = bool(np.linalg.det(linear) < 0)
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    # Polar decomposition: first stretched along the work's own axes, then rotated.
    u, sizes, v = np.linalg.svd(linear)
    turn, shape = u @ v, v.T @ np.diag(sizes) @ v
    angle = abs(float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))))

    at_an_angle = projective and distance > _AT_AN_ANGLE
    least_turn = 5 * _TURNED if at_an_angle else _TURNED  # the one looks a little like the other

    words = []
    if mirrored and angle > 180 - _TURNED:
        words.append("flipped upside down")
    else:
        words += ["mirrored"] if mirrored else []
        words += [f"rotated by {angle:.0f}°"] if angle >= least_turn else []
    upright = abs(angle - 90 * round(angle / 90)) < _TURNED
    words += _crop_words(matrix, panel, content, upright)
    words += _inset_words(matrix, panel)
    ratio = float(shape[0, 0] / shape[1, 1])
    if not at_an_angle and abs(np.log(ratio)) > _STRETCHED:
        words.append(
            f"{'stretched' if ratio > 1 else 'squeezed'} to {_percent(ratio)} of its width"
        )
    if not at_an_angle and abs(shape[0, 1]) / float(np.sqrt(shape[0, 0] * shape[1, 1])) > _SKEWED:
        words.append("skewed")
    if at_an_angle:
        words.append("at an angle")
    return words


def _affine(matrix: Floats) -> tuple[Floats, float]:
    """Return the affine transform nearest to a homography, and how far it is off at the corners."""
    mapped = map_points(matrix, CORNERS)
    solution, *_ = np.linalg.lstsq(np.column_stack([CORNERS, np.ones(4)]), mapped, rcond=None)
    affine = np.vstack([solution.T, [0.0, 0.0, 1.0]])
    off = np.linalg.norm(map_points(affine, CORNERS) - mapped, axis=1).max()
    return affine, float(off / max(np.linalg.norm(np.ptp(mapped, axis=0)), 1e-9))


def _content(pictures: Sequence[Picture]) -> Box:
    """The part of a film's picture without the borders of every frame, in its unit square."""
    boxes = []
    for picture in map(np.ascontiguousarray, pictures):
        inner = trim_borders(picture)  # a view, so its address tells where it was cut out
        top, rest = divmod(inner.ctypes.data - picture.ctypes.data, picture.strides[0])
        left = rest // picture.strides[1]
        box = left, top, left + inner.shape[1], top + inner.shape[0]
        boxes.append(np.array(box) / (*picture.shape[1::-1], *picture.shape[1::-1]))
    least, most = np.min(boxes, axis=0), np.max(boxes, axis=0)
    return float(least[0]), float(least[1]), float(most[2]), float(most[3])


def _crop_words(matrix: Floats, panel: Box, content: Box, upright: bool) -> list[str]:
    visible = clip(
        map_points(np.asarray(np.linalg.inv(matrix), np.float64), _corners(panel)), content
    )
    size = np.array([content[2] - content[0], content[3] - content[1]])
    if len(visible) < 3:
        return []
    if not upright:
        # A rotated picture loses its corners anyhow; as much as this is a crop besides.
        area = area_of(visible) / float(np.prod(size))
        return [f"cropped to {_percent(float(np.sqrt(area)))}"] if area < 0.6 else []
    width, height = (float(side) for side in np.ptp(visible, axis=0) / size)
    if min(width, height) > 1 - _CUT:
        return []
    if abs(width - height) < 0.06:
        return [f"cropped to {_percent((width + height) / 2)}"]
    parts = [
        f"{_percent(share)} of the {side}"
        for share, side in ((width, "width"), (height, "height"))
        if share <= 1 - _CUT
    ]
    return [f"cropped to {' and '.join(parts)}"]


def _inset_words(matrix: Floats, panel: Box) -> list[str]:
    shown = clip(map_points(matrix, CORNERS), panel)
    if len(shown) < 3:
        return []
    (left, top), (right, bottom) = shown.min(axis=0), shown.max(axis=0)
    width, height = right - left, bottom - top
    x, y = (left + right) / 2, (top + bottom) / 2
    full = width > 1 - _CUT, height > 1 - _CUT
    if all(full):
        return []
    half = abs(width - 0.5) < _CUT, abs(height - 0.5) < _CUT
    across = "left" if x < 0.5 else "right"
    down = "upper" if y < 0.5 else "lower"
    centred = abs(x - 0.5) < _CENTRED, abs(y - 0.5) < _CENTRED
    if (full[0] and centred[1]) or (full[1] and centred[0]):
        return ["letterboxed"]
    if full[1] and half[0] and min(left, 1 - right) < _CENTRED:
        return [f"in the {across} half"]
    if full[0] and half[1] and min(top, 1 - bottom) < _CENTRED:
        return [f"in the {down} half"]
    at_corner = min(left, 1 - right) < _CENTRED and min(top, 1 - bottom) < _CENTRED
    if all(half) and at_corner:
        return [f"in the {down} {across} quarter"]
    columns, rows = (("left", "", "right"), ("upper", "", "lower"))
    column, row = (
        names[1 if spans else int(np.clip(3 * before / max(free, 1e-9), 0, 2))]
        for names, before, free, spans in (
            (columns, left, 1 - width, full[0]),
            (rows, top, 1 - height, full[1]),
        )
    )
    place = {"upper": "top", "lower": "bottom"}.get(row, row) if not column else f"{row} {column}"
    where = f"at the {place.strip()}" if place.strip() else "in the middle"
    share = f"{_percent(height)} of the height" if full[0] else f"{_percent(width)} of the width"
    return [f"inset {where}, {share}"]


def _percent(share: float) -> str:
    return f"{5 * round(20 * share)} %"


def _corners(box: Box) -> Floats:
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


# --- which part of the overlap shows the work -------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Map:
    """Blocks of the overlap, over all pairs, each [rows, columns]."""

    same: npt.NDArray[np.int64]  # in how many pairs it looks the same
    other: npt.NDArray[np.int64]  # in how many it looks different
    hidden: npt.NDArray[np.int64]  # in how many of these the work has texture that is not there
    stays: npt.NDArray[np.bool_]  # whether the upload looks the same there in most pairs
    pairs: int


def _map_of(overlaps: Sequence[Overlap], inverted: bool) -> _Map:
    sign = -1 if inverted else 1
    correlations = np.array([sign * overlap.correlation for overlap in overlaps])
    other = correlations <= AGREES
    textured = np.array(
        [cut_to_blocks(overlap.work.mean(axis=2)).std(axis=2) > TEXTURE for overlap in overlaps]
    )
    following = (*overlaps[1:], overlaps[0])
    stays = [
        correlate_blocks(one.upload, two.upload, one.inside) > AGREES
        for one, two in zip(overlaps, following, strict=True)
    ]
    return _Map(
        same=(correlations > AGREES).sum(axis=0),
        other=other.sum(axis=0),
        hidden=(other & textured).sum(axis=0),
        stays=np.mean(stays, axis=0) >= _PERSISTS,
        pairs=len(overlaps),
    )


def _panel(shared: _Map, box: Box) -> Box:
    """The part of the upload that can show the work, in its unit square: all, or one panel.

    Of a split screen each panel shows a part of its film; what the registration says to lie beyond
    is covered by another one. The panel is the rectangle of blocks with the most that look the same
    minus those that look different (maximal sum), cut off only at those sides where nearly all
    looks different.
    """
    gain = (shared.same - shared.other).astype(np.int64)
    rows, columns = gain.shape
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = gain.cumsum(axis=0).cumsum(axis=1)
    best, rectangle = 0, (0, rows, 0, columns)
    for top in range(rows):
        for bottom in range(top + 1, rows + 1):
            line = sums[bottom] - sums[top]
            rising = np.minimum.accumulate(line)
            right = int((line - rising).argmax())
            if line[right] - rising[right] > best:
                best = int(line[right] - rising[right])
                rectangle = top, bottom, int(line[: right + 1].argmin()), right
    top, bottom, left, right = rectangle
    edges = [0.0, 0.0, 1.0, 1.0]
    width, height = box[2] - box[0], box[3] - box[1]
    if left > 1 and _is_foreign(shared, slice(None), slice(0, left)):
        edges[0] = box[0] + width * left / columns
    if top > 1 and _is_foreign(shared, slice(0, top), slice(None)):
        edges[1] = box[1] + height * top / rows
    if right < columns - 1 and _is_foreign(shared, slice(None), slice(right, None)):
        edges[2] = box[0] + width * right / columns
    if bottom < rows - 1 and _is_foreign(shared, slice(bottom, None), slice(None)):
        edges[3] = box[1] + height * bottom / rows
    return edges[0], edges[1], edges[2], edges[3]


def _is_foreign(shared: _Map, rows: slice, columns: slice, least: float = _LEAST_FOREIGN) -> bool:
    """Whether something else than the work is nearly everywhere in some blocks."""
    other, hidden, same = (
        int(blocks[rows, columns].sum()) for blocks in (shared.other, shared.hidden, shared.same)
    )
    # Over a plain part of the work a logo is all that differs, but another film is everywhere.
    everywhere = other >= _FILLED * shared.pairs * shared.other[rows, columns].size
    different = other if everywhere else hidden
    return different >= max(least * shared.pairs, _FOREIGN * (different + same))


def _within_bars(panel: Box, bare: Box, shared: _Map, box: Box) -> Box:
    """Cut a panel to what the upload's plain borders leave `bare`, where they hide the work.

    That is more exact than blocks are. Borders that the work has itself hide nothing.
    """
    rows, columns = shared.other.shape
    x = box[0] + (box[2] - box[0]) * np.arange(columns + 1) / columns
    y = box[1] + (box[3] - box[1]) * np.arange(rows + 1) / rows
    everything = slice(None)
    # Blocks that lie whole in each of the four bars.
    bars = (
        (everything, slice(0, int((x[1:] <= bare[0]).sum()))),
        (slice(0, int((y[1:] <= bare[1]).sum())), everything),
        (everything, slice(int((x[:-1] < bare[2]).sum()), None)),
        (slice(int((y[:-1] < bare[3]).sum()), None), everything),
    )
    left, top, right, bottom = (
        edge if _is_foreign(shared, *bar, _LEAST_HIDDEN) else side
        for edge, bar, side in zip(bare, bars, panel, strict=True)
    )
    return left, top, right, bottom


def _is_overlaid(shared: _Map, box: Box, panel: Box) -> bool:
    """Whether something that stays covers a small, compact part of the picture."""
    if shared.pairs < _LEAST_PAIRS:
        return False
    rows, columns = shared.other.shape
    x = box[0] + (box[2] - box[0]) * (np.arange(columns) + 0.5) / columns
    y = box[1] + (box[3] - box[1]) * (np.arange(rows) + 0.5) / rows
    in_panel = np.outer((y > panel[1]) & (y < panel[3]), (x > panel[0]) & (x < panel[2]))
    covered = in_panel & shared.stays & (shared.other >= _PERSISTS * shared.pairs)
    _, _labels, stats, _ = cv2.connectedComponentsWithStats(covered.astype(np.uint8))
    compact = sum(int(area) for area in stats[1:, cv2.CC_STAT_AREA] if area >= 3)
    return _COVERED[0] <= compact / max(int(in_panel.sum()), 1) <= _COVERED[1]


# --- light, colour, texture -------------------------------------------------------------------


def _photometric_words(overlaps: Sequence[Overlap], inverted: bool) -> list[str]:
    """Compare the mean light and colour of the blocks that do not show something else."""
    blocks = [_block_colours(overlap, inverted) for overlap in overlaps]
    ours, theirs = (np.concatenate(side) for side in zip(*blocks, strict=True))
    words = ["colours inverted"] if inverted else []
    if len(ours) < _LEAST_SEEN:
        return words
    if inverted:
        theirs = np.array([255.0, 0.0, 0.0]) + theirs * -1
    light, film_light = ours[:, 0], theirs[:, 0]
    contrast = 1.0
    if film_light.std() > _LEAST_SPREAD:
        line = np.column_stack([film_light, np.ones(len(film_light))])
        contrast = max(_robust_fit(line, light)[0].real, 0.1)
    words += _colour_words(ours, theirs, contrast)
    lighter = float(np.median(light - film_light))
    if abs(lighter) > _LIGHTER:
        words.append("lighter" if lighter > 0 else "darker")
    if abs(np.log(contrast)) > _CONTRAST:
        words.append("more contrast" if contrast > 1 else "less contrast")
    return words


def _block_colours(overlap: Overlap, inverted: bool) -> tuple[Floats, Floats]:
    """Mean luma, Cb and Cr of upload and work, each [blocks, 3], Cb and Cr around 0."""
    sign = -1 if inverted else 1
    kept = cut_to_blocks(overlap.inside).all(axis=2)
    kept &= ~(sign * np.nan_to_num(overlap.correlation, nan=1.0 * sign) <= AGREES)

    def means(picture: Picture) -> Floats:
        planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
        luma, cr, cb = (cut_to_blocks(plane).mean(axis=2)[kept] for plane in planes)
        return np.column_stack([luma, cb - 128, cr - 128])

    return means(overlap.upload), means(overlap.work)


def _colour_words(ours: Floats, theirs: Floats, contrast: float) -> list[str]:
    """Name what became of the colours, given as luma, Cb, Cr of blocks, each [blocks, 3].

    With a colour as Cb + i Cr, a turn of all hues is a product with a complex number. What goes by
    the luma alone, as in sepia, is fitted apart.
    """
    own, film = (side[:, 1] + 1j * side[:, 2] for side in (ours, theirs))
    size, film_size = (float(np.sqrt((np.abs(side) ** 2).mean())) for side in (own, film))
    if size < _GREY:
        return ["in grey"] if film_size > _COLOURED else []
    tint = abs(complex(np.median(own.real - film.real), np.median(own.imag - film.imag)))
    if float(np.std(film)) < _VARIED:
        return ["tinted"] if tint > _TINT else []
    gain, _, shift = _robust_fit(np.column_stack([film, theirs[:, 0], np.ones(len(film))]), own)
    if abs(gain) < _GONE:
        return ["tinted"] if size > 2 * _GREY else ["less colourful"]
    if abs(float(np.degrees(np.angle(gain)))) > _HUE:
        return ["hue shifted"]
    if tint > _TINT and abs(shift) > _TINT:
        return ["tinted"]
    relative = abs(gain) / contrast
    if relative > _SATURATION:
        return ["more colourful"]
    return ["less colourful"] if relative < 1 / _SATURATION else []


def _robust_fit(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[complex, ...]:
    """Fit y, [n], as a sum of the columns of x, [n, k], with least absolute deviations.

    By iteratively reweighted least squares, so that a few blocks that differ do not matter.
    """
    weights = np.ones(len(x))
    solution = np.zeros(x.shape[1], np.complex128)
    for _ in range(8):
        root = np.sqrt(weights)
        solution, *_ = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)
        weights = 1 / np.maximum(np.abs(y - x @ solution), 1.0)
    return tuple(complex(value) for value in solution)


def _texture_words(details: Sequence[Overlap], inverted: bool) -> list[str]:
    measured = [_texture(detail, inverted) for detail in details]
    edges = np.concatenate([edge for edge, _ in measured])
    noise = float(np.median([noise for _, noise in measured]))
    if noise > _NOISE:
        return ["noisy"]
    if len(edges) < _LEAST_SEEN:
        return []
    ratio = float(np.median(edges))
    if ratio < _SOFTER:
        return ["softer"]
    return ["sharper"] if ratio > _SHARPER else []


def _texture(detail: Overlap, inverted: bool) -> tuple[Floats, float]:
    """Edges per edge of the work, of each block with edges; and the noise added, in levels."""
    sign = -1 if inverted else 1
    same = sign * np.nan_to_num(detail.correlation) > AGREES
    grey = [
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        for picture in (detail.upload, detail.work)
    ]
    fine = [
        _energy(cv2.GaussianBlur(p, (0, 0), 0.7) - cv2.GaussianBlur(p, (0, 0), 2.0)) for p in grey
    ]
    coarse = [
        _energy(cv2.GaussianBlur(p, (0, 0), 2.5) - cv2.GaussianBlur(p, (0, 0), 6.0)) for p in grey
    ]
    # By the coarse structure, a change of contrast is no change of sharpness.
    kept = same & (fine[1] > 1.5) & (coarse[0] > 1.5) & (coarse[1] > 1.5)
    ratio = (fine[0] / np.maximum(coarse[0], 1e-3)) / np.maximum(
        fine[1] / np.maximum(coarse[1], 1e-3), 1e-3
    )
    inside = np.asarray(cut_to_blocks(detail.inside).all(axis=2), np.bool_)
    noise = [_noise(p, inside) for p in grey]
    return ratio[kept], noise[0] - noise[1]


def _energy(plane: npt.NDArray[np.floating]) -> Floats:
    return np.asarray(np.sqrt((cut_to_blocks(plane) ** 2).mean(axis=2)), np.float64)


def _noise(grey: npt.NDArray[np.floating], kept: npt.NDArray[np.bool_]) -> float:
    """Standard deviation of the noise: that of the calmer blocks, where nothing else varies.

    The mask is blind to edges and ramps (Immerkaer, "Fast Noise Variance Estimation", 1996).
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    energy = _energy(cv2.filter2D(grey, cv2.CV_32F, mask))[kept] / 6
    return float(np.percentile(energy, 30)) if energy.size else 0.0
