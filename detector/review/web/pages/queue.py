"""The queue: which cases there are, and the next one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from detector.review.cases import WAITING
from detector.review.records import Actor, CaseState
from detector.review.web.access import Reviewer, Signed, desk
from detector.review.web.pages.rendering import Said, go, page
from detector.review.web.pages.wanted import AGES, ALL, BANDS, Wanted

router = APIRouter(include_in_schema=False)

_LIMIT = 50  # cases of a page
_FURTHEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Tab:
    """One state, and how many cases are in it."""

    value: str
    name: str
    count: int


@router.get("/")
def queue(
    request: Request,
    actor: Signed,
    offset: Annotated[int, Query(ge=0, le=_FURTHEST)] = 0,
    said: str = "",
    of: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    wanted = Wanted.of(request.query_params)
    cases = desk(request).cases
    counts = cases.counts()
    found = cases.find(wanted.filter(actor.account_id), wanted.order, _LIMIT, offset)
    tabs = [Tab(state.value, state.value.capitalize(), counts.get(state, 0)) for state in CaseState]
    tabs.append(Tab(ALL, "All", sum(counts.values())))

    def query(changes: dict[str, Any]) -> str:
        return "/" + wanted.address(**changes)

    return page(
        request,
        "queue.html",
        actor,
        said=what_was_said(said, of),
        kept=wanted.address(),
        wanted=wanted,
        is_filtered=wanted.is_filtered,
        more_filtered=wanted.more_filtered,
        nothing_filtered="/" + Wanted(state=wanted.state).address(),
        tabs=tabs,
        bands=BANDS.items(),
        ages=AGES.items(),
        cases=found.items,
        total=found.total,
        limit=_LIMIT,
        offset=offset,
        query=query,
    )


@router.post("/take-next")
def take_next(request: Request, actor: Reviewer) -> Response:
    """Claim the next case that nobody has, and open it."""
    return go(next_case(request, actor, Wanted.of(request.query_params), "", None))


def next_case(request: Request, actor: Actor, wanted: Wanted, said: str, of: int | None) -> str:
    """Claim the next case, and return its address: the queue's if there is none.

    Parameters
    ----------
    said, of
        What is to be said there was done, and to which case; see `what_was_said`.
    """
    if wanted.state not in WAITING:
        wanted = replace(wanted, state=CaseState.OPEN.value)
    query = wanted.filter(actor.account_id)
    if wanted.claimed:
        query = replace(query, claimed_by=None, is_claimed=None)
    case = desk(request).cases.claim_next(query, wanted.order, actor)
    if case is None:
        return "/" + wanted.address(said=said or "nothing", of=of)
    return f"/cases/{case.id}" + wanted.address(said=said, of=of)


_SAID = {
    "nothing": "Nothing else waits here.",
    "claimed": "The case is yours for half an hour.",
    "released": "The case is free again.",
    "skipped": "Case {of} is skipped for today.",
    "escalated": "Case {of} waits for an approver.",
    "approved": "Case {of}: approved.",
    "refused": "Case {of}: refused, it is open again.",
    "undone": "Undone: the case is open, and yours.",
}
_BULK = re.compile(r"alike-([0-9]{1,6})")
_DECIDED = ("block", "notice", "monitor", "dismiss")


def what_was_said(code: str, of: int | None) -> Said | None:
    """Return the sentence for what was done before a page was opened."""
    if code in _DECIDED and of is not None:
        return Said(f"Case {of}: {code}.", undo=of)
    if code == "waits" and of is not None:
        return Said(f"Case {of}: to be blocked when a second person has approved it.", undo=of)
    if of is not None and (bulk := _BULK.fullmatch(code)):
        return Said(
            f"Case {of} and those like it: decided, {bulk[1]} in all. Each is undone by itself.",
            undo=of,
        )
    text = _SAID.get(code)
    return None if text is None else Said(text.format(of=of))
