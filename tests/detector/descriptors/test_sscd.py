"""The copy descriptor, on real pictures."""

import cv2
import numpy as np
import pytest
from descriptor_conformance import DescriptorConformance

from detector.assets import ASSETS, fetch
from detector.descriptors.sscd import SscdDescriptor


def picture(name):
    bgr = cv2.imread(str(fetch(ASSETS[name])), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def descriptor():
    return SscdDescriptor()


class TestSscd(DescriptorConformance):
    pass


@pytest.mark.parametrize("model", ["sscd-distilled", "sscd"])
def test_an_edited_copy_is_nearer_than_any_other_picture(model):
    descriptor = SscdDescriptor(model)
    names = ["astronaut", "coffee", "chelsea", "rocket"]
    originals = [picture(name) for name in names]
    edits = {
        "mirrored": lambda image: image[:, ::-1],
        "cropped": lambda image: image[40:-40, 40:-40],
        "grey": lambda image: np.repeat(image.mean(axis=2, keepdims=True), 3, 2).astype(np.uint8),
        "letterboxed": lambda image: np.pad(image, ((60, 60), (0, 0), (0, 0))),
        "small": lambda image: cv2.resize(image, None, fx=0.25, fy=0.25),
    }
    for edit in edits.values():
        copies = [np.ascontiguousarray(edit(image)) for image in originals]
        similarities = descriptor.describe(copies) @ descriptor.describe(originals).T
        copied = np.diag(similarities)
        others = similarities[~np.eye(len(names), dtype=bool)]
        assert copied.min() > 0.5
        assert others.max() < 0.3


def test_name_and_version_tell_model_scale_and_weights(descriptor):
    assert descriptor.name == "sscd-distilled-288"
    assert descriptor.version == ASSETS["sscd-distilled"].sha256[:12]
    assert SscdDescriptor(size=224).name != descriptor.name
