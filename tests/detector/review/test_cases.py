"""Cases are opened once per upload, found by what is known of them, and worked on one at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from databases import KINDS
from desk_examples import (
    CHEAP,
    VERSIONS,
    a_flag,
    a_likeness,
    a_result,
    digest_of_source,
    hire,
    open_case,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, event, insert, text, update

from detector.output import from_json
from detector.review.cases import CLAIM_LENGTH
from detector.review.desk import Desk
from detector.review.errors import ConflictError, NotAllowedError, NotFoundError
from detector.review.records import (
    COMMAND_LINE,
    Action,
    Case,
    CaseFilter,
    CaseState,
    CaseSummary,
    Reason,
    Sort,
    SubjectKind,
)
from detector.review.schema import CaseRow, SkipRow, SubjectRow
from detector.types import Channel, Verdict

LOOK_ALIKE = a_flag("nosferatu", Channel.SEMANTIC, 0.7)


def expire(database: Engine, case: CaseSummary) -> None:
    """Let half an hour pass for who works on a case."""
    with database.begin() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(update(CaseRow).where(CaseRow.id == case.id).values(claimed_until=past))


def decide(desk: Desk, case: CaseSummary, actor, action=Action.DISMISS, reason=Reason.LICENSED):
    desk.cases.claim(case.id, actor)
    return desk.cases.decide(case.id, actor, action, reason)


# Opening


def test_a_case_says_what_was_flagged_gravest_first(desk):
    flags = [a_flag(verdict=Verdict.REVIEW), a_likeness(), a_flag("faust", verdict=Verdict.BLOCK)]
    submitted = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    case = open_case(
        desk,
        "/in/today/clip.mp4",
        *flags,
        uploader="eve",
        url="https://tube.example/1",
        submitted_at=submitted,
    )
    assert [(one.kind, one.ref_id, one.verdict) for one in case.subjects] == [
        (SubjectKind.WORK, "faust", Verdict.BLOCK),
        (SubjectKind.WORK, "metropolis", Verdict.REVIEW),
        (SubjectKind.PERSON, "brigitte-helm", Verdict.REVIEW),
    ]
    assert (case.state, case.verdict, case.score) == (CaseState.OPEN, Verdict.BLOCK, 0.9)
    assert (case.name, case.source) == ("clip.mp4", "/in/today/clip.mp4")
    assert case.submission.submitted_at == submitted
    assert case.submission.uploader == "eve"
    assert case.claim is None


def test_a_case_keeps_the_scan_and_what_it_was_made_with(desk):
    case = desk.cases.get(open_case(desk).id)
    assert case.versions == VERSIONS
    assert from_json(dict(case.result)) == a_result()
    assert case.decisions == ()


@pytest.mark.parametrize("verdict", [Verdict.CLEAR, Verdict.ALLOW, Verdict.MONITOR])
def test_what_is_nothing_for_people_is_no_case(desk, verdict):
    result = a_result("uploads/clip.mp4", a_flag(verdict=verdict))
    assert desk.cases.open_case(result, "0" * 64, VERSIONS, COMMAND_LINE) is None
    assert desk.cases.find().total == 0
    assert desk.audit.events() == ()


def test_what_is_clear_is_no_subject_of_a_case(desk):
    case = open_case(desk, "uploads/clip.mp4", a_flag(), a_flag("faust", verdict=Verdict.ALLOW))
    assert [one.ref_id for one in case.subjects] == ["metropolis"]


def test_the_same_upload_again_is_the_same_case(desk):
    first = open_case(desk)
    result = a_result("elsewhere/copy.mp4", a_flag(score=0.95), LOOK_ALIKE)
    again = desk.cases.open_case(result, first.digest, {"matchcut": "0.2.0"}, COMMAND_LINE)
    assert again.id == first.id
    assert (again.source, again.score) == ("elsewhere/copy.mp4", 0.95)
    assert [one.ref_id for one in again.subjects] == ["metropolis", "nosferatu"]
    assert desk.cases.get(first.id).versions == {"matchcut": "0.2.0"}
    assert desk.cases.find().total == 1
    refreshed, opened = desk.audit.events(subject=f"case:{first.id}")
    assert (opened.action, refreshed.action) == ("case.opened", "case.refreshed")
    assert refreshed.before["subjects"] == ["copy:metropolis"]
    assert refreshed.after["subjects"] == ["copy:metropolis", "semantic:nosferatu"]


def test_the_same_file_by_somebody_else_or_elsewhere_is_another_case(desk):
    ferris = open_case(desk, uploader="ferris", url="https://a.example/1")
    again = open_case(desk, uploader="ferris", url="https://a.example/1")
    elsewhere = open_case(desk, uploader="ferris", url="https://b.example/2")
    jeanie = open_case(desk, uploader="jeanie", url="https://a.example/1")
    assert again.id == ferris.id
    assert len({ferris.id, elsewhere.id, jeanie.id}) == 3
    assert [one.submission.uploader for one in (ferris, jeanie)] == ["ferris", "jeanie"]


def test_a_file_of_which_nothing_is_known_is_taken_to_be_the_one_that_is_known(desk):
    unknown = open_case(desk)
    known = open_case(desk, uploader="ferris", url="https://a.example/1")
    assert known.id == unknown.id
    assert known.submission.uploader == "ferris"
    later = open_case(desk)
    assert later.id == known.id
    assert later.submission == known.submission


def test_who_works_on_a_case_keeps_it_when_the_upload_is_scanned_again(desk, staff):
    case = open_case(desk)
    desk.cases.claim(case.id, staff.anna)
    assert open_case(desk).claim.name == "anna"


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ([a_flag()], CaseState.DECIDED),
        ([a_flag(score=0.99)], CaseState.DECIDED),
        ([a_flag(), a_flag("faust", verdict=Verdict.MONITOR)], CaseState.DECIDED),
        ([a_flag(), LOOK_ALIKE], CaseState.OPEN),
        ([a_flag(), a_likeness()], CaseState.OPEN),
        ([a_flag(verdict=Verdict.BLOCK)], CaseState.OPEN),
    ],
)
def test_a_decided_case_is_opened_again_for_what_is_new_or_graver(desk, staff, flags, state):
    case = open_case(desk)
    decide(desk, case, staff.anna)
    assert open_case(desk, case.source, *flags).state is state


# Finding


CHANNELS = [Channel.COPY, Channel.SEMANTIC, Channel.FACE]
WORKS, PEOPLE = ["faust", "metropolis", "nosferatu"], ["brigitte-helm", "max-schreck"]
OWNERS = ["Murnau Foundation", "Prana", None]
UPLOADERS = ["eve", "mallory", None]
NAMES = ["Trailer", "scene 100%", "a_b", "Teaser"]
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=KINDS)
def queue(request, tmp_path_factory) -> Iterator[tuple[Desk, list[Case]]]:
    """Return a desk and its 60 cases on each kind of database, to be looked at only."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path_factory.mktemp('queue')}/desk.sqlite"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("empty_on_server").lent())
        desk = stack.enter_context(Desk.at(url, CHEAP))
        database = create_engine(url)
        stack.callback(database.dispose)
        yield desk, fill(desk, database)


