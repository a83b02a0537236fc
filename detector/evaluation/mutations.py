"""Files made to break a reader of videos, out of real clips; see `scripts/fuzz_media`.

Some are accidents (flipped bits, lost ends), some are what somebody would make who wants a scan to
hang, to swell or to fall over. The same seed and the same clips make the same files.
"""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from detector.samples import Cut, footage, resized, write_clip

_SIZE = (192, 108)
_SECONDS = 3.0
_TIME_BASE = Fraction(1, 12_800)
# Container and codec of the clips that are broken; each codec has a parser of its own.
_KINDS = (
    ("mp4", "libx264"),
    ("mov", "libx264"),
    ("mkv", "libx265"),
    ("webm", "libvpx-vp9"),
    ("avi", "mpeg4"),
    ("ts", "libx264"),
    ("flv", "flv"),
)
_LARGE = 16_384
_TEN_HOURS = 36_000
_UNITS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Mutation:
    """One file, and how it was made."""

    path: Path
    kind: str


def make_bases(clips: Sequence[Path], folder: Path) -> list[Path]:
    """Write small clips in all containers, three seconds each, to be broken."""
    folder.mkdir(parents=True, exist_ok=True)
    bases = []
    for number, (suffix, codec) in enumerate(_KINDS):
        source = clips[number % len(clips)]
        path = folder / f"{number}-{codec}.{suffix}"
        frames = footage(Cut(source, 0.0, _SECONDS, (resized(*_SIZE),)))
        bit_rate = None if codec == "libx264" else 200_000
        write_clip(path, frames, codec=codec, bit_rate=bit_rate, time_base=_TIME_BASE)
        bases.append(path)
    return bases


def mutate(bases: Sequence[Path], folder: Path, count: int, seed: int) -> Iterator[Mutation]:
    """Write `count` broken files, every kind of damage in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = [(path.suffix, path.read_bytes()) for path in bases]
    for number in range(count):
        kind, make = _MUTATORS[number % len(_MUTATORS)]
        chosen = random.Random(f"{seed}-{number}")
        suffix, content = chosen.choice(contents)
        others = [other for _, other in contents]
        made = make(_Clip(content, suffix, others), chosen)
        if isinstance(made, bytes):
            suffix, content = (suffix, made)
        else:
            suffix, content = made
        path = folder / f"{number:05}-{kind.replace(' ', '-')}{suffix}"
        path.write_bytes(content)
        yield Mutation(path, kind)


def odd_paths(folder: Path, clip: Path) -> list[Mutation]:
    """Make what is no plain file, and files whose names or rights are odd."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []

    def one(name: str, kind: str, make: Callable[[Path], object]) -> None:
        path = folder / name
        make(path)
        made.append(Mutation(path, kind))

    content = clip.read_bytes()
    one("two\nlines.mp4", "name with a newline", lambda path: path.write_bytes(content))
    one("--help.mp4", "name like an option", lambda path: path.write_bytes(content))
    one("\x1b[31mred.mp4", "name with an escape", lambda path: path.write_bytes(content))
    one("concat:a|b.mp4", "name like an address", lambda path: path.write_bytes(content))
    one("%d.mp4", "name like a pattern", lambda path: path.write_bytes(content))
    one("pipe.mp4", "named pipe", lambda path: os.mkfifo(path))
    one("folder.mp4", "folder", lambda path: path.mkdir())
    one("gone.mp4", "dangling link", lambda path: path.symlink_to("/nowhere/at/all.mp4"))
    one("loop.mp4", "link to itself", lambda path: path.symlink_to(path.name))
    one("zero.mp4", "device", lambda path: path.symlink_to("/dev/zero"))
    one("random.mp4", "device", lambda path: path.symlink_to("/dev/urandom"))
    one("own.mp4", "link to a process's memory", lambda path: path.symlink_to("/proc/self/mem"))
    return made


