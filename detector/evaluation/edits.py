"""The ways in which copied footage is edited, each as a family with three strengths.

The families follow those that copy-detection benchmarks agree on (`ISC 2021
<https://arxiv.org/abs/2106.09672>`_ for pictures, `VSC 2022 <https://arxiv.org/abs/2306.09489>`_
for videos), with the strengths at which uploads are still worth watching.

A family draws its exact parameters from a random number generator: the same seed gives the same
pictures. What it returns may count pictures (noise, shaking, other footage), so an `Edited` is for
one pass over one upload.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.evaluation.drawing import (
    as_picture,
    canvas_of_shape,
    covering,
    draw_badge,
    draw_face,
    fitted_font,
    overlaid,
    phrase,
    put,
    put_in_middle,
    random_colour,
    rotated,
    size_of_shape,
    window,
)
from detector.samples import Edit, Picture, TimedPicture, graded, mirrored, resized


class Strength(IntEnum):
    """How far an edit goes: from hardly visible to hardly watchable."""

    LIGHT = 0
    MIDDLE = 1
    STRONG = 2


Timing = Callable[[Iterable[TimedPicture]], Iterator[TimedPicture]]


@dataclass(frozen=True, slots=True)
class Edited:
    """What a family at one strength does to an upload. Good for one pass over its pictures.

    It is done in the order of the fields. Pictures of one size stay of one size, and times that
    rise strictly do so afterwards.
    """

    words: str  # "cropped to 62 % of the width and height"
    edits: tuple[Edit, ...] = ()  # picture to picture, in order
    speed: float = 1.0  # the upload plays at this speed
    timing: Timing | None = None  # drops, repeats or replaces timed pictures
    height: int | None = None  # lines that the upload is encoded with
    crf: int = 23
    bit_rate: int | None = None  # bits per second, instead of ``crf``


OtherFootage = Callable[[], Iterator[Picture]]
"""Starts endless pictures of unrelated footage, of any size, at about the same frame rate."""

Family = Callable[[Strength, random.Random, OtherFootage], Edited]


# --- encoding ---------------------------------------------------------------------------------

_ENCODED_PIXELS = 200_000  # bit rates mean little unless the size is known


def _low_bit_rate(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    per_pixel = (0.30, 0.19, 0.12)[strength] * rng.uniform(0.9, 1.1)  # bits per second
    bit_rate = round(per_pixel * _ENCODED_PIXELS)
    words = f"re-encoded at {bit_rate / 1000:.0f} kbit/s"
    return Edited(words, (_with_pixels(_ENCODED_PIXELS),), bit_rate=bit_rate)


def _downscale(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    lines = (240, 144, 96)[strength]
    return Edited(f"scaled down to {lines} lines", height=lines, crf=rng.randint(24, 30))


def _with_pixels(pixels: int) -> Edit:
    """Scale to about so many pixels, keeping the shape."""

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        return resized(*size_of_shape(width / height, pixels))(picture)

    return edit


# --- geometry ---------------------------------------------------------------------------------


def _crop(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = (0.80, 0.62, 0.48)[strength]
    words = f"cropped to {_percent(share)} of the width and height"
    return Edited(words, (window(share, rng.random(), rng.random()),))


def _mirror(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    if strength is Strength.LIGHT:
        return Edited("mirrored", (mirrored,))
    share = (1.0, 0.85, 0.70)[strength]
    part = window(share, rng.random(), rng.random())
    if strength is Strength.MIDDLE:
        return Edited(f"mirrored, cropped to {_percent(share)}", (mirrored, part))
    grade = graded(rng.uniform(1.2, 1.4), rng.uniform(10, 25))
    return Edited(f"mirrored, cropped to {_percent(share)}, brighter", (mirrored, part, grade))


def _rotate(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    if strength is Strength.STRONG:
        turns = rng.choice((1, 2, 3))
        turned: Edit = lambda picture: np.ascontiguousarray(np.rot90(picture, turns))  # noqa: E731
        return Edited(f"turned by {90 * turns} degrees", (turned,))
    angle = rng.uniform(*((3, 8), (10, 25))[strength]) * rng.choice((-1, 1))
    fill = rng.random() < 0.5
    corners = "enlarged to fill the frame" if fill else "with black corners"
    return Edited(f"rotated by {angle:.0f} degrees, {corners}", (rotated(angle, fill),))


def _letterbox(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    ratio, name = ((4 / 3, "4:3"), (1.0, "1:1"), (9 / 16, "9:16"))[strength]
    bars, colour = rng.choice(
        (("black", (0, 0, 0)), ("white", (255, 255, 255)), ("coloured", random_colour(rng)))
    )

    def edit(picture: Picture) -> Picture:
        canvas = canvas_of_shape(picture, ratio)
        canvas[:] = colour
        return put_in_middle(canvas, picture, 1.0)

    return Edited(f"fitted into {name} with {bars} bars", (edit,))


def _blurred_sides(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    ratio, name = ((1.0, "1:1"), (9 / 16, "9:16"), (9 / 16, "9:16"))[strength]
    scale = (1.0, 1.0, 0.72)[strength]
    darkness, softness = rng.uniform(0.45, 0.75), rng.uniform(0.03, 0.05)

    def edit(picture: Picture) -> Picture:
        height, width = canvas_of_shape(picture, ratio).shape[:2]
        # Blurred at a quarter of the size: it looks the same, and large kernels are slow.
        behind = covering(picture, max(width // 4, 1), max(height // 4, 1))
        behind = as_picture(cv2.GaussianBlur(behind, (0, 0), softness * height / 4))
        behind = as_picture(cv2.convertScaleAbs(behind, alpha=darkness))
        return put_in_middle(resized(width, height)(behind), picture, scale)

    smaller = "" if scale == 1 else f" and {_percent(scale)} of the width"
    return Edited(f"in {name}{smaller}, over a blurred copy of itself", (edit,))


# --- with other footage -----------------------------------------------------------------------


def _picture_in_picture(strength: Strength, rng: random.Random, other: OtherFootage) -> Edited:
    share = (0.50, 0.37, 0.25)[strength]
    in_corner = rng.random() < 0.5
    x, y = (rng.choice((0.03, 0.97)) if in_corner else rng.random() for _ in range(2))
    around = other()

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        canvas = covering(next(around), width, height)
        small = resized(round(width * share), round(height * share))(picture)
        return put(canvas, small, x, y)

    return Edited(f"inset at {_percent(share)} of the side over other footage", (edit,))


def _stack(strength: Strength, rng: random.Random, other: OtherFootage) -> Edited:
    # Cells as (left, top, right, bottom) in shares of the canvas.
    first = rng.random() < 0.5
    split = 0.6 if first else 0.4
    cells = (
        ((0.0, 0.0, split, 1.0), (split, 0.0, 1.0, 1.0)),
        ((0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)),
        tuple((x, y, x + 0.5, y + 0.5) for y in (0.0, 0.5) for x in (0.0, 0.5)),
    )[strength]
    ratio = 9 / 16 if strength is Strength.MIDDLE else None
    place = rng.randrange(4) if strength is Strength.STRONG else 0 if first else 1
    sources = [None if cell == place else other() for cell in range(len(cells))]

    def edit(picture: Picture) -> Picture:
        canvas = np.empty_like(picture) if ratio is None else canvas_of_shape(picture, ratio)
        height, width = canvas.shape[:2]
        for source, cell in zip(sources, cells, strict=True):
            left, right = round(cell[0] * width), round(cell[2] * width)
            top, bottom = round(cell[1] * height), round(cell[3] * height)
            shown = picture if source is None else next(source)
            canvas[top:bottom, left:right] = covering(shown, right - left, bottom - top)
        return canvas

    words = (
        "cropped to its middle, beside other footage",
        "cropped to its middle, above or below other footage",
        "in a grid of four with other footage",
    )[strength]
    return Edited(words, (edit,))


# --- over and around the picture --------------------------------------------------------------


def _border_frame(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = (0.06, 0.12, 0.20)[strength]
    colours = np.array([random_colour(rng) for _ in range(3)], np.uint8)
    kind, period = rng.choice(("stripes", "checks", "dots")), rng.uniform(0.05, 0.1)

    @functools.cache
    def frame(height: int, width: int) -> Picture:
        step = max(4.0, period * height)
        y, x = np.mgrid[:height, :width] / step
        if kind == "stripes":
            index = np.floor(x + y).astype(int) % 3
        elif kind == "checks":
            index = (np.floor(x).astype(int) + np.floor(y).astype(int)) % 2
        else:
            index = np.where(np.hypot(x % 1 - 0.5, y % 1 - 0.5) < 0.33, 1, 0)
        return as_picture(colours[index])

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        inner = resized(round(width * (1 - 2 * share)), round(height * (1 - 2 * share)))
        return put(frame(height, width).copy(), inner(picture), 0.5, 0.5)

    return Edited(f"in a frame of {kind}, {_percent(share)} of each side", (edit,))


def _text(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    subtitle, headline, shout = phrase(rng, 7), phrase(rng, 4).upper(), phrase(rng, 2).upper()
    ink, paper = rng.choice(((255, 255, 255), (255, 230, 60))), random_colour(rng)

    def draw(pen: Any, width: int, height: int) -> None:
        def line(text: str, y: float, size: float, share: float) -> None:
            letters = fitted_font(text, round(size * height), round(share * width))
            pen.text(
                (width / 2, y * height),
                text,
                fill=(*ink, 255),
                font=letters,
                anchor="mm",
                stroke_width=max(1, round(letters.size / 12)),
                stroke_fill=(0, 0, 0, 255),
            )

        line(subtitle, 0.9, 0.085, 0.9)
        if strength >= Strength.MIDDLE:
            pen.rectangle((0, 0, width, 0.16 * height), fill=(*paper, 255))
            line(headline, 0.08, 0.1, 0.92)
        if strength is Strength.STRONG:
            line(shout, 0.5, 0.32, 0.96)

    words = ("subtitles", "subtitles and a headline", "subtitles, a headline, large text")[strength]
    return Edited(f"with {words}", (overlaid(draw),))


def _logo(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = (0.15, 0.30, 0.45)[strength]
    number = 3 if strength is Strength.STRONG else 1
    logos = [
        # Spread over the width, so that they hardly hide each other.
        (
            rng.choice((draw_face, draw_badge)),
            (n + 0.3 * rng.random()) / (number - 0.7),
            rng.random(),
        )
        for n in range(number)
    ]
    inks = [random_colour(rng) for _ in logos]

    def draw(pen: Any, width: int, height: int) -> None:
        side = share * height
        for (drawn, x, y), ink in zip(logos, inks, strict=True):
            drawn(pen, x * max(0.0, width - side), y * (height - side), side, ink)

    what = f"{number} logos" if number > 1 else "a logo"
    return Edited(f"with {what} of {_percent(share)} of the height", (overlaid(draw),))


# --- colour -----------------------------------------------------------------------------------


def _grey(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = (rng.uniform(0.6, 0.75), 1.0, 1.0)[strength]
    grey = _tinted((1.0, 1.0, 1.0), share)
    if strength is Strength.STRONG:
        return Edited("grey with hard contrast", (grey, graded(rng.uniform(1.8, 2.2), 0)))
    words = "grey" if share == 1 else f"{_percent(share)} of the colour taken out"
    return Edited(words, (grey,))


def _sepia(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = (rng.uniform(0.45, 0.55), 1.0, 1.0)[strength]
    sepia = _tinted((1.12, 0.92, rng.uniform(0.55, 0.7)), share)
    if strength is Strength.STRONG:
        return Edited("sepia and faded", (sepia, graded(rng.uniform(0.5, 0.6), 30)))
    return Edited("sepia" if share == 1 else f"{_percent(share)} sepia", (sepia,))


def _hue(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    degrees = rng.randint(*((20, 35), (60, 90), (130, 180))[strength]) * rng.choice((-1, 1))
    table = ((np.arange(256) + round(degrees / 2)) % 180).astype(np.uint8)  # OpenCV halves hues

    def edit(picture: Picture) -> Picture:
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
        hsv[:, :, 0] = table[hsv[:, :, 0]]
        return as_picture(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))

    return Edited(f"hues turned by {degrees} degrees", (edit,))


def _contrast(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    factor = rng.choice(((1.35, 0.72), (1.7, 0.5), (2.2, 0.35))[strength]) * rng.uniform(0.97, 1.03)
    return Edited(f"contrast times {factor:.2f}", (graded(factor, 0),))


def _gamma(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    gamma = (1.35, 1.8, 2.4)[strength] * rng.uniform(0.95, 1.05)
    if rng.random() < 0.5:
        gamma = 1 / gamma
    return Edited(f"gamma {gamma:.2f}", (_mapped(255 * (np.arange(256) / 255) ** gamma),))


def _inversion(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    levels = np.arange(256)
    if strength is Strength.LIGHT:
        above = rng.randint(120, 170)
        table = np.where(levels > above, 255 - levels, levels)
        return Edited(f"solarised above {above} of 255", (_mapped(table),))
    negative = _mapped(255 - levels)
    if strength is Strength.MIDDLE:
        return Edited("colours inverted", (negative,))
    return Edited("colours inverted, hard contrast", (negative, graded(rng.uniform(1.6, 2.0), 0)))


def _tinted(tint: Sequence[float], share: float) -> Edit:
    """Blend with the picture's luminance in one tint, by ``share`` in [0, 1]."""
    luminance = np.outer(tint, (0.299, 0.587, 0.114))
    matrix = share * luminance + (1 - share) * np.eye(3)
    return lambda picture: as_picture(cv2.transform(picture, matrix))


