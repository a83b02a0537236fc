"""Scenes rendered anew: footage that shows what a work shows, and hardly one of its pixels.

A generated clip that recreates a scene shares no picture with it. These families stand in for one:
each takes real footage and draws it anew, so that the place, the people and what happens stay,
while lines, colours, surfaces or the view become other ones. They are families as those of
`detector.evaluation.edits` are: the same seed gives the same pictures, and what they return counts
pictures and so is good for one pass. Patterns are held still or move slowly; nothing flickers.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.evaluation.drawing import as_picture, covering
from detector.evaluation.edits import Edited, Family, OtherFootage, Strength
from detector.samples import Picture, resized

Plane = NDArray[np.float32]
"""One value for each pixel, [height, width]."""


# --- what several of them do ------------------------------------------------------------------


def _steps(levels: int) -> Picture:
    """Map 8-bit values to so many levels with soft edges between them, [256]."""
    at = np.arange(256) / 255 * (levels - 1)
    rest = at - np.floor(at)
    soft = np.clip((rest - 0.5) * 3 + 0.5, 0, 1)
    return as_picture(np.rint((np.floor(at) + soft) / (levels - 1) * 255))


def _smoothed(picture: Picture, passes: int, shrunk: int) -> Picture:
    """Smooth surfaces and keep their edges, at a fraction of the size to be quick."""
    height, width = picture.shape[:2]
    small = resized(max(8, width // shrunk), max(8, height // shrunk))(picture)
    for _ in range(passes):
        small = as_picture(cv2.bilateralFilter(small, 7, 32, 4))
    return as_picture(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _coarse(picture: Picture, rows: int) -> NDArray[np.float32]:
    """Keep the lowest frequencies only: what so many rows of pixels can show."""
    height, width = picture.shape[:2]
    small = resized(max(2, round(rows * width / height)), rows)(picture)
    large = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32)


def _grey(picture: Picture) -> Plane:
    """Luminance in [0, 1]."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.float32) / np.float32(255)


def _soft(plane: Plane, radius: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), radius), np.float32)


def _lines(grey: Plane, radius: float, faintest: float) -> Plane:
    """Find lines and edges, from 0 to 1 where the picture is darker than around there.

    As in Winnemöller et al., "XDoG", 2012: a difference of Gaussians with a soft threshold.
    """
    darker = _soft(grey, 1.6 * radius) - _soft(grey, radius)
    return np.asarray(np.clip((darker - faintest) * (0.7 / faintest), 0, 1), np.float32)


@functools.lru_cache(maxsize=32)
def _grain(seed: int, height: int, width: int, along: float, across: float, angle: float) -> Plane:
    """Make noise of mean 0 and deviation 1 with grains of a size in pixels, turned by degrees."""
    side = math.hypot(height, width)
    shape = (max(2, round(side / across)), max(2, round(side / along)))
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
    large = cv2.resize(noise, (round(side), round(side)), interpolation=cv2.INTER_CUBIC)
    middle = (side / 2, side / 2)
    turned = cv2.warpAffine(
        large,
        cv2.getRotationMatrix2D(middle, angle, 1.0),
        (round(side), round(side)),
        borderMode=cv2.BORDER_REFLECT,
    )
    top, left = (round(side) - height) // 2, (round(side) - width) // 2
    field = turned[top : top + height, left : left + width]
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _grid(height: int, width: int) -> list[Plane]:
    """Give x and y of each pixel, from -1 to 1."""
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    return [np.asarray(plane, np.float32) for plane in np.meshgrid(x, y)]


def _to_lab(picture: Picture) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.float32)


def _from_lab(lab: NDArray[np.float32]) -> Picture:
    """Turn L, a and b, each of 255, into a picture."""
    return as_picture(cv2.cvtColor(as_picture(np.clip(lab, 0, 255)), cv2.COLOR_LAB2RGB))


# --- drawn by hand ----------------------------------------------------------------------------


