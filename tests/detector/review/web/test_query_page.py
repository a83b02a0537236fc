"""Questions put to the desk through its pages, with real files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from desk_office import HOST, Browser, Office, open_office
from fastapi.testclient import TestClient
from picture_clips import write_pictures, write_still
from starlette.testclient import httpx

from detector.assets import ASSETS, fetch
from detector.batch import Batch
from detector.inputs import Source
from detector.moments import Where
from detector.pipeline import enroll
from detector.review.jobs import Job, JobState
from detector.review.uploads import QUERIES
from detector.samples import Cut, SampleSet, footage, resized, write_clip
from detector.settings import Settings, load_settings
from detector.types import Channel

WAIT_S = 120.0


@pytest.fixture
def office(cases_home, tmp_path: Path) -> Iterator[Office]:
    """Open a desk that takes files of at most 2 MB."""
    home, cases = cases_home
    shutil.copytree(home, tmp_path / "home")
    (tmp_path / "home" / "matchcut.toml").write_text('review_upload_limit = "2MB"\n')
    with open_office(tmp_path / "home", cases) as office:
        yield office


@pytest.fixture
def rosa(office: Office) -> Browser:
    return office.browser("rosa")


@pytest.fixture(scope="module")
def clip(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small clip of an enrolled film."""
    film = next(path for path in samples.films if path.stem == "bikes")
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, footage(Cut(film, 2, 6, (resized(320, 136),))))
    return path


def send(
    browser: Browser,
    content: bytes,
    name: str = "clip.mp4",
    *,
    by_script: bool = True,
    path: str = "/query/file",
) -> httpx.Response:
    """Send a file as the page does, with its script or without."""
    headers = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    if by_script:
        headers |= {"Accept": "application/json", "X-CSRF-Token": browser.csrf}
    files = {"file": (name, content, "video/mp4")}
    return browser.http.post(path, data={"csrf": browser.csrf}, files=files, headers=headers)


def answered(office: Office, answer: httpx.Response) -> Job:
    """Return the job of a file that was taken, when it has ended."""
    assert answer.status_code == 200, answer.text
    location = answer.json()["location"]
    assert location.startswith("/query/")
    return office.app.state.jobs.wait(location.removeprefix("/query/"), WAIT_S)


def left(office: Office) -> list[Path]:
    """List what lies among the queries' files."""
    return list((office.settings.home / QUERIES).glob("*"))


# --- the answer


def test_a_clip_is_answered_with_what_a_scan_finds(
    office: Office, rosa: Browser, clip: Path
) -> None:
    job = answered(office, send(rosa, clip.read_bytes(), "what is this.mp4"))
    assert job.state is JobState.DONE, job.error
    page = rosa.get(f"/query/{job.id}").text
    assert "what is this.mp4" in page
    assert " of bikes" in page
    assert "Open a case" in page
    assert f'src="/query/{job.id}/upload.mp4"' in page
    assert 'src="/api/v1/works/bikes/reference.mp4"' in page
    assert str(office.settings.home) not in page
    film = rosa.get(f"/query/{job.id}/upload.mp4", headers={"Range": "bytes=0-9"})
    assert (film.status_code, film.content) == (206, clip.read_bytes()[:10])
    assert job.id in rosa.get("/query").text


def test_a_still_is_answered_with_who_is_in_it_and_that_is_told(
    office: Office, rosa: Browser, portrait: Path
) -> None:
    content = portrait.read_bytes()
    job = answered(office, send(rosa, content, "who.png"))
    page = rosa.get(f"/query/{job.id}").text
    assert "Likely in it: Eileen Collins" in page
    assert "Open a case" not in page
    (event,) = (one for one in office.desk.audit.events() if one.action == "query.asked")
    assert event.actor == "rosa"
    assert event.after == {"people": ["eileen"]}
    assert event.evidence == {"upload": hashlib.sha256(content).hexdigest()}


def test_a_still_of_a_film_shows_its_moment(
    office: Office, rosa: Browser, tmp_path: Path, samples: SampleSet
) -> None:
    import av

    film = next(path for path in samples.films if path.stem == "bikes")
    with av.open(str(film)) as container:
        frame = next(one for one in container.decode(video=0) if one.time >= 4)
        frame.to_image().save(tmp_path / "still.png")
    job = answered(office, send(rosa, (tmp_path / "still.png").read_bytes(), "still.png"))
    page = rosa.get(f"/query/{job.id}").text
    assert "In protected works" in page
    assert "In uploads that were scanned" not in page
    assert "/api/v1/works/bikes/reference.mp4#t=" in page


def test_of_what_is_not_known_nothing_is_found(office: Office, rosa: Browser) -> None:
    job = answered(office, send(rosa, fetch(ASSETS["carphone_pristine"]).read_bytes()))
    page = rosa.get(f"/query/{job.id}").text
    assert "Open a case" not in page
    assert "Nothing" in page