def _mapped(levels: NDArray[np.floating] | NDArray[np.integer]) -> Edit:
    """Replace each 8-bit level by the one at its place in ``levels``, [256]."""
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return lambda picture: as_picture(cv2.LUT(picture, table))


# --- detail -----------------------------------------------------------------------------------


def _blur(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    radius = (0.005, 0.012, 0.025)[strength] * rng.uniform(0.9, 1.1)  # of the height
    edit: Edit = lambda picture: as_picture(  # noqa: E731
        cv2.GaussianBlur(picture, (0, 0), radius * picture.shape[0])
    )
    return Edited(f"blurred by {100 * radius:.1f} % of the height", (edit,))


def _sharpen(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    amount = (1.0, 2.5, 6.0)[strength] * rng.uniform(0.9, 1.1)

    def edit(picture: Picture) -> Picture:
        soft = cv2.GaussianBlur(picture, (0, 0), max(0.6, 0.005 * picture.shape[0]))
        return as_picture(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0))

    return Edited(f"sharpened by {amount:.1f}", (edit,))


def _noise(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    deviation = (10, 25, 50)[strength] * rng.uniform(0.9, 1.1)
    generator = np.random.default_rng(rng.getrandbits(64))
    slack = 64

    # Each picture gets another window of one field of noise: fresh noise is slow.
    @functools.cache
    def field(height: int, width: int) -> NDArray[np.int16]:
        noise = generator.standard_normal((height + slack, width + slack, 3), np.float32)
        return np.asarray(np.rint(noise * deviation), np.int16)

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        top, left = generator.integers(slack, size=2)
        noise = field(height, width)[top : top + height, left : left + width]
        return as_picture(np.clip(picture + noise, 0, 255))

    return Edited(f"with noise of {deviation:.0f} levels", (edit,))


def _filmed_off_screen(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = (0.90, 0.75, 0.60)[strength]
    tilt, glare = (0.03, 0.09, 0.16)[strength], (0.15, 0.35, 0.6)[strength]
    shake = (0.002, 0.004, 0.008)[strength]  # of the width
    yaw, pitch = (rng.choice((-1, 1)) * rng.uniform(0.6, 1.0) * tilt for _ in range(2))
    roll = math.radians(rng.uniform(-20, 20) * tilt)
    glare_at, line = (rng.random(), rng.random()), rng.uniform(2.2, 3.4)
    sways = [(rng.uniform(0.02, 0.3), rng.uniform(0, 6.3)) for _ in range(4)]
    count = 0  # pictures so far

    def on_canvas(width: int, height: int, grown: float) -> NDArray[np.float32]:
        """Where the corners of the screen lie, [4, 2], if it were ``grown`` times as large."""
        x, y = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]).T * grown
        far = 1 + yaw * x + pitch * y
        x, y = share * x / far * width / 2, share * y / far * height / 2
        across, down = (
            shake * width * sum(math.sin(count * rate + phase) for rate, phase in pair)
            for pair in (sways[:2], sways[2:])
        )
        u = x * math.cos(roll) - y * math.sin(roll) + width / 2 + across
        v = x * math.sin(roll) + y * math.cos(roll) + height / 2 + down
        return np.stack([u, v], axis=1).astype(np.float32)

    @functools.cache
    def scene(height: int, width: int) -> tuple[Picture, Picture, Picture]:
        """Give the dark room, what shines on the screen, and the screen's own lines."""
        y, x = np.mgrid[:height, :width].astype(np.float32)
        room = (14 + 26 * y / height)[:, :, None] * np.array([1.1, 1.0, 0.85])
        away = np.hypot(x / height - glare_at[0] * width / height, y / height - glare_at[1])
        shine = (255 * glare * np.exp(-((away / 0.3) ** 2)))[:, :, None] * np.ones(3)
        lines = 1 - 0.16 * (1 + np.sin(2 * np.pi * x / line) * np.sin(2 * np.pi * y / line))
        return (
            as_picture(room),
            as_picture(shine),
            as_picture(255 * lines[:, :, None] * np.ones(3)),
        )

    def edit(picture: Picture) -> Picture:
        nonlocal count
        height, width = picture.shape[:2]
        room, shine, lines = scene(height, width)
        canvas = room.copy()
        cv2.fillConvexPoly(canvas, np.rint(on_canvas(width, height, 1.05)).astype(int), (9, 9, 10))
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, on_canvas(width, height, 1.0))
        screen = cv2.multiply(picture, lines, scale=1 / 255)
        cv2.warpPerspective(
            screen, matrix, (width, height), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT
        )
        count += 1
        return as_picture(cv2.add(cv2.GaussianBlur(canvas, (3, 3), 0), shine))

    return Edited(f"filmed off a screen that takes {_percent(share)} of the frame", (edit,))