def fill(desk: Desk, database: Engine) -> list[Case]:
    """Make 60 cases of all kinds, some claimed, decided and escalated."""
    staff = hire(desk)
    chance = random.Random(7)
    opened = []
    for number in range(60):
        flags = []
        for channel in chance.sample(CHANNELS, chance.randint(1, 3)):
            one_of = PEOPLE if channel is Channel.FACE else WORKS
            verdict = chance.choice([Verdict.MONITOR, Verdict.REVIEW, Verdict.BLOCK])
            score = chance.choice([0.5, 0.75, 1.0])
            owner = chance.choice(OWNERS)
            flag = a_flag(chance.choice(one_of), channel, score, verdict, owner=owner)
            if channel is Channel.SEMANTIC and number % 4 == 0:
                flag = replace(flag, match=replace(flag.match, cast=("brigitte-helm",)))
            flags.append(flag)
        flags[0] = replace(flags[0], verdict=Verdict.REVIEW)
        source = f"in/{chance.choice(NAMES)} {number}.mp4"
        opened.append(open_case(desk, source, *flags, uploader=chance.choice(UPLOADERS)))
    for case in opened[:30]:
        desk.cases.claim(case.id, chance.choice([staff.anna, staff.ben, staff.carol]))
    for case in opened[:8]:
        worker = {staff.anna.account_id: staff.anna, staff.ben.account_id: staff.ben}.get(
            desk.cases.get(case.id).claim.account_id, staff.carol
        )
        desk.cases.escalate(case.id, worker, "not sure")
    for case in opened[8:20]:
        expire(database, case)
        desk.cases.claim(case.id, staff.anna)
        desk.cases.decide(case.id, staff.anna, *_some_decision(chance))
    expire(database, opened[20])
    with database.begin() as connection:
        for case in opened:
            at = START + timedelta(hours=chance.randrange(10))
            connection.execute(update(CaseRow).where(CaseRow.id == case.id).values(opened_at=at))
    return [desk.cases.get(case.id) for case in opened]


