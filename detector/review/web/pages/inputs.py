"""What may come in with a form or an address: bounded, and nothing that a database refuses."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Path
from pydantic import BeforeValidator

_MOST = 2**63 - 1  # that a database counts to


def storable(text: object) -> object:
    r"""Leave out of a text what no database takes: NUL, and half a surrogate pair.

    >>> storable("one\r\ntwo\0")
    'one\ntwo'
    """
    if not isinstance(text, str):
        return text
    # Browsers send a line break of a text area as two characters, and count it as one.
    whole = text.replace("\r\n", "\n").replace("\0", "")
    return whole.encode("utf-8", "replace").decode("utf-8")


_Storable = BeforeValidator(storable)

Number = Annotated[int, Path(ge=1, le=_MOST)]
"""What the database counts by."""

CaseId = Number

Text = Annotated[str, _Storable, Form(max_length=4000)]
"""A few sentences."""

Name = Annotated[str, _Storable, Form(max_length=200)]

Password = Annotated[str, _Storable, Form(max_length=1024)]
