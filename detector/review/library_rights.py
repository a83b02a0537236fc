"""What owners allow, want done and claim nothing for, as the desk changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import date
from typing import TypeVar

from detector.review.accounts import demand
from detector.review.library_part import LibraryPart, Page, line, page_of, reason, refusals
from detector.review.records import Actor, Role
from index.records import Policy
from index.rights_records import (
    Exclusion,
    Kind,
    Licence,
    NewExclusion,
    NewLicence,
    NewRule,
    Rule,
)

_Record = TypeVar("_Record", Licence, Rule, Exclusion)


class LibraryRights(LibraryPart):
    """Licences, rules and exclusions of works and people; reviewers may change them."""

    def licences(self, search: str = "", limit: int = 50, offset: int = 0) -> Page[Licence]:
        """List licences: those whose work or person, licensee or document contains a text."""
        licences = self._index.rights.licences()
        return page_of(
            licences, search, limit, offset, lambda one: (one.ref_id, one.licensee, one.document)
        )

    def rules(self, search: str = "", limit: int = 50, offset: int = 0) -> Page[Rule]:
        """List rules: those whose work or person, policy or channel contains a text."""
        rules = self._index.rights.rules()
        return page_of(
            rules, search, limit, offset, lambda one: (one.ref_id, one.policy, one.channel)
        )

    def exclusions(self, search: str = "", limit: int = 50, offset: int = 0) -> Page[Exclusion]:
        """List exclusions: those whose work or reason contains a text."""
        exclusions = self._index.rights.exclusions()
        return page_of(exclusions, search, limit, offset, lambda one: (one.work_id, one.why))

    def add_licence(
        self,
        kind: Kind,
        ref_id: str,
        actor: Actor,
        *,
        document: str,
        licensee: str = "",
        channels: Iterable[str] = (),
        territories: Iterable[str] = (),
        starts: date | None = None,
        ends: date | None = None,
    ) -> Licence:
        """Write down what an owner allows; see `NewLicence`. An empty licensee is anybody."""
        demand(actor, Role.REVIEWER)
        with refusals():
            new = NewLicence(
                kind=kind,
                ref_id=ref_id,
                document=line(document, "document"),
                licensee=line(licensee, "licensee", needed=False) or None,
                channels=tuple(channels),
                territories=tuple(territories),
                starts=starts,
                ends=ends,
            )
            (licence,) = self._index.rights.add_licences([new])
        self._tell_of(actor, "licence.added", after=licence)
        return licence

    def remove_licence(self, number: int, actor: Actor, why: str = "") -> Licence:
        """Forget a licence: what it covered is flagged from now on."""
        return self._remove("licence", self._index.rights.remove_licences, number, actor, why)

    def add_rule(
        self,
        kind: Kind,
        ref_id: str,
        actor: Actor,
        *,
        policy: Policy,
        channel: str | None = None,
        min_seconds: float | None = None,
        min_share_upload: float | None = None,
        min_share_reference: float | None = None,
        min_score: float | None = None,
    ) -> Rule:
        """Write down what is wanted done where some conditions hold; see `NewRule`."""
        demand(actor, Role.REVIEWER)
        with refusals():
            new = NewRule(
                kind=kind,
                ref_id=ref_id,
                policy=policy,
                channel=channel or None,
                min_seconds=min_seconds,
                min_share_upload=min_share_upload,
                min_share_reference=min_share_reference,
                min_score=min_score,
            )
            rule = self._index.rights.add_rule(new)
        self._tell_of(actor, "rule.added", after=rule)
        return rule

    def remove_rule(self, number: int, actor: Actor, why: str = "") -> Rule:
        """Forget a rule."""
        return self._remove("rule", self._index.rights.remove_rules, number, actor, why)

    def add_exclusion(
        self, work_id: str, actor: Actor, *, start: float, end: float, why: str
    ) -> Exclusion:
        """Write down seconds of a work that its owner claims nothing for; see `NewExclusion`."""
        demand(actor, Role.REVIEWER)
        with refusals():
            new = NewExclusion(work_id=work_id, start=start, end=end, why=line(why, "reason"))
            exclusion = self._index.rights.add_exclusion(new)
        self._tell_of(actor, "exclusion.added", after=exclusion)
        return exclusion

    def remove_exclusion(self, number: int, actor: Actor, why: str = "") -> Exclusion:
        """Forget an exclusion: these seconds count again."""
        return self._remove("exclusion", self._index.rights.remove_exclusions, number, actor, why)

    def _remove(
        self,
        what: str,
        remove: Callable[[Sequence[int]], list[_Record]],
        number: int,
        actor: Actor,
        why: str,
    ) -> _Record:
        demand(actor, Role.REVIEWER)
        why = reason(why)
        with refusals():
            (removed,) = remove([number])
        self._tell_of(actor, f"{what}.removed", before=removed, why=why)
        return removed

    def _tell_of(
        self,
        actor: Actor,
        action: str,
        *,
        before: Licence | Rule | Exclusion | None = None,
        after: Licence | Rule | Exclusion | None = None,
        why: str = "",
    ) -> None:
        """Record something about a right, under the work or the person that it is of."""
        one = after or before
        if isinstance(one, Exclusion):
            subject = f"work:{one.work_id}"
        else:
            subject = "" if one is None else f"{one.kind}:{one.ref_id}"
        self._tell(
            actor,
            action,
            subject,
            None if before is None else asdict(before),
            None if after is None else asdict(after),
            why,
        )