def _some_decision(chance: random.Random) -> tuple[Action, Reason]:
    return chance.choice(
        [(Action.DISMISS, Reason.LICENSED), (Action.BLOCK, Reason.LIKENESS)],
    )


def is_wanted(case: Case, wanted: CaseFilter) -> bool:
    """Say what a filter means, in Python."""

    def asked(value, answer):
        return value is None or bool(answer(value))

    same_flag = [
        one
        for one in case.subjects
        if wanted.channel in (None, one.channel) and wanted.owner in (None, one.owner)
    ]
    claim = case.claim
    return (
        (not wanted.states or case.state in wanted.states)
        and bool(same_flag)
        and asked(wanted.verdict, lambda verdict: case.verdict is verdict)
        and asked(wanted.min_score, lambda score: case.score >= score)
        and asked(wanted.max_score, lambda score: case.score <= score)
        and asked(wanted.work, lambda work: (SubjectKind.WORK, work) in refs(case))
        and asked(wanted.person, lambda person: (SubjectKind.PERSON, person) in refs(case))
        and asked(wanted.uploader, lambda uploader: case.submission.uploader == uploader)
        and asked(wanted.source, lambda source: source.lower() in case.source.lower())
        and asked(wanted.opened_before, lambda moment: case.opened_at < moment)
        and asked(wanted.opened_after, lambda moment: case.opened_at >= moment)
        and asked(wanted.claimed_by, lambda who: claim is not None and claim.account_id == who)
        and asked(wanted.is_claimed, lambda is_claimed: (claim is not None) == is_claimed)
        and (wanted.is_claimed is not False or claim is None)
    )


def refs(case: Case) -> list[tuple[SubjectKind, str]]:
    return [(one.kind, one.ref_id) for one in case.subjects]


KEYS = {
    Sort.GRAVEST: lambda case: (-case.verdict.rank, not case.is_joined, -case.score, case.id),
    Sort.NEWEST: lambda case: (-case.opened_at.timestamp(), -case.id),
    Sort.OLDEST: lambda case: (case.opened_at.timestamp(), case.id),
}


def maybe(*values):
    return st.none() | st.sampled_from(values)


