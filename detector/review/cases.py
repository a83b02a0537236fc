"""The queue: flagged uploads as cases, each worked on by one person at a time.

What is decided about them is in `decisions`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session, undefer

from detector.output import to_json
from detector.review.accounts import account_of, demand
from detector.review.audit import append
from detector.review.database import ReviewDatabase
from detector.review.errors import ConflictError, NotAllowedError, NotFoundError
from detector.review.records import (
    Action,
    Actor,
    Approval,
    Case,
    CaseFilter,
    CasePage,
    CaseState,
    CaseSummary,
    Claim,
    Decision,
    NewEvent,
    Reason,
    Role,
    Sort,
    Subject,
    SubjectKind,
)
from detector.review.schema import AccountRow, CaseRow, DecisionRow, SkipRow, SubjectRow
from detector.review.webhooks import enqueue
from detector.types import Channel, Flag, ScanResult, Submission, Verdict

CLAIM_LENGTH = timedelta(minutes=30)
_SKIP_LENGTH = timedelta(hours=12)
WAITING = (CaseState.OPEN, CaseState.ESCALATED)  # for somebody to decide


class Queue:
    """Cases: to open, find, read and claim."""

    def __init__(self, database: ReviewDatabase) -> None:
        self._database = database

    def open_case(
        self, result: ScanResult, digest: str, versions: Mapping[str, str], actor: Actor
    ) -> CaseSummary | None:
        """Make a case of a scan's result.

        The same upload again is the same case: while nobody has decided it takes the new result;
        a decided one is opened again if something for people to look at is new in it, or graver.
        The same file by another uploader, or at another address, is another upload, which somebody
        has to decide about, and a notice to name. Of a file of which nothing is known but what it
        holds, it is not told apart.

        Parameters
        ----------
        digest
            SHA-256 of the upload.
        versions
            What the result was made with, and the digests of the reference files.

        Returns
        -------
        CaseSummary | None
            None if there is nothing for people to look at: no flag above `monitor`.
        """
        if not _is_for_people(result.verdict):
            return None
        now = datetime.now(UTC)
        subjects = _subjects(result)
        with self._database.writing() as session:
            row = _row_of(session, digest, result.submission)
            if row is None:
                row = CaseRow(digest=digest, state=CaseState.OPEN, opened_at=now)
                action, before = "case.opened", None
            else:
                old = subjects_of(session, row.id)
                known = {(one.ref_id, one.channel): one.verdict for one in old}
                action, before = "case.refreshed", _state(row, old)
                if row.state not in WAITING and any(
                    one.verdict.rank > known.get((one.ref_id, one.channel), Verdict.CLEAR).rank
                    for one in subjects
                    if _is_for_people(one.verdict)
                ):
                    action = "case.reopened"
                    row.state = CaseState.OPEN
            _fill(row, result, versions, now)
            session.add(row)
            session.flush()
            session.execute(delete(SubjectRow).where(SubjectRow.case_id == row.id))
            session.add_all(
                SubjectRow(
                    case_id=row.id,
                    position=position,
                    kind=one.kind,
                    ref_id=one.ref_id,
                    title=one.title,
                    owner=one.owner,
                    channel=one.channel,
                    score=one.score,
                    verdict=one.verdict,
                )
                for position, one in enumerate(subjects)
            )
            session.flush()
            if action != "case.refreshed":
                enqueue(session, action, told(row, subjects))
            tell(session, actor, action, row, before=before, after=_state(row, subjects))
            return summary(session, row)

    def get(self, case_id: int) -> Case:
        """One case with all that is known of it; `NotFoundError` if there is none."""
        with self._database.reading() as session:
            row = session.get(
                CaseRow, case_id, options=[undefer(CaseRow.result), undefer(CaseRow.versions)]
            )
            if row is None:
                raise _unknown(case_id)
            short = summary(session, row)
            return Case(
                **{name: getattr(short, name) for name in CaseSummary.__dataclass_fields__},
                result=json.loads(row.result),
                versions=json.loads(row.versions),
                decisions=decisions_of(session, case_id),
            )

    def of_digests(self, digests: Collection[str]) -> dict[str, int]:
        """Return the number of the newest case of each file that has any, by its SHA-256."""
        query = select(CaseRow.digest, CaseRow.id).where(CaseRow.digest.in_(digests))
        with self._database.reading() as session:
            return {row.digest: row.id for row in session.execute(query.order_by(CaseRow.id))}

    def find(
        self,
        wanted: CaseFilter = CaseFilter(),  # noqa: B008 -- frozen
        sort: Sort = Sort.GRAVEST,
        limit: int = 50,
        offset: int = 0,
    ) -> CasePage:
        """Return part of the cases that are wanted, and how many there are in all."""
        conditions = _conditions(wanted)
        query = select(CaseRow).where(*conditions).order_by(*_order(sort))
        with self._database.reading() as session:
            total = session.scalar(select(func.count()).select_from(CaseRow).where(*conditions))
            rows = session.scalars(query.limit(limit).offset(offset)).all()
            return CasePage(_summaries(session, rows), total or 0)

    def counts(self) -> dict[CaseState, int]:
        """How many cases are in each state."""
        query = select(CaseRow.state, func.count()).group_by(CaseRow.state)
        with self._database.reading() as session:
            found = {str(state): count for state, count in session.execute(query)}
        return {state: found.get(state.value, 0) for state in CaseState}

    def earlier(self, case_id: int, limit: int = 20) -> tuple[CaseSummary, ...]:
        """Other cases of the same uploader, newest first; none if the uploader is not known."""
        with self._database.reading() as session:
            row = case_row(session, case_id)
            if row.uploader is None:
                return ()
            query = (
                select(CaseRow)
                .where(CaseRow.uploader == row.uploader, CaseRow.id != case_id)
                .order_by(CaseRow.opened_at.desc(), CaseRow.id.desc())
                .limit(limit)
            )
            return _summaries(session, session.scalars(query).all())

    # Claims

    def claim(self, case_id: int, actor: Actor) -> CaseSummary:
        """Take a case, so that nobody else works on it for half an hour; or renew one's claim.

        Raises
        ------
        NotFoundError
        NotAllowedError
            It is escalated, so that an approver has to take it.
        ConflictError
            Somebody else has it, or it is decided.
        """
        demand(actor, Role.REVIEWER)
        account = account_of(actor)
        now = datetime.now(UTC)
        with self._database.reading() as session:
            # Most who come too late are told so without waiting for their turn to write.
            _refuse(session, case_id, actor, now)
        with self._database.writing() as session:
            # Who writes is alone, so that what is seen to be free here is.
            row = case_row(session, case_id, for_update=True)
            _refuse(session, case_id, actor, now)
            is_new = (
                row.claimed_by != account or row.claimed_until is None or row.claimed_until <= now
            )
            row.claimed_by, row.claimed_until = account, now + CLAIM_LENGTH
            if is_new:
                tell(session, actor, "case.claimed", row)
            return summary(session, row)

    def claim_next(self, wanted: CaseFilter, sort: Sort, actor: Actor) -> CaseSummary | None:
        """Take the next case that is wanted, free and not skipped lately; None if none is."""
        demand(actor, Role.REVIEWER)
        account = account_of(actor)
        tried: list[int] = []
        while True:
            now = datetime.now(UTC)
            skipped = exists().where(
                SkipRow.case_id == CaseRow.id,
                SkipRow.account_id == account,
                SkipRow.at > now - _SKIP_LENGTH,
            )
            query = (
                select(CaseRow.id)
                .where(
                    *_conditions(wanted),
                    CaseRow.state.in_(
                        WAITING if actor.role.may(Role.APPROVER) else [CaseState.OPEN]
                    ),
                    or_(CaseRow.claimed_by.is_(None), CaseRow.claimed_until <= now),
                    ~skipped,
                    CaseRow.id.not_in(tried),
                )
                .order_by(*_order(sort))
                .limit(1)
            )
            with self._database.reading() as session:
                case_id = session.scalar(query)
            if case_id is None:
                return None
            try:
                return self.claim(case_id, actor)
            except ConflictError:  # somebody was faster
                tried.append(case_id)

    def release(self, case_id: int, actor: Actor) -> None:
        """Give a claimed case back; `ConflictError` if it is not one's own."""
        demand(actor, Role.REVIEWER)
        with self._database.writing() as session:
            row = claimed_row(session, case_id, actor)
            unclaim(row)
            tell(session, actor, "case.released", row)

    def skip(self, case_id: int, actor: Actor) -> None:
        """Give a case back, and not be given it again by `claim_next` for half a day."""
        demand(actor, Role.REVIEWER)
        account, now = account_of(actor), datetime.now(UTC)
        with self._database.writing() as session:
            row = case_row(session, case_id, for_update=True)
            if row.claimed_by == account:
                unclaim(row)
            session.merge(SkipRow(case_id=case_id, account_id=account, at=now))
            tell(session, actor, "case.skipped", row)


