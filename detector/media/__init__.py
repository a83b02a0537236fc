"""From files to frames, and what frames show.

`probe` tells what a file is, `Sampler` streams its frames at a rate, `grab` fetches single
frames as evidence: all in child processes, as files may be hostile. `is_uniform` recognises frames
that show nothing, `trim_borders` cuts off what is no picture, `find_layout` finds parts of the
picture that show footage of their own, and `find_shots` tells where a video is cut.
"""

from detector.decoding.records import Frame, Limits, MediaInfo, UnreadableMediaError
from detector.media.borders import trim_borders
from detector.media.layout import Guess, Layout, Part, find_layout
from detector.media.reading import (
    Sampler,
    first_frame,
    grab,
    grab_run,
    is_playable,
    is_still,
    probe,
    rate_for,
    write_playable,
)
from detector.media.shots import CHANGED, change, find_shots, look_of
from detector.media.uniform import is_uniform

__all__ = [
    "CHANGED",
    "Frame",
    "Guess",
    "Layout",
    "Limits",
    "MediaInfo",
    "Part",
    "Sampler",
    "UnreadableMediaError",
    "change",
    "find_layout",
    "find_shots",
    "first_frame",
    "grab",
    "grab_run",
    "is_playable",
    "is_still",
    "is_uniform",
    "look_of",
    "probe",
    "rate_for",
    "trim_borders",
    "write_playable",
]