_moments = maybe(*(START + timedelta(hours=hours) for hours in range(11)))
_scores = maybe(0.0, 0.5, 0.6, 0.75, 1.0)
FILTERS = st.builds(
    CaseFilter,
    states=st.lists(st.sampled_from(CaseState), max_size=2, unique=True).map(tuple),
    channel=maybe(*CHANNELS),
    verdict=maybe(*Verdict),
    min_score=_scores,
    max_score=_scores,
    owner=maybe(*OWNERS[:2]),
    work=maybe(*WORKS),
    person=maybe(*PEOPLE),
    uploader=maybe(*UPLOADERS[:2]),
    source=maybe("TRAILER", "0%", "a_b", "_", "\\", "in/", ".mp4"),
    opened_before=_moments,
    opened_after=_moments,
    claimed_by=maybe(2, 3),  # anna, ben
    is_claimed=st.none() | st.booleans(),
)
_FEW_WISHES = FILTERS.flatmap(
    lambda wanted: st.sets(st.sampled_from(CaseFilter.__slots__), max_size=3).map(
        lambda kept: CaseFilter(**{name: getattr(wanted, name) for name in kept})
    )
)


@settings(max_examples=100, deadline=None)
@given(_FEW_WISHES, st.sampled_from(Sort), st.integers(1, 70), st.integers(0, 70))
def test_a_filter_finds_what_it_says(queue, wanted, sort, limit, offset):
    desk, library = queue
    expected = sorted((one for one in library if is_wanted(one, wanted)), key=KEYS[sort])
    page = desk.cases.find(wanted, sort, limit, offset)
    assert page.total == len(expected)
    assert [one.id for one in page.items] == [one.id for one in expected[offset : offset + limit]]


def test_a_look_alike_with_its_cast_goes_before_others_of_its_verdict(queue):
    desk, library = queue
    joined = [one.is_joined for one in library if one.verdict is Verdict.REVIEW]
    assert 0 < sum(joined) < len(joined)
    found = desk.cases.find(CaseFilter(verdict=Verdict.REVIEW), Sort.GRAVEST, limit=100).items
    assert [one.is_joined for one in found] == sorted(joined, reverse=True)


def test_pages_follow_on_one_another(queue):
    desk, library = queue
    for sort in Sort:
        pages = [desk.cases.find(sort=sort, limit=7, offset=offset) for offset in range(0, 63, 7)]
        found = [one.id for page in pages for one in page.items]
        assert found == [one.id for one in sorted(library, key=KEYS[sort])]
        assert {page.total for page in pages} == {60}


def test_the_queue_lists_what_the_case_itself_says(queue):
    desk, library = queue
    listed = {one.id: one for one in desk.cases.find(limit=100).items}
    for case in library:
        for name in CaseSummary.__dataclass_fields__:
            assert getattr(listed[case.id], name) == getattr(case, name)


def test_cases_are_counted_by_state(queue):
    desk, library = queue
    counts = desk.cases.counts()
    assert counts == {state: sum(one.state is state for one in library) for state in CaseState}
    assert all(counts.values())


def test_no_cases_are_counted_in_a_new_desk(desk):
    assert desk.cases.counts() == dict.fromkeys(CaseState, 0)


def test_earlier_cases_are_those_of_the_same_uploader(desk):
    one = open_case(desk, "1.mp4", uploader="eve")
    two = open_case(desk, "2.mp4", uploader="eve")
    other = open_case(desk, "3.mp4", uploader="mallory")
    unknown = open_case(desk, "4.mp4")
    open_case(desk, "5.mp4")
    assert [case.id for case in desk.cases.earlier(one.id)] == [two.id]
    assert [case.id for case in desk.cases.earlier(two.id)] == [one.id]
    assert desk.cases.earlier(other.id) == ()
    assert desk.cases.earlier(unknown.id) == ()


def test_a_case_that_is_not_there_is_told(desk, staff):
    for operation in (
        lambda: desk.cases.get(7),
        lambda: desk.cases.earlier(7),
        lambda: desk.cases.claim(7, staff.anna),
        lambda: desk.cases.release(7, staff.anna),
        lambda: desk.cases.skip(7, staff.anna),
    ):
        with pytest.raises(NotFoundError, match="there is no case 7"):
            operation()