# --- rows, for this module and `decisions` ------------------------------------------------------


def case_row(session: Session, case_id: int, *, for_update: bool = False) -> CaseRow:
    """Return the row of a case; `NotFoundError` if there is none."""
    row = session.get(CaseRow, case_id, with_for_update=for_update or None)
    if row is None:
        raise _unknown(case_id)
    return row


def claimed_row(session: Session, case_id: int, actor: Actor) -> CaseRow:
    """Return the row of a case that somebody works on; `ConflictError` if it is not this one."""
    row = case_row(session, case_id, for_update=True)
    now = datetime.now(UTC)
    account = account_of(actor)
    _refuse(session, case_id, actor, now)
    if row.claimed_by != account or row.claimed_until is None or row.claimed_until <= now:
        raise ConflictError(f"claim case {case_id} first: nobody works on it now")
    return row


def is_free(row: CaseRow, account: int) -> bool:
    """Whether nobody works on a case but, maybe, this account."""
    until = row.claimed_until
    return row.claimed_by in {None, account} or until is None or until <= datetime.now(UTC)


def unclaim(row: CaseRow) -> None:
    """Let others take a case."""
    row.claimed_by = None
    row.claimed_until = None


def tell(
    session: Session,
    actor: Actor,
    action: str,
    row: CaseRow,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    why: str = "",
) -> None:
    """Write into the audit what happened to a case, with what it rests on."""
    versions = json.loads(row.versions)
    evidence = {
        name: value
        for name, value in versions.items()
        if name == "upload" or name.startswith("work:")
    }
    evidence["upload"] = row.digest
    made_with = {name: value for name, value in versions.items() if name not in evidence}
    event = NewEvent(action, f"case:{row.id}", before, after, why, made_with, evidence)
    append(session, actor, event)


