"""Parts of a picture that show footage of their own: insets, split screens, framed films.

A copy often fills only a part of the upload's picture. Looking for such layouts and describing
each part by itself is an idea of the winner of the Meta Video Similarity Challenge (Wang, Ma, Liu
and Rao, "A Dual-level Detection Method for Video Copy Detection", 2023); how it is done here is
our own. Three signs are looked for, from the surest to the vaguest:

- sides that are much smoother than the middle, as many as there are on the other side: an
  enlarged, blurred copy fills the canvas;
- rectangles whose sides are steps of brightness that stay in one place over time, while what is
  on one side of them changes independently of the other. An edge of a building, seen by a camera
  that stands still, is such a step, too, but light and passers-by change both of its sides alike;
- one area, about a quadrilateral, that moves while all around it stands still: a screen in a room.

An inset is often there for a part of the window only, over footage that stands still, or shows
something with edges of its own. What may be one is therefore told as well, as a guess: rectangles
with lasting lines on all four sides, those of single scenes, and those that contradict another.
Only who knows what is looked for can tell these from windows and pictures on a wall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Stack: TypeAlias = npt.NDArray[np.uint8]  # grey frames, [frame, row, column]
Map: TypeAlias = npt.NDArray[np.float32]
Lines: TypeAlias = npt.NDArray[np.intp]  # positions of lines along one axis, in pixels
Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom, in pixels

_SHORT_SIDE = 144  # pixels; steps are as clear as at twice the size, at a quarter of the time
_LEAST_FRAMES, _LEAST_PIXELS = 3, 48
_MOST_PARTS = 5
_APART_ENOUGH = 0.2  # of the smaller of two boxes may lie in the other
_SAME = 0.7  # intersection over union
_LEAST_SIDE, _LEAST_AREA, _MOST_AREA = 0.2, 0.04, 0.9  # of the picture

# Plain borders, which are cut off frame by frame elsewhere, are not looked at.
_FLAT_RANGE = 14  # 8-bit levels within a plain line or strip, over all frames

# Steps
_STEP = 10  # 8-bit levels between neighbours; less is noise
_STEP_ABOVE_TEXTURE = 1.5  # times the differences just beside it
_RARELY, _MOSTLY = 0.3, 0.6  # shares of the frames that have a step here: no line, a line for sure
_MOST_LINES = 8  # along one axis
_EDGE = 4  # pixels from the picture's edge in which no line is looked for

# What must hold for the sides of a rectangle, as shares of their length
_LINE_IN_ALL, _LINE_IN_EACH = 0.75, 0.5
_APART = 0.6
_LINE_IN_FRAME, _APART_IN_FRAME = 0.83, 0.2  # with all four sides inside the picture
_LINE_IN_HALF, _APART_IN_HALF = 0.9, 0.35  # with a line through the very middle
_CROSSED = 0.6

_CHANGE = 2.0  # 8-bit levels from frame to frame; less is coding noise
_LEAST_CHANGING = 0.005  # of a part; a caption has less
_ALIKE = 0.5  # correlation of changes on both sides of a line

# What may be a part
_LINE_OF_GUESS = 0.83  # with all four sides inside the picture, whatever changes
_MOST_GUESSES = 6
_MOST_SCENES, _LEAST_SCENE = 3, 4  # scenes of a window, frames of a scene

# Blurred sides
_SHARPER = 1.6  # times the gradients of the side
_BLURRED = 0.29  # gradient over 1 pixel to that over 4: a quarter where all is smooth

# A moving area in a scene that stands still
_STILL = 0.2  # of the strongest changes
_STRONGER_CHANGE = 4.0  # times the changes outside
_SOLID, _FILLED, _CORNERS = 0.88, 0.8, 5
_MOST_SCREEN = 0.8  # of the picture
_AT_ONCE = 0.35  # of the area


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of the picture, in shares of its width and height, each in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float

    def of(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return this part of a picture, [height, width, 3], as a view."""
        height, width = image.shape[:2]
        rows = slice(round(self.top * height), round(self.bottom * height))
        return image[rows, round(self.left * width) : round(self.right * width)]

    def overlap(self, other: Part) -> float:
        """Return the area that two parts share, divided by the area they cover together."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(width, 0.0) * max(height, 0.0)
        areas = [(p.right - p.left) * (p.bottom - p.top) for p in (self, other)]
        return shared / (sum(areas) - shared)


@dataclass(frozen=True, slots=True)
class Guess:
    """What may be a part, or a picture on a wall: worth a glance."""

    part: Part
    frames: range  # which of the frames it was seen in


@dataclass(frozen=True, slots=True)
class Layout:
    """Parts of the picture that are worth describing by themselves, and what may be some."""

    parts: tuple[Part, ...] = ()
    guesses: tuple[Guess, ...] = ()


def find_layout(images: Sequence[npt.NDArray[np.uint8]]) -> Layout:
    """Find the parts of the picture that show footage of their own.

    Parameters
    ----------
    images
        about 16 to 32 frames of one window of a video, RGB [height, width, 3], all of one size,
        two to eight per second. Shot changes among them help.

    Returns
    -------
    Layout
        At most five parts, with edges that may be off by some 2 %; none for ordinary footage, and
        for fewer than three frames. At most six guesses, of which ordinary footage has some, too:
        about one in four windows. The whole picture, and what plain borders leave of it, are
        never among them.
    """
    if len(images) < _LEAST_FRAMES:
        return Layout()
    whole = _small_grey(images)
    height, width = whole.shape[1:]
    left, top, right, bottom = picture = _without_plain_borders(whole)
    if min(right - left, bottom - top) < _LEAST_PIXELS:
        return Layout()

    def placed(box: Box) -> Box:
        return box[0] + left, box[1] + top, box[2] + left, box[3] + top

    def part(box: Box) -> Part:
        return Part(box[0] / width, box[1] / height, box[2] / width, box[3] / height)

    footage = _Footage(np.ascontiguousarray(whole[:, top:bottom, left:right]))
    framed, seen = _framed(footage)
    boxes = list(_between_blurred_sides(whole))
    if not boxes:
        boxes = [placed(box) for box in framed]
        for area in _moving_area(whole, _change(whole)):
            if not any(_is_same(box, area) for box in (picture, *boxes)):  # they are more exact
                boxes = [box for box in boxes if _overlap(box, area) <= _APART_ENOUGH] + [area]
    boxes = boxes[:_MOST_PARTS]
    guesses: list[Guess] = []
    taken = [picture, *boxes]
    for box, frames in _guessed(footage, seen):
        if not any(_is_same(placed(box), other) for other in taken):
            taken.append(placed(box))
            guesses.append(Guess(part(placed(box)), frames))
            if len(guesses) == _MOST_GUESSES:
                break
    return Layout(tuple(part(box) for box in boxes), tuple(guesses))


def _small_grey(images: Sequence[npt.NDArray[np.uint8]]) -> Stack:
    height, width = images[0].shape[:2]
    # By a whole number: averaging over fractions of pixels takes ten times as long.
    shrink = max(1, round(min(height, width) / _SHORT_SIDE))
    size = max(1, width // shrink), max(1, height // shrink)
    rows, columns = slice(size[1] * shrink), slice(size[0] * shrink)
    grey = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[rows, columns] for image in images)
    return np.stack([np.asarray(cv2.resize(g, size, interpolation=cv2.INTER_AREA)) for g in grey])


def _without_plain_borders(stack: Stack) -> Box:
    """Return the box that is left without lines that are plain in all frames."""
    high, low = stack.max(axis=0).astype(np.int16), stack.min(axis=0).astype(np.int16)

    def inner(axis: int) -> tuple[int, int]:
        plain = high.max(axis=axis) - low.min(axis=axis) <= _FLAT_RANGE
        if plain.all():
            return 0, 0
        return int(np.argmin(plain)), len(plain) - int(np.argmin(plain[::-1]))

    top, bottom = inner(1)
    high, low = high[top:bottom], low[top:bottom]
    left, right = inner(0) if bottom > top else (0, 0)
    return left, top, right, bottom


def _change(stack: Stack) -> Map:
    """Return the mean absolute change from frame to frame, [row, column]."""
    flat = stack.reshape(len(stack), -1)
    change = np.minimum(cv2.absdiff(flat[1:], flat[:-1]), 40)  # shot changes count, but no more
    mean = change.mean(axis=0, dtype=np.float32)
    return np.asarray(mean.reshape(stack.shape[1:]), np.float32)


# --- blurred sides ----------------------------------------------------------------------------


def _between_blurred_sides(stack: Stack) -> Iterator[Box]:
    """Give the sharp middle of a canvas that is filled with a blurred copy, if it is one."""
    height, width = stack.shape[1:]
    left = _blurred_side(stack)
    # A smooth frame all around has sides above and below the middle, too.
    top = _blurred_side(stack[:, :, left : width - left].transpose(0, 2, 1))
    if top and not left:
        left = _blurred_side(stack[:, top : height - top])
    if left or top:
        yield left, top, width - left, height - top


def _blurred_side(stack: Stack) -> int:
    """Return how wide the blurred sides at left and right are; 0 if they are not blurred."""
    frames = stack[::3].astype(np.int16)
    width = frames.shape[2]
    # Gradients run along the edges between the parts, so that a step there does not count.
    fine = np.abs(frames[:, 1:] - frames[:, :-1]).mean(axis=(0, 1))
    coarse = np.abs(frames[:, 4:] - frames[:, :-4]).mean(axis=(0, 1))
    sums = np.concatenate([[0.0], np.cumsum(fine)])
    sides = np.arange(max(6, round(0.08 * width)), round(0.42 * width))
    if not len(sides):
        return 0

    def mean(start: npt.NDArray[np.intp], end: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        return np.asarray((sums[end] - sums[start]) / (end - start))

    opposite = width - sides
    inner = np.minimum(mean(sides + 1, sides + 5), mean(opposite - 5, opposite - 1))
    outer = [
        mean(sides - 5, sides - 1),
        mean(opposite + 1, opposite + 5),
        mean(np.zeros_like(sides), sides - 1),
        mean(opposite + 1, np.full_like(sides, width)),
    ]
    sharper = inner / np.maximum(np.max(outer, axis=0), 0.2)
    best = int(np.argmax(sharper))
    side = int(sides[best])

    def smoothness(columns: slice) -> float:
        return float(fine[columns].mean() / max(coarse[columns].mean(), 0.1))

    left, right = smoothness(slice(0, side - 2)), smoothness(slice(width - side + 2, width))
    middle = smoothness(slice(side + 2, width - side - 2))
    blurred = min(left, right) > 0.1 and max(left, right) < min(_BLURRED, middle)
    return side if sharper[best] > _SHARPER and blurred else 0


# --- rectangles of lasting lines --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sides:
    """Upright lines through a picture, with the picture's own edges as the first and the last."""

    at: Lines
    line: Map  # [line, start, end]: share of the way between two crossing lines that is a line
    apart: Map  # the same, where both sides of the line also change apart from each other