# Claims (and see test_claims.py)


def test_a_claimed_case_is_one_persons_for_half_an_hour(desk, staff, database):
    case = open_case(desk)
    claimed = desk.cases.claim(case.id, staff.anna)
    assert claimed.claim.name == "anna"
    assert claimed.claim.until - datetime.now(UTC) <= CLAIM_LENGTH
    with pytest.raises(ConflictError, match=r"anna works on case 1 until \d\d:\d\d UTC"):
        desk.cases.claim(case.id, staff.ben)
    expire(database, case)
    assert desk.cases.get(case.id).claim is None
    assert desk.cases.claim(case.id, staff.ben).claim.name == "ben"


def test_a_claim_is_renewed_by_who_has_it(desk, staff, database):
    case = open_case(desk)
    desk.cases.claim(case.id, staff.anna)
    with database.begin() as connection:
        soon = datetime.now(UTC) + timedelta(minutes=1)
        connection.execute(update(CaseRow).values(claimed_until=soon))
    assert desk.cases.claim(case.id, staff.anna).claim.until > soon
    actions = [one.action for one in desk.cases.history(case.id)]
    assert actions == ["case.claimed", "case.opened"]  # to go on is not to begin


def test_a_released_case_is_anybodys(desk, staff):
    case = open_case(desk)
    desk.cases.claim(case.id, staff.anna)
    with pytest.raises(ConflictError, match="anna works on"):
        desk.cases.release(case.id, staff.ben)
    desk.cases.release(case.id, staff.anna)
    with pytest.raises(ConflictError, match="claim case 1 first"):
        desk.cases.release(case.id, staff.anna)
    assert desk.cases.claim(case.id, staff.ben).claim.name == "ben"


def test_a_viewer_only_looks(desk, staff):
    case = open_case(desk)
    for operation in (
        lambda: desk.cases.claim(case.id, staff.vera),
        lambda: desk.cases.claim_next(CaseFilter(), Sort.GRAVEST, staff.vera),
        lambda: desk.cases.release(case.id, staff.vera),
        lambda: desk.cases.skip(case.id, staff.vera),
    ):
        with pytest.raises(NotAllowedError, match="needs the role reviewer, and vera has viewer"):
            operation()


def test_the_command_line_works_on_no_case(desk):
    case = open_case(desk)
    with pytest.raises(NotAllowedError, match="somebody who is signed in"):
        desk.cases.claim(case.id, COMMAND_LINE)


def test_the_next_case_is_the_gravest_that_is_free(desk, staff):
    cases = [
        open_case(desk, f"{number}.mp4", a_flag(score=score))
        for number, score in enumerate([0.7, 0.9, 0.8])
    ]

    def take(actor, wanted=CaseFilter(), sort=Sort.GRAVEST):  # noqa: B008 -- frozen
        taken = desk.cases.claim_next(wanted, sort, actor)
        return None if taken is None else cases.index(replace(taken, claim=None))

    assert take(staff.anna) == 1
    assert take(staff.ben) == 2
    assert take(staff.anna, CaseFilter(min_score=0.75)) is None
    assert take(staff.anna, sort=Sort.OLDEST) == 0
    assert take(staff.carol) is None


def test_a_skipped_case_comes_back_to_others_at_once_and_to_oneself_tomorrow(desk, staff, database):
    case = open_case(desk)
    desk.cases.claim(case.id, staff.anna)
    desk.cases.skip(case.id, staff.anna)
    assert desk.cases.get(case.id).claim is None
    assert desk.cases.claim_next(CaseFilter(), Sort.GRAVEST, staff.anna) is None
    assert desk.cases.claim_next(CaseFilter(), Sort.GRAVEST, staff.ben).id == case.id
    desk.cases.skip(case.id, staff.anna)  # once more, and what ben has stays his
    assert desk.cases.get(case.id).claim.name == "ben"
    desk.cases.release(case.id, staff.ben)
    with database.begin() as connection:
        past = datetime.now(UTC) - timedelta(hours=12)
        connection.execute(update(SkipRow).values(at=past))
    assert desk.cases.claim_next(CaseFilter(), Sort.GRAVEST, staff.anna).id == case.id


