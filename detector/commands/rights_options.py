"""What `matchcut licences` and `matchcut rules` share: naming a work or a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.common import fail

if TYPE_CHECKING:
    from index.reference_index import ReferenceIndex
    from index.rights_records import Kind

WorkOrPerson = Annotated[
    str, typer.Argument(metavar="ID", help="As `works list` or `people list` shows it.")
]
IsPerson = Annotated[bool, typer.Option("--person", help="ID is a person's, not a work's.")]
Numbers = Annotated[
    list[int], typer.Argument(metavar="NUMBER...", help="As listed.", show_default=False)
]


def kind_of(index: ReferenceIndex, ref_id: str, is_person: bool) -> Kind:
    """Return whose rights are meant; an id that nobody has is refused with the remedy."""
    from index.errors import UnknownWorkError
    from index.rights_records import Kind

    if is_person:
        index.people.get(ref_id)
        return Kind.PERSON
    try:
        index.work(ref_id)
    except UnknownWorkError:
        if any(person.id == ref_id for person in index.people.all()):
            fail(f"{ref_id!r} is no work but a person: say so with --person")
        raise
    return Kind.WORK
