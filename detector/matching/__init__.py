"""From embeddings to matches: candidates, then alignment in time, then a score.

Shots that look like a work's are matched beside that: `look_alikes`.
"""

from detector.matching.alignment import Alignment, align
from detector.matching.background import Background, shipped
from detector.matching.candidates import Candidate, rank_candidates
from detector.matching.look_alikes import (
    Ordinary,
    build_look_alike,
    find_scenes,
    is_news,
    with_cast,
)
from detector.matching.scoring import above, build_match, rescored
from detector.matching.shots import pool
from detector.matching.similarity import Similarities, similar_pairs
from detector.matching.views import Views

__all__ = [
    "Alignment",
    "Background",
    "Candidate",
    "Ordinary",
    "Similarities",
    "Views",
    "above",
    "align",
    "build_look_alike",
    "build_match",
    "find_scenes",
    "is_news",
    "pool",
    "rank_candidates",
    "rescored",
    "shipped",
    "similar_pairs",
    "with_cast",
]