class _Footage:
    """Grey frames, and where they have steps, upright and level ones."""

    def __init__(self, stack: Stack, steps: tuple[Stack, Stack] | None = None) -> None:
        self.stack = stack
        self.turned = np.ascontiguousarray(stack.transpose(0, 2, 1))
        self.upright, self.level = steps or (_steps(self.stack), _steps(self.turned))

    def during(self, frames: range) -> _Footage:
        """Return some of the frames."""
        some = slice(frames.start, frames.stop)
        return _Footage(self.stack[some], (self.upright[some], self.level[some]))


def _guessed(footage: _Footage, seen: Sequence[Box]) -> Iterator[tuple[Box, range]]:
    """Give rectangles that may be parts: those seen in all frames, then those of each scene."""
    for box in seen:
        yield box, range(len(footage.stack))
    for frames in _scenes(footage):
        for box in _framed(footage.during(frames))[1]:
            yield box, frames


def _scenes(footage: _Footage) -> list[range]:
    """Divide frames where the steps change most: an inset may begin or end at any of them."""
    count = len(footage.stack)
    scenes = [range(count)]
    # Lines are long, so every fourth pixel along them is enough.
    steps = [kind[:, ::4].reshape(count, -1) for kind in (footage.upright, footage.level)]
    sums = np.cumsum(np.concatenate(steps, axis=1), axis=0, dtype=np.uint16).astype(np.float32)
    sums = np.concatenate([np.zeros_like(sums[:1]), sums])

    def contrast(scene: range, at: int) -> float:
        before, after = at - scene.start, scene.stop - at
        step = (sums[at] - sums[scene.start]) / before - (sums[scene.stop] - sums[at]) / after
        return float(step @ step) * before * after / len(scene)

    while len(scenes) < _MOST_SCENES:
        cuts = [
            (contrast(scene, at), number, at)
            for number, scene in enumerate(scenes)
            for at in range(scene.start + _LEAST_SCENE, scene.stop - _LEAST_SCENE + 1)
        ]
        if not cuts:
            break
        _, number, at = max(cuts)
        scene = scenes[number]
        scenes[number : number + 1] = [range(scene.start, at), range(at, scene.stop)]
    return scenes if len(scenes) > 1 else []


