"""Where a record of syslog ends: each comes out once and whole, however the network cuts the stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vx11_client.syslog.framing import FRAME_LIMIT_BYTES, BadFrame, Frame, FrameReader

LIMIT = 20


def counted(content: bytes) -> bytes:
    return b"%d %s" % (len(content), content)


def read(*pieces: bytes, limit: int = LIMIT) -> tuple[list[bytes], int]:
    """The contents, and how many records came only in part."""
    reader = FrameReader(limit_bytes=limit)
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    rest, lost = reader.flush()
    return [frame.content for frame in frames + rest], lost


@pytest.mark.parametrize(
    ("stream", "records"),
    [
        (b"<1>a\n<2>b\n", [b"<1>a", b"<2>b"]),
        (b"<1>a\r\n<2>b\0\n", [b"<1>a", b"<2>b"]),
        (b"<1>the last one", [b"<1>the last one"]),
        (counted(b"<1>a") + counted(b"<2>b\nc"), [b"<1>a", b"<2>b\nc"]),
        (counted(b"<1>a\n") + counted(b"<2>b"), [b"<1>a", b"<2>b"]),
        # Some end a counted record with a line end too.
        (counted(b"<1>a") + b"\n" + counted(b"<2>b"), [b"<1>a", b"<2>b"]),
        # Both kinds in one stream.
        (b"<1>a\n" + counted(b"<2>b") + b"<3>c\n", [b"<1>a", b"<2>b", b"<3>c"]),
        # No counts: a text, a time, a number alone, a zero.
        (b"12 monkeys\n", [b"12 monkeys"]),
        (b"2026-01-04 x\n", [b"2026-01-04 x"]),
        (b"123\n<1>a\n", [b"123", b"<1>a"]),
        (b"07 <1>a\n", [b"07 <1>a"]),
        (b"99999999999 <1>a\n", [b"99999999999 <1>a"]),
        (b"\n\r\n \n\0\n<1>a\n", [b"<1>a"]),
        (b"4 <1>\n", [b"<1>"]),
        (b"", []),
    ],
)
def test_records_are_found_by_count_or_by_line(stream: bytes, records: list[bytes]) -> None:
    assert read(stream) == (records, 0)
    assert read(*[stream[at : at + 1] for at in range(len(stream))]) == (records, 0)


@given(
    records=st.lists(
        st.tuples(st.booleans(), st.binary(max_size=2 * LIMIT).map(lambda data: b"<1>" + data.replace(b"\n", b""))),
        max_size=8,
    ),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_it_does_not_matter_where_a_stream_is_cut(records: list[tuple[bool, bytes]], cuts: list[int]) -> None:
    stream = b"".join(counted(data) if by_count else data + b"\n" for by_count, data in records)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in zip(places, places[1:], strict=False)]
    expected = [data[:LIMIT].rstrip(b"\r\n\0") for _, data in records]
    assert read(*pieces) == (expected, 0)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("make", [counted, lambda data: data + b"\n"])
def test_a_long_record_is_cut_and_says_how_long_it_was(size: int, make) -> None:
    long = b"<1>" + b"x" * 100
    stream = make(long) + make(b"<2>next")
    reader = FrameReader(limit_bytes=LIMIT)
    frames = [frame for at in range(0, len(stream), size) for frame in reader.feed(stream[at : at + size])]
    assert frames == [Frame(long[:LIMIT], len(long)), Frame(b"<2>next", 7)]
    assert [frame.is_cut for frame in frames] == [True, False]


@pytest.mark.parametrize("make", [counted, lambda data: data + b"\n"])
def test_a_record_as_long_as_the_limit_is_whole(make) -> None:
    exact = b"<1>" + b"x" * (LIMIT - 3)
    assert FrameReader(limit_bytes=LIMIT).feed(make(exact)) == [Frame(exact, LIMIT)]


def test_a_line_without_an_end_takes_no_memory() -> None:
    reader = FrameReader(limit_bytes=LIMIT)
    for _ in range(1000):
        assert reader.feed(b"x" * 1000) == []
        assert reader.is_within
    assert sum(len(value) for value in vars(reader).values() if isinstance(value, bytes)) <= LIMIT
    assert reader.feed(b"\n<1>a\n") == [Frame(b"x" * LIMIT, 1_000_000), Frame(b"<1>a", 4)]
    assert not reader.is_within


@pytest.mark.parametrize("size", [FRAME_LIMIT_BYTES + 1, 10**9, 9_999_999_999])
def test_an_announced_size_that_no_record_has_ends_the_stream(size: int) -> None:
    with pytest.raises(BadFrame, match=str(size)) as caught:
        FrameReader().feed(b"<1>before\n%d <1>" % size)
    assert caught.value.frames == [Frame(b"<1>before", 9)]


def test_the_largest_size_that_is_taken_is_cut() -> None:
    reader = FrameReader(limit_bytes=LIMIT)
    assert reader.feed(b"%d <1>" % FRAME_LIMIT_BYTES) == []
    frames = reader.feed(b"x" * FRAME_LIMIT_BYTES + b"<2>b\n")
    assert frames == [Frame(b"<1>" + b"x" * (LIMIT - 3), FRAME_LIMIT_BYTES), Frame(b"xxx<2>b", 7)]


@pytest.mark.parametrize(("stream", "lost"), [(b"10 <1>half", 1), (b"10 <", 1), (b"<1>a line", 0), (b"10", 0)])
def test_a_counted_record_without_its_end_is_no_record(stream: bytes, lost: int) -> None:
    records, lost_count = read(stream)
    assert lost_count == lost
    assert records == ([] if lost else [stream])


@given(st.binary(max_size=400))
def test_no_bytes_break_it_and_none_is_invented(data: bytes) -> None:
    reader = FrameReader(limit_bytes=LIMIT)
    try:
        frames = reader.feed(data)
    except BadFrame as bad:
        frames = bad.frames
    frames += reader.flush()[0]
    assert all(0 < len(frame.content) <= LIMIT and frame.content in data for frame in frames)
    assert sum(len(frame.content) for frame in frames) <= len(data)
