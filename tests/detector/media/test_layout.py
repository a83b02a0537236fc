"""Parts with footage of their own are found; ordinary footage has none."""

from itertools import islice

import cv2
import numpy as np
import pytest

from detector.media import Sampler
from detector.media.layout import Layout, Part, find_layout
from detector.samples import letterboxed

WIDTH, HEIGHT = 384, 216
FRAMES = 24


def scenery(seed):
    """A camera that pans over drawn things, with a cut to another place in the middle."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(2):
        ground = rng.integers(40, 216, 3).tolist()
        place = np.full((HEIGHT * 2, WIDTH * 2, 3), ground, np.uint8)
        for _ in range(250):
            x, y = rng.integers(0, (WIDTH * 2, HEIGHT * 2)).tolist()
            size, colour = int(rng.integers(4, 40)), rng.integers(0, 256, 3).tolist()
            cv2.circle(place, (x, y), size, colour, -1, cv2.LINE_AA)
        place = cv2.GaussianBlur(place, (0, 0), 1.2)
        step = rng.integers(6, 14, 2)
        for n in range(FRAMES // 2):
            x, y = n * step
            frames.append(place[y : y + HEIGHT, x : x + WIDTH])
    return frames


@pytest.fixture(scope="module")
def film(samples):
    """A real film with camera movement and cuts."""
    bikes = next(path for path in samples.films if path.stem == "bikes")
    return [frame.image for frame in islice(Sampler(bikes, 3), FRAMES)]


def scaled(image, box):
    left, top, right, bottom = box
    return cv2.resize(image, (right - left, bottom - top), interpolation=cv2.INTER_AREA)


def pasted(grounds, films, *boxes):
    """Put a film into each box, left, top, right, bottom, over the grounds; as a copy is coded."""
    out = []
    for ground, *images in zip(grounds, *films, strict=True):
        canvas = ground.copy()
        for image, box in zip(images, boxes, strict=True):
            canvas[box[1] : box[3], box[0] : box[2]] = scaled(image, box)
        _, jpeg = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 70])
        out.append(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    return out


def find_parts(images):
    return find_layout(images).parts


def still(seed):
    return [scenery(seed)[0]] * FRAMES


def assert_found(parts, *boxes, size=(WIDTH, HEIGHT)):
    """Every box, and nothing else, is among the parts, up to 3 % of the picture."""
    found = sorted((part.left, part.top, part.right, part.bottom) for part in parts)
    shares = sorted(tuple(np.array(box) / (*size, *size)) for box in boxes)
    assert len(found) == len(shares), found
    assert np.allclose(found, shares, atol=0.03), found


@pytest.mark.parametrize(
    "box", [(0, 0, 192, 108), (180, 90, 370, 200), (270, 12, 372, 70), (12, 130, 150, 208)]
)
def test_an_inset_over_other_footage(film, box):
    assert_found(find_parts(pasted(scenery(1), [film], box)), box)


def test_two_films_side_by_side_and_one_above_the_other(film):
    left, right = (0, 0, 192, HEIGHT), (192, 0, WIDTH, HEIGHT)
    assert_found(find_parts(pasted(still(0), [film, scenery(2)], left, right)), left, right)
    top, bottom = (0, 0, WIDTH, 108), (0, 108, WIDTH, HEIGHT)
    assert_found(find_parts(pasted(still(0), [film, scenery(2)], top, bottom)), top, bottom)


def test_four_films_in_a_grid(film):
    boxes = [(x, y, x + 192, y + 108) for x in (0, 192) for y in (0, 108)]
    films = [film, scenery(3), scenery(4), scenery(5)]
    assert_found(find_parts(pasted(still(0), films, *boxes)), *boxes)


@pytest.mark.parametrize("share", [0.06, 0.12, 0.2])
def test_a_film_in_a_decorated_frame(film, share):
    x, y = round(share * WIDTH), round(share * HEIGHT)
    box = (x, y, WIDTH - x, HEIGHT - y)
    assert_found(find_parts(pasted(still(6), [film], box)), box)


def test_a_film_over_an_enlarged_blurred_copy_of_itself(film):
    width, height = 288, 512
    box = (0, 195, width, 317)
    grounds = [cv2.GaussianBlur(cv2.resize(i, (width, height)), (0, 0), 15) for i in film]
    assert_found(find_parts(pasted(grounds, [film], box)), box, size=(width, height))


def test_a_film_below_a_caption(film):
    ground = np.full((360, 288, 3), 255, np.uint8)
    for y in (30, 60):
        cv2.putText(ground, "when the film", (20, y), cv2.FONT_HERSHEY_DUPLEX, 1, (0, 0, 0), 2)
    box = (0, 80, 288, 360)
    parts = find_parts(pasted([ground] * FRAMES, [film], box))
    assert_found(parts, box, size=(288, 360))


def test_a_screen_in_a_dark_room_filmed_aslant(film):
    room = (cv2.GaussianBlur(scenery(7)[0], (0, 0), 3) * 0.3).astype(np.uint8)
    corners = np.array([[80, 45], [300, 52], [295, 165], [88, 172]], np.float32)
    height, width = film[0].shape[:2]
    plane = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    shown = []
    for n, image in enumerate(film):
        shake = np.array([np.sin(n), np.cos(1.7 * n)], np.float32)
        view = cv2.getPerspectiveTransform(plane, corners + shake)
        canvas = np.roll(room, np.rint(shake[::-1]).astype(int), axis=(0, 1))
        canvas = cv2.warpPerspective(
            image, view, (WIDTH, HEIGHT), canvas, borderMode=cv2.BORDER_TRANSPARENT
        )
        shown.append(canvas)
    assert_found(find_parts(shown), (80, 45, 300, 172))


def assert_guessed(layout, box):
    """The box is not told for sure, and is among the guesses; return in which frames."""
    wanted = Part(*(np.array(box) / (WIDTH, HEIGHT, WIDTH, HEIGHT)))
    assert all(part.overlap(wanted) < 0.5 for part in layout.parts)
    (frames,) = (g.frames for g in layout.guesses if g.part.overlap(wanted) > 0.8)
    return frames


@pytest.mark.parametrize("first", [0, 7, 14])
def test_an_inset_that_is_there_for_a_few_frames_is_guessed(film, first):
    box = (24, 96, 166, 176)
    grounds = scenery(1)
    shown = range(first, first + 10)
    insets = pasted(grounds, [film], box)
    images = [insets[n] if n in shown else grounds[n] for n in range(FRAMES)]
    frames = assert_guessed(find_layout(images), box)
    assert np.mean([n in shown for n in frames]) > 0.7


def test_an_inset_where_next_to_nothing_moves_is_guessed(film):
    speakers = [film[0].copy() for _ in range(FRAMES)]
    for n, image in enumerate(speakers):
        height, width = image.shape[:2]
        cv2.circle(image, (width // 2, height // 2), 10 + n % 3 * 5, (240, 240, 240), -1)
    room = (cv2.GaussianBlur(scenery(7)[0], (0, 0), 3) * 0.3).astype(np.uint8)
    box = (216, 24, 360, 105)
    layout = find_layout(pasted([room] * FRAMES, [speakers], box))
    assert assert_guessed(layout, box) == range(FRAMES)


def test_guesses_are_few_and_not_what_is_a_part_for_sure():
    cells = [(x, y, x + 180, y + 100) for x in (6, 198) for y in (4, 112)]
    films = [scenery(20 + number) for number in range(len(cells))]
    layout = find_layout(pasted(still(6), films, *cells))
    assert len(layout.parts) == 4
    assert 1 <= len(layout.guesses) <= 6
    for number, guess in enumerate(layout.guesses):
        others = [*layout.parts, *(other.part for other in layout.guesses[:number])]
        assert all(guess.part.overlap(other) < 0.75 for other in others)


def test_a_picture_on_a_wall_is_not_even_guessed(film):
    images = [image.copy() for image in still(11)]
    for n, image in enumerate(images):
        image[30:110, 40:180] = scaled(film[0], (40, 30, 180, 110))
        cv2.circle(image, (200 + 6 * n, 160), 20, (30, 200, 60), -1, cv2.LINE_AA)
    assert find_layout(images) == Layout()


@pytest.mark.parametrize("seed", [8, 9, 10])
def test_drawn_footage_has_no_parts(seed):
    assert find_parts(scenery(seed)) == ()


def test_real_footage_has_no_parts(samples):
    for path in samples.films:
        images = [frame.image for frame in Sampler(path, 3)]
        for start in range(0, len(images) - FRAMES + 1, FRAMES):
            assert find_parts(images[start : start + FRAMES]) == (), (path.stem, start)


def test_plain_borders_make_no_part(film):
    assert find_parts([letterboxed(288, 512)(image) for image in film]) == ()


def test_a_scene_that_stands_still_but_for_one_thing_has_no_parts():
    images = [image.copy() for image in still(11)]
    for n, image in enumerate(images):
        cv2.circle(image, (60 + 10 * n, 110), 30, (30, 200, 60), -1, cv2.LINE_AA)
    assert find_parts(images) == ()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames_tell_nothing(film, frames):
    left, right = (0, 0, 192, HEIGHT), (192, 0, WIDTH, HEIGHT)
    shown = pasted(still(0), [film, scenery(2)], left, right)
    assert find_parts(shown[:frames]) == ()


def test_three_frames_are_enough_for_a_clear_layout(film):
    left, right = (0, 0, 192, HEIGHT), (192, 0, WIDTH, HEIGHT)
    shown = pasted(still(0), [film, scenery(2)], left, right)
    assert_found(find_parts(shown[2::9]), left, right)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (40, 40)])
def test_pictures_of_a_few_pixels_have_no_parts(size):
    noise = np.random.default_rng(0).integers(0, 256, (8, *size, 3), np.uint8)
    assert find_layout(list(noise)) == Layout()


def test_a_picture_of_one_colour_has_no_parts():
    assert find_parts([np.full((HEIGHT, WIDTH, 3), 80, np.uint8)] * FRAMES) == ()


def test_a_part_is_a_view_of_the_picture():
    image = np.arange(40 * 60 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 60, 3)
    view = Part(0.5, 0.25, 1.0, 0.75).of(image)
    assert np.shares_memory(view, image)
    assert np.array_equal(view, image[10:30, 30:])