def told(row: CaseRow, subjects: Iterable[Subject]) -> dict[str, Any]:
    """Return what a webhook says of a case."""
    return {"case": row.id, "source": row.source, "url": row.url, **_state(row, subjects)}


def subjects_of(session: Session, case_id: int) -> tuple[Subject, ...]:
    """Return what a case was flagged for, gravest first."""
    return tuple(map(_subject, _subject_rows(session, [case_id])))


def decisions_of(session: Session, case_id: int) -> tuple[Decision, ...]:
    """Return all decisions about a case, oldest first."""
    query = select(DecisionRow).where(DecisionRow.case_id == case_id).order_by(DecisionRow.id)
    rows = session.scalars(query).all()
    accounts = {row.account_id for row in rows} | {row.approval_account for row in rows}
    names = _names(session, accounts)
    return tuple(decision(row, names) for row in rows)


def decision(row: DecisionRow, names: Mapping[int, str]) -> Decision:
    """Return the decision of a row; `names` by account."""
    return Decision(
        id=row.id,
        case_id=row.case_id,
        action=Action(row.action),
        reason=Reason(row.reason),
        comment=row.comment,
        account_id=row.account_id,
        name=names[row.account_id],
        decided_at=row.decided_at,
        approval=Approval(row.approval),
        approval_by=None if row.approval_account is None else names[row.approval_account],
        approval_at=row.approval_at,
        undone_at=row.undone_at,
    )


