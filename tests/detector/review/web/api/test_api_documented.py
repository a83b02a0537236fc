"""docs/api.md says what the API does."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from detector.review.sender import signature
from detector.review.web.api.errors import code_of_status
from detector.review.webhooks import EVENTS, RETRY_AFTER

DOCUMENT = (Path(__file__).parents[5] / "docs" / "api.md").read_text()


def operations_of(application: Any) -> dict[str, dict[str, Any]]:
    """Return what the API's own document says, by the words of docs/api.md."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": one
        for path, methods in application.openapi()["paths"].items()
        for method, one in methods.items()
    }


def test_every_operation_is_documented_and_no_other(application):
    documented = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", DOCUMENT, re.MULTILINE)
    assert sorted(documented) == sorted(operations_of(application))


def test_operations_are_documented_in_the_words_of_the_code(application):
    rows = dict(re.findall(r"^\| `([A-Z]+ /[^`]*)` \| (.*) \|$", DOCUMENT, re.MULTILINE))
    said = {name: one["description"] for name, one in operations_of(application).items()}
    assert rows == {name: text.split("\n\n")[0].replace("\n", " ") for name, text in said.items()}


def test_every_status_of_an_error_is_documented_with_its_code(application):
    rows = re.findall(r"^\| (\d{3}) \| `([a-z_]+)` \|", DOCUMENT, re.MULTILINE)
    assert [code for _, code in rows] == [code_of_status(int(status)) for status, _ in rows]
    answered = {
        status
        for one in operations_of(application).values()
        for status in one["responses"]
        if status >= "4" and status != "416"  # to which films answer without a body
    }
    assert answered <= {status for status, _ in rows}


def test_every_event_of_webhooks_is_documented():
    webhooks = DOCUMENT.split("## Webhooks")[1].split("## Operations")[0]
    assert [one for one in EVENTS if f"`{one}`" not in webhooks] == []
    assert "10 s, 1 min, 10 min, 1 h, 6 h and\n24 h" in webhooks
    assert [one.total_seconds() for one in RETRY_AFTER] == [10, 60, 600, 3600, 21_600, 86_400]


@pytest.fixture
def is_genuine() -> Any:
    """Return the example of a receiver's check, as it stands in the document."""
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 -- the document's own
    return names["is_genuine"]


def test_the_example_takes_what_the_desk_signs(is_genuine):
    now = str(int(time.time()))
    headers = {"Matchcut-Timestamp": now, "Matchcut-Signature": signature("secret", now, b"{}")}
    assert is_genuine("secret", headers, b"{}")
    assert not is_genuine("secret", headers, b"{ }")
    assert not is_genuine("another", headers, b"{}")


def test_the_example_refuses_what_was_signed_long_ago(is_genuine):
    old = str(int(time.time()) - 3600)
    headers = {"Matchcut-Timestamp": old, "Matchcut-Signature": signature("secret", old, b"{}")}
    assert not is_genuine("secret", headers, b"{}")