# --- time -------------------------------------------------------------------------------------


def _speed(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    speed = rng.choice(((1.1, 0.9), (1.25, 0.8), (1.5, 0.7))[strength])
    return Edited(f"{speed} times as fast", speed=speed)


def _frame_rate(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    rate = rng.choice(((15, 15, 60), (10, 12), (5, 6))[strength])

    def timing(frames: Iterable[TimedPicture]) -> Iterator[TimedPicture]:
        shown: Picture | None = None
        start, number = 0.0, 0
        for time, picture in frames:
            if shown is None:
                start = time
            while shown is not None and start + number / rate < time - 1e-6:
                yield start + number / rate, shown
                number += 1
            shown = picture
        if shown is not None and start + number / rate < time + 1e-6:
            yield start + number / rate, shown

    return Edited(f"at {rate} pictures per second", timing=timing)


def _dropped_frames(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = (0.10, 0.25, 0.50)[strength]
    generator = np.random.default_rng(rng.getrandbits(64))

    def timing(frames: Iterable[TimedPicture]) -> Iterator[TimedPicture]:
        for number, frame in enumerate(frames):
            if generator.random() >= share or number == 0:  # the copy starts when it did
                yield frame

    return Edited(f"{_percent(share)} of the pictures dropped", timing=timing)


def _blackouts(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    share = 0.10
    shortest, longest = ((0.0, 0.0), (0.2, 0.2), (0.5, 1.0))[strength]
    level = rng.choice((0, 255))
    generator = np.random.default_rng(rng.getrandbits(64))

    def timing(frames: Iterable[TimedPicture]) -> Iterator[TimedPicture]:
        start = end = -1.0
        for time, picture in frames:
            if longest == 0:
                out = generator.random() < share
            else:
                if time >= end:
                    length = generator.uniform(shortest, longest)
                    # The first one early, so that short uploads have one.
                    wait = (0.1, 0.5) if start < 0 else (0.5, 1.5)
                    gap = generator.uniform(*wait) * length * (1 / share - 1)
                    start = max(time, end) + gap
                    end = start + length
                out = time >= start
            yield time, np.full_like(picture, level) if out else picture

    colour = "white" if level else "black"
    kind = ("single pictures", "bursts of 0.2 s", "bursts of 0.5 to 1 s")[strength]
    return Edited(f"{_percent(share)} of the time {colour}, in {kind}", timing=timing)


# --- several at once --------------------------------------------------------------------------


def _combined(strength: Strength, rng: random.Random, other: OtherFootage) -> Edited:
    # In the order in which editors work, at most one of each row.
    rows: list[tuple[Family, ...]] = [
        (_mirror, _crop),
        (_contrast, _gamma, _hue, _sepia, _noise),
        (_letterbox, _blurred_sides, _border_frame),
        (_text, _logo),
    ]
    chosen = sorted(rng.sample(range(len(rows)), (2, 3, 3)[strength]))
    each = (Strength.LIGHT, Strength.LIGHT, Strength.MIDDLE)[strength]
    parts = [rng.choice(rows[row])(each, rng, other) for row in chosen]
    words = ", then ".join(part.words for part in parts)
    return Edited(words, tuple(edit for part in parts for edit in part.edits))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "low-bit-rate": _low_bit_rate,
        "downscale": _downscale,
        "crop": _crop,
        "mirror": _mirror,
        "rotate": _rotate,
        "letterbox": _letterbox,
        "blurred-sides": _blurred_sides,
        "picture-in-picture": _picture_in_picture,
        "stack": _stack,
        "border-frame": _border_frame,
        "text": _text,
        "logo": _logo,
        "grey": _grey,
        "sepia": _sepia,
        "hue": _hue,
        "contrast": _contrast,
        "gamma": _gamma,
        "inversion": _inversion,
        "blur": _blur,
        "sharpen": _sharpen,
        "noise": _noise,
        "filmed-off-screen": _filmed_off_screen,
        "speed": _speed,
        "frame-rate": _frame_rate,
        "dropped-frames": _dropped_frames,
        "blackouts": _blackouts,
        "combined": _combined,
    }
)
"""Every family by name."""