def _cartoon(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    shrunk, levels = (2, 3, 4)[strength], (11, 7, 5)[strength]
    ink, vivid = (0.6, 0.85, 1.0)[strength], (1.25, 1.6, 2.0)[strength]
    turn = math.radians((6, 16, 30)[strength] * rng.uniform(0.6, 1.0) * rng.choice((-1, 1)))
    thick, table = (0.003, 0.004, 0.005)[strength], _steps(levels)
    hues = vivid * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])

    def edit(picture: Picture) -> Picture:
        height = picture.shape[0]
        lab = _to_lab(_smoothed(picture, 3, shrunk))
        lab[:, :, 0] = table[as_picture(lab[:, :, 0])]
        lab[:, :, 1:] = (lab[:, :, 1:] - 128) @ hues.T.astype(np.float32) + 128
        drawn = 1 - ink * _lines(_grey(picture), thick * height, 0.012)
        return as_picture(_from_lab(lab) * drawn[:, :, None])

    return Edited(f"as a cartoon in {levels} tones", (edit,))


def _painting(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    coarse, fine = ((0.033, 0.017), (0.042, 0.020), (0.052, 0.024))[strength]  # of the height
    unruly = (6, 10, 15)[strength]  # levels by which the colour of a stroke is off
    seed = rng.getrandbits(32)

    @functools.cache
    def brushes(spacing: int, height: int, width: int) -> tuple[NDArray[np.intp], Plane]:
        """Give where strokes are set, [count, 2] as x and y, in order, and their own colours."""
        generator = np.random.default_rng([seed, spacing])
        x, y = np.meshgrid(np.arange(0, width, spacing), np.arange(0, height, spacing))
        places = np.stack([x.ravel(), y.ravel()], axis=1)
        places += generator.integers(0, spacing, places.shape)
        places = np.minimum(generator.permutation(places), [width - 1, height - 1])
        own = unruly * generator.standard_normal((len(places), 1))
        return places, np.asarray(own + unruly / 2 * generator.standard_normal((1, 3)), np.float32)

    def paint(canvas: Picture, picture: Picture, spacing: int, least: float) -> None:
        """Set strokes where the canvas is off by more than ``least`` levels."""
        soft = as_picture(cv2.GaussianBlur(picture, (0, 0), spacing / 3))
        places, own = brushes(spacing, *picture.shape[:2])
        rows, columns = places[:, 1], places[:, 0]
        off = np.abs(cv2.blur(canvas, (spacing, spacing)).astype(np.int16) - soft).sum(axis=2)
        wanted = off[rows, columns] > 3 * least
        angles = _directions(soft, 2.0 * spacing)[rows, columns][wanted]
        reach = 1.3 * spacing * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        starts = np.rint(places[wanted] - reach).astype(int).tolist()
        ends = np.rint(places[wanted] + reach).astype(int).tolist()
        inks = np.clip(soft[rows, columns][wanted] + own[wanted], 0, 255).tolist()
        for start, end, ink in zip(starts, ends, inks, strict=True):
            cv2.line(canvas, start, end, ink, max(2, round(0.9 * spacing)))

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        canvas = as_picture(np.clip(_coarse(picture, 24), 0, 255))
        paint(canvas, picture, max(4, round(coarse * height)), -1)
        paint(canvas, picture, max(3, round(fine * height)), 16)
        relief = _grain(seed, height, width, height / 20, height / 160, 35.0)
        return as_picture(np.clip(canvas * (1 + 0.05 * relief)[:, :, None], 0, 255))

    return Edited(f"painted in strokes of {100 * coarse:.0f} % of the height", (edit,))


def _directions(picture: Picture, radius: float) -> Plane:
    """Find the direction along edges, in radians, smoothed over a radius in pixels."""
    height, width = picture.shape[:2]
    small = _grey(resized(max(8, width // 4), max(8, height // 4))(picture))
    x, y = (cv2.Sobel(small, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (_soft(plane, radius / 4) for plane in (x * x, y * y, x * y))
    angles = 0.5 * np.arctan2(2 * xy, xx - yy) + math.pi / 2
    return np.asarray(cv2.resize(angles, (width, height), interpolation=cv2.INTER_NEAREST))


def _sketch(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    colour, hatched = (0.8, 0.4, 0.0)[strength], (0.2, 0.3, 0.4)[strength]
    shaded = (0.6, 0.25, 0.0)[strength]  # how much of the real light and shade stays
    faintest, seed = (0.006, 0.008, 0.010)[strength], rng.getrandbits(32)
    angles = [rng.uniform(20, 70), rng.uniform(110, 160), rng.uniform(-15, 15)]
    paper = np.array([255, rng.uniform(240, 252), rng.uniform(215, 240)], np.float32)

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        grey = _grey(picture)
        lit = grey / np.maximum(_soft(grey, 0.02 * height), 0.02)  # the pencil's outlines
        tone = np.clip(lit, 0, 1) * (1 - shaded + shaded * np.sqrt(grey))
        tone -= _lines(grey, 0.004 * height, faintest)
        dim = _soft(np.sqrt(grey), 0.006 * height)
        for number, angle in enumerate(angles):  # the darker, the more layers of hatching
            hatch = _grain(seed + number, height, width, height / 9, height / 120, angle)
            dark = np.clip((0.72 - 0.2 * number - dim) * 4, 0, 1)
            tone -= hatched * dark * np.clip(0.6 + hatch, 0, 1)
        tone += 0.04 * _grain(seed, height, width, height / 200, height / 200, 0.0)
        drawn = np.clip(tone, 0, 1)[:, :, None] * paper
        if colour:
            lab, hues = _to_lab(as_picture(drawn)), _to_lab(_smoothed(picture, 1, 2))
            lab[:, :, 1:] += colour * (hues[:, :, 1:] - 128)
            return _from_lab(lab)
        return as_picture(drawn)

    return Edited("drawn in coloured pencil" if colour else "drawn in pencil", (edit,))


# --- another look and another view ------------------------------------------------------------


def _relight(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    kept, tint = (0.8, 0.55, 0.3)[strength], (10, 20, 30)[strength]
    gain, relief = (0.25, 0.4, 0.55)[strength], (0.8, 1.6, 2.6)[strength]
    night = strength is Strength.STRONG and rng.random() < 0.5
    gamma = 1.3 if night else (1.15, 1.3, 1.5)[strength] ** rng.choice((-1, 1))
    hue = rng.uniform(0, 2 * math.pi)
    hues = (hue, hue + math.pi + rng.uniform(-0.8, 0.8))  # of the shadows and of the lights
    if night:
        hues = (-1.7, -1.4)  # blue
    shadows, lights = (tint * np.array([math.cos(h), math.sin(h)], np.float32) for h in hues)
    from_, drift = rng.uniform(0, 2 * math.pi), rng.choice((-1, 1)) * 0.004
    count = 0  # pictures so far

    def edit(picture: Picture) -> Picture:
        nonlocal count
        height, width = picture.shape[:2]
        toward = from_ + drift * count
        count += 1
        lab = _to_lab(picture)
        light = (lab[:, :, 0] / np.float32(255)) ** np.float32(gamma)
        # A surface is taken to rise where it grows lighter: its near side is lit, its far side not.
        form = _soft(light, 0.012 * height)
        x, y = (cv2.Sobel(form, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
        facing = x * math.cos(toward) + y * math.sin(toward)
        across, down = _grid(height, width)
        beam = across * math.cos(toward) + down * math.sin(toward)
        corners = 1 - 0.8 * gain * np.clip((across**2 + down**2 - 0.5) / 1.5, 0, 1)
        lit = light * (1 + gain * beam + relief * np.clip(facing, -0.15, 0.15)) * corners
        lit = np.clip((0.6 if night else 1.0) * lit, 0, 1)
        share = lit[:, :, None]
        lab[:, :, 0] = 255 * lit
        lab[:, :, 1:] = kept * (lab[:, :, 1:] - 128) + (1 - share) * shadows + share * lights + 128
        return _from_lab(lab)

    return Edited("by night" if night else "in another light and other colours", (edit,))


def _reframe(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    zoom = (1.15, 1.35, 1.65)[strength] * rng.uniform(0.97, 1.03)
    parallax, roll = (0.03, 0.06, 0.10)[strength], math.radians((2, 5, 9)[strength])
    tilt = (0.05, 0.12, 0.20)[strength] * rng.choice((-1, 1))
    ways = [(rng.uniform(0.008, 0.02), rng.uniform(0, 2 * math.pi)) for _ in range(4)]
    count = 0  # pictures so far
    near: Plane | None = None  # how near each pixel is, 0 to 1, as it was

    def nearness(picture: Picture) -> Plane:
        """Guess how near things are: lower, and where more is to be seen, as nearer."""
        small = _grey(resized(64, 36)(picture))
        detail = _soft(np.abs(small - _soft(small, 3)), 4)
        down = np.linspace(0, 1, 36, dtype=np.float32)[:, None]
        return _soft(0.5 * down + 0.5 * np.clip(detail / 0.12, 0, 1), 2)

    def edit(picture: Picture) -> Picture:
        nonlocal count, near
        height, width = picture.shape[:2]
        seen = nearness(picture)
        near = seen if near is None else 0.9 * near + 0.1 * seen
        depth = cv2.resize(near, (width, height), interpolation=cv2.INTER_CUBIC) - 0.5
        sway, lift, turn, push = (math.sin(rate * count + phase) for rate, phase in ways)
        count += 1
        x, y = _grid(height, width)
        ratio, angle = width / height, roll * (0.6 + 0.4 * turn) * math.copysign(1, tilt)
        far = (1 + tilt * x) * zoom * (1 + 0.08 * push)
        u = (x * math.cos(angle) - y / ratio * math.sin(angle)) / far
        v = (x * ratio * math.sin(angle) + y * math.cos(angle)) / far
        slack = 1 - 1 / zoom  # how far the view may wander
        u += parallax * sway * depth * 4 + 0.5 * slack * sway
        v += parallax * lift * depth * 2 + 0.4 * slack * lift
        return as_picture(
            cv2.remap(
                picture,
                (u + 1) / 2 * (width - 1),
                (v + 1) / 2 * (height - 1),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
        )

    return Edited(f"from a camera {zoom:.1f} times as near that moves", (edit,))


# --- other surfaces ---------------------------------------------------------------------------


def _texture(strength: Strength, rng: random.Random, _: OtherFootage) -> Edited:
    levels, step = (14, 11, 8)[strength], (10, 14, 18)[strength]  # of lightness; between hues
    depth = (14, 22, 30)[strength]  # levels
    generator = np.random.default_rng(rng.getrandbits(32))
    shuffled, seed = generator.permutation(4096), rng.getrandbits(32)

    @functools.cache
    def bank(height: int, width: int) -> NDArray[np.float32]:
        return _patterns(seed, height, width, (0.025, 0.035, 0.05)[strength])

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        lab = _to_lab(_smoothed(picture, 3, 3))
        tones = np.rint(lab[:, :, 0] / 255 * (levels - 1)).astype(np.intp)
        hues = np.rint((lab[:, :, 1:] - 128) / step).astype(np.intp)
        patterns = bank(height, width)
        surface = (tones + 29 * hues[:, :, 0] + 571 * hues[:, :, 1]) % len(shuffled)
        which = shuffled[surface] % len(patterns)
        woven = np.take_along_axis(patterns, which[None], axis=0)[0]
        lab[:, :, 0] = tones * np.float32(255 / (levels - 1)) + depth * woven
        lab[:, :, 1:] = hues * step + 128
        return _from_lab(lab)

    return Edited(f"its surfaces filled with patterns, in {levels} tones", (edit,))


def _patterns(seed: int, height: int, width: int, period: float) -> NDArray[np.float32]:
    """Make patterns from -1 to 1, [8, height, width], that repeat by about a share of the height.

    None has a mean far from 0: a surface keeps its tone.
    """
    rng = random.Random(seed)
    across, down = _grid(height, width)
    x, y = across * width / 2 / height, down / 2  # in heights

    def waves(angle: float, share: float = 1.0) -> Plane:
        along = x * math.cos(angle) + y * math.sin(angle)
        return np.asarray(np.sin(2 * math.pi * along / (period * share)), np.float32)

    angles = [rng.uniform(0, math.pi) for _ in range(6)]
    quarter = math.pi / 2
    bent = np.sin(2 * math.pi * (y + 0.3 * period * np.sin(3 * x / period)) / period)
    size = period * height
    return np.asarray(
        [
            np.sign(waves(angles[0])),
            np.sign(waves(angles[1]) * waves(angles[1] + quarter)),
            2.0 * (waves(angles[2], 0.8) * waves(angles[2] + quarter, 0.8) > 0.3) - 0.5,
            bent,
            waves(angles[3]) * waves(angles[4], 0.6),
            np.tanh(1.5 * _grain(seed, height, width, size / 2, size / 2, 0.0)),
            np.tanh(1.5 * _grain(seed + 1, height, width, 2 * size, size / 4, angles[5] * 57)),
            0.5 * np.sign(waves(0.0, 1.7)) + 0.5 * np.sign(waves(quarter, 0.9)),
        ],
        np.float32,
    )


def _rebuild(strength: Strength, rng: random.Random, other: OtherFootage) -> Edited:
    rows, vivid = (36, 26, 18)[strength], (9, 13, 17)[strength]  # levels of the detail
    seed, mirrored = rng.getrandbits(32), rng.random() < 0.5
    around = other()

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        foreign = covering(next(around), width, height)
        if mirrored:
            foreign = np.ascontiguousarray(foreign[:, ::-1])
        detail = foreign - _coarse(foreign, rows)
        detail *= min(4.0, vivid / max(1.0, float(detail.std())))
        grain = _grain(seed, height, width, height / 150, height / 150, 0.0)
        return as_picture(np.clip(_coarse(picture, rows) + detail + 4 * grain[:, :, None], 0, 255))

    return Edited(f"rebuilt from {rows} rows with the detail of other footage", (edit,))


# --- several at once --------------------------------------------------------------------------


def _combined(strength: Strength, rng: random.Random, other: OtherFootage) -> Edited:
    # In this order: what is seen, how it is drawn, how it is lit.
    rows: list[tuple[Family, ...]] = [
        (_reframe,),
        (_cartoon, _painting, _sketch, _texture, _rebuild),
        (_relight,),
    ]
    chosen = sorted(rng.sample(range(len(rows)), 2))
    # Two that go far leave nothing to recognise: what is drawn stays closer to the scene.
    strengths = (strength, min(strength, Strength.MIDDLE), strength)
    parts = [rng.choice(rows[row])(strengths[row], rng, other) for row in chosen]
    speed = rng.choice(((1.1, 0.9), (1.25, 0.8), (1.4, 0.7))[strength])
    words = ", then ".join(part.words for part in parts)
    edits = tuple(edit for part in parts for edit in part.edits)
    return Edited(f"{words}, {speed} times as fast", edits, speed=speed)


RENDERINGS: Mapping[str, Family] = MappingProxyType(
    {
        "cartoon": _cartoon,
        "painting": _painting,
        "sketch": _sketch,
        "relight": _relight,
        "reframe": _reframe,
        "texture": _texture,
        "rebuild": _rebuild,
        "combined": _combined,
    }
)
"""Every family by name."""