def _framed(footage: _Footage) -> tuple[list[Box], list[Box]]:
    """Find rectangles bounded by lasting lines, by how much of their sides is sure.

    Returns
    -------
    parts, guesses
        Parts lie apart and are not divided. Guesses may overlap, as nothing tells which is right.
    """
    stack, turned = footage.stack, footage.turned
    steps, turned_steps = _lasting(footage.upright), _lasting(footage.level)
    xs, ys = _lines(steps), _lines(turned_steps)
    if len(xs) == 2 and len(ys) == 2:
        return [], []
    upright = _sides(stack, steps, xs, ys)
    level = _sides(turned, turned_steps, ys, xs)
    change = _change(stack)

    boxes: list[Box] = []
    guesses: list[Box] = []
    for sure, left, right, top, bottom in _rectangles(upright, level):
        box = int(xs[left]), int(ys[top]), int(xs[right]), int(ys[bottom])
        is_new = len(guesses) < _MOST_GUESSES and not any(_is_same(box, g) for g in guesses)
        if not (sure or is_new):
            continue
        inside = change[box[1] + _EDGE : box[3] - _EDGE, box[0] + _EDGE : box[2] - _EDGE]
        if (inside > _CHANGE).mean() < _LEAST_CHANGING:
            continue
        if is_new:
            guesses.append(box)
        if not sure or _crossed(upright, left, right, top, bottom):
            continue
        if _crossed(level, top, bottom, left, right):
            continue
        if all(_overlap(box, other) <= _APART_ENOUGH for other in boxes):
            boxes.append(box)
    smooth = [_smoothness(stack[:, top:bottom, left:right]) for left, top, right, bottom in boxes]
    sharp = [
        box for box, s in zip(boxes, smooth, strict=True) if s > min(_BLURRED, 0.9 * max(smooth))
    ]
    return sharp, guesses


