"""Drawn worlds that move: a game and a cartoon, in flat colours with outlines."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from detector.evaluation.drawing import (
    RATE,
    SIZE,
    Colour,
    Size,
    as_picture,
    film,
    font,
    random_colour,
)
from detector.samples import Picture, TimedPicture


def game(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """A side-scrolling game: tiles, a jumping hero, foes that walk, coins, a score."""
    width, height = size
    tile = max(8, height // 12)
    speed = tile * rng.uniform(2.0, 4.0)  # pixels a second
    sky, earth, grass, hero = (random_colour(rng) for _ in range(4))
    columns = math.ceil((seconds * speed + width) / tile) + 2
    tops = [2]
    for _ in range(columns):
        tops.append(min(5, max(1, tops[-1] + rng.choice((-1, 0, 0, 0, 0, 1)))))
    world = np.full((height, columns * tile, 3), sky, np.uint8)
    shade = tuple(int(level * 0.7) for level in earth)
    for column in range(columns):
        x = column * tile
        for row in range(tops[column]):
            y = height - (row + 1) * tile
            colour = grass if row == tops[column] - 1 else earth
            cv2.rectangle(world, (x, y), (x + tile - 1, y + tile - 1), colour, -1)
            cv2.rectangle(world, (x, y), (x + tile - 1, y + tile - 1), shade, max(1, tile // 12))
        if rng.random() < 0.2:
            y = height - (tops[column] + rng.randint(2, 4)) * tile
            cv2.circle(world, (x + tile // 2, y), tile // 3, (250, 210, 50), -1, cv2.LINE_AA)
            cv2.circle(world, (x + tile // 2, y), tile // 3, (160, 120, 10), 2, cv2.LINE_AA)
    foes = [(rng.uniform(0, columns * tile), random_colour(rng)) for _ in range(columns // 6)]
    letters, hop = font(height // 14), rng.uniform(0.7, 1.1)

    def ground(x: float) -> int:
        return height - tops[min(max(int(x / tile), 0), columns - 1)] * tile

    def at(time: float) -> Picture:
        scrolled = round(time * speed)
        picture = world[:, scrolled : scrolled + width].copy()
        for start, colour in foes:
            x = start + 1.5 * tile * math.sin(time * 1.5 + start)
            _sprite(picture, round(x - scrolled), ground(x), tile, colour)
        jump = 2.2 * tile * abs(math.sin(math.pi * time / hop)) if int(time / hop) % 3 else 0.0
        x = width * 0.3
        _sprite(picture, round(x), round(ground(x + scrolled) - jump), round(tile * 1.3), hero)
        image = Image.fromarray(picture)
        score = f"SCORE {100 * int(time * 3):06}"
        ImageDraw.Draw(image).text((tile / 2, tile / 2), score, (255, 255, 255), letters)
        return as_picture(image)

    return film(at, seconds, rate)


def _sprite(picture: Picture, x: int, foot: int, side: int, colour: Colour) -> None:
    """Draw a square creature with eyes, its feet at a height."""
    cv2.rectangle(picture, (x, foot - side), (x + side, foot), colour, -1)
    cv2.rectangle(picture, (x, foot - side), (x + side, foot), (20, 20, 20), 2)
    for eye in (0.35, 0.75):
        middle = (round(x + eye * side), round(foot - 0.65 * side))
        cv2.circle(picture, middle, max(2, side // 7), (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, middle, max(1, side // 14), (0, 0, 0), -1, cv2.LINE_AA)


def cartoon(
    rng: random.Random, seconds: float, *, size: Size = SIZE, rate: float = RATE
) -> Iterator[TimedPicture]:
    """Flat figures with outlines that walk before hills, houses and clouds."""
    width, height = size
    sky = (rng.randint(120, 200), rng.randint(170, 225), rng.randint(210, 250))
    back = np.full((height, width, 3), sky, np.uint8)
    sun = (round(rng.uniform(0.1, 0.9) * width), round(0.18 * height))
    cv2.circle(back, sun, round(0.09 * height), (250, 225, 90), -1, cv2.LINE_AA)
    for level in (0.62, 0.7, 0.8):
        swell, phase = rng.uniform(0.02, 0.07), rng.uniform(0, 6.3)
        x = np.arange(width)
        y = height * (level + swell * np.sin(x / width * rng.uniform(4, 10) + phase))
        outline = np.concatenate([np.stack([x, y], 1), [[width, height], [0, height]]])
        hill = (rng.randint(60, 150), rng.randint(130, 200), rng.randint(50, 110))
        _outlined(back, outline, hill)
    for n in range(rng.randint(1, 3)):
        left, side = (
            width * (0.08 + 0.3 * n + rng.uniform(0, 0.1)),
            height * rng.uniform(0.15, 0.25),
        )
        foot = height * 0.8
        wall = [(left, foot), (left, foot - side), (left + side, foot - side), (left + side, foot)]
        roof = [
            (left - 6, foot - side),
            (left + side / 2, foot - 1.6 * side),
            (left + side + 6, foot - side),
        ]
        door = [
            (left + 0.4 * side, foot),
            (left + 0.4 * side, foot - 0.5 * side),
            (left + 0.65 * side, foot - 0.5 * side),
            (left + 0.65 * side, foot),
        ]
        for shape in (wall, roof, door):
            _outlined(back, np.array(shape), random_colour(rng))
    clouds = [
        (rng.uniform(0, 1), rng.uniform(0.05, 0.3), rng.uniform(0.01, 0.04)) for _ in range(3)
    ]
    figures = [
        (
            rng.uniform(0, 1),
            rng.choice((-1, 1)) * rng.uniform(0.05, 0.15),
            height * rng.uniform(0.28, 0.42),
            [random_colour(rng) for _ in range(3)],
        )
        for _ in range(rng.randint(2, 4))
    ]

    def at(time: float) -> Picture:
        picture = back.copy()
        for start, y, speed in clouds:
            x = ((start + speed * time) % 1.2 - 0.1) * width
            for dx, r in ((-0.04, 0.035), (0, 0.05), (0.045, 0.04)):
                middle = (round(x + dx * width), round(y * height))
                cv2.circle(picture, middle, round(r * width), (250, 250, 250), -1, cv2.LINE_AA)
        for n, (start, speed, tall, colours) in enumerate(figures):
            x = ((start + speed * time) % 1.2 - 0.1) * width
            swing = 0.5 * math.sin(time * 7 + n)
            _figure(picture, x, height * (0.9 + 0.03 * n), tall, swing, colours)
        return picture

    return film(at, seconds, rate)


def _outlined(picture: Picture, points: Any, colour: Colour) -> None:
    corners = np.rint(points).astype(np.int32)
    cv2.fillPoly(picture, [corners], colour)
    cv2.polylines(picture, [corners], True, (25, 25, 25), 2, cv2.LINE_AA)


def _figure(
    picture: Picture, x: float, foot: float, tall: float, swing: float, colours: list[Colour]
) -> None:
    """Draw somebody who walks; ``swing`` is the angle of the limbs in radians."""
    shirt, trousers, skin = colours
    hip, neck = foot - 0.4 * tall, foot - 0.75 * tall
    thick = max(3, round(0.08 * tall))

    def limb(top: float, length: float, angle: float, colour: Colour) -> None:
        end = (round(x + length * math.sin(angle)), round(top + length * math.cos(angle)))
        start = (round(x), round(top))
        cv2.line(picture, start, end, (25, 25, 25), thick + 4, cv2.LINE_AA)
        cv2.line(picture, start, end, colour, thick, cv2.LINE_AA)

    for side in (-1, 1):
        limb(hip, 0.4 * tall, side * swing, trousers)
    limb(neck + 0.05 * tall, 0.3 * tall, -swing, skin)
    wide = 0.13 * tall
    body = [(x - wide, hip), (x - 0.7 * wide, neck), (x + 0.7 * wide, neck), (x + wide, hip)]
    _outlined(picture, np.array(body), shirt)
    limb(neck + 0.05 * tall, 0.3 * tall, swing, skin)
    head, radius = (round(x), round(neck - 0.12 * tall)), round(0.13 * tall)
    cv2.circle(picture, head, radius, skin, -1, cv2.LINE_AA)
    cv2.circle(picture, head, radius, (25, 25, 25), 2, cv2.LINE_AA)
    for dx in (-0.05, 0.05):
        eye = (round(x + dx * tall), head[1] - radius // 5)
        cv2.circle(picture, eye, max(1, round(0.018 * tall)), (10, 10, 10), -1, cv2.LINE_AA)
    mouth = (head[0], head[1] + radius // 4)
    cv2.ellipse(
        picture, mouth, (radius // 2, radius // 3), 0, 10, 170, (10, 10, 10), 2, cv2.LINE_AA
    )