@dataclass(frozen=True, slots=True)
class _Clip:
    content: bytes
    suffix: str
    others: Sequence[bytes]


_Made = bytes | tuple[str, bytes]


def _flipped(clip: _Clip, chosen: random.Random, flips: int, within: int | None = None) -> bytes:
    data = bytearray(clip.content)
    for _ in range(flips):
        place = chosen.randrange(min(within or len(data), len(data)))
        data[place] ^= 1 << chosen.randrange(8)
    return bytes(data)


def _without_end(clip: _Clip, chosen: random.Random) -> bytes:
    return clip.content[: chosen.randrange(len(clip.content))]


def _without_start(clip: _Clip, chosen: random.Random) -> bytes:
    return clip.content[chosen.randrange(1, min(4096, len(clip.content))) :]


def _without_middle(clip: _Clip, chosen: random.Random) -> bytes:
    a, b = sorted(chosen.randrange(len(clip.content)) for _ in range(2))
    return clip.content[:a] + clip.content[b:]


def _overwritten(clip: _Clip, chosen: random.Random) -> bytes:
    data = bytearray(clip.content)
    start = chosen.randrange(len(data))
    length = min(chosen.choice((16, 512, 8192)), len(data) - start)
    data[start : start + length] = chosen.choice(
        (bytes(length), b"\xff" * length, chosen.randbytes(length))
    )
    return bytes(data)


def _repeated(clip: _Clip, chosen: random.Random) -> bytes:
    a, b = sorted(chosen.randrange(len(clip.content)) for _ in range(2))
    return clip.content[:b] + clip.content[a:b] * chosen.choice((1, 20)) + clip.content[b:]


def _spliced(clip: _Clip, chosen: random.Random) -> bytes:
    other = chosen.choice(clip.others)
    return (
        clip.content[: chosen.randrange(len(clip.content))] + other[chosen.randrange(len(other)) :]
    )


def _two_in_one(clip: _Clip, chosen: random.Random) -> bytes:
    return clip.content + chosen.choice(clip.others)


def _mp4(clip: _Clip, chosen: random.Random) -> bytes:
    """Return an MP4 or QuickTime file among the clips."""
    return chosen.choice([one for one in clip.others if one[4:8] == b"ftyp"])


def _boxes_of_wrong_size(clip: _Clip, chosen: random.Random) -> _Made:
    data = bytearray(_mp4(clip, chosen))
    names = (
        b"moov",
        b"trak",
        b"mdia",
        b"stbl",
        b"stsd",
        b"stts",
        b"stsz",
        b"stco",
        b"mdat",
        b"avc1",
    )
    place = data.find(chosen.choice(names))
    sizes = (0, 1, 7, _UNITS, 0x7FFFFFFF, chosen.randrange(_UNITS))
    data[place - 4 : place] = struct.pack(">I", chosen.choice(sizes))
    return ".mp4", bytes(data)


def _tables_of_wrong_length(clip: _Clip, chosen: random.Random) -> _Made:
    data = bytearray(_mp4(clip, chosen))
    place = data.find(chosen.choice((b"stts", b"stsz", b"stco", b"stsc", b"ctts", b"elst")))
    if place > 0:
        offset = place + chosen.choice((8, 12))
        data[offset : offset + 4] = struct.pack(">I", chosen.choice((_UNITS, 1 << 28, 0, 99_999)))
    return ".mp4", bytes(data)


def _long_times(clip: _Clip, chosen: random.Random) -> _Made:
    """Claim ten hours: in the headers, or in the frames' own durations."""
    data = bytearray(_mp4(clip, chosen))
    if chosen.random() < 0.5:
        for name in (b"mvhd", b"mdhd"):
            place = data.find(name)  # version and flags, two dates, time scale, duration
            (scale,) = struct.unpack_from(">I", data, place + 16)
            struct.pack_into(">I", data, place + 20, min(scale * _TEN_HOURS, _UNITS))
    else:
        place = data.find(b"stts")  # version and flags, entries, (frames, duration) of the first
        (scale,) = struct.unpack_from(">I", data, data.find(b"mdhd") + 16)
        seconds = chosen.choice((31, 3600, _TEN_HOURS))
        struct.pack_into(">I", data, place + 16, min(scale * seconds, _UNITS))
    return ".mp4", bytes(data)