def test_a_skipped_case_can_be_claimed_by_its_number(desk, staff):
    case = open_case(desk)
    desk.cases.skip(case.id, staff.anna)
    assert desk.cases.claim(case.id, staff.anna).claim.name == "anna"


def test_an_escalated_case_is_for_an_approver(desk, staff):
    case = open_case(desk)
    desk.cases.claim(case.id, staff.anna)
    desk.cases.escalate(case.id, staff.anna, "is this parody?")
    for actor in (staff.anna, staff.ben):
        with pytest.raises(NotAllowedError, match="an approver has to take it"):
            desk.cases.claim(case.id, actor)
        assert desk.cases.claim_next(CaseFilter(), Sort.GRAVEST, actor) is None
    assert desk.cases.claim_next(CaseFilter(), Sort.GRAVEST, staff.carol).id == case.id


# Many


@pytest.fixture
def many(desk: Desk, database: Engine) -> int:
    """Fill the desk with 2,000 cases, faster than scans would; return the number of one."""
    now = datetime.now(UTC)
    facts = {"folder": "in", "uploader": "eve", "state": "open", "verdict": "review"}
    facts |= {"gravity": 3, "score": 0.5, "opened_at": now, "updated_at": now}
    subject = {"kind": "work", "title": "Faust", "owner": "Prana", "channel": "copy"}
    subject |= {"position": 0, "score": 0.5, "verdict": "review"}
    with database.begin() as connection:
        connection.execute(
            insert(CaseRow),
            [
                facts
                | {"id": number, "source": f"{number}.mp4", "digest": digest_of_source(str(number))}
                | {"versions": "{}", "result": "{}"}
                for number in range(1, 2001)
            ],
        )
        connection.execute(
            insert(SubjectRow),
            [subject | {"case_id": n, "ref_id": f"work-{n % 50}"} for n in range(1, 2001)],
        )
        connection.execute(text("ANALYZE"))
    return 1000


@pytest.mark.parametrize(
    "wanted",
    [
        CaseFilter(),
        CaseFilter(states=(CaseState.OPEN,)),
        CaseFilter(states=(CaseState.OPEN, CaseState.ESCALATED), owner="Prana"),
        CaseFilter(work="work-7"),
        CaseFilter(uploader="eve"),
    ],
)
def test_no_page_reads_a_whole_table_for_a_part_of_it(desk, many, wanted):
    database = desk._database.engine
    asked: list[tuple[str, object]] = []

    def note(_, __, statement, parameters, *___):
        asked.append((statement, parameters))

    event.listen(database, "before_cursor_execute", note)
    desk.cases.find(wanted)
    desk.cases.find(wanted, Sort.NEWEST)
    desk.cases.counts()
    desk.cases.get(many)
    desk.cases.earlier(many)
    desk.cases.history(many)
    event.remove(database, "before_cursor_execute", note)
    explain = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}[database.dialect.name]
    with database.connect() as connection:
        if database.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")  # as it is for larger tables
        for statement, parameters in asked:
            if statement.startswith("SELECT"):
                plan = [
                    row[-1] for row in connection.exec_driver_sql(explain + statement, parameters)
                ]
                assert not [step for step in plan if _reads_all(step)], (statement, plan)
    assert len(asked) > 10


def _reads_all(step: str) -> bool:
    """Whether a step of a plan goes through the rows of a table, and not through an index."""
    return "Seq Scan" in step or ("SCAN review_" in step and "USING" not in step)