def _smoothness(stack: Stack) -> float:
    """Return the mean gradient over 1 pixel to that over 4."""
    frames = stack[::8].astype(np.int16)
    fine = np.abs(np.diff(frames, axis=1)).mean() + np.abs(np.diff(frames, axis=2)).mean()
    coarse = np.abs(frames[:, 4:] - frames[:, :-4]).mean()
    coarse += np.abs(frames[:, :, 4:] - frames[:, :, :-4]).mean()
    return float(fine / max(coarse, 0.1))


def _steps(stack: Stack) -> Stack:
    """Return 1 where a frame has an upright step, else 0, [frame, row, column]."""
    frames, height, width = stack.shape
    flat = stack.reshape(frames * height, width)
    step = np.zeros((frames * height, width + 6), np.uint8)
    step[:, 4 : width + 2] = cv2.absdiff(flat[:, 2:], flat[:, :-2])
    beside = cv2.max(step[:, :width], step[:, 6:])
    levels = np.arange(256) * _STEP_ABOVE_TEXTURE
    least = np.clip(levels, _STEP, 255).astype(np.uint8)
    hit = cv2.compare(step[:, 3 : width + 3], cv2.LUT(beside, least), cv2.CMP_GT)
    return np.asarray(hit.reshape(stack.shape) & 1, np.uint8)


def _lasting(steps: Stack) -> Map:
    """Return how sure it is, in [0, 1], that an upright line passes, [row, column]."""
    share = np.add.reduce(steps, axis=0, dtype=np.uint16).astype(np.float32) / len(steps)
    sure = np.clip((share - _RARELY) / (_MOSTLY - _RARELY), 0, 1)
    return np.asarray(cv2.dilate(sure, np.ones((1, 3), np.uint8)), np.float32)