def test_while_it_is_looked_for_the_page_shows_how_far(office: Office, rosa: Browser) -> None:
    account = office.actor("rosa").account_id
    with HeldUp(office, account):
        location = send(rosa, b"to be waited for").json()["location"]
        page = rosa.get(location).text
        assert 'data-state="waiting"' in page
    office.app.state.jobs.wait(location.removeprefix("/query/"), WAIT_S)


class HeldUp:
    """Keeps the jobs of a desk waiting."""

    def __init__(self, office: Office, account_id: int) -> None:
        import threading

        self._go_on = threading.Event()
        office.app.state.jobs.submit(
            "other", "", account_id, lambda report: self._go_on.wait(WAIT_S)
        )

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        self._go_on.set()


# --- a case


def test_a_case_is_opened_from_an_answer_and_the_file_is_kept(
    office: Office, rosa: Browser, clip: Path
) -> None:
    content = clip.read_bytes()
    job = answered(office, send(rosa, content, "found on the web.mp4"))
    answer = rosa.post(f"/query/{job.id}/case")
    assert answer.status_code == 303, answer.text
    number = int(answer.headers["location"].removeprefix("/cases/"))
    assert number not in office.cases.values()
    case = office.desk.cases.get(number)
    digest = hashlib.sha256(content).hexdigest()
    assert case.digest == digest
    assert case.name == "found_on_the_web.mp4"
    kept = office.settings.home / "uploads" / digest / "found_on_the_web.mp4"
    assert (Path(case.source), kept.read_bytes()) == (kept, content)
    page = rosa.get(answer.headers["location"]).text
    assert "found_on_the_web.mp4" in page
    film = rosa.get(f"/api/v1/cases/{number}/upload.mp4", headers={"Range": "bytes=0-9"})
    assert film.content == content[:10]
    assert rosa.post(f"/query/{job.id}/case").headers["location"] == f"/cases/{number}"
    office.app.state.jobs.close()
    assert kept.is_file()
    assert left(office) == []


def test_the_same_file_as_a_cases_opens_that_case(
    office: Office, rosa: Browser, portrait_clip: Path
) -> None:
    job = answered(office, send(rosa, portrait_clip.read_bytes()))
    answer = rosa.post(f"/query/{job.id}/case")
    assert answer.headers["location"] == f"/cases/{office.cases['interview']}"


def test_without_a_find_there_is_no_case(office: Office, rosa: Browser, portrait: Path) -> None:
    job = answered(office, send(rosa, portrait.read_bytes(), "who.png"))
    answer = rosa.post(f"/query/{job.id}/case")
    assert answer.status_code == 409
    assert "nothing in it that a case could be about" in answer.text


def test_what_is_asked_about_is_deleted_with_its_job(office: Office, rosa: Browser) -> None:
    answered(office, send(rosa, b"not a film"))
    assert len(left(office)) == 1
    office.app.state.jobs.close()
    assert left(office) == []


# --- phrases


def test_without_clip_the_page_says_why_there_are_no_phrases(rosa: Browser) -> None:
    page = rosa.get("/query").text
    assert 'action="/query/phrase"' not in page
    assert "once works are described in the semantic channel" in page
    answer = rosa.post("/query/phrase", phrase="two men fight on a rooftop")
    assert answer.status_code == 409
    assert "once works are described in the semantic channel" in answer.text


@pytest.fixture
def seeing(cases_home, tmp_path: Path, tiny_clip: Path, samples: SampleSet) -> Iterator[Office]:
    """Open a desk with CLIP, and two uploads that were scanned: the first is that of a case."""
    home, cases = cases_home
    shutil.copytree(home, tmp_path / "home")
    model = json.dumps(f"local-dir:{tiny_clip}")
    (tmp_path / "home" / "matchcut.toml").write_text(f"semantic_model = {model}\n")
    settings = load_settings(home=tmp_path / "home", copy_size=224)
    with open_office(tmp_path / "home", cases, settings) as office:
        film = next(path for path in samples.films if path.stem == "bikes")
        engine = office.engine
        enroll(Source(str(film)), engine.index, engine.describing(), settings)
        ours = next(one.path for one in samples.uploads if one.path.stem == "bikes-sped-up")
        pictures = write_pictures(tmp_path / "launch.mp4", ("rocket", "coffee"))
        only = {Channel.SEMANTIC: engine.descriptors()[Channel.SEMANTIC]}
        sources = [Source(str(path)) for path in (ours, pictures)]
        assert len(list(Batch(engine.index, only, settings).run(sources))) == 2
        yield office


