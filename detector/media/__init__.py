"""From files to frames. Nothing else in the program opens a video.

`probe` tells what a file is, `sample` streams its frames at a rate, `grab` fetches single
frames as evidence, `is_uniform` recognises frames that show nothing, `trim_borders` cuts off what
is no picture, and `find_layout` finds parts of the picture that show footage of their own.
"""

from detector.media.borders import trim_borders
from detector.media.grab import grab
from detector.media.layout import Guess, Layout, Part, find_layout
from detector.media.probe import MediaInfo, UnreadableMediaError, is_still, probe
from detector.media.sample import Frame, Sampler, rate_for
from detector.media.uniform import is_uniform

__all__ = [
    "Frame",
    "Guess",
    "Layout",
    "MediaInfo",
    "Part",
    "Sampler",
    "UnreadableMediaError",
    "find_layout",
    "grab",
    "is_still",
    "is_uniform",
    "probe",
    "rate_for",
    "trim_borders",
]
