"""Webhooks: addresses that hear of new cases and decisions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field, StringConstraints, WithJsonSchema

from detector.review.web.access import Admin, desk
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import Body, Number, Part, part_of
from detector.review.web.api.models import NewWebhook, Page, Webhook
from detector.review.webhooks import EVENTS

router = APIRouter(tags=["webhooks"], prefix="/webhooks")

EventName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(EVENTS)})]
WebhookId = Annotated[Number, Path(description="Number of the webhook.")]


class WebhookWanted(Body):
    """An address that is to hear of what happens."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    """https, or http to the desk's own machine."""
    events: Annotated[list[EventName], Field(min_length=1, max_length=20)]


@router.get("", response_model=Page[Webhook])
def list_webhooks(request: Request, actor: Admin, part: Part) -> Any:
    """List the addresses that hear of what happens."""
    return part_of(desk(request).webhooks.all(), part)


@router.post("", response_model=NewWebhook, status_code=201)
def add_webhook(request: Request, actor: Admin, body: WebhookWanted) -> dict[str, Any]:
    """Tell an address from now on; the secret that messages are signed with is sent this once."""
    made, secret = desk(request).webhooks.add(body.url, body.events, actor)
    return Webhook.model_validate(made).model_dump() | {"secret": secret}


@router.delete("/{webhook_id}", status_code=204, responses=errors(404))
def remove_webhook(request: Request, webhook_id: WebhookId, actor: Admin) -> None:
    """Tell an address nothing any more, not even what is due."""
    desk(request).webhooks.remove(webhook_id, actor)
