"""Seal what must not lie on disk in clear: AES-256-GCM, with a random nonce in front."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from index.errors import WrongKeyError

KEY_BYTES = 32
NONCE_BYTES = 12
_TAG_BYTES = 16
_FINGERPRINT_OF = b"matchcut: which key is this"


class Cipher:
    """Seals and opens with one key.

    Parameters
    ----------
    key
        32 random bytes.

    Raises
    ------
    ValueError
        The key has another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._aead = AESGCM(key)
        self._fingerprint = hmac.digest(key, _FINGERPRINT_OF, hashlib.sha256).hex()[:16]

    def __repr__(self) -> str:
        return f"<Cipher {self.fingerprint}>"  # never the key

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell keys apart, and from which no key can be found."""
        return self._fingerprint

    def seal(self, data: bytes, about: str) -> bytes:
        """Encrypt data together with what it is about.

        Parameters
        ----------
        data
            Any bytes.
        about
            What the data belongs to. It is not kept, but the data opens only for who says the
            same again, so that what is moved to another place does not pass for what was there.

        Returns
        -------
        bytes
            Nonce of 12 bytes, ciphertext as long as the data, tag of 16 bytes.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """Decrypt what `seal` returned.

        Raises
        ------
        WrongKeyError
            It was sealed with another key or about something else, or is not whole.
        """
        if len(sealed) < NONCE_BYTES + _TAG_BYTES:
            raise WrongKeyError(f"{len(sealed)} bytes are too few to be opened: restore a backup")
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode())
        except InvalidTag as error:
            raise WrongKeyError(
                f"{about} does not open with key {self.fingerprint}: give the key it was sealed "
                "with; if this is the one, the data was changed or moved, so restore a backup"
            ) from error

    @staticmethod
    def nonce_of(sealed: bytes) -> bytes:
        """Return the 12 bytes that are in nothing else that was ever sealed."""
        return sealed[:NONCE_BYTES]
