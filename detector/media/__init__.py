"""From files to frames. Nothing else in the program opens a video.

`probe` tells what a file is, `sample` streams its frames at a rate, `grab` fetches single
frames as evidence, `is_uniform` recognises frames that show nothing, and `trim_borders` cuts off
what is no picture.
"""

from detector.media.borders import trim_borders
from detector.media.grab import grab
from detector.media.probe import MediaInfo, UnreadableMediaError, probe
from detector.media.sample import Frame, Sampler, rate_for
from detector.media.uniform import is_uniform

__all__ = [
    "Frame",
    "MediaInfo",
    "Sampler",
    "UnreadableMediaError",
    "grab",
    "is_uniform",
    "probe",
    "rate_for",
    "trim_borders",
]
