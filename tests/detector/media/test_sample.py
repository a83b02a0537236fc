from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.decoding.grid import Grid, PacketSelector
from detector.decoding.sample import Sampler as RawSampler
from detector.media import Sampler, UnreadableMediaError, rate_for
from detector.samples import Picture, SampleSet, transcode, whole, write_clip

BITS = 10
EVEN = [n / 10 for n in range(60)]
UNEVEN = np.cumsum([0, *np.random.default_rng(1).uniform(0.02, 0.3, 59)]).round(3).tolist()


class Shown(NamedTuple):
    time: float
    number: int


def numbered(number: int) -> Picture:
    """Draw a number as two rows of dark and bright blocks."""
    bits = [number >> bit & 1 for bit in range(BITS)]
    blocks = np.where(np.reshape(bits, (2, 5)), 215, 40).astype(np.uint8)
    return np.repeat(np.kron(blocks, np.ones((32, 32), np.uint8))[..., None], 3, axis=2)


def number_in(picture: np.ndarray) -> int:
    """Read what `numbered` drew."""
    blocks = picture.mean(axis=2).reshape(2, 32, 5, 32).mean(axis=(1, 3)).ravel()
    return sum((level > 128) << bit for bit, level in enumerate(blocks))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make clips of numbered frames, each once."""
    made: dict[str, Path] = {}
    folder = tmp_path_factory.mktemp("numbered")

    def make(times: list[float], suffix: str = "mp4", **options: object) -> Path:
        key = repr((times, suffix, sorted(options.items())))
        if key not in made:
            path = folder / f"{len(made)}.{suffix}"
            frames = ((time, numbered(n)) for n, time in enumerate(times))
            write_clip(path, frames, crf=18, **options)
            made[key] = path
        return made[key]

    return make


def samples_of(sampler: Sampler) -> list[Shown]:
    return [Shown(frame.time, number_in(frame.image)) for frame in sampler]


def every_frame(path: Path) -> list[Shown]:
    with av.open(path) as container:
        start = (container.start_time or 0) / av.time_base
        return [
            Shown(
                float(frame.pts * frame.time_base) - start,
                number_in(frame.to_ndarray(format="rgb24")),
            )
            for frame in container.decode(video=0)
        ]


def on_screen(frames: list[Shown], time: float) -> Shown:
    return [frame for frame in frames if frame.time <= time + 1e-6][-1]


def oracle(path: Path, rate: float, end: float) -> list[Shown]:
    """Decode everything and look up what is on screen at each point of the grid."""
    frames = every_frame(path)
    points = [point / rate for point in itertools.takewhile(lambda n: n / rate < end, range(9999))]
    shown = [on_screen(frames, point) for point in points]
    return [
        now if n == 0 or now != shown[n - 1] else Shown(points[n], now.number)
        for n, now in enumerate(shown)
    ]


def assert_same(found: list[Shown], expected: list[Shown]) -> None:
    assert [sample.number for sample in found] == [sample.number for sample in expected]
    assert [sample.time for sample in found] == pytest.approx([s.time for s in expected], abs=1e-6)


# --- the grid ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [2, 4, 8])
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("gop", [1, 250])
@pytest.mark.parametrize("times", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_a_sample_is_what_is_on_screen_at_its_grid_point(
    clip: Callable[..., Path], times: list[float], gop: int, b_frames: int, rate: int
) -> None:
    path = clip(times, "mkv", gop=gop, b_frames=b_frames, end=times[-1] + 0.1)
    sampler = Sampler(path, rate)
    found = samples_of(sampler)
    assert_same(found, oracle(path, rate, sampler.end))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
@pytest.mark.parametrize("offset", [0.0, 1.3, 70.04])
def test_time_counts_from_the_start_of_the_file(
    clip: Callable[..., Path], suffix: str, offset: float
) -> None:
    path = clip(EVEN, suffix, gop=12, b_frames=2, time_offset=offset)
    assert_same(samples_of(Sampler(path, 4)), oracle(path, 4, 6.0))


@pytest.mark.parametrize(("codec", "suffix"), [("libx265", "mp4"), ("libvpx-vp9", "webm")])
def test_other_codecs_are_sampled_alike(clip: Callable[..., Path], codec: str, suffix: str) -> None:
    path = clip(EVEN, suffix, codec=codec, gop=12, b_frames=2)
    assert_same(samples_of(Sampler(path, 4)), oracle(path, 4, 6.0))


def test_a_group_longer_than_the_interval_is_sampled_exactly(clip: Callable[..., Path]) -> None:
    path = clip(EVEN, gop=5, b_frames=2)  # 0.5 s
    assert_same(samples_of(Sampler(path, 4)), oracle(path, 4, 6.0))


@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_of_short_groups_the_keyframes_do(
    clip: Callable[..., Path], b_frames: int, rate: int
) -> None:
    """They are at most an interval from what is on screen, and never from the future."""
    path = clip(EVEN, gop=5, b_frames=b_frames)
    found = samples_of(Sampler(path, rate))
    exact = oracle(path, rate, 6.0)
    assert all(sample.number % 5 == 0 for sample in found)
    assert len(found) == len(exact)
    for sample, wanted in zip(found, exact, strict=True):
        assert wanted.time - 1 / rate <= sample.time <= wanted.time + 1e-6


@pytest.mark.parametrize("rate", [1, 2, 3])
def test_far_below_the_frame_rate_a_few_frames_are_passed_over(
    clip: Callable[..., Path], rate: int
) -> None:
    """With two B-frames in a row, the last frame that others refer to is at most two before."""
    path = clip([n / 25 for n in range(150)], gop=250, b_frames=2)
    frames = {round(frame.time, 6): frame.number for frame in every_frame(path)}
    found = samples_of(Sampler(path, rate))
    exact = oracle(path, rate, 6.0)
    assert len(found) == len(exact)
    for sample, wanted in zip(found, exact, strict=True):
        assert frames[round(sample.time, 6)] == sample.number
        assert 0 <= wanted.number - sample.number <= 2


def test_samples_come_in_order_of_time(clip: Callable[..., Path]) -> None:
    times = [sample.time for sample in Sampler(clip(UNEVEN, gop=12, b_frames=2), 8)]
    assert all(one < two for one, two in itertools.pairwise(times))


def test_a_clip_between_two_grid_points_still_gives_a_frame(clip: Callable[..., Path]) -> None:
    (sample,) = samples_of(Sampler(clip([0.0, 0.04, 0.08]), 1))
    assert sample == Shown(0.0, 0)


def test_video_that_begins_after_the_sound_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(path, "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 160, 64, "yuv420p"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 24_000), np.int16), "s16", "mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
        for n in range(20):
            frame = av.VideoFrame.from_ndarray(numbered(n), format="rgb24")
            frame.pts = 13 + n
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    found = samples_of(Sampler(path, 2))
    assert found == [Shown(1.5, 2), Shown(2.0, 7), Shown(2.5, 12), Shown(3.0, 17)]


def test_a_bare_stream_is_refused_for_it_does_not_say_when_a_frame_is_shown(
    clip: Callable[..., Path],
) -> None:
    with pytest.raises(UnreadableMediaError, match="format"):
        list(Sampler(clip([n / 25 for n in range(50)], "h264"), 2))


# --- frames that stay -------------------------------------------------------------------------


def test_a_slide_that_stays_is_given_again_at_every_grid_point(clip: Callable[..., Path]) -> None:
    path = clip([0.0, 5.0, 10.0], end=15.0)
    found = samples_of(Sampler(path, 2))
    assert [sample.time for sample in found] == [n / 2 for n in range(30)]
    assert [sample.number for sample in found] == [0] * 10 + [1] * 10 + [2] * 10


def test_a_frame_shown_late_is_first_given_at_its_own_time(clip: Callable[..., Path]) -> None:
    found = samples_of(Sampler(clip([0.0, 0.8, 3.0, 3.1]), 1))
    assert found[:4] == [Shown(0.0, 0), Shown(0.8, 1), Shown(2.0, 1), Shown(3.0, 2)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_last_frame_that_stays_is_held_to_the_end(clip: Callable[..., Path], suffix: str) -> None:
    """As in a recording of a screen on which nothing moves any more."""
    sampler = Sampler(clip(EVEN, suffix, end=20.0), 2)
    found = samples_of(sampler)
    assert sampler.end == pytest.approx(20.0, abs=0.1)
    assert found[-1] == Shown(19.5, 59)


def test_a_hold_is_bounded(clip: Callable[..., Path]) -> None:
    """A header that claims years must not fill the memory."""
    found = samples_of(Sampler(clip([0.0, 1.0, 1_000_000.0, 1_000_001.0], "mkv"), 2))
    assert len(found) < 100
    assert found[-1].number == 3


# --- the rate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "rate"),
    [(15.0, 4.0), (30.0, 2.0), (7.5, 8.0), (1.0, 8.0), (3600.0, 2.0), (None, 2.0), (0.0, 2.0)],
)
def test_short_clips_are_sampled_more_often(duration: float | None, rate: float) -> None:
    assert rate_for(duration, base_rate=2.0) == rate


def test_a_higher_rate_that_was_asked_for_is_kept() -> None:
    assert rate_for(1.0, base_rate=12.0) == 12.0


# --- damage -----------------------------------------------------------------------------------


def test_a_file_cut_short_gives_what_it_has(clip: Callable[..., Path], tmp_path: Path) -> None:
    whole = clip(EVEN, "mkv", gop=10)
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    sampler = Sampler(path, 4)
    found = samples_of(sampler)
    assert 1.0 < sampler.end < 5.0
    expected = oracle(whole, 4, 6.0)[: len(found)]
    assert_same(found[:-1], expected[:-1])


def test_a_film_made_for_streaming_may_be_cut_short_too(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    whole = clip(EVEN, gop=10)
    path = tmp_path / "streamed.mp4"
    options = {"movflags": "faststart"}
    with av.open(whole) as source, av.open(path, "w", container_options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    sampler = Sampler(path, 4)
    found = samples_of(sampler)
    assert len(found) >= 4
    assert sampler.end < 5.0 or sampler.error is not None


def remux(source: Path, target: Path, change: Callable[[int, bytes], bytes]) -> Path:
    """Copy a clip, changing the bytes of its packets."""
    with av.open(source) as old, av.open(target, "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if packet.dts is None:
                continue
            changed = av.Packet(change(number, bytes(packet)))
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.is_keyframe, changed.stream = packet.is_keyframe, stream
            new.mux(changed)
    return target


def test_what_cannot_be_decoded_is_counted_and_passed_over(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    def spoil(number: int, packet: bytes) -> bytes:
        return b"\xff" * len(packet) if 20 <= number < 30 else packet

    path = remux(clip(EVEN, "mkv", gop=10), tmp_path / "spoilt.mkv", spoil)
    sampler = Sampler(path, 8)
    found = samples_of(sampler)
    assert 1 <= sampler.undecodable <= 10
    assert sampler.error is None
    assert [s.number for s in found if s.number >= 30] == [
        s.number for s in oracle(clip(EVEN, "mkv", gop=10), 8, 6.0) if s.number >= 30
    ]


def test_of_what_was_lost_nothing_is_made_up(clip: Callable[..., Path], tmp_path: Path) -> None:
    """The frame before a gap stays for one interval, not for the whole of the gap."""

    def spoil(number: int, packet: bytes) -> bytes:
        return b"\xff" * len(packet) if 10 <= number < 50 else packet

    path = remux(clip(EVEN, "mkv", gop=10), tmp_path / "gap.mkv", spoil)
    times = [sample.time for sample in samples_of(Sampler(path, 4))]
    assert not [time for time in times if 1.3 < time < 4.9]
    assert times[-1] > 5.5


def test_a_file_of_which_nothing_can_be_decoded_is_unreadable(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    path = remux(clip(EVEN, "mkv"), tmp_path / "noise.mkv", lambda n, packet: b"\xff" * len(packet))
    with pytest.raises(UnreadableMediaError, match="no frame"):
        list(Sampler(path, 2))


def test_a_recording_joined_to_another_is_not_dropped_in_silence(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    """In MPEG-TS two files can be put one after the other; the time then begins again."""
    one, two = clip(EVEN, "ts"), clip(EVEN[:20], "ts")
    path = tmp_path / "joined.ts"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    sampler = Sampler(path, 4)
    found = samples_of(sampler)
    assert len(found) >= 30 or sampler.error is not None


# --- packets chosen for decoding --------------------------------------------------------------


class Packet(NamedTuple):
    number: int  # in order of decoding
    time: float
    is_key: bool


Group = list[Packet]


@st.composite
def streams(draw: st.DrawFn) -> list[Group]:
    """Groups of pictures in order of decoding, with B-frames stored after what they refer to."""
    groups: list[Group] = []
    counter = itertools.count()
    time = draw(st.sampled_from([0.0, 0.3, 1.4]))
    unit = draw(st.sampled_from([1 / 25, 1001 / 30_000, 0.1, 0.25]))
    for _ in range(draw(st.integers(1, 6))):
        count = draw(st.integers(1, 40))
        steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 9]), min_size=count, max_size=count))
        times = [time + unit * passed for passed in itertools.accumulate([0, *steps[:-1]])]
        time = times[-1] + unit * steps[-1]
        group = [Packet(next(counter), times[0], True)]
        rest = times[1:]
        while rest:
            run = draw(st.integers(1, 4))  # some B-frames and what they refer to
            chunk, rest = rest[:run], rest[run:]
            group += [Packet(next(counter), at, False) for at in (chunk[-1], *chunk[:-1])]
        groups.append(group)
    return groups


quickly = settings(deadline=None, max_examples=60)
INTERVALS = st.sampled_from([0.125, 0.25, 1 / 3, 0.5, 1.0])


def chosen(groups: list[Group], interval: float) -> list[Packet]:
    selector: PacketSelector[Packet] = PacketSelector(Grid(interval))
    released = [
        due
        for packet in itertools.chain(*groups)
        for due in selector.push(packet, packet.time, is_key=packet.is_key)
    ]
    return released + selector.finish()


def spans(groups: list[Group]) -> Iterator[tuple[Group, float, float]]:
    """Yield each group with its length and the time at which the next one begins."""
    ends = [group[0].time for group in groups[1:]] + [float("inf")]
    for group, end in zip(groups, ends, strict=True):
        yield group, max(packet.time for packet in group) - group[0].time, end


def grid_points(interval: float, start: float, end: float) -> Iterator[float]:
    """Yield the points that lie clearly, not only by rounding, in an interval."""
    first = int(start / interval)
    for number in range(first, first + 400):
        if start + 1e-6 < number * interval < end - 1e-6:
            yield number * interval


@quickly
@given(streams(), INTERVALS)
def test_packets_are_released_in_order_and_once(groups: list[Group], interval: float) -> None:
    numbers = [packet.number for packet in chosen(groups, interval)]
    assert numbers == sorted(set(numbers))


@quickly
@given(streams(), INTERVALS)
def test_all_that_a_grid_point_in_a_long_group_needs_is_released(
    groups: list[Group], interval: float
) -> None:
    released = {packet.number for packet in chosen(groups, interval)}
    for group, length, end in spans(groups):
        if length <= interval + 1e-6:
            continue
        last = max(packet.time for packet in group)
        for point in grid_points(interval, group[0].time, min(end, last + 1e-5)):
            shown = max((p for p in group if p.time <= point - 1e-6), key=lambda p: p.time)
            assert {p.number for p in group if p.number <= shown.number} <= released


def test_a_frame_at_a_grid_point_is_released_whatever_rounding_makes_of_its_time() -> None:
    """A B-frame at 3 s is on screen at the tenth point of a grid of thirds."""
    late = 3.0 + 4e-16
    selector: PacketSelector[str] = PacketSelector(Grid(1 / 3))
    selector.push("key", 2.5, is_key=True)
    due = selector.push("next", 3.1, is_key=False)
    due += selector.push("between", late, is_key=False)
    assert due == ["key", "next", "between"]


@quickly
@given(streams(), INTERVALS)
def test_a_short_group_with_a_grid_point_gives_its_keyframe_alone(
    groups: list[Group], interval: float
) -> None:
    released = {packet.number for packet in chosen(groups, interval)}
    for group, length, end in spans(groups):
        if (
            length <= interval - 1e-6
            and end < float("inf")
            and any(grid_points(interval, group[0].time, end))
        ):
            assert {p.number for p in group} & released == {group[0].number}


@quickly
@given(streams(), INTERVALS)
def test_a_group_without_a_grid_point_is_dropped_whole(
    groups: list[Group], interval: float
) -> None:
    released = {packet.number for packet in chosen(groups, interval)}
    first = groups[0]
    for group, _, end in spans(groups):
        if group is first or end == float("inf"):
            continue  # points before the first group are its own; how the last ends is not known
        if not any(grid_points(interval, group[0].time - 1e-5, end + 1e-5)):
            assert not {p.number for p in group} & released


@quickly
@given(streams(), INTERVALS)
@example([[Packet(n, n / 25, n == 0) for n in range(100)]], 1.0)
def test_no_packet_is_held_for_more_than_an_interval(groups: list[Group], interval: float) -> None:
    selector: PacketSelector[Packet] = PacketSelector(Grid(interval))
    latest = 0.0
    for packet in itertools.chain(*groups):
        due = selector.push(packet, packet.time, is_key=packet.is_key)
        waiting = [old for old in due if old is not packet]
        assert all(latest - old.time <= interval + 1e-6 for old in waiting)
        latest = max(latest, packet.time)
    assert all(latest - old.time <= interval + 1e-6 for old in selector.finish())


def test_a_packet_without_a_time_is_never_held_back() -> None:
    selector: PacketSelector[str] = PacketSelector(Grid(1.0))
    assert selector.push("key", 0.0, is_key=True) == []
    assert selector.push("next", 0.1, is_key=False) == []
    assert selector.push("unknown", None, is_key=False) == ["key", "next", "unknown"]


def test_what_comes_before_the_first_keyframe_goes_to_the_decoder() -> None:
    assert PacketSelector[str](Grid(1.0)).push("b", 0.3, is_key=False) == ["b"]


def test_where_bits_are_short_blocks_are_smoothed_as_a_player_does(
    samples: SampleSet, tmp_path: Path
) -> None:
    """Decoding skips deblocking for speed, but not where blocks are most of what is seen."""
    path = tmp_path / "short.mp4"
    transcode(path, [whole(samples.films[1])], bit_rate=40_000)
    smooth, blocky = luma_of(path, "default"), luma_of(path, "all")
    frames = list(Sampler(path, 2.0, short_side=4000))
    assert len(frames) > 10
    for frame in frames:
        luma = frame.image @ np.array([0.299, 0.587, 0.114])
        time = min(smooth, key=lambda other: abs(other - frame.time))
        apart = [np.abs(luma - decoded[time]).mean() for decoded in (smooth, blocky)]
        assert apart[0] < 0.8 * apart[1]


def luma_of(path: Path, skip_loop_filter: str) -> dict[float, np.ndarray]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"skip_loop_filter": skip_loop_filter}
        return {
            float(frame.time or 0): frame.to_ndarray(format="rgb24")
            @ np.array([0.299, 0.587, 0.114])
            for frame in container.decode(stream)
        }


@pytest.mark.parametrize("gop", [7, 20, 100])
@pytest.mark.parametrize(
    "windows", [[(0.0, 0.6)], [(2.0, 2.9), (4.1, 4.1), (5.2, 9.0)], [(3.05, 3.3)]]
)
def test_of_windows_the_same_frames_come_as_of_the_whole(
    clip: Callable[..., Path], windows: list[tuple[float, float]], gop: int
) -> None:
    path = clip(EVEN, gop=gop)
    whole_file = samples_of(Sampler(path, 5.0))
    inside = samples_of(Sampler(path, 5.0, windows=windows))
    assert [
        number / 5 for number in range(30) if any(a <= number / 5 <= b for a, b in windows)
    ] == [pytest.approx(shown.time) for shown in inside]
    if gop > 20:  # else a keyframe alone may stand for the whole of its group
        assert set(inside) <= set(whole_file)


def test_between_windows_nothing_is_decoded(clip: Callable[..., Path]) -> None:
    path = clip(EVEN, gop=10)
    frames = RawSampler(path, 10.0, windows=[(1.0, 1.5), (5.0, 5.5)])
    times = [time for time, _ in frames._decoded()]
    assert times[0] == pytest.approx(1.0)
    assert not [time for time in times if 2 <= time < 5]
