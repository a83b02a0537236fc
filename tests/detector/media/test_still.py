from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.media import UnreadableMediaError, is_still
from detector.samples import write_clip

GREY = np.full((90, 160, 3), 128, np.uint8)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tiff", "webp"])
def test_a_file_with_one_picture_is_a_still(tmp_path, ending):
    path = tmp_path / f"photo.{ending}"
    cv2.imwrite(str(path), GREY)
    assert is_still(path)


def test_the_contents_decide_not_the_name(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), GREY)
    (tmp_path / "photo.png").rename(tmp_path / "photo.mp4")
    assert is_still(tmp_path / "photo.mp4")


@pytest.mark.parametrize("frames", [1, 10])
def test_a_clip_is_none_even_if_it_shows_a_single_picture(tmp_path, frames):
    path = tmp_path / "clip.mp4"
    write_clip(path, ((n / 10, GREY) for n in range(frames)))
    assert not is_still(path)


def test_what_is_no_media_is_said_to_be_unreadable(tmp_path):
    path = tmp_path / "photo"
    path.write_text("no picture")
    for one in (path, tmp_path / "missing.png"):
        with pytest.raises(UnreadableMediaError):
            is_still(one)