def _lines(steps: Map) -> Lines:
    """Return the columns with the longest upright lines, and the picture's edges."""
    height, width = steps.shape
    run, best = np.zeros((2, width), np.float32)
    for row in steps - 0.55:
        run = np.maximum(run + row, 0)
        best = np.maximum(best, run)
    best[:_EDGE] = best[width - _EDGE :] = 0
    found = [0, width]
    for _ in range(_MOST_LINES):
        column = int(best.argmax())
        if best[column] < 0.06 * height:
            break
        around = np.arange(max(0, column - 2), min(width, column + 3))
        found.append(round(float(around[best[around] > 0.93 * best[column]].mean())))
        best[max(0, column - 3) : column + 4] = 0
    return np.unique(found)


def _sides(stack: Stack, steps: Map, xs: Lines, ys: Lines) -> _Sides:
    height, width = steps.shape
    line, apart = np.zeros((2, height + 1, len(xs)), np.float32)
    for index, x in enumerate(xs):
        if 0 < x < width:
            line[1:, index] = np.cumsum(steps[:, x])
            apart[1:, index] = np.cumsum(steps[:, x] * _change_apart(stack, int(x)))
    length = np.maximum(ys[None, :] - ys[:, None], 1)[..., None]

    def between(sums: Map) -> Map:
        share = (sums[ys][None, :] - sums[ys][:, None]) / length
        return np.asarray(share.transpose(2, 0, 1), np.float32)

    return _Sides(xs, between(line), between(apart))


def _change_apart(stack: Stack, x: int) -> npt.NDArray[np.bool_]:
    """Tell for each row whether the footage left and right of a column changes independently."""
    left = stack[:, :, max(0, x - 4) : x - 1]
    right = stack[:, :, x + 2 : x + 5]
    plain = _is_plain(left) != _is_plain(right)
    a, b = (cv2.blur(side.mean(axis=-1, dtype=np.float32), (3, 1)) for side in (left, right))
    a, b = np.diff(a, axis=0), np.diff(b, axis=0)
    power = np.maximum((a * a).mean(axis=0), (b * b).mean(axis=0))
    independent = (power > _CHANGE**2) & ((a * b).mean(axis=0) < _ALIKE * power)
    return np.asarray(independent | plain)


def _is_plain(strip: Stack) -> bool:
    """Whether a strip has one colour at all times, as the margins of a panel of text."""
    return int(strip.max()) - int(strip.min()) <= _FLAT_RANGE


def _rectangles(upright: _Sides, level: _Sides) -> Iterator[tuple[bool, int, int, int, int]]:
    """Give rectangles with good sides, best first: whether it is a part for sure, and its lines.

    The lines are numbers: left, right, top, bottom.
    """
    xs, ys = upright.at, level.at
    width, height = int(xs[-1]), int(ys[-1])
    shape = len(xs), len(xs), len(ys), len(ys)
    across = np.broadcast_to((xs[None, :] - xs[:, None])[:, :, None, None], shape)
    down = np.broadcast_to(ys[None, :] - ys[:, None], shape)
    large = (across >= _LEAST_SIDE * width) & (down >= _LEAST_SIDE * height)
    area = across * down / (width * height)
    large &= (area >= _LEAST_AREA) & (area <= _MOST_AREA)

    def four(a: Map, b: Map) -> Map:
        b = b.transpose(1, 2, 0)
        views = a[:, None], a[None], b[:, :, :, None], b[:, :, None, :]
        return np.stack([np.broadcast_to(view, shape) for view in views])

    length = np.stack([down, down, across, across]).astype(np.float32)
    # The picture's own edges are no evidence.
    length[0, 0] = length[1, :, -1] = length[2, :, :, 0] = length[3, :, :, :, -1] = 0
    total = np.maximum(length.sum(axis=0), 1)
    line, apart = four(upright.line, level.line), four(upright.apart, level.apart)
    in_all = (line * length).sum(axis=0) / total
    in_each = np.where(length > 0, line, 1).min(axis=0)
    changing = (apart * length).sum(axis=0) / total

    number = (length > 0).sum(axis=0)
    good = changing >= _APART
    good |= (number == 4) & (in_all >= _LINE_IN_FRAME) & (changing >= _APART_IN_FRAME)
    middle = (
        _is_middle(xs)[:, None, None, None]
        | _is_middle(xs)[None, :, None, None]
        | _is_middle(ys)[:, None]
        | _is_middle(ys)[None, :]
    )
    good |= middle & (number <= 2) & (in_all >= _LINE_IN_HALF) & (changing >= _APART_IN_HALF)
    lasting = large & (in_all >= _LINE_IN_ALL) & (in_each >= _LINE_IN_EACH)
    maybe = lasting & (good | ((number == 4) & (in_all >= _LINE_OF_GUESS)))
    good &= lasting
    # Lines between what changes apart speak for a rectangle, missing ones against it, and edges
    # in footage that stands still neither way.
    gain = (0.5 * (line + apart - 1) * length).sum(axis=0)
    numbers = np.argwhere(maybe)
    for left, right, top, bottom in numbers[np.argsort(-gain[maybe])]:
        sure = bool(good[left, right, top, bottom])
        yield sure, int(left), int(right), int(top), int(bottom)