def _odd_clock(clip: _Clip, chosen: random.Random) -> _Made:
    data = bytearray(_mp4(clip, chosen))
    place = data.find(chosen.choice((b"mvhd", b"mdhd")))
    struct.pack_into(">I", data, place + 16, chosen.choice((0, 1, _UNITS, 0x80000000)))
    return ".mp4", bytes(data)


def _large_pictures(clip: _Clip, chosen: random.Random) -> _Made:
    data = bytearray(_mp4(clip, chosen))
    place = data.find(b"avc1", data.find(b"stsd"))
    side = chosen.choice((_LARGE, 0, 65_535))
    struct.pack_into(">HH", data, place + 28, side, side)
    return ".mp4", bytes(data)


def _png(width: int, height: int, rows: int, level: int = 9) -> bytes:
    """Write a black picture by hand; `rows` of it are really there."""
    packer = zlib.compressobj(level)
    row = bytes(1 + 3 * width)
    packed = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def _picture_bomb(clip: _Clip, chosen: random.Random) -> _Made:
    """Write a picture that takes a thousand times more room than its file."""
    width, height = chosen.choice(((_LARGE, _LARGE), (60_000, 900), (8_000, 8_000)))
    rows = min(height, chosen.choice((64, 900)))
    return chosen.choice((".png", ".mp4")), _png(width, height, rows)


def _zip_bomb(clip: _Clip, chosen: random.Random) -> _Made:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        name = zipfile.ZipInfo("film.mp4")  # dated 1980, so that the same seed makes the same file
        archive.writestr(name, bytes(chosen.choice((1, 50)) << 20), zipfile.ZIP_DEFLATED)
    content = packed.getvalue()
    return ".mp4", chosen.choice((content, clip.content[:2048] + content))


_TEXTS = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/secret.ts\n",
    "ffconcat version 1.0\nfile '/etc/passwd'\n",
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>'
    "http://127.0.0.1:9/</BaseURL></Period></MPD>\n",
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "RIFF....AVI LIST" + "x" * 500,
    "<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>\n",
    "once upon a time " * 500,
    "",
)


def _text(clip: _Clip, chosen: random.Random) -> _Made:
    return chosen.choice((".mp4", ".mkv", ".m3u8", ".mov")), chosen.choice(_TEXTS).encode()


def _noise(clip: _Clip, chosen: random.Random) -> bytes:
    start = clip.content[: chosen.choice((0, 16, 512))]
    return start + chosen.randbytes(chosen.choice((1, 1000, 200_000)))


_MUTATORS: tuple[tuple[str, Callable[[_Clip, random.Random], _Made]], ...] = (
    ("one bit", lambda clip, chosen: _flipped(clip, chosen, 1)),
    ("bits", lambda clip, chosen: _flipped(clip, chosen, 40)),
    ("many bits", lambda clip, chosen: _flipped(clip, chosen, 2000)),
    ("bits of the header", lambda clip, chosen: _flipped(clip, chosen, 12, 1500)),
    ("end lost", _without_end),
    ("start lost", _without_start),
    ("middle lost", _without_middle),
    ("overwritten", _overwritten),
    ("repeated", _repeated),
    ("spliced", _spliced),
    ("two in one", _two_in_one),
    ("boxes of wrong size", _boxes_of_wrong_size),
    ("tables of wrong length", _tables_of_wrong_length),
    ("ten hours", _long_times),
    ("odd clock", _odd_clock),
    ("large pictures", _large_pictures),
    ("picture bomb", _picture_bomb),
    ("zip bomb", _zip_bomb),
    ("text", _text),
    ("noise", _noise),
)
