"""Unpacking bodies: whole, cut, wrong, huge."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience import bodies
from apps.resilience.errors import BadBody, BodyTooLarge


def raw_deflate(body: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(body) + machine.flush()


PACKINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZIP", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
]


def unpack(packed: bytes, encoding: str, bytes_max: int = 10_000_000) -> bytes:
    return asyncio.run(bodies.unpacked(packed, encoding, bytes_max=bytes_max))


@pytest.mark.parametrize(("encoding", "pack"), PACKINGS)
@pytest.mark.parametrize("size", [1, 1_000, 131_072, 131_073, 3_000_000])
def test_a_packed_body_comes_out_as_it_went_in(encoding, pack, size):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    assert unpack(pack(body), encoding) == body


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_is_left_alone(encoding):
    assert unpack(b"plain", encoding) == b"plain"


def test_a_gzip_body_in_several_parts_is_read_to_its_end():
    assert unpack(gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0", "gzip") == b"one two"


def test_too_many_parts_are_refused():
    with pytest.raises(BadBody):
        unpack(gzip.compress(b"") * 65, "gzip")


@pytest.mark.parametrize(("encoding", "pack"), PACKINGS)
def test_the_cap_counts_unpacked_bytes_to_the_byte(encoding, pack):
    assert len(unpack(pack(b"x" * 500_000), encoding, 500_000)) == 500_000
    with pytest.raises(BodyTooLarge):
        unpack(pack(b"x" * 500_001), encoding, 500_000)
    with pytest.raises(BodyTooLarge):
        unpack(pack(b"x" * 101), encoding, 100)


def test_a_bomb_of_many_parts_is_stopped_at_the_cap():
    with pytest.raises(BodyTooLarge):
        unpack(gzip.compress(b"\0" * 1_000_000) * 60, "gzip", 5_000_000)


@pytest.mark.parametrize(("encoding", "pack"), PACKINGS)
def test_a_packed_body_that_ends_too_early_is_bad(encoding, pack):
    packed = pack(bytes(range(256)) * 100)
    for cut in (2, len(packed) // 2, len(packed) - 1):
        with pytest.raises(BadBody):
            unpack(packed[:cut], encoding)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "nonsense"])
def test_what_was_not_asked_for_is_refused(encoding):
    with pytest.raises(BadBody):
        unpack(b"anything", encoding)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_no_bytes_make_it_fail_in_another_way(packed, encoding):
    try:
        assert len(unpack(packed, encoding, 1_000)) <= 1_000
    except (BadBody, BodyTooLarge):
        return


def test_a_large_body_is_unpacked_in_another_thread_and_a_small_one_here(monkeypatch):
    threads: list[tuple[int, bool]] = []
    original = bodies._unpack

    def noting(packed, window, *, bytes_max):
        threads.append((bytes_max, threading.current_thread() is threading.main_thread()))
        return original(packed, window, bytes_max=bytes_max)

    monkeypatch.setattr(bodies, "_unpack", noting)
    unpack(gzip.compress(b"x" * 100), "gzip")
    unpack(gzip.compress(b"x" * 5_000_000), "gzip")
    assert threads == [(bodies.IN_LOOP_BYTES, True), (bodies.IN_LOOP_BYTES, True), (10_000_000, False)]


def test_the_beginning_of_a_cut_body_can_be_had():
    packed = gzip.compress(b"error " * 1_000)
    assert bodies.beginning(packed[: len(packed) - 5], "gzip", size=11) == b"error error"
    assert bodies.beginning(b"plain text", "", size=5) == b"plain"
    with pytest.raises(BadBody):
        bodies.beginning(b"not gzip", "gzip", size=5)
