"""From embeddings to matches: candidates, then alignment in time, then a score."""

from detector.matching.alignment import Alignment, align
from detector.matching.background import Background, shipped
from detector.matching.candidates import Candidate, rank_candidates
from detector.matching.scoring import above, build_match, rescored
from detector.matching.similarity import Similarities, similar_pairs
from detector.matching.views import Views

__all__ = [
    "Alignment",
    "Background",
    "Candidate",
    "Similarities",
    "Views",
    "above",
    "align",
    "build_match",
    "rank_candidates",
    "rescored",
    "shipped",
    "similar_pairs",
]
