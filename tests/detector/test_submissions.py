from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.inputs import Source
from detector.submissions import Submissions, SubmissionsError, read_submissions, submission_of
from detector.types import Submission

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return what writes a CSV and tells where it is."""

    def to_file(text: str) -> Path:
        path = tmp_path / "submissions.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def uploader(submissions: Submissions, name: str) -> str | None:
    return submissions.of(Source(name)).uploader


# --- what a row says ----------------------------------------------------------------------------


def test_a_row_tells_all_of_an_upload(write: Write) -> None:
    read = read_submissions(
        write(
            "file,uploader,territory,url,submitted_at\n"
            'a.mp4,"Studio, Paris",fr,https://tube.example/a,2026-03-01T12:00:00+02:00\n'
        )
    )
    assert read.of(Source("uploads/a.mp4")) == Submission(
        uploader="Studio, Paris",
        territory="FR",
        url="https://tube.example/a",
        submitted_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01 12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00-05:00", datetime(2026, 3, 1, 17, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_in_utc(write: Write, written: str, time: datetime) -> None:
    read = read_submissions(write(f"file,submitted_at\na.mp4,{written}\n"))
    assert read.of(Source("a.mp4")).submitted_at == time


def test_columns_may_be_missing_in_any_order_and_cells_empty(write: Write) -> None:
    read = read_submissions(write("\ufeffUploader, file\nstudio, a.mp4\n\n,b.mp4\n"))
    assert read.of(Source("a.mp4")) == Submission(uploader="studio")
    assert read.of(Source("b.mp4")) == Submission()


# --- which upload it means ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("a.mp4", "uploads/week 1/a.mp4"),
        ("week 1/a.mp4", "uploads/week 1/a.mp4"),
        ("./uploads/../uploads/a.mp4", "uploads/a.mp4"),
        ("/srv/uploads/a.mp4", "/srv/uploads/a.mp4"),
        ("memory://bucket/a.mp4", "memory:///bucket/a.mp4"),
        ("a.mp4", "memory://bucket/a.mp4"),
    ],
)
def test_a_file_is_named_by_its_path_or_url_or_the_end_of_it(
    write: Write, file: str, source: str
) -> None:
    read = read_submissions(write(f"file,uploader\n{file},studio\n"))
    assert uploader(read, source) == "studio"
    assert read.unmatched([Source(source)]) == ()


@pytest.mark.parametrize("source", ["ba.mp4", "a.mp4/b.mp4", "/mnt/srv/uploads/a.mp4"])
def test_part_of_a_name_is_another_name(write: Write, source: str) -> None:
    read = read_submissions(write("file,uploader\n/srv/uploads/a.mp4,studio\n"))
    assert uploader(read, source) is None
    assert read.unmatched([Source(source)]) == ("/srv/uploads/a.mp4",)


def test_the_row_that_names_more_of_the_path_decides(write: Write) -> None:
    read = read_submissions(write("file,uploader\na.mp4,anybody\nb/a.mp4,studio\n"))
    sources = [Source("uploads/a.mp4"), Source("uploads/b/a.mp4")]
    assert [read.of(source).uploader for source in sources] == ["anybody", "studio"]
    assert read.unmatched(sources) == ()


def test_a_name_that_two_uploads_have_is_refused(write: Write) -> None:
    read = read_submissions(write("file,uploader\nc.mp4,x\na.mp4,studio\n"))
    with pytest.raises(
        SubmissionsError, match=r"line 3: 'a\.mp4' may be .*1/a\.mp4.* or .*2/a\.mp4"
    ):
        read.unmatched([Source("1/a.mp4"), Source("2/a.mp4")])


def test_an_upload_that_is_named_in_two_ways_is_one(write: Write, tmp_path: Path) -> None:
    read = read_submissions(write("file,uploader\na.mp4,studio\n"))
    twice = [Source(str(tmp_path / "a.mp4")), Source(str(tmp_path / "b" / ".." / "a.mp4"))]
    assert read.unmatched(twice) == ()


def test_what_no_row_names_is_as_was_said_of_the_rest(write: Write) -> None:
    read = read_submissions(write("file,uploader\na.mp4,\n"))
    known = read.otherwise(submission_of(uploader="studio", territory_code="de"))
    assert known.of(Source("b.mp4")) == Submission(uploader="studio", territory="DE")
    assert known.of(Source("a.mp4")) == Submission()  # its row says that nothing is known
    assert read.of(Source("b.mp4")) == Submission()


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: begin with a line `file,uploader,"),
        ("name\n", "line 1: column 'name' is not known: give of file, uploader"),
        ("file;uploader\n", "line 1: column 'file;uploader' is not known"),
        ("file,file\n", "line 1: a column is there twice"),
        ("uploader\nx\n", "line 1: there is no column `file`"),
        ("file,uploader\na.mp4\n", "line 2: 1 cells, but there are 2 columns"),
        ("file,uploader\na.mp4,Studio, Paris\n", "line 2: 3 cells.*put quotes"),
        ("file,uploader\n,studio\n", "line 2: it names no file"),
        ("file\na.mp4\n\nb.mp4\n./a.mp4\n", "line 5: './a.mp4' has line 2 already"),
        ("file,territory\na.mp4,DE\nb.mp4,UK\n", "line 3: 'UK' is no country"),
        ("file,url\na.mp4,javascript:alert(1)\n", "line 2: .* is no address on the web"),
        ("file,url\na.mp4,https://[\n", "line 2: .* is no address on the web"),
        ("file,submitted_at\na.mp4,1.3.2026\n", "line 2: '1.3.2026' is no time"),
        ("file,submitted_at\na.mp4,0001-01-01T00:00+14:00\n", "line 2: .* is no time"),
        ("file,uploader\na.mp4,ab\u202ecd\n", "line 2: .* holds what does not print"),
        (f"file,uploader\na.mp4,{'x' * 2001}\n", "line 2: .* longer than 2000"),
        ('file\n"a.mp4', "line 2: unexpected end of data"),
        ("file\n../\0.mp4\n", "line 2: it names no file"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(write: Write, text: str, message: str) -> None:
    with pytest.raises(SubmissionsError, match=message):
        read_submissions(write(text))


def test_a_file_that_is_no_text_or_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "submissions.csv"
    with pytest.raises(SubmissionsError, match=r"submissions.csv cannot be read: No such file"):
        read_submissions(path)
    path.write_bytes("file,uploader\na.mp4,Müller\n".encode("latin-1"))
    with pytest.raises(SubmissionsError, match="is no text in UTF-8"):
        read_submissions(path)


def test_what_is_said_of_all_uploads_is_checked_too() -> None:
    with pytest.raises(SubmissionsError, match="'EU' is no country"):
        submission_of(territory_code="EU")
