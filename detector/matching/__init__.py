"""From embeddings to matches: candidates, then alignment in time, then a score."""

from detector.matching.alignment import Alignment, align
from detector.matching.candidates import Candidate, rank_candidates
from detector.matching.scoring import build_match
from detector.matching.similarity import Similarities, similar_pairs

__all__ = [
    "Alignment",
    "Candidate",
    "Similarities",
    "align",
    "build_match",
    "rank_candidates",
    "similar_pairs",
]
