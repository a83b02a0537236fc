"""What is sealed opens with the same key, about the same thing, whole; and not otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_examples import KEY

from index.cipher import Cipher
from index.errors import ReferenceIndexError, WrongKeyError

keys = st.binary(min_size=32, max_size=32)


@given(keys, st.binary(), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens(key, data, about):
    sealed = Cipher(key).seal(data, about)
    assert len(sealed) == 12 + len(data) + 16
    assert Cipher(key).open(sealed, about) == data


@given(keys, keys)
def test_fingerprints_tell_keys_apart(one, other):
    assert (Cipher(one).fingerprint == Cipher(other).fingerprint) == (one == other)


def test_a_fingerprint_does_not_give_the_key_away():
    cipher = Cipher(KEY)
    assert len(bytes.fromhex(cipher.fingerprint)) == 8
    assert bytes.fromhex(cipher.fingerprint) not in KEY
    assert KEY.hex() not in repr(cipher)


def test_the_same_data_is_sealed_differently_each_time():
    cipher = Cipher(KEY)
    sealed = [cipher.seal(b"face", "person 1") for _ in range(100)]
    assert len({Cipher.nonce_of(one) for one in sealed}) == 100
    assert len({one[12:] for one in sealed}) == 100


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_has_32_bytes(length):
    with pytest.raises(ValueError, match=f"a key has 32 bytes, not {length}"):
        Cipher(bytes(length))


def test_another_key_does_not_open():
    sealed = Cipher(KEY).seal(b"face", "person 1")
    with pytest.raises(WrongKeyError, match=r"person 1 does not open with key .* give the key"):
        Cipher(bytes(32)).open(sealed, "person 1")
    assert issubclass(WrongKeyError, ReferenceIndexError)


def test_what_was_moved_does_not_open():
    cipher = Cipher(KEY)
    with pytest.raises(WrongKeyError, match=r"person 2 .* changed or moved"):
        cipher.open(cipher.seal(b"face", "person 1"), "person 2")


@given(st.integers(0, 31), st.integers(0, 7))
def test_every_changed_bit_is_seen(place, bit):
    sealed = bytearray(Cipher(KEY).seal(b"face", "person 1"))
    sealed[place] ^= 1 << bit
    with pytest.raises(WrongKeyError):
        Cipher(KEY).open(bytes(sealed), "person 1")


@given(st.integers(0, 31))
def test_what_was_cut_off_does_not_open(length):
    sealed = Cipher(KEY).seal(b"face", "person 1")
    with pytest.raises(WrongKeyError, match="backup"):
        Cipher(KEY).open(sealed[:length], "person 1")
