"""Questions put to the desk: is this clip or this still ours, and where is the scene of a phrase.

What is asked about is deleted an hour after the answer, unless a case is opened from it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from detector.descriptors import Descriptor, space_of
from detector.faces import FaceChannel
from detector.media import UnreadableMediaError
from detector.moments import Where, key_frame
from detector.query import Answer as Found
from detector.query import Questions, Wanted
from detector.review.accounts import account_of, demand
from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.enrolling import reading
from detector.review.errors import ConflictError, InvalidError, NotFoundError
from detector.review.evidence import CaseEvidence, NoEvidenceError, evidence_of
from detector.review.intake import is_for_people, open_case
from detector.review.jobs import Job, Jobs, JobState, Report
from detector.review.records import Actor, CaseSummary, NewEvent, Role
from detector.review.uploads import UPLOADS, Upload, discard, keep
from detector.types import Channel

KIND = "query"
LONGEST_PHRASE = 400

_WANTED = Wanted(limit=12, shots=3)
_SIDE = 360  # pixels of the shorter side of pictures


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of what was asked about."""

    upload: Upload | None  # None: a phrase was asked for
    found: Found

    @property
    def is_for_people(self) -> bool:
        """Whether a case can be opened from it."""
        return self.found.result is not None and is_for_people(self.found.result)