def summary(session: Session, row: CaseRow) -> CaseSummary:
    """Return a case as the queue lists it."""
    return _summaries(session, [row])[0]


def _summaries(session: Session, rows: Sequence[CaseRow]) -> tuple[CaseSummary, ...]:
    ids = [row.id for row in rows]
    subjects: dict[int, list[Subject]] = {one: [] for one in ids}
    for found in _subject_rows(session, ids):
        subjects[found.case_id].append(_subject(found))
    names = _names(session, {row.claimed_by for row in rows})
    now = datetime.now(UTC)
    return tuple(
        CaseSummary(
            id=row.id,
            source=row.source,
            name=row.source.rstrip("/").rpartition("/")[2] or row.source,
            digest=row.digest,
            submission=Submission(row.uploader, row.territory, row.url, row.submitted_at),
            state=CaseState(row.state),
            verdict=Verdict(row.verdict),
            is_joined=row.is_joined,
            score=row.score,
            duration=row.duration,
            subjects=tuple(subjects[row.id]),
            claim=_claim(row, names, now),
            opened_at=row.opened_at,
            updated_at=row.updated_at,
        )
        for row in rows
    )


def _claim(row: CaseRow, names: Mapping[int, str], now: datetime) -> Claim | None:
    if row.claimed_by is None or row.claimed_until is None or row.claimed_until <= now:
        return None
    return Claim(row.claimed_by, names[row.claimed_by], row.claimed_until)


def _names(session: Session, accounts: Iterable[int | None]) -> dict[int, str]:
    ids = [one for one in accounts if one is not None]
    query = select(AccountRow.id, AccountRow.name).where(AccountRow.id.in_(ids))
    return {row.id: row.name for row in session.execute(query)} if ids else {}


def _subject_rows(session: Session, case_ids: Sequence[int]) -> Sequence[SubjectRow]:
    query = (
        select(SubjectRow)
        .where(SubjectRow.case_id.in_(case_ids))
        .order_by(SubjectRow.case_id, SubjectRow.position)
    )
    return session.scalars(query).all()


def _subject(row: SubjectRow) -> Subject:
    return Subject(
        SubjectKind(row.kind),
        row.ref_id,
        row.title,
        row.owner,
        Channel(row.channel),
        row.score,
        Verdict(row.verdict),
    )


def _subjects(result: ScanResult) -> list[Subject]:
    flagged = [flag for flag in result.flags if flag.verdict.is_flagged]
    flagged.sort(key=_gravity, reverse=True)
    return [
        Subject(
            SubjectKind.PERSON if flag.match.channel is Channel.FACE else SubjectKind.WORK,
            flag.match.ref_id,
            flag.title,
            flag.owner,
            flag.match.channel,
            flag.match.score,
            flag.verdict,
        )
        for flag in flagged
    ]


def _is_for_people(verdict: Verdict) -> bool:
    return verdict.rank >= Verdict.REVIEW.rank


def _gravity(flag: Flag) -> tuple[int, float]:
    return flag.verdict.rank, flag.match.score


def _row_of(session: Session, digest: str, submission: Submission) -> CaseRow | None:
    """Find the case of an upload: the same file by the same uploader at the same address."""
    query = select(CaseRow).where(CaseRow.digest == digest).order_by(CaseRow.id)
    rows = session.scalars(query.with_for_update()).all()
    came_in = submission.uploader, submission.url
    known = {(row.uploader, row.url): row for row in reversed(rows)}
    if came_in == (None, None) and rows:
        return known.get(came_in, rows[0])
    return known.get(came_in, known.get((None, None)))


def _fill(row: CaseRow, result: ScanResult, versions: Mapping[str, str], now: datetime) -> None:
    gravest = max(result.flags, key=_gravity)
    row.source = result.source
    row.folder = result.source.rstrip("/").rpartition("/")[0]
    if result.submission != Submission():  # else what is known of it from before stays
        row.uploader = result.submission.uploader
        row.territory = result.submission.territory
        row.url = result.submission.url
        row.submitted_at = result.submission.submitted_at
    row.verdict = gravest.verdict.value
    row.gravity = gravest.verdict.rank
    row.is_joined = any(flag.match.cast and flag.verdict.is_flagged for flag in result.flags)
    row.score = gravest.match.score
    row.duration = result.duration
    row.updated_at = now
    row.versions = json.dumps(dict(versions), sort_keys=True)
    row.result = json.dumps(to_json(result), default=str)


