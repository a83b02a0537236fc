"""Files that come into the API, with what is said of them: read as they come, see `receiving`."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from detector.review.web.api.inputs import Body
from detector.review.web.receiving import ReceivedForm
from detector.review.web.security import CSRF_FIELD

_Fields = TypeVar("_Fields", bound=Body)


class NoFields(Body):
    """Nothing is said of the file."""


def form_of(fields: type[Body], files: str, *, many: bool = False) -> dict[str, Any]:
    """Return what the API's document says of a form with files, for ``openapi_extra``.

    Parameters
    ----------
    fields
        What is said besides.
    files
        Name of the field of the files.
    many
        Whether there may be several.
    """
    schema = fields.model_json_schema(ref_template=_NO_REFERENCE)
    definitions = schema.pop("$defs", {})
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    properties = {name: _inlined(one, definitions) for name, one in schema["properties"].items()}
    properties[files] = {"type": "array", "items": file, "minItems": 1} if many else file
    body = {
        **schema,
        "properties": properties,
        "required": [files, *schema.get("required", ())],
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": body}}}}


def fields_of(form: ReceivedForm, fields: type[_Fields]) -> _Fields:
    """Check what is said of the files; `RequestValidationError` says what is wrong."""
    given = {name: form.text(name) for name in form.fields if name != CSRF_FIELD}
    try:
        return fields.model_validate(given)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from error


_NO_REFERENCE = "{model}"  # a document's own schemas cannot be referred to from here


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Put enumerations in the place of references to them."""
    name = schema.get("$ref")
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {**definitions[name], **rest} if name is not None else rest