class Queries:
    """Questions of the accounts of a desk, each a job of who asked it.

    Reviewers may ask. Nobody sees what others ask.

    Parameters
    ----------
    engine, desk, jobs
        Stay open as long as the jobs run.
    """

    def __init__(self, engine: Engine, desk: Desk, jobs: Jobs) -> None:
        self._engine = engine
        self._desk = desk
        self._jobs = jobs

    def ask_file(self, upload: Upload, actor: Actor) -> Job:
        """Ask about a clip or a still; the file is the query's from now on.

        The job's result is an `Answer`. That faces were looked for is recorded in the audit.

        Raises
        ------
        NotAllowedError, ConflictError
            The account may not ask, or has asked too much that is not answered yet.
        """
        demand(actor, Role.REVIEWER)
        return self._jobs.submit(
            KIND,
            upload.name,
            account_of(actor),
            lambda report: self._answer(upload, actor, report),
            lambda: _delete(upload),
        )

    def ask_phrase(self, phrase: str, actor: Actor) -> Job:
        """Ask for the scenes that a phrase describes; the job's result is an `Answer`.

        Raises
        ------
        InvalidError
            There is no phrase.
        ConflictError
            The semantic channel cannot run (the text says why), or as for `ask_file`.
        """
        demand(actor, Role.REVIEWER)
        phrase = " ".join(phrase.split())
        if not phrase or len(phrase) > LONGEST_PHRASE or not phrase.isprintable():
            raise InvalidError(f"describe a scene in at most {LONGEST_PHRASE} characters")
        why = self._engine.why_no_phrases()
        if why is not None:
            raise ConflictError(why)
        return self._jobs.submit(
            KIND, phrase, account_of(actor), lambda report: self._moments(phrase, report)
        )

    def of(self, actor: Actor) -> tuple[Job, ...]:
        """Return an account's queries of the last hour, newest first."""
        return tuple(job for job in self._jobs.of(account_of(actor)) if job.kind == KIND)

    def get(self, job_id: str, actor: Actor) -> Job:
        """Return a query of this account; `NotFoundError` if there is none, or not any more."""
        job = self._jobs.get(job_id, account_of(actor))
        if job.kind != KIND:
            raise NotFoundError("there is no such query, or its answer has been forgotten")
        return job

    def answer(self, job_id: str, actor: Actor) -> Answer:
        """Return the answer to a query; `ConflictError` as long as there is none."""
        job = self.get(job_id, actor)
        if job.state is not JobState.DONE or not isinstance(job.result, Answer):
            raise ConflictError(job.error or "there is no answer yet")
        return job.result

    def evidence(self, answer: Answer) -> CaseEvidence | None:
        """Return what is shown of a clip's scan; None of a still or a phrase."""
        if answer.found.result is None or answer.upload is None:
            return None
        index, settings = self._engine.index, self._engine.settings
        return evidence_of(answer.found.result, answer.upload.digest, index, settings)

    def cases(self, answer: Answer) -> Mapping[str, int]:
        """Return the numbers of the cases of uploads that it names, by the file's SHA-256."""
        uploads = answer.found.moments_in(Where.UPLOAD)
        return self._desk.cases.of_digests({moment.digest for moment in uploads})

    def picture(self, job_id: str, moment: int, actor: Actor) -> bytes:
        """Return the frame of a moment of an answer, as a JPEG file.

        Parameters
        ----------
        moment
            Its number, from 0, as in the answer.

        Raises
        ------
        NotFoundError, ConflictError
            As for `answer`.
        NoEvidenceError
            There is no such moment, or its file gives no picture.
        """
        demand(actor, Role.REVIEWER)
        moments = self.answer(job_id, actor).found.moments
        if not 0 <= moment < len(moments):
            raise NoEvidenceError(f"The answer has no moment {moment}.")
        jpeg, why = key_frame(moments[moment], _SIDE, self._engine.settings.protocols)
        if jpeg is None:
            raise NoEvidenceError(why)
        return jpeg

    def open_case(self, job_id: str, actor: Actor) -> CaseSummary:
        """Make a case of an answer; the file is kept for it.

        The same file again is the same case, also if it was scanned from elsewhere.

        Raises
        ------
        NotFoundError
            There is no such query, or its file has been deleted.
        ConflictError
            There is no answer yet, or nothing in it for people to look at.
        """
        demand(actor, Role.REVIEWER)
        answer = self.answer(job_id, actor)
        found = answer.found.result
        if answer.upload is None or found is None or not answer.is_for_people:
            raise ConflictError("there is nothing in it that a case could be about")
        engine = self._engine
        home = engine.settings.home
        kept = keep(answer.upload, home, UPLOADS)
        result = replace(found, source=str(kept.path), query_id=kept.path.stem)
        is_opened = False
        try:
            case = open_case(
                self._desk,
                result,
                kept.path,
                engine.index,
                engine.descriptors(),
                engine.faces() if Channel.FACE in result.channels else None,
                engine.settings,
                actor,
            )
            is_opened = case is not None
        finally:
            if kept.was_moved and not is_opened:
                kept.path.replace(answer.upload.path)  # where it is deleted when its time is over
                discard(kept.path)
        if case is None:
            raise ConflictError("there is nothing in it that a case could be about")
        return case

    def _answer(self, upload: Upload, actor: Actor, report: Report) -> Answer:
        report(0.0, "getting ready")
        descriptors, faces = self._engine.descriptors(), self._engine.faces()
        if not descriptors and faces is None:
            raise ConflictError("nothing can be found: " + "; ".join(self._engine.notes()))
        try:
            found = self._questions(descriptors, faces).ask_file(
                str(upload.path), _WANTED, on_progress=reading(report, "reading", 0.0, 0.9)
            )
        except UnreadableMediaError as error:
            # Where it lies in the workspace is nobody's business.
            why = str(error).removeprefix(f"{upload.path}: ")
            raise UnreadableMediaError(f"{upload.name}: {why}") from error
        answer = Answer(upload, found)
        if faces is not None:
            self._tell(answer, faces, upload, actor)
        return answer

    def _moments(self, phrase: str, report: Report) -> Answer:
        report(0.0, "getting ready")
        descriptors = self._engine.descriptors()
        if Channel.SEMANTIC not in descriptors:
            why = self._engine.why_no_phrases()
            raise ConflictError(why or "the semantic channel cannot run just now")
        return Answer(None, self._questions(descriptors).ask_phrase(phrase, _WANTED))

    def _questions(
        self, descriptors: Mapping[Channel, Descriptor], faces: FaceChannel | None = None
    ) -> Questions:
        engine = self._engine
        return Questions(
            engine.index,
            descriptors,
            engine.settings,
            shots_of=engine.upload_shots,
            faces=faces,
        )

    def _tell(self, answer: Answer, faces: FaceChannel, upload: Upload, actor: Actor) -> None:
        """Record that somebody had faces looked at, and whose were found."""
        people = [seen.person_id for seen in answer.found.people]
        if answer.found.result is not None:
            flags = answer.found.result.flags
            people = [one.match.ref_id for one in flags if one.match.channel is Channel.FACE]
        event = NewEvent(
            "query.asked",
            "query",
            after={"people": people},
            versions={"face": space_of(faces.descriptor)},
            evidence={"upload": upload.digest},
        )
        self._desk.audit.record(actor, event)


def playable_folder(upload: Upload) -> Path:
    """Where a copy of a query's clip lies that browsers play; it is deleted with it."""
    return upload.path.with_name(f"{upload.path.name}.playable")


def _delete(upload: Upload) -> None:
    upload.path.unlink(missing_ok=True)
    shutil.rmtree(playable_folder(upload), ignore_errors=True)