def _is_middle(at: Lines) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(at / at[-1] - 0.5) < 0.012)


def _crossed(sides: _Sides, first: int, last: int, start: int, end: int) -> bool:
    """Whether a line well inside a rectangle divides it in two that change apart."""
    at, margin = sides.at, 0.1 * (sides.at[last] - sides.at[first])
    inside = (at > at[first] + margin) & (at < at[last] - margin)
    crossed = sides.apart[inside, start, end] > _CROSSED
    crossed |= _is_middle(at)[inside] & (sides.line[inside, start, end] > _LINE_IN_HALF)
    return bool(crossed.any())


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def _shared(box: Box, other: Box) -> int:
    """Return the area that two boxes have in common."""
    left, top = max(box[0], other[0]), max(box[1], other[1])
    return _area((left, top, min(box[2], other[2]), min(box[3], other[3])))


def _overlap(box: Box, other: Box) -> float:
    """Return the area that two boxes have in common, as a share of the smaller one."""
    return _shared(box, other) / min(_area(box), _area(other))


def _is_same(box: Box, other: Box) -> bool:
    shared = _shared(box, other)
    return shared >= _SAME * (_area(box) + _area(other) - shared)


# --- a screen in a room -----------------------------------------------------------------------


def _moving_area(stack: Stack, change: Map) -> Iterator[Box]:
    """Give the bounding box of a quadrilateral that moves where all else stands still."""
    height, width = change.shape
    smooth = cv2.blur(change, (5, 5))
    moving = (smooth > max(1.5, _STILL * float(np.percentile(smooth, 95)))).astype(np.uint8)
    kernel = np.ones((9, 9), np.uint8)
    moving = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, kernel)
    moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(moving)
    if count < 2:
        return
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h = (int(value) for value in stats[largest, :4])
    if min(x, y, width - x - w, height - y - h) <= 2:
        return
    if w < _LEAST_SIDE * width or h < _LEAST_SIDE * height or w * h > _MOST_SCREEN * width * height:
        return
    area = (labels == largest).astype(np.uint8)
    outline = cv2.findContours(area, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    hull = cv2.convexHull(outline)
    corners = len(cv2.approxPolyDP(hull, 0.03 * cv2.arcLength(hull, True), True))
    filled = cv2.contourArea(outline)
    outside = smooth[cv2.dilate(area, kernel) == 0]
    around = max(0.3, float(np.percentile(outside, 90))) if outside.size else np.inf
    if (
        corners <= _CORNERS
        and filled >= _SOLID * cv2.contourArea(hull)
        and filled >= _FILLED * (w - 1) * (h - 1)
        and float(np.median(smooth[area > 0])) >= _STRONGER_CHANGE * around
        and _share_at_once(stack[:, y : y + h, x : x + w]) >= _AT_ONCE
    ):
        yield x, y, x + w, y + h


def _share_at_once(stack: Stack) -> float:
    """Return how much of an area changes at once; little, where a thing only crosses it."""
    flat = stack.reshape(len(stack), -1)
    return float((cv2.absdiff(flat[1:], flat[:-1]) > _CHANGE).mean())