def asked(office: Office, browser: Browser, phrase: str) -> Job:
    """Return the job of a phrase, when it has ended."""
    answer = browser.post("/query/phrase", phrase=phrase)
    return office.app.state.jobs.wait(answer.headers["location"].removeprefix("/query/"), WAIT_S)


def test_with_clip_a_phrase_finds_moments_in_works_and_in_uploads(seeing: Office) -> None:
    rosa = seeing.browser("rosa")
    job = asked(seeing, rosa, "two men fight on a rooftop")
    assert job.state is JobState.DONE, job.error
    page = rosa.get(f"/query/{job.id}").text
    assert "two men fight on a rooftop" in page
    works, uploads = page.split("In uploads that were scanned")
    assert "In protected works" in works
    assert 'href="/library/works/bikes"' in works
    assert "/api/v1/works/bikes/reference.mp4#t=" in works
    assert "look-alike" in works
    assert f'<a href="/cases/{seeing.cases["bikes-sped-up"]}">bikes-sped-up.mp4</a>' in uploads
    assert "launch.mp4" in uploads
    assert "shot 0:00.0 \N{EN DASH} 0:0" in uploads
    assert 'src="/static/late.js' in page  # says why, where a picture is missing


def test_a_still_of_a_scanned_upload_finds_it(seeing: Office, tmp_path: Path) -> None:
    still = write_still(tmp_path / "still.png", "rocket")
    rosa = seeing.browser("rosa")
    job = answered(seeing, send(rosa, still.read_bytes(), "still.png"))
    best, *_ = job.result.found.moments_in(Where.UPLOAD)
    assert (best.id, best.similarity > 0.99) == ("launch", True)


def test_a_clip_shows_uploads_that_look_like_it(seeing: Office, tmp_path: Path) -> None:
    clip = write_pictures(tmp_path / "clip.mp4", ("coffee", "rocket"))
    rosa = seeing.browser("rosa")
    job = answered(seeing, send(rosa, clip.read_bytes()))
    page = rosa.get(f"/query/{job.id}").text
    assert "launch.mp4" in page.split("In uploads that were scanned")[1]
    assert "as the clip at 0:0" in page


def test_the_picture_of_a_moment_is_for_who_asked(seeing: Office, tmp_path: Path) -> None:
    rosa = seeing.browser("rosa")
    job = asked(seeing, rosa, "a rocket")
    moments = job.result.found.moments
    for number in range(len(moments)):
        answer = rosa.get(f"/api/v1/queries/{job.id}/moments/{number}.jpg")
        assert (answer.status_code, answer.content[:2]) == (200, b"\xff\xd8")
    beyond = rosa.get(f"/api/v1/queries/{job.id}/moments/{len(moments)}.jpg")
    assert beyond.status_code == 404
    address = f"/api/v1/queries/{job.id}/moments/0.jpg"
    assert seeing.browser("rob").get(address).status_code == 404
    assert seeing.browser("vera").get(address).status_code == 403
    (tmp_path / "launch.mp4").unlink()
    gone = next(number for number, one in enumerate(moments) if one.id == "launch")
    missing = rosa.get(f"/api/v1/queries/{job.id}/moments/{gone}.jpg")
    assert missing.status_code == 404
    said = missing.json()["error"]["message"]
    assert said == f"The upload is no longer at {tmp_path / 'launch.mp4'}"


def test_programs_are_told_the_same_moments(seeing: Office) -> None:
    rosa = seeing.browser("rosa")
    job = asked(seeing, rosa, "a rocket")
    answer = rosa.get(f"/api/v1/jobs/{job.id}").json()["result"]
    assert {one["where"] for one in answer["moments"]} == {"work", "upload"}
    for sent, moment in zip(answer["moments"], job.result.found.moments, strict=True):
        assert (sent["id"], sent["time"]) == (moment.id, moment.time)
        assert sent["start"] <= sent["time"] <= sent["end"]
    assert answer["left_out"] == 0


def test_what_was_forgotten_is_not_found_by_the_next_question(seeing: Office) -> None:
    rosa = seeing.browser("rosa")
    assert "launch" in {one.id for one in asked(seeing, rosa, "a rocket").result.found.moments}
    index = seeing.engine.index
    index.uploads.forget([one.source for one in index.uploads.all() if "launch" in one.source])
    left = asked(seeing, rosa, "a rocket").result.found.moments_in(Where.UPLOAD)
    assert {one.id for one in left} == {"bikes-sped-up"}


# --- what may not come in


