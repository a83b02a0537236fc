"""What a scan and the desk need of a machine: what is here, what is off, and what is wrong.

Nothing is changed or fetched, nobody else on the network is asked, and no model is loaded: it takes
a second or two. Parts of the program that may be broken are imported where they are looked at, so
that the doctor can say so.
"""

from __future__ import annotations

from detector.doctor.machine import machine
from detector.doctor.programs import programs
from detector.doctor.records import Check, State
from detector.doctor.workspace import channels, workspace
from detector.settings import Settings

__all__ = ["Check", "State", "examine"]


def examine(settings: Settings) -> list[Check]:
    """Look at everything, in the order of reading."""
    return [*programs(), *machine(), *channels(settings), *workspace(settings)]
