"""Footage that nobody filmed: credits, test cards, slides, screens, games, cartoons.

Much of it is in films and in innocent uploads alike, and looks the same everywhere. What is drawn
follows from a random number generator alone, so the same seed gives the same pictures.

Each function takes the generator, seconds, and by keyword the size as (width, height) in pixels and
the rate in pictures per second. It draws all its random numbers before the first picture.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw

from detector.evaluation.drawing import (
    RATE,
    SIZE,
    Colour,
    Size,
    as_picture,
    covering,
    film,
    fitted_font,
    font,
    person,
    phrase,
    random_colour,
)
from detector.evaluation.worlds import cartoon, game
from detector.samples import Picture, TimedPicture


class Generated(Protocol):
    """Makes footage of some seconds."""

    def __call__(
        self, rng: random.Random, seconds: float, *, size: Size = ..., rate: float = ...
    ) -> Iterator[TimedPicture]: ...


def _board(size: Size, colour: Colour) -> tuple[Image.Image, Any]:
    """Return a plain picture and a pen to draw on it."""
    image = Image.new("RGB", size, colour)
    return image, ImageDraw.Draw(image)


# --- parts of films ---------------------------------------------------------------------------

_ROLES = (
    "Directed by|Written by|Produced by|Music by|Edited by|Casting|Costumes|Sound|Camera|Lighting|"
    "Make-up|Stunts|Set design|Colourist|Foley|First assistant|Script|Gaffer|Catering|Drivers"
)


def credits_roll(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """Rolling credits: made-up names beside or below their roles, on a dark ground."""
    width, height = size
    speed = height * rng.uniform(0.15, 0.3)  # pixels a second
    side_by_side = rng.random() < 0.5
    ground = rng.choice(((0, 0, 0), (0, 0, 0), (10, 12, 30), (25, 8, 8)))
    ink = rng.choice(((255, 255, 255), (235, 225, 190)))
    image, pen = _board((width, math.ceil(height * 1.5 + seconds * speed)), ground)
    step = height / 13
    role_font, name_font = font(round(step * 0.6)), font(round(step * 0.75))
    y = height * 0.6
    roles = itertools.cycle(rng.sample(_ROLES.split("|"), len(_ROLES.split("|"))))
    while y < image.height:
        role = next(roles)
        names = [person(rng) for _ in range(rng.choice((1, 1, 1, 2, 4)))]
        if side_by_side:
            pen.text((width * 0.48, y), role, fill=ink, font=role_font, anchor="rm")
        else:
            pen.text((width / 2, y), role, fill=ink, font=role_font, anchor="mm")
            y += step
        for name in names:
            x, anchor = (width * 0.52, "lm") if side_by_side else (width / 2, "mm")
            pen.text((x, y), name, fill=ink, font=name_font, anchor=anchor)
            y += step
        y += step
    roll = as_picture(image)

    def at(time: float) -> Picture:
        top = round(time * speed)
        return roll[top : top + height]

    return film(at, seconds, rate)


def title_card(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """A few words in the middle that fade in and out, a new card every few seconds."""
    width, height = size
    ground = rng.choice(((0, 0, 0), (0, 0, 0), (240, 240, 235), random_colour(rng)))
    ink = (20, 20, 20) if sum(ground) > 380 else (245, 245, 240)
    stay = rng.uniform(3.0, 5.0)
    plain = np.full((height, width, 3), ground, np.uint8)
    cards = []
    for _ in range(math.ceil(seconds / stay)):
        image, pen = _board(size, ground)
        text = phrase(rng, rng.randint(1, 4))
        text = text.upper() if rng.random() < 0.5 else text
        letters = fitted_font(text, height // 7, round(width * 0.85))
        pen.text((width / 2, height / 2), text, fill=ink, font=letters, anchor="mm")
        if rng.random() < 0.5:
            line = f"by {person(rng)}"
            pen.text((width / 2, height * 0.65), line, ink, font(height // 16), anchor="mm")
        cards.append(as_picture(image))

    def at(time: float) -> Picture:
        shown = time % stay
        weight = min(1.0, shown / 0.7, (stay - shown) / 0.7)
        card = cards[min(int(time / stay), len(cards) - 1)]
        return as_picture(cv2.addWeighted(card, weight, plain, 1 - weight, 0))

    return film(at, seconds, rate)


def black(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """Black, either pure or with the faint noise that a camera leaves."""
    width, height = size
    deviation = rng.choice((0.0, 1.0, 2.5))
    generator = np.random.default_rng(rng.getrandbits(64))

    def at(time: float) -> Picture:
        if deviation == 0:
            return np.zeros((height, width, 3), np.uint8)
        noise = generator.standard_normal((height, width), np.float32) * deviation
        return as_picture(np.repeat(np.abs(noise).astype(np.uint8)[:, :, None], 3, axis=2))

    return film(at, seconds, rate)


def countdown(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """A film leader: numbers that count down, one a second, with a sweeping hand and dust."""
    width, height = size
    start, ground = rng.choice((5, 8, 9)), rng.randint(120, 190)
    dust = np.random.default_rng(rng.getrandbits(64))
    middle = (width // 2, height // 2)
    thick = max(1, height // 120)

    @functools.cache
    def numbered(number: int) -> Picture:
        image, pen = _board(size, (0, 0, 0))
        letters = font(round(height * 0.5))
        pen.text(middle, str(number), (255, 255, 255), letters, anchor="mm")
        return as_picture(image)

    def at(time: float) -> Picture:
        picture = np.full((height, width, 3), ground, np.uint8)
        # The hand darkens what it has passed.
        turned = round(360 * (time % 1))
        axes = (width, width)
        cv2.ellipse(picture, middle, axes, -90, 0, turned, (ground - 50,) * 3, -1)
        cv2.line(picture, (0, middle[1]), (width, middle[1]), (30, 30, 30), thick)
        cv2.line(picture, (middle[0], 0), (middle[0], height), (30, 30, 30), thick)
        for radius in (0.36, 0.42):
            circle = round(height * radius)
            cv2.circle(picture, middle, circle, (235, 235, 235), 2 * thick, cv2.LINE_AA)
        picture = as_picture(cv2.subtract(picture, numbered(start - int(time) % start)))
        for x, y, size_of in dust.random((6, 3)):
            at_pixel = (round(x * width), round(y * height))
            cv2.circle(picture, at_pixel, round(1 + size_of * thick), (245, 245, 245), -1)
        scratch = round(dust.random() * width)
        cv2.line(picture, (scratch, 0), (scratch, height), (210, 210, 210), 1)
        return picture

    return film(at, seconds, rate)


# --- test pictures ----------------------------------------------------------------------------

_BARS = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1))


def colour_bars(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """The seven bars of a television test, alone or over a row of other bars and greys."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    edges = [round(n * width / 7) for n in range(8)]
    level, with_rows, ident = rng.choice((191, 255)), rng.random() < 0.6, rng.random() < 0.5
    for bar, (left, right) in zip(_BARS, itertools.pairwise(edges), strict=True):
        picture[:, left:right] = np.array(bar) * level
    if with_rows:
        row, last = round(height * 0.67), round(height * 0.75)
        for n, (left, right) in enumerate(itertools.pairwise(edges)):
            picture[row:last, left:right] = (
                np.array(_BARS[6 - n] if n % 2 == 0 else (0, 0, 0)) * 191
            )
            picture[last:, left:right] = (0, 255, 0, 20, 0, 30, 0)[n]
    if ident:
        image = Image.fromarray(picture)
        pen = ImageDraw.Draw(image)
        pen.rectangle((width * 0.3, height * 0.42, width * 0.7, height * 0.56), fill=(0, 0, 0))
        text = phrase(rng, 2).upper()
        letters = fitted_font(text, height // 12, round(width * 0.36))
        pen.text((width / 2, height * 0.49), text, (255, 255, 255), letters, anchor="mm")
        picture = as_picture(image)
    return film(lambda _: picture.copy(), seconds, rate)


def calibration_card(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """A test card: grid, circle, grey steps, fine lines, and a running counter."""
    width, height = size
    ground = rng.randint(60, 130)
    cells = rng.choice((10, 12, 16))
    image, pen = _board(size, (ground,) * 3)
    step = height / cells
    for n in range(math.ceil(width / step) + 1):
        pen.line((n * step, 0, n * step, height), fill=(230, 230, 230))
    for n in range(cells + 1):
        pen.line((0, n * step, width, n * step), fill=(230, 230, 230))
    cx, cy, radius = width / 2, height / 2, 0.46 * height
    pen.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), outline=(255,) * 3, width=3)
    left, part = cx - 0.36 * height, 0.09 * height
    for n, bar in enumerate(rng.sample(_BARS, 7)):
        box = (left + n * part * 8 / 7, cy - 2 * part, left + (n + 1) * part * 8 / 7, cy - part)
        pen.rectangle(box, fill=tuple(191 * share for share in bar))
    for n in range(8):
        box = (left + n * part, cy + part, left + (n + 1) * part, cy + 2 * part)
        pen.rectangle(box, fill=(round(n * 255 / 7),) * 3)
        for x in range(round(left + n * part), round(left + (n + 1) * part), n + 2):
            pen.line((x, cy + 2 * part, x, cy + 3 * part), fill=(0, 0, 0) if n % 2 else (255,) * 3)
    letters = font(round(height * 0.11))

    def at(time: float) -> Picture:
        shown = image.copy()
        line = ImageDraw.Draw(shown)
        line.rectangle((left, cy - part * 0.9, left + 8 * part, cy + part * 0.9), fill=(0, 0, 0))
        text = f"{int(time) // 60:02}:{int(time) % 60:02}:{int(time * rate + 0.5) % round(rate):02}"
        line.text((cx, cy), text, fill=(255, 255, 255), font=letters, anchor="mm")
        return as_picture(shown)

    return film(at, seconds, rate)


