"""The API's document: valid, and complete."""

from __future__ import annotations

import json
import re

import schemathesis
from fastapi import FastAPI

UNSAFE = {"post", "put", "patch", "delete"}


def operations(application: FastAPI) -> dict[str, dict]:
    """Return the operations by method and path."""
    paths = application.openapi()["paths"]
    return {
        f"{method} {path}": one
        for path, methods in paths.items()
        for method, one in methods.items()
    }


def test_the_document_is_one_of_openapi_3_1(application):
    document = application.openapi()
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


def test_every_reference_leads_somewhere(application):
    document = application.openapi()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert used <= known
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_has_a_name_a_summary_and_a_subject(application):
    found = operations(application)
    ids = [one["operationId"] for one in found.values()]
    assert len(set(ids)) == len(ids)
    for name, one in found.items():
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", one["operationId"]), name
        assert one["summary"], name
        assert one["description"], name
        assert one["tags"], name


def test_every_operation_says_what_it_answers(application):
    for name, one in operations(application).items():
        done = {status: said for status, said in one["responses"].items() if status < "3"}
        assert done, name
        for status, said in done.items():
            content = said.get("content", {})
            assert content or status in {"204", "206"}, (name, status)
            for kind, body in content.items():
                schema = body.get("schema", {})
                assert schema or kind != "application/json", (name, status)


def test_every_operation_says_which_errors_it_answers_with(application):
    for name, one in operations(application).items():
        wrong = {status: said for status, said in one["responses"].items() if status >= "4"}
        assert {"401", "422"} <= set(wrong), name
        if name.split()[0] in UNSAFE:
            assert "403" in wrong, name
        if "{" in name:
            assert {"404", "422"} & set(wrong), name
        for status, said in wrong.items():
            if status != "416":
                schema = said["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (name, status)


def test_every_operation_needs_a_token(application):
    document = application.openapi()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for name, one in operations(application).items():
        assert one["security"] == [{"token": []}], name


def test_no_body_takes_what_is_not_in_it(application):
    """Fields that are not known are refused, as they may be misspelt."""
    schemas = application.openapi()["components"]["schemas"]
    for name, one in operations(application).items():
        for kind, body in one.get("requestBody", {}).get("content", {}).items():
            schema = body["schema"]
            if "$ref" in schema:
                schema = schemas[schema["$ref"].rpartition("/")[2]]
            assert schema["additionalProperties"] is False, (name, kind)
