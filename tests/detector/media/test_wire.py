"""What is sent arrives; what is no message is told, and never taken for one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.decoding.wire import BrokenWireError, Receiver, SilentError, send

values = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())
pictures = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda sides: arrays(np.uint8, (*sides, 3))
)


@contextmanager
def wire() -> Iterator[tuple[int, Receiver]]:
    end, other = os.pipe()
    receiver = Receiver(end)
    try:
        yield other, receiver
    finally:
        receiver.close()
        os.close(end)


@given(message=values.filter(lambda m: "shape" not in m), picture=st.none() | pictures)
def test_what_is_sent_arrives(message: dict[str, object], picture: np.ndarray | None) -> None:
    with wire() as (out, receiver), os.fdopen(out, "wb") as file:
        send(file, message, picture)
        got, seen = receiver.receive(5)
    assert got == message
    assert (seen is None) == (picture is None)
    assert picture is None or np.array_equal(seen, picture)


@given(junk=st.binary(max_size=4096).filter(lambda data: b"{" not in data))
def test_junk_is_no_message(junk: bytes) -> None:
    with wire() as (out, receiver):
        os.write(out, junk)
        os.close(out)
        with pytest.raises(BrokenWireError):
            receiver.receive(5)


@pytest.mark.parametrize(
    ("header", "array"),
    [
        (b"[1]", b""),
        (b"{}", b"abc"),
        (b'{"shape": [1, 2, 3]}', b"abc"),
        (b'{"shape": [-1, -1, 3]}', b"abc"),
        (b'{"shape": [1, 1, 4]}', b"abcd"),
        (b'{"shape": ["1", 1, 3]}', b"abc"),
        (b"\xff\xfe", b""),
    ],
)
def test_a_message_that_contradicts_itself_is_none(header: bytes, array: bytes) -> None:
    with wire() as (out, receiver):
        os.write(out, len(header).to_bytes(4, "little") + len(array).to_bytes(8, "little"))
        os.write(out, header + array)
        os.close(out)
        with pytest.raises(BrokenWireError):
            receiver.receive(5)


def test_patience_ends() -> None:
    with wire() as (out, receiver):
        os.write(out, b"\x05")  # the beginning of a message, and no more
        with pytest.raises(SilentError):
            receiver.receive(0.05)
        os.close(out)
