"""Videos, pictures and faces of real cases."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import cv2
import numpy as np
import pytest
from desk_office import Office, open_office

from detector.media import UnreadableMediaError
from detector.review.evidence import UPLOAD, NoEvidenceError
from detector.review.evidence_store import EVIDENCE
from detector.review.web.films import PLAYABLE, Films
from detector.samples import Cut, SampleSet, footage, resized, write_clip
from detector.settings import Settings

API = "/api/v1"

T = TypeVar("T")


@pytest.fixture(scope="module")
def old_film(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of a film in a form that no browser plays."""
    path = tmp_path_factory.mktemp("old") / "tape.avi"
    film = next(one for one in samples.films if one.stem == "bikes")
    pictures = (resized(320, 180)(picture) for _, picture in footage(Cut(film, 0, 2)))
    timed = ((n / 25, picture) for n, picture in enumerate(pictures))
    write_clip(path, timed, codec="mpeg4", bit_rate=500_000, time_base=Fraction(1, 25))
    return path


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread: the browser's tests may have left a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def picture(content: bytes) -> np.ndarray:
    """Decode a picture."""
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def looks(office: Office, case: int) -> list[dict[str, object]]:
    """List the looks at faces of a case, as the audit has them, oldest first."""
    events = office.desk.audit.events(f"case:{case}")
    return [dict(one.after) for one in reversed(events) if one.action == "person.viewed"]


# --- films ------------------------------------------------------------------------------------