@pytest.mark.parametrize(
    "name",
    [
        "../../../../escape.mp4",
        "..\\..\\escape.mp4",
        "/etc/cron.d/escape",
        "a\0b.mp4",
        "<script>alert(1)</script>.mp4",
        "harmless\u202e4pm.exe",
        "x" * 3000 + ".mp4",
        "%s%n{{7*7}}.mp4",
    ],
)
def test_names_are_for_reading_alone(
    office: Office, rosa: Browser, tmp_path: Path, name: str
) -> None:
    before = set(tmp_path.iterdir())
    job = answered(office, send(rosa, b"not a film", name))
    (path,) = left(office)
    assert path.parent == office.settings.home / QUERIES
    assert set(tmp_path.iterdir()) == before
    page = rosa.get(f"/query/{job.id}").text
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_a_text_that_calls_itself_a_film_is_told_to_be_none(office: Office, rosa: Browser) -> None:
    job = answered(office, send(rosa, b"this is a text\n" * 100, "film.mp4"))
    assert job.state is JobState.FAILED
    page = unescape(rosa.get(f"/query/{job.id}").text)
    assert "film.mp4: not a video, or damaged beyond its headers" in page
    assert str(office.settings.home) not in page


@pytest.mark.parametrize("by_script", [True, False])
def test_an_empty_file_is_refused(office: Office, rosa: Browser, by_script: bool) -> None:
    answer = send(rosa, b"", by_script=by_script)
    assert answer.status_code == 422
    assert "lip.mp4 is empty" in answer.text
    assert left(office) == []


@pytest.mark.parametrize("by_script", [True, False])
def test_what_is_too_large_is_refused(office: Office, rosa: Browser, by_script: bool) -> None:
    answer = send(rosa, bytes(2_000_001), by_script=by_script)
    assert answer.status_code == 413
    assert "larger than the 0.002 GB" in answer.text
    assert left(office) == []


@pytest.mark.parametrize("by_script", [True, False])
def test_no_file_is_refused(office: Office, rosa: Browser, by_script: bool) -> None:
    answer = send(rosa, b"", name="", by_script=by_script)
    assert answer.status_code == 422
    assert "hoose a file" in answer.text
    assert left(office) == []


def test_without_scripts_the_form_works_too(office: Office, rosa: Browser) -> None:
    answer = send(rosa, b"not a film", by_script=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/query/")


def test_two_files_at_once_are_refused(office: Office, rosa: Browser) -> None:
    files = [("file", ("1.mp4", b"one")), ("file", ("2.mp4", b"two"))]
    headers = {"Accept": "application/json", "X-CSRF-Token": rosa.csrf}
    answer = rosa.http.post("/query/file", files=files, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "give one file at a time"
    assert left(office) == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nhalf a fi',
         "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n",
         "multipart/form-data; boundary=x"),
        (b"--y--", "multipart/form-data; boundary=x"),
        (b"file=a", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--x--", "multipart/form-data"),
    ],
)  # fmt: skip
def test_what_is_no_form_or_was_cut_off_is_refused(
    office: Office, rosa: Browser, content: bytes, kind: str
) -> None:
    headers = {"Accept": "application/json", "X-CSRF-Token": rosa.csrf, "Content-Type": kind}
    answer = rosa.http.post("/query/file", content=content, headers=headers)
    assert answer.status_code == 422
    assert left(office) == []


def test_a_form_of_another_site_is_refused_before_it_is_read(office: Office, rosa: Browser) -> None:
    files = {"file": ("clip.mp4", b"film")}
    forged = {"Origin": "https://evil.example", "X-CSRF-Token": rosa.csrf}
    assert rosa.http.post("/query/file", files=files, headers=forged).status_code == 403
    unknown = {"X-CSRF-Token": "guessed"}
    assert rosa.http.post("/query/file", files=files, headers=unknown).status_code == 403
    assert rosa.http.post("/query/file", files=files).status_code == 403
    assert left(office) == []


def test_viewers_and_strangers_may_not_ask(office: Office) -> None:
    vera = office.browser("vera")
    assert send(vera, b"film").status_code == 403
    assert vera.get("/query").status_code == 403
    stranger = TestClient(office.app, base_url=f"http://{HOST}", follow_redirects=False)
    answer = stranger.post("/query/file", files={"file": ("clip.mp4", b"film")})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")
    assert left(office) == []


def test_nobody_sees_what_others_ask(office: Office, rosa: Browser, portrait: Path) -> None:
    job = answered(office, send(rosa, portrait.read_bytes(), "who.png"))
    rob = office.browser("rob")
    assert rob.get(f"/query/{job.id}").status_code == 404
    assert rob.get(f"/query/{job.id}/upload.mp4").status_code == 404
    assert rob.post(f"/query/{job.id}/case").status_code == 404
    assert job.id not in rob.get("/query").text
    assert rosa.get("/query/guessed").status_code == 404


def test_the_limit_can_be_written_as_people_do(tmp_path: Path) -> None:
    (tmp_path / "matchcut.toml").write_text('review_upload_limit = "8GiB"\n')
    assert Settings(home=tmp_path).review_upload_limit == 8 << 30
