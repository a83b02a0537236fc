"""What is listed of works, people and background, and how lists are written."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TextIO

from rich.text import Text  # names may look like markup

from detector.output import empty_table, print_table
from detector.rights_words import exclusion_in_words, licence_in_words, rule_in_words, state_of
from detector.text import visible
from index.person_records import Person
from index.records import BackgroundSource, Work
from index.rights_records import Licence, Rights, Rule


def work_values(work: Work) -> dict[str, Any]:
    """Return what is listed of a work, by column."""
    return {
        "id": work.id,
        "title": work.title,
        "owner": work.owner,
        "policy": work.policy.value,
        "duration": round(work.duration, 3),
        "frames": work.frames_sampled - work.frames_uniform,
        "uniform_frames": work.frames_uniform,
        "added_at": work.added_at.isoformat(timespec="seconds"),
        "source": work.source,
        "digest": work.digest,
    }


def background_values(source: BackgroundSource, space: str | None) -> dict[str, Any]:
    """Return what is listed of footage in the background, by column.

    Parameters
    ----------
    space
        That of the works; what was described in another is not used. None if there are no works.
    """
    return {
        "id": source.number,
        "frames": source.count,
        "used": "yes" if space in (None, source.space) else "no",
        "space": source.space,
        "added_at": source.added_at.isoformat(timespec="seconds"),
        "source": source.source,
        "digest": source.source_digest,
    }


def person_values(person: Person, today: date) -> dict[str, Any]:
    """Return what is listed of a person, by column."""
    return {
        "id": person.id,
        "name": person.name,
        "faces": person.faces,
        "policy": person.policy.value,
        "authority": person.authority,
        "retain_until": person.retain_until.isoformat(),
        "expired": "yes" if person.is_expired(today) else "no",
        "added_at": person.added_at.isoformat(timespec="seconds"),
    }


def licence_values(licence: Licence, today: date) -> dict[str, Any]:
    """Return what is listed of a licence, by column."""
    return {
        "number": licence.number,
        "kind": licence.kind.value,
        "id": licence.ref_id,
        "licensee": licence.licensee,
        "channels": ",".join(licence.channels),
        "territories": ",".join(licence.territories),
        "from": None if licence.starts is None else licence.starts.isoformat(),
        "until": None if licence.ends is None else licence.ends.isoformat(),
        "state": state_of(licence, today),
        "document": licence.document,
        "added_at": licence.added_at.isoformat(timespec="seconds"),
    }


def rule_values(rule: Rule) -> dict[str, Any]:
    """Return what is listed of a rule, by column."""
    return {
        "number": rule.number,
        "kind": rule.kind.value,
        "id": rule.ref_id,
        "policy": rule.policy.value,
        "channel": rule.channel,
        "min_seconds": rule.min_seconds,
        "min_share_upload": rule.min_share_upload,
        "min_share_reference": rule.min_share_reference,
        "min_score": rule.min_score,
        "added_at": rule.added_at.isoformat(timespec="seconds"),
    }


def rights_in_words(rights: Rights, today: date) -> list[tuple[str, str]]:
    """Name all rights of a work or a person, each with what it says."""
    return [
        *((f"licence {one.number}", licence_in_words(one, today)) for one in rights.licences),
        *((f"rule {one.number}", rule_in_words(one)) for one in rights.rules),
        *((f"exclusion {one.number}", exclusion_in_words(one)) for one in rights.exclusions),
    ]


def write_rows(
    output_format: str, rows: Sequence[Mapping[str, Any]], stream: TextIO, none: str = ""
) -> None:
    """Write records of the same columns as a table, JSON lines or CSV.

    Parameters
    ----------
    none
        What a table says when there is no record.
    """
    if output_format == "jsonl":
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif output_format == "csv":
        if rows:
            table = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
    elif rows:
        grid = empty_table(*rows[0].keys())
        for row in rows:
            grid.add_row(
                *(Text("" if value is None else visible(str(value))) for value in row.values())
            )
        print_table(grid, stream)
    else:
        stream.write(f"{none}\n")
