"""Borders are cut off, pictures are not."""

import cv2
import numpy as np
import pytest

from detector.assets import ASSETS, fetch
from detector.media import trim_borders


@pytest.fixture(scope="module")
def picture():
    bgr = cv2.imread(str(fetch(ASSETS["chelsea"])), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def framed(picture, top, bottom, left, right, colour):
    borders = [top, bottom, left, right]
    return cv2.copyMakeBorder(picture, *borders, cv2.BORDER_CONSTANT, value=colour)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 60)])
@pytest.mark.parametrize(
    "borders", [(60, 60, 0, 0), (0, 0, 80, 40), (30, 0, 0, 50), (400, 400, 20, 20)]
)
def test_plain_borders_of_any_colour_are_cut_off_exactly(picture, borders, colour):
    assert np.array_equal(trim_borders(framed(picture, *borders, colour)), picture)


def test_coding_noise_in_a_border_does_not_matter(picture):
    image = framed(picture, 60, 60, 0, 0, (0, 0, 0))
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])
    trimmed = trim_borders(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    assert abs(len(trimmed) - len(picture)) <= 8  # a block of the code spans the edge


def test_a_picture_without_borders_is_left_whole(picture):
    assert trim_borders(picture).shape == picture.shape


def test_a_plain_edge_of_one_line_is_left(picture):
    image = framed(picture, 1, 1, 1, 1, (0, 0, 0))
    assert trim_borders(image).shape == image.shape


def test_a_picture_of_one_colour_is_left_whole():
    image = np.full((90, 160, 3), 40, np.uint8)
    assert trim_borders(image).shape == image.shape


def test_a_small_thing_on_a_plain_ground_is_left_where_it_is():
    image = np.full((200, 200, 3), 250, np.uint8)
    image[95:105, 95:105] = (10, 20, 30)
    assert trim_borders(image).shape == image.shape