def test_a_film_comes_whole_or_in_part(shown: Office, scanned_desk) -> None:
    case = shown.cases["bikes-sped-up"]
    file = Path(scanned_desk.cases["bikes-sped-up"].source).read_bytes()
    rosa, address = shown.browser("rosa"), f"{API}/cases/{case}/upload.mp4"
    whole = rosa.get(address)
    assert whole.status_code == 200
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.content == file
    for asked, part in (("0-99", file[:100]), ("100-", file[100:]), ("-50", file[-50:])):
        answer = rosa.get(address, headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 206
        assert answer.content == part
    assert answer.headers["content-range"] == f"bytes {len(file) - 50}-{len(file) - 1}/{len(file)}"
    beyond = rosa.get(address, headers={"Range": f"bytes={len(file)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(file)}"


def test_part_of_a_film_that_has_changed_since_is_not_mixed_with_it(shown: Office) -> None:
    rosa = shown.browser("rosa")
    address = f"{API}/works/bikes/reference.mp4"
    head = rosa.http.head(address)
    assert head.status_code == 200
    assert head.content == b""
    same = rosa.get(address, headers={"Range": "bytes=0-9", "If-Range": head.headers["etag"]})
    other = rosa.get(address, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (same.status_code, len(same.content)) == (206, 10)
    assert (other.status_code, len(other.content)) == (200, int(head.headers["content-length"]))


def test_a_film_that_no_browser_plays_is_converted_once(office: Office, old_film: Path) -> None:
    case = office.add_case("bikes-sped-up", old_film)
    rosa = office.browser("rosa")
    first = rosa.get(f"{API}/cases/{case}/upload.mp4")
    assert first.status_code == 200
    assert first.headers["content-type"] == "video/mp4"
    (copy,) = (office.settings.home / PLAYABLE).glob("*.mp4")
    assert copy.read_bytes() == first.content
    with av.open(str(copy)) as film:
        assert film.streams.video[0].codec_context.name == "h264"
    made = copy.stat().st_mtime_ns
    assert rosa.get(f"{API}/cases/{case}/upload.mp4").content == first.content
    assert copy.stat().st_mtime_ns == made


def test_who_asks_for_a_film_that_is_being_made_gets_the_same(
    old_film: Path, tmp_path: Path
) -> None:
    async def ask_at_once() -> list[object]:
        films = Films(Settings(home=tmp_path))
        asked = [asyncio.create_task(films.open(UPLOAD, str(old_film))) for _ in range(5)]
        await asyncio.sleep(0)
        asked[0].cancel()  # one who goes away takes nothing from the others
        return await asyncio.gather(*asked, return_exceptions=True)

    gone, first, *others = run(ask_at_once())
    assert isinstance(gone, asyncio.CancelledError)
    assert first.path.is_file()
    assert all(other is first for other in others)


def test_a_desk_that_ends_gives_up_what_it_converts(old_film: Path, tmp_path: Path) -> None:
    films = Films(Settings(home=tmp_path))
    films.close()
    with pytest.raises(NoEvidenceError, match="being ended"):
        run(films.open(UPLOAD, str(old_film)))
    assert not list((tmp_path / PLAYABLE).glob("*.tmp"))
    assert not list((tmp_path / PLAYABLE).glob("*.mp4"))


def test_what_is_no_film_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(UnreadableMediaError):
        run(Films(Settings(home=tmp_path)).open(UPLOAD, str(tmp_path / "text.mp4")))


def test_a_film_that_has_gone_is_answered_with_the_reason(
    office: Office, scanned_desk, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.mp4"
    shutil.copy(scanned_desk.cases["bikes-sped-up"].source, moved)
    case = office.add_case("bikes-sped-up", moved)
    rosa = office.browser("rosa")
    assert rosa.get(f"{API}/cases/{case}/upload.mp4").status_code == 200
    moved.unlink()
    answer = rosa.get(f"{API}/cases/{case}/upload.mp4", headers={"Range": "bytes=0-0"})
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"The upload is no longer at {moved}"


def test_uploads_elsewhere_and_works_that_are_gone_say_so(office: Office) -> None:
    case = office.add_case("bikes-sped-up", "https://videos.example/a.mp4")
    office.engine.index.remove("bikes")
    rosa = office.browser("rosa")
    elsewhere = rosa.get(f"{API}/cases/{case}/upload.mp4").json()
    assert "https:// are not read unless" in elsewhere["error"]["message"]
    gone = rosa.get(f"{API}/works/bikes/reference.mp4")
    assert gone.status_code == 404
    assert gone.json()["error"]["message"] == "This work is not enrolled any more."
    assert rosa.get(f"{API}/cases/999/upload.mp4").status_code == 404
    assert rosa.get(f"{API}/works/%00/reference.mp4").status_code == 422


# --- pictures ---------------------------------------------------------------------------------


def test_pictures_of_frames_and_their_matrix(office: Office) -> None:
    rosa = office.browser("rosa")
    case = f"{API}/cases/{office.cases['best-scenes-compilation']}"
    sides = {}
    for side in ("upload", "reference"):
        answer = rosa.get(f"{case}/matches/0/segments/0/pairs/0/{side}.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert "private" in answer.headers["cache-control"]
        sides[side] = picture(answer.content)
        assert min(sides[side].shape[:2]) > 100
    assert not np.array_equal(sides["upload"], sides["reference"])
    answer = rosa.get(f"{case}/matches/0/matrix.png")
    assert answer.headers["content-type"] == "image/png"
    assert picture(answer.content).shape == (240, 320, 3)


@pytest.mark.parametrize(
    "path",
    [
        "matches/9/matrix.png",
        "matches/9/segments/0/pairs/0/upload.jpg",
        "matches/0/segments/9/pairs/0/upload.jpg",
        "matches/0/segments/0/pairs/99/reference.jpg",
        "matches/0/appearances/0/upload.jpg",
    ],
)
def test_pictures_that_are_none(shown: Office, path: str) -> None:
    answer = shown.browser("rosa").get(f"{API}/cases/{shown.cases['bikes-sped-up']}/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("side", ["left", "upload.jpg/..", ""])
def test_there_are_two_sides(shown: Office, side: str) -> None:
    case = f"{API}/cases/{shown.cases['bikes-sped-up']}"
    answer = shown.browser("rosa").get(f"{case}/matches/0/segments/0/pairs/0/{side}.jpg")
    assert answer.status_code in {404, 422}


def test_a_picture_of_a_file_that_has_gone_is_answered_with_the_reason(
    office: Office, tmp_path: Path
) -> None:
    case = office.add_case("bikes-sped-up", tmp_path / "gone.mp4")
    rosa = office.browser("rosa")
    for path in ("segments/0/pairs/0/upload.jpg", "matrix.png"):
        answer = rosa.get(f"{API}/cases/{case}/matches/0/{path}")
        assert answer.status_code == 404
        assert "The upload is no longer at" in answer.json()["error"]["message"]
    # Of the other side there still is a picture.
    answer = rosa.get(f"{API}/cases/{case}/matches/0/segments/0/pairs/0/reference.jpg")
    assert min(picture(answer.content).shape[:2]) > 100


# --- faces ------------------------------------------------------------------------------------


def test_each_look_at_a_face_is_in_the_audit(office: Office) -> None:
    case = office.cases["interview"]
    address = f"{API}/cases/{case}/matches/0/appearances/0"
    rosa = office.browser("rosa")
    for side in ("upload", "reference", "upload"):
        answer = rosa.get(f"{address}/{side}.jpg")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert picture(answer.content).shape[0] > 50
    seen = {"person": "eileen", "match": 0, "appearance": 0}
    assert looks(office, case) == [
        seen | {"side": "upload"},
        seen | {"side": "reference"},
        seen | {"side": "upload"},
    ]
    event = office.desk.audit.events(f"case:{case}")[0]
    assert event.actor == "rosa"
    assert event.evidence == {"upload": office.desk.cases.get(case).digest}


def test_faces_are_never_kept(office: Office) -> None:
    folder = office.settings.home / EVIDENCE
    before = set(folder.rglob("*.jpg"))
    address = f"{API}/cases/{office.cases['interview']}/matches/0/appearances/0"
    for side in ("upload", "reference"):
        assert office.browser("rosa").get(f"{address}/{side}.jpg").status_code == 200
    assert set(folder.rglob("*.jpg")) == before


def test_to_play_a_video_is_no_look_at_a_face(office: Office) -> None:
    case = office.cases["interview"]
    rosa = office.browser("rosa")
    for asked in ("0-9", "10-19"):
        answer = rosa.get(f"{API}/cases/{case}/upload.mp4", headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 206
    assert looks(office, case) == []


def test_a_look_that_shows_nothing_is_none(office: Office) -> None:
    case = office.cases["interview"]
    address = f"{API}/cases/{case}/matches/0/appearances"
    assert office.browser("vera").get(f"{address}/0/upload.jpg").status_code == 403
    assert office.browser("rosa").get(f"{address}/99/upload.jpg").status_code == 404
    assert looks(office, case) == []


def test_without_the_key_no_enrolled_face_is_shown(own_home, tmp_path: Path) -> None:
    home, cases = own_home
    settings = Settings(home=home, people_key_file=tmp_path / "nothing.key")
    with open_office(home, cases, settings) as office:
        address = f"{API}/cases/{cases['interview']}/matches/0/appearances/0"
        answer = office.browser("rosa").get(f"{address}/reference.jpg")
        assert answer.status_code == 404
        assert "key of the enrolled faces is not here" in answer.json()["error"]["message"]
        assert office.browser("rosa").get(f"{address}/upload.jpg").status_code == 200


def test_of_a_person_who_was_erased_there_is_no_face(office: Office) -> None:
    office.engine.index.people.remove("eileen")
    address = f"{API}/cases/{office.cases['interview']}/matches/0/appearances/0"
    answer = office.browser("rosa").get(f"{address}/reference.jpg")
    assert answer.status_code == 404
    assert "not enrolled any more" in answer.json()["error"]["message"]