def _state(row: CaseRow, subjects: Iterable[Subject]) -> dict[str, Any]:
    return {
        "state": row.state,
        "verdict": row.verdict,
        "score": row.score,
        "subjects": [f"{one.channel}:{one.ref_id}" for one in subjects],
    }


def _conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.states:
        conditions.append(CaseRow.state.in_(wanted.states))
    if wanted.verdict is not None:
        conditions.append(CaseRow.verdict == wanted.verdict)
    if wanted.min_score is not None:
        conditions.append(CaseRow.score >= wanted.min_score)
    if wanted.max_score is not None:
        conditions.append(CaseRow.score <= wanted.max_score)
    if wanted.uploader is not None:
        conditions.append(CaseRow.uploader == wanted.uploader)
    if wanted.source is not None:
        conditions.append(CaseRow.source.icontains(wanted.source, autoescape=True))
    if wanted.opened_before is not None:
        conditions.append(CaseRow.opened_at < wanted.opened_before)
    if wanted.opened_after is not None:
        conditions.append(CaseRow.opened_at >= wanted.opened_after)
    now = datetime.now(UTC)
    claimed = and_(CaseRow.claimed_by.is_not(None), CaseRow.claimed_until > now)
    if wanted.claimed_by is not None:
        conditions += [claimed, CaseRow.claimed_by == wanted.claimed_by]
    if wanted.is_claimed is not None:
        conditions.append(
            claimed
            if wanted.is_claimed
            else or_(CaseRow.claimed_by.is_(None), CaseRow.claimed_until <= now)
        )
    of_subject: list[ColumnElement[bool]] = []
    if wanted.channel is not None:
        of_subject.append(SubjectRow.channel == wanted.channel)
    if wanted.owner is not None:
        of_subject.append(SubjectRow.owner == wanted.owner)
    for kind, ref_id in ((SubjectKind.WORK, wanted.work), (SubjectKind.PERSON, wanted.person)):
        if ref_id is not None:
            of_ref = and_(SubjectRow.kind == kind, SubjectRow.ref_id == ref_id)
            conditions.append(exists().where(SubjectRow.case_id == CaseRow.id, of_ref))
    if of_subject:
        conditions.append(exists().where(SubjectRow.case_id == CaseRow.id, *of_subject))
    return conditions


def _order(sort: Sort) -> list[ColumnElement[Any]]:
    if sort is Sort.GRAVEST:
        joined = CaseRow.is_joined.desc()
        return [CaseRow.gravity.desc(), joined, CaseRow.score.desc(), CaseRow.id.asc()]
    if sort is Sort.NEWEST:
        return [CaseRow.opened_at.desc(), CaseRow.id.desc()]
    return [CaseRow.opened_at.asc(), CaseRow.id.asc()]


def _refuse(session: Session, case_id: int, actor: Actor, now: datetime) -> None:
    """Refuse work on a case that waits for nobody, or for others."""
    query = (
        select(CaseRow.state, CaseRow.claimed_by, CaseRow.claimed_until, AccountRow.name)
        .outerjoin(AccountRow, AccountRow.id == CaseRow.claimed_by)
        .where(CaseRow.id == case_id)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise _unknown(case_id)
    state, owner, until, name = found
    if state not in WAITING:
        raise ConflictError(f"case {case_id} is {state}, so that nobody can work on it")
    if owner not in {None, account_of(actor)} and until is not None and until > now:
        raise ConflictError(f"{name} works on case {case_id} until {until:%H:%M} UTC: take another")
    if state == CaseState.ESCALATED and not actor.role.may(Role.APPROVER):
        raise NotAllowedError(f"case {case_id} is escalated: an approver has to take it")


def _unknown(case_id: int) -> NotFoundError:
    return NotFoundError(f"there is no case {case_id}")
