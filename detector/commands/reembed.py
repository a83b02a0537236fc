"""`matchcut reembed`: another CLIP model for the works that are enrolled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.adding import with_problem
from detector.commands.common import UNREADABLE, Home, errors, fail, open_index, settings_of
from detector.logs import say
from detector.types import Channel

if TYPE_CHECKING:
    from detector.descriptors import Descriptor
    from detector.settings import Settings
    from index.records import Work
    from index.reference_index import ReferenceIndex

CHANNEL = Channel.SEMANTIC


def reembed_command(
    home: Home = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="open_clip architecture, or local-dir:FOLDER of a saved model.",
            show_default="that of the settings",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="TAG|FILE",
            help="open_clip tag of its weights, or a checkpoint.",
            show_default="those of the settings",
        ),
    ] = None,
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out",
            help="Go on without works whose film cannot be read: they lose the channel.",
        ),
    ] = False,
) -> None:
    """Move the works to another CLIP model, or describe those that were never seen by CLIP.

    Reads all films again and describes them for the channel semantic. Until the
    last is done, scans and queries go on with the old model; then the channel
    moves to the new one at once, and the model is written into matchcut.toml in
    the workspace. Stopped or killed, it goes on where it was when the same
    command is given again.

    matchcut reembed --model ViT-L-14 --weights laion2b_s32b_b82k

    Without options, works that lack the channel get it, with the model of the
    settings. To give up a move, name the model that the works have.

    Exit code 3 if a film is gone, changed or cannot be read: without --leave-out
    nothing moves then.
    """
    with errors():
        from detector.descriptors.channels import open_channel
        from detector.reembed import with_model

        settings = settings_of(home)
        wanted = with_model(settings, model, weights)
        with open_index(settings) as index:
            if not index.works():
                fail(f"no works are enrolled in {settings.home}: `matchcut works add PATH` first")
            descriptor = open_channel(CHANNEL, wanted, fetch_clip=True)
            is_named = model is not None or weights is not None
            is_whole = _Move(index, descriptor, settings, wanted).run(is_named, leave_out)
    if not is_whole:
        raise typer.Exit(UNREADABLE)


class _Move:
    """The works of an index on their way to a descriptor."""

    def __init__(
        self, index: ReferenceIndex, descriptor: Descriptor, settings: Settings, wanted: Settings
    ) -> None:
        from detector.descriptors import space_of

        self._index = index
        self._descriptor = descriptor
        self._space = space_of(descriptor)
        self._settings = settings
        self._wanted = wanted
        self._described = 0
        self._failed: dict[int, Work] = {}

    def run(self, is_named: bool, leave_out: bool) -> bool:
        """Describe the works, and move; return whether all could be described.

        Parameters
        ----------
        is_named
            Whether the user named the model, and not the settings alone.
        """
        from index.errors import NotStagedError

        is_moving = self._index.space(CHANNEL) not in (None, self._space)
        self._discard_others(is_moving, is_named)
        if not is_moving:
            self._save_model()
        has_moved = False
        while True:
            while works := self._missing():
                self._describe(works)
            if not is_moving or (self._failed and not leave_out):
                break
            try:
                self._index.restaging.switch(
                    CHANNEL, self._space, self._failed, before=self._save_model
                )
            except NotStagedError:
                if not self._missing():  # else works have come meanwhile
                    raise
            else:
                is_moving, has_moved = False, True
        self._report(is_moving, has_moved)
        return not self._failed

    def _missing(self) -> list[Work]:
        missing = self._index.restaging.missing(CHANNEL, self._space)
        return [work for work in missing if work.number not in self._failed]

    def _discard_others(self, is_moving: bool, is_named: bool) -> None:
        """Forget what is staged, unless it is for this very move."""
        staged = self._index.restaging.staged(CHANNEL)
        if staged is None or (is_moving and staged.space == self._space):
            return
        begun = f"{staged.works} works are described anew with {staged.space}"
        if staged.space != self._space and not is_named:
            fail(
                f"{begun}, for a move that is not done: to go on with it give the --model and "
                f"--weights that it was begun with; to give it up name the model of {self._space}"
            )
        say(f"{begun}: that is forgotten")
        self._index.restaging.discard(CHANNEL)

    def _describe(self, works: Sequence[Work]) -> None:
        """Describe works one after the other; one that cannot be does not stop the others."""
        from detector.console import Files
        from detector.inputs import InputError, Source
        from detector.media import UnreadableMediaError
        from detector.reembed import reembed
        from index.errors import InvalidWorkError, UnknownWorkError

        with Files("describing", len(works)) as files:
            for work in works:
                source = Source(work.source)
                watch = files.watch(source)
                try:
                    problem = reembed(work, self._index, self._descriptor, self._wanted, watch)
                    self._described += 1
                    outcome = with_problem(f"{work.id} is described anew", problem)
                except UnknownWorkError:
                    outcome = f"{work.id} was removed meanwhile"
                except (InputError, UnreadableMediaError, InvalidWorkError) as error:
                    self._failed[work.number] = work
                    outcome = f"{work.id} is not described: {error}"
                files.done(source, outcome)

    def _save_model(self) -> None:
        from detector.reembed import MODEL_SETTINGS, save_model

        if self._wanted == self._settings:
            return
        save_model(self._wanted)
        variables = {name.upper() for name in os.environ}
        for name in MODEL_SETTINGS:
            if (variable := f"MATCHCUT_{name.upper()}") in variables:
                say(
                    f"{variable} is set and goes before matchcut.toml: unset it, or set it to "
                    f"{getattr(self._wanted, name)}, else scans will not fit the works"
                )

    def _report(self, is_moving: bool, has_moved: bool) -> None:
        from index.restaging import named

        count = len(self._index.works())
        if has_moved:
            typer.echo(f"moved {count - len(self._failed)} works to {self._space}")
        elif self._described:
            typer.echo(f"described {self._described} works with {self._space}")
        elif not self._failed:
            typer.echo(f"all {count} works are described with {self._space}")
        if not self._failed:
            return
        which = named([work.id for work in self._failed.values()])
        remedy = "Give their files back and do the same again"
        if is_moving:
            say(
                f"nothing is moved, as {len(self._failed)} of {count} works are not described: "
                f"{which}. {remedy}, or with --leave-out to go on without them"
            )
        else:
            say(f"{len(self._failed)} works are without the channel {CHANNEL}: {which}. {remedy}")
