"""Compressed bodies: read as what they hold, and broken off at the limit, whatever they would become."""

import gzip
import time
from collections.abc import Callable

import pytest
from backports import zstd

from gateway.http.content_coding import MEMBERS_LIMIT, WINDOW_LOG_LIMIT, PackedBody
from gateway.http.errors import ApiError

LIMIT_BYTES = 4 * 1024 * 1024
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}


def unpack(content: bytes, coding: str, limit_bytes: int = LIMIT_BYTES) -> bytes:
    return PackedBody(content, coding, limit_bytes).unpacked()


def refusal(content: bytes, coding: str, limit_bytes: int = LIMIT_BYTES) -> ApiError:
    with pytest.raises(ApiError) as refused:
        unpack(content, coding, limit_bytes)
    return refused.value


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("size_bytes", [0, 1, 1000, LIMIT_BYTES])
def test_a_body_comes_out_as_it_was(coding: str, size_bytes: int) -> None:
    content = bytes(range(256)) * (size_bytes // 256) + b"x" * (size_bytes % 256)
    packed = PackedBody(PACK[coding](content), f" {coding.upper()}\t", LIMIT_BYTES)
    assert packed.is_packed
    assert packed.unpacked() == content
    assert packed.size_bytes == len(packed.content) + size_bytes


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_a_body_without_coding_stays_as_it_is(coding: str) -> None:
    packed = PackedBody(b"\x1f\x8b", coding, LIMIT_BYTES)
    assert not packed.is_packed
    assert packed.unpacked() == b"\x1f\x8b"


@pytest.mark.parametrize("coding", PACK)
def test_one_byte_more_than_the_limit_is_refused(coding: str) -> None:
    packed = PACK[coding](b"x" * 1001)
    assert len(unpack(packed, coding, 1001)) == 1001
    refused = refusal(packed, coding, 1000)
    assert (refused.reason, refused.status) == ("payload_too_large", 413)
    assert "1000 bytes" in refused.title


@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_is_broken_off_at_the_limit(coding: str) -> None:
    bomb = PACK[coding](b"\0" * 300_000_000)
    assert len(bomb) < 400_000
    packed = PackedBody(bomb, coding, LIMIT_BYTES)
    began = time.thread_time()
    with pytest.raises(ApiError):
        packed.unpacked()
    assert time.thread_time() - began < 0.2
    # What the caller is charged for.
    assert LIMIT_BYTES < packed.size_bytes <= LIMIT_BYTES + 1 + len(bomb)


@pytest.mark.parametrize("coding", PACK)
def test_members_behind_each_other_share_the_limit(coding: str) -> None:
    member = PACK[coding](b"x" * 100)
    assert unpack(member * 3, coding, 300) == b"x" * 300
    assert refusal(member * 3, coding, 299).reason == "payload_too_large"


@pytest.mark.parametrize("coding", PACK)
def test_many_empty_members_are_refused(coding: str) -> None:
    """They unpack to nothing, so the limit on bytes would not end them."""
    assert unpack(PACK[coding](b"") * MEMBERS_LIMIT, coding) == b""
    assert refusal(PACK[coding](b"") * 100_000, coding).reason == "bad_request"


@pytest.mark.parametrize("coding", PACK)
def test_what_is_cut_off_damaged_or_no_such_thing_is_refused(coding: str) -> None:
    whole = PACK[coding](bytes(range(256)) * 40)
    for broken in (whole[:-1], whole[: len(whole) // 2], whole[:3], b"", b"{}", whole + b"x"):
        refused = refusal(broken, coding)
        assert (refused.reason, refused.status) == ("bad_request", 400), broken[:20]


@pytest.mark.parametrize("coding", ["deflate", "br", "gzip, gzip", "gzip,zstd", "x", "snappy"])
def test_other_codings_and_two_at_once_are_refused(coding: str) -> None:
    refused = refusal(gzip.compress(b"{}"), coding)
    assert (refused.reason, refused.status) == ("unsupported_media_type", 415)
    assert "gzip or zstd" in refused.title


def test_a_frame_that_wants_a_large_window_is_refused() -> None:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log.value: WINDOW_LOG_LIMIT + 2})
    frame = compressor.compress(b"x" * 100) + compressor.flush()
    assert refusal(frame, "zstd").reason == "bad_request"
