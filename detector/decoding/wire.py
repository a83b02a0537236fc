"""How a child and its parent talk: a header in JSON, then the bytes of an array, if there is one.

Neither side ever unpickles or evaluates what the other sends, so a decoder that was taken over by a
file can lie about that file, and do no more.
"""

from __future__ import annotations

import json
import os
import selectors
import struct
import time
from typing import IO, Any, TypeGuard

import numpy as np
import numpy.typing as npt

Message = dict[str, Any]
Picture = npt.NDArray[np.uint8]

_LENGTHS = struct.Struct("<IQ")  # bytes of the header, bytes of the array
_LENGTH = struct.Struct("<I")  # bytes of a block
_MOST_HEADER = 1 << 20
_MOST_ARRAY = 1 << 30  # a frame of the largest size is 200 MB


class BrokenWireError(Exception):
    """The other side ended, or sent what is no message."""


class SilentError(Exception):
    """The other side sent nothing for too long."""


def send(file: IO[bytes], message: Message, picture: Picture | None = None) -> None:
    """Write a message; with a picture, [height, width, 3], it goes after the header."""
    if picture is not None:
        message = {**message, "shape": picture.shape}
    header = json.dumps(message).encode("ascii")
    size = 0 if picture is None else picture.nbytes
    file.write(_LENGTHS.pack(len(header), size) + header)
    if picture is not None:
        file.write(np.ascontiguousarray(picture).data)
    file.flush()


def send_block(file: IO[bytes], block: bytes) -> None:
    """Write some bytes; the other side has to wait for them with `Receiver.receive_block`."""
    file.write(_LENGTH.pack(len(block)) + block)
    file.flush()


class Receiver:
    """Reads messages from a pipe, and does not wait for ever.

    Parameters
    ----------
    descriptor
        The pipe's end; it stays the caller's to close.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready = selectors.DefaultSelector()
        self._ready.register(descriptor, selectors.EVENT_READ)

    def close(self) -> None:
        self._ready.close()

    def receive(self, patience: float | None = None) -> tuple[Message, Picture | None]:
        """Wait for the next message.

        Parameters
        ----------
        patience
            Seconds until the message must be there in full; None: any time.

        Raises
        ------
        BrokenWireError, SilentError
            There is none, and will be none.
        """
        until = None if patience is None else time.monotonic() + patience
        lengths = bytearray(_LENGTHS.size)
        self._fill(memoryview(lengths), until)
        header_size, size = _LENGTHS.unpack(lengths)
        if header_size > _MOST_HEADER or size > _MOST_ARRAY:
            raise BrokenWireError("a message is longer than any can be")
        header = bytearray(header_size)
        self._fill(memoryview(header), until)
        try:
            message = json.loads(header)
        except ValueError as error:
            raise BrokenWireError("a message is not JSON") from error
        if not isinstance(message, dict):
            raise BrokenWireError("a message is no object")
        shape = message.pop("shape", None)
        if shape is None:
            if size:
                raise BrokenWireError("a message has bytes that it does not announce")
            return message, None
        if not _is_of_picture(shape, size):
            raise BrokenWireError(f"a picture of shape {shape} has {size} bytes")
        picture = np.empty(shape, np.uint8)
        self._fill(picture.data.cast("B"), until)
        return message, picture

    def receive_block(self, most: int) -> bytes:
        """Wait for a block of bytes, which is no longer than `most`.

        Raises
        ------
        BrokenWireError
            There is none, and will be none.
        """
        length = bytearray(_LENGTH.size)
        self._fill(memoryview(length), None)
        (size,) = _LENGTH.unpack(length)
        if size > most:
            raise BrokenWireError("a block is longer than was asked for")
        block = bytearray(size)
        self._fill(memoryview(block), None)
        return bytes(block)

    def _fill(self, view: memoryview, until: float | None) -> None:
        while len(view):
            left = None if until is None else until - time.monotonic()
            if (left is not None and left <= 0) or not self._ready.select(left):
                raise SilentError
            read = os.readv(self._descriptor, [view])
            if not read:
                raise BrokenWireError("the other side has ended")
            view = view[read:]


def _is_of_picture(shape: object, size: int) -> TypeGuard[list[int]]:
    if not (isinstance(shape, list) and len(shape) == 3 and all(type(n) is int for n in shape)):
        return False
    height, width, colours = shape
    return bool(min(height, width) > 0 and colours == 3 and height * width * colours == size)
