"""What the edits and the generated footage draw with: letters, overlays, pictures in pictures."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from detector.samples import Edit, Picture, TimedPicture, resized

Size = tuple[int, int]
"""Width and height in pixels."""

Colour = tuple[int, int, int]
"""Red, green, blue, of 255."""

SIZE: Size = (640, 360)
RATE = 25.0  # pictures a second


def film(at: Callable[[float], Picture], seconds: float, rate: float) -> Iterator[TimedPicture]:
    """Show what a function of the time gives, at least one picture."""
    for number in range(max(1, round(seconds * rate))):
        yield number / rate, at(number / rate)


# --- letters and words ------------------------------------------------------------------------

_WORDS = """
again always before best city coffee dance deep door dream easy every fire first forever
friend full funny garden good great happy hidden home house hour inside island joke just
kitchen last laugh life light little long look love magic minute moment money morning music
never new night nobody old one only open part people place plan quiet rain ready real river
road scene secret shadow short silent simple slow snow song sound spring star still stone
story street summer sweet system table team thing three time today together train true two
under video voice wait wall watch water week white whole why wild wind window winter without
wonder word world wrong year yellow young
"""  # of titles
_SYLLABLES = """
ba be bor da den do el en fa fel ga gri ha hol in jo ka ker la lin lo ma mi mor na nel no ol
pe ra ri ros sa sel so ta ter to tri va ven vi wa wen yo za
"""  # of names


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own typeface at a height in pixels; no file is needed."""
    return ImageFont.load_default(max(size, 4))


def fitted_font(text: str, size: int, width: int) -> ImageFont.FreeTypeFont:
    """Return a typeface of at most ``size`` in which one line of text is no wider than this."""
    needed = font(size).getlength(text)
    return font(size if needed <= width else int(size * width / needed))


def phrase(rng: random.Random, words: int) -> str:
    """Draw a few words that sound like a title, the first with a capital letter."""
    return " ".join(rng.sample(_WORDS.split(), words)).capitalize()


def person(rng: random.Random) -> str:
    """Draw the first and last name of nobody."""
    first, last = (
        "".join(rng.sample(_SYLLABLES.split(), n)).capitalize() for n in (2, rng.choice((2, 3)))
    )
    return f"{first} {last}"


# --- over a picture ---------------------------------------------------------------------------


def overlaid(draw: Callable[[Any, int, int], None]) -> Edit:
    """Put a drawing over a picture; it is made once for a size.

    ``draw`` gets Pillow's drawing pen of a transparent RGBA image, its width, and its height.
    """

    @functools.cache
    def layer(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        image = Image.new("RGBA", (width, height))
        draw(ImageDraw.Draw(image), width, height)
        drawing = np.asarray(image, np.float32)
        cover = drawing[:, :, 3:] / np.float32(255)
        return drawing[:, :, :3] * cover, 1 - cover

    def edit(picture: Picture) -> Picture:
        ink, left = layer(*picture.shape[:2])
        return as_picture(np.rint(picture * left + ink))

    return edit


def draw_face(pen: Any, x: float, y: float, side: float, _: Colour) -> None:
    def circle(cx: float, cy: float, radius: float, fill: tuple[int, int, int, int]) -> None:
        left, top, r = x + cx * side, y + cy * side, radius * side
        pen.ellipse((left - r, top - r, left + r, top + r), fill=fill)

    circle(0.5, 0.5, 0.5, (160, 110, 0, 255))
    circle(0.5, 0.5, 0.47, (255, 205, 50, 255))
    for eye in (0.33, 0.67):
        circle(eye, 0.38, 0.08, (60, 35, 10, 255))
    mouth = (x + 0.22 * side, y + 0.3 * side, x + 0.78 * side, y + 0.82 * side)
    pen.chord(mouth, 10, 170, fill=(120, 20, 20, 255))


def draw_badge(pen: Any, x: float, y: float, side: float, colour: Colour) -> None:
    middle = (x + side / 2, y + side / 2)
    points = [
        (
            middle[0] + side * (0.5 - 0.14 * (n % 2)) * math.sin(math.pi * n / 8),
            middle[1] - side * (0.5 - 0.14 * (n % 2)) * math.cos(math.pi * n / 8),
        )
        for n in range(16)
    ]
    pen.polygon(points, fill=(*colour, 255))
    pen.text(middle, "WOW", fill=(255, 255, 255, 255), font=font(round(side / 4)), anchor="mm")


# --- from picture to picture ------------------------------------------------------------------


def random_colour(rng: random.Random) -> Colour:
    return rng.randint(30, 230), rng.randint(30, 230), rng.randint(30, 230)


def as_picture(values: Any) -> Picture:
    return np.asarray(values, np.uint8)


def size_of_shape(ratio: float, pixels: int) -> tuple[int, int]:
    """Width and height, even, of a canvas of a shape."""
    return 2 * round(math.sqrt(pixels * ratio) / 2), 2 * round(math.sqrt(pixels / ratio) / 2)


def canvas_of_shape(picture: Picture, ratio: float) -> Picture:
    """Make a black canvas of a shape with as many pixels as a picture has.

    A picture that already has this shape gets a 16:9 one, to be edited at all.
    """
    height, width = picture.shape[:2]
    if abs(math.log(width / height / ratio)) < 0.05:
        ratio = 16 / 9
    w, h = size_of_shape(ratio, width * height)
    return np.zeros((h, w, 3), np.uint8)


def window(share: float, x: float, y: float) -> Edit:
    """Keep a share of either side; ``x`` and ``y`` in [0, 1] say where."""

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        h, w = round(height * share), round(width * share)
        top, left = round((height - h) * y), round((width - w) * x)
        return picture[top : top + h, left : left + w]

    return edit


def rotated(angle: float, fill: bool) -> Edit:
    """Turn by degrees within the frame; ``fill`` enlarges until no corner is empty."""

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        sine, cosine = abs(math.sin(math.radians(angle))), math.cos(math.radians(angle))
        scale = cosine + sine * max(width / height, height / width) if fill else 1.0
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
        return as_picture(cv2.warpAffine(picture, matrix, (width, height)))

    return edit


def covering(picture: Picture, width: int, height: int) -> Picture:
    """Scale to fill a size, keeping the shape; what is too much is cut off at both ends."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    w, h = min(picture.shape[1], width / scale), min(picture.shape[0], height / scale)
    left, top = round((picture.shape[1] - w) / 2), round((picture.shape[0] - h) / 2)
    return resized(width, height)(picture[top : top + round(h), left : left + round(w)])


def put(canvas: Picture, picture: Picture, x: float, y: float) -> Picture:
    """Put a smaller picture on a canvas; ``x`` and ``y`` in [0, 1] say where."""
    top = round((canvas.shape[0] - picture.shape[0]) * y)
    left = round((canvas.shape[1] - picture.shape[1]) * x)
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas


def put_in_middle(canvas: Picture, picture: Picture, share: float) -> Picture:
    """Fit a picture into a share of either side of a canvas, keeping its shape."""
    scale = share * min(canvas.shape[1] / picture.shape[1], canvas.shape[0] / picture.shape[0])
    width, height = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return put(canvas, resized(width, height)(picture), 0.5, 0.5)
