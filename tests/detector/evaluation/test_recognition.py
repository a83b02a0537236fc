from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.evaluation.recognition import identification, share_above, verification

LISTS = st.lists(st.sampled_from([-np.inf, 0.1, 0.2, 0.3, 0.5, 0.9]), min_size=1, max_size=30)


@given(LISTS, LISTS)
def test_accuracy_is_the_best_of_all_thresholds(genuine, others):
    similarities = np.array(genuine + others)
    is_genuine = np.arange(len(similarities)) < len(genuine)
    found = verification(similarities, is_genuine)
    thresholds = [*similarities, np.inf]
    best = max(((similarities >= t) == is_genuine).mean() for t in thresholds)
    assert found.accuracy == pytest.approx(best)
    assert ((similarities >= found.threshold) == is_genuine).mean() == pytest.approx(best)
    assert (found.pairs, found.genuine) == (len(similarities), len(genuine))


@given(LISTS, LISTS, st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_no_more_of_the_others_than_allowed_are_above(wanted, others, allowed):
    share = share_above(np.array(wanted), np.array(others), allowed)
    ways = [
        (np.array(wanted) > t).mean()
        for t in (-np.inf, *others)
        if (np.array(others) > t).sum() <= allowed * len(others)
    ]
    assert share == pytest.approx(max(ways))


def test_identification():
    found = identification(
        right=np.array([0.99, 0.95, 0.4, 0.0]),
        is_nearest=np.array([True, True, True, False]),
        strangers=np.array([0.0, 0.1, 0.5, 0.92]),
        min_score=0.9,
    )
    assert (found.enrolled, found.strangers) == (4, 4)
    assert (found.identified, found.nearest, found.flagged) == (0.5, 0.75, 0.25)
    # Of four strangers none may be above: only scores over 0.92 count.
    assert found.missed_at_1_percent == found.missed_at_01_percent == 0.5
