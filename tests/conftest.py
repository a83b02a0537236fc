"""What many tests share."""

from __future__ import annotations

import pytest

from detector.samples import SampleSet, build_samples


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    """Return the demo's films and uploads, built once for all tests; do not change the files."""
    return build_samples(tmp_path_factory.mktemp("samples"))
