"""Pictures in a report: `data:` URIs, and why one is missing."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detector.inputs import PROTOCOLS, InputError, Source, check_protocol
from detector.media import UnreadableMediaError, grab
from detector.text import clock

JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG in a `data:` URI."""

    uri: str
    width: int
    height: int

    @classmethod
    def of(cls, image: npt.NDArray[np.uint8]) -> Picture:
        """Encode an image, uint8 [height, width, 3] RGB."""
        return cls(_uri(jpeg_of(image)), image.shape[1], image.shape[0])

    @classmethod
    def of_jpeg(cls, jpeg: bytes) -> Picture:
        """Take a JPEG file as it is.

        Raises
        ------
        ValueError
            It is none.
        """
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError("not a picture")
        return cls(_uri(jpeg), image.shape[1], image.shape[0])


def jpeg_of(image: npt.NDArray[np.uint8]) -> bytes:
    """Encode an image, uint8 [height, width, 3] RGB, as a JPEG file."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    return jpeg.tobytes()


def why_missing(
    role: str, source: str | None, protocols: Collection[str] = PROTOCOLS
) -> str | None:
    """Say why a file is not there to be looked at; None if it is, or if its server has to be asked.

    Parameters
    ----------
    role
        What the file is to the reader, as in "The upload is no longer at ...".
    source
        Path or URL; None if it is not known.
    protocols
        Those that an address may have.
    """
    if source is None:
        return "The catalogue does not know this work's reference file."
    if "://" in source:
        try:
            check_protocol(source, protocols)
        except InputError as error:
            return f"The {role} is at {source}: {error}"
    elif not Path(source).is_file():
        return f"The {role} is no longer at {source}"
    return None


def why_not_here(role: str, source: str) -> str | None:
    """Say why a file is not on this machine; None if it is."""
    if "://" in source:
        return f"The {role} is not on this machine: {source}"
    return why_missing(role, source)


class Footage:
    """A file that frames are taken from, and why some could not be.

    Parameters
    ----------
    role
        What the file is to the reader, as in "The upload is no longer at ...".
    source
        Path or URL; None if it is not known.
    protocols
        Those that an address may have.
    """

    def __init__(
        self, role: str, source: str | None, protocols: Collection[str] = PROTOCOLS
    ) -> None:
        self.role = role
        self.source = source
        self._protocols = protocols
        self.notes: tuple[str, ...] = ()

    def frame(self, time: float, short_side: int) -> npt.NDArray[np.uint8] | None:
        """Return what is on screen at a time (seconds), uint8 [height, width, 3] RGB.

        None if it cannot be had; then the notes say why.
        """
        problem = why_missing(self.role, self.source, self._protocols)
        if problem is not None:
            self.notes = (problem,)
            return None
        try:
            with Source(self.source or "").opened(self._protocols) as media:
                return grab(media, [time], short_side)[0]
        except (InputError, UnreadableMediaError, OSError) as error:
            self.notes += (f"The {self.role} gives no picture at {clock(time)}: {error}",)
        return None

    def picture(self, time: float, short_side: int) -> Picture | None:
        """Return the same as a picture of the report."""
        frame = self.frame(time, short_side)
        return None if frame is None else Picture.of(frame)


def _uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