def gradient(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """Soft colours that flow into each other, as behind titles and in screen savers."""
    y, x = (np.mgrid[:90, :160] / 90).astype(np.float32)
    waves = [
        [
            (rng.uniform(-4, 4), rng.uniform(-4, 4), rng.uniform(0.3, 1.2), rng.uniform(0, 6.3))
            for _ in range(2)
        ]
        for _ in range(3)
    ]

    def at(time: float) -> Picture:
        channels = [
            sum(np.sin(a * x + b * y + speed * time + phase) for a, b, speed, phase in pair)
            for pair in waves
        ]
        small = np.stack([128 + 60 * channel for channel in channels], axis=2)
        large = cv2.resize(small.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        return as_picture(np.clip(large, 0, 255))

    return film(at, seconds, rate)


# --- screens ----------------------------------------------------------------------------------


def slides(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """Pages of a presentation, each some seconds: a title, bullets, often a chart."""
    light = rng.random() < 0.7
    ground: Colour = (250, 250, 248) if light else (28, 32, 44)
    ink: Colour = (40, 40, 45) if light else (230, 230, 235)
    accent, stay, dark_head = random_colour(rng), rng.uniform(2.5, 5.0), rng.random() < 0.5
    if not light:
        accent = (110 + accent[0] // 2, 110 + accent[1] // 2, 110 + accent[2] // 2)
    pages = [
        _page(rng, size, ground, ink, accent, dark_head, number + 1)
        for number in range(math.ceil(seconds / stay))
    ]
    return film(lambda time: pages[min(int(time / stay), len(pages) - 1)].copy(), seconds, rate)


def _page(
    rng: random.Random,
    size: Size,
    ground: Colour,
    ink: Colour,
    accent: Colour,
    dark_head: bool,
    number: int,
) -> Picture:
    width, height = size
    image, pen = _board(size, ground)
    title = phrase(rng, rng.randint(2, 4))
    letters = fitted_font(title, height // 10, round(width * 0.88))
    if dark_head:
        pen.rectangle((0, 0, width, height * 0.2), fill=accent)
    else:
        pen.rectangle((width * 0.06, height * 0.19, width * 0.3, height * 0.205), fill=accent)
    head = ground if dark_head else ink
    pen.text((width * 0.06, height * 0.1), title, fill=head, font=letters, anchor="lm")
    chart = rng.random() < 0.6
    column = width * (0.42 if chart else 0.85)
    for n in range(rng.randint(3, 5)):
        y = height * (0.31 + 0.13 * n)
        text = phrase(rng, rng.randint(3, 6))
        r = height * 0.012
        pen.ellipse((width * 0.07 - r, y - r, width * 0.07 + r, y + r), fill=accent)
        line = fitted_font(text, height // 18, round(column))
        pen.text((width * 0.095, y), text, fill=ink, font=line, anchor="lm")
    if chart:
        _chart(rng, pen, (width * 0.58, height * 0.3, width * 0.94, height * 0.85), ink, accent)
    place = (width * 0.95, height * 0.95)
    pen.text(place, str(number), fill=ink, font=font(height // 24), anchor="rm")
    return as_picture(image)


def _chart(
    rng: random.Random,
    pen: Any,
    box: tuple[float, float, float, float],
    ink: Colour,
    accent: Colour,
) -> None:
    left, top, right, bottom = box
    values = [rng.uniform(0.15, 1.0) for _ in range(rng.randint(4, 8))]
    kind = rng.choice(("bars", "line", "pie"))
    if kind == "pie":
        side, angle = min(right - left, bottom - top), -90.0
        for value in values:
            end = angle + 360 * value / sum(values)
            shade = random_colour(rng)
            pen.pieslice((left, top, left + side, top + side), angle, end, shade, ink)
            angle = end
        return
    pen.line((left, top, left, bottom, right, bottom), fill=ink, width=2)
    step = (right - left) / len(values)
    points = [(left + (n + 0.5) * step, bottom - v * (bottom - top)) for n, v in enumerate(values)]
    if kind == "line":
        pen.line(points, fill=accent, width=3)
    else:
        for x, y in points:
            pen.rectangle((x - 0.35 * step, y, x + 0.35 * step, bottom), fill=accent)


_CODE = "if for while return def class import let var print list map open read write item value key"
_INKS: tuple[Colour, ...] = ((210, 210, 210), (120, 190, 250), (240, 180, 100), (150, 220, 130))


def screen_recording(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """A computer's screen: windows, an editor or terminal being typed into, a moving cursor."""
    width, height = size
    one, other = np.array(random_colour(rng)), np.array(random_colour(rng))
    slope = np.linspace(0, 1, height)[:, None, None]
    wallpaper = one + (other - one) * slope * np.ones((1, width, 1))
    desk = Image.fromarray(as_picture(wallpaper))
    pen = ImageDraw.Draw(desk)
    behind = (width * 0.55, height * 0.08, width * 0.97, height * 0.6)
    _window(pen, behind, (245, 245, 245), phrase(rng, 2))
    for n in range(7):
        right = behind[0] + (behind[2] - behind[0]) * rng.uniform(0.4, 0.95)
        y = behind[1] + height * (0.1 + 0.055 * n)
        pen.rectangle((behind[0] + width * 0.02, y, right, y + height * 0.02), (190, 190, 195))
    pen.rectangle((0, height * 0.94, width, height), fill=(35, 35, 40))
    for n in range(5):
        x = width * (0.02 + 0.05 * n)
        pen.rectangle((x, height * 0.95, x + width * 0.035, height * 0.99), random_colour(rng))
    front = (width * 0.05, height * 0.15, width * rng.uniform(0.6, 0.75), height * 0.88)
    light = rng.random() < 0.3
    paper: Colour = (252, 252, 250) if light else (30, 32, 38)
    inks = tuple(tuple(level // 2 for level in ink) for ink in _INKS) if light else _INKS
    _window(pen, front, paper, f"{phrase(rng, 1).lower()}.txt")

    step = max(9, height // 24)
    letters = font(round(step * 0.8))
    top = front[1] + height * 0.07 + step / 2
    rows = int((front[3] - top) / step)
    speed = rng.uniform(15, 30)  # letters a second
    lines: list[tuple[int, list[tuple[str, Any]]]] = []
    while sum(len(word) + 1 for _, line in lines for word, _ in line) < speed * seconds + 600:
        words = [rng.choice(_CODE.split()) for _ in range(rng.randint(1, 5))]
        lines.append((rng.randint(0, 3), [(word, rng.choice(inks)) for word in words]))
    already = 300  # letters that stand there when the recording starts
    stops = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(int(seconds) + 3)]

    def at(time: float) -> Picture:
        shown = desk.copy()
        pen = ImageDraw.Draw(shown)
        left = already + int(speed * time)
        typed: list[list[tuple[float, str, Any]]] = []
        for indent, line in lines:
            if left <= 0:
                break
            x, row = front[0] + width * 0.02 + indent * 2 * step, []
            for word, ink in line:
                row.append((x, word[: max(left, 0)], ink))
                x += letters.getlength(f"{word} ")
                left -= len(word) + 1
            typed.append(row)
        for n, row in enumerate(typed[-rows:]):
            for x, text, ink in row:
                if x + letters.getlength(text) < front[2]:
                    pen.text((x, top + n * step), text, fill=ink, font=letters, anchor="lm")
        # The cursor goes from stop to stop, slowly at either end.
        begin, finish = stops[int(time)], stops[int(time) + 1]
        done = (1 - math.cos(math.pi * (time % 1))) / 2
        x, y = (a + (b - a) * done for a, b in zip(begin, finish, strict=True))
        tip = [(0, 0), (0, 0.05), (0.012, 0.038), (0.032, 0.036)]
        arrow = [(x + dx * height, y + dy * height) for dx, dy in tip]
        pen.polygon(arrow, fill=(255, 255, 255), outline=(0, 0, 0))
        return as_picture(shown)

    return film(at, seconds, rate)


def _window(pen: Any, box: tuple[float, float, float, float], paper: Colour, title: str) -> None:
    left, top, right, bottom = box
    bar = 0.08 * (bottom - top)
    pen.rectangle(box, fill=paper, outline=(20, 20, 20))
    pen.rectangle((left, top, right, top + bar), fill=(205, 205, 210))
    for n, colour in enumerate(((235, 90, 80), (240, 190, 70), (90, 200, 90))):
        x, r = left + bar * (0.6 + 0.7 * n), bar * 0.22
        pen.ellipse((x - r, top + bar / 2 - r, x + r, top + bar / 2 + r), fill=colour)
    place = ((left + right) / 2, top + bar / 2)
    pen.text(place, title, fill=(50, 50, 50), font=font(round(bar * 0.6)), anchor="mm")


# --- from a picture ---------------------------------------------------------------------------


def static_shot(
    rng: random.Random,
    seconds: float,
    picture: Picture,
    *,
    size: Size | None = None,
    rate: float = RATE,
) -> Iterator[TimedPicture]:
    """One picture that stands still under faint noise, scaled to fill ``size`` if there is one."""
    still = picture if size is None else covering(picture, *size)
    deviation = rng.uniform(0.8, 2.0)
    generator = np.random.default_rng(rng.getrandbits(64))

    def at(time: float) -> Picture:
        noise = generator.standard_normal((*still.shape[:2], 1), np.float32) * deviation
        return as_picture(np.clip(np.rint(still + noise), 0, 255))

    return film(at, seconds, rate)


GENERATED: Mapping[str, Generated] = MappingProxyType(
    {
        "credits": credits_roll,
        "title_card": title_card,
        "colour_bars": colour_bars,
        "black": black,
        "countdown": countdown,
        "slides": slides,
        "screen_recording": screen_recording,
        "test_pattern": calibration_card,
        "gradient": gradient,
        "game": game,
        "cartoon": cartoon,
    }
)
"""All that needs no picture, by name."""
