import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from protech.guard.proxy.coding import CodingError, Decoding, TooLong, decoded, offered

LIMIT = 1024 * 1024


def bare_deflate(body: bytes) -> bytes:
    state = zlib.compressobj(wbits=-15)
    return state.compress(body) + state.flush()


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", bare_deflate),
    ("br", brotli.compress),
    ("zstd", zstd),
]


@pytest.mark.parametrize(("name", "encode"), CODINGS)
@given(body=st.binary(max_size=3000), cut=st.integers(1, 700))
def test_every_coding_is_undone_in_any_pieces(
    name: str, encode: Callable[[bytes], bytes], body: bytes, cut: int
) -> None:
    coded = encode(body)
    assert decoded(coded, [name], limit_bytes=LIMIT) == body
    decoding = Decoding([name], limit_bytes=LIMIT)
    pieces = [coded[i : i + cut] for i in range(0, len(coded), cut)]
    assert b"".join(part for piece in pieces for part in decoding.feed(piece)) == body


def test_codings_are_undone_in_the_reverse_order() -> None:
    body = b"words " * 100
    assert (
        decoded(brotli.compress(gzip.compress(body)), ["gzip", "br"], limit_bytes=LIMIT) == body
    )


def test_several_members_of_gzip_are_one_body() -> None:
    body = gzip.compress(b"one") + gzip.compress(b"two")
    assert decoded(body, ["gzip"], limit_bytes=LIMIT) == b"onetwo"


def test_what_follows_the_last_member_is_left_out() -> None:
    assert decoded(gzip.compress(b"one") + b"\0\0", ["gzip"], limit_bytes=LIMIT) == b"one"


@pytest.mark.parametrize(("name", "encode"), CODINGS)
def test_a_body_that_is_cut_off_gives_what_it_holds(
    name: str, encode: Callable[[bytes], bytes]
) -> None:
    body = bytes(range(256)) * 200
    coded = encode(body)
    part = decoded(coded[: len(coded) * 9 // 10], [name], limit_bytes=LIMIT)
    assert body.startswith(part)


@pytest.mark.parametrize(("name", "encode"), CODINGS)
def test_a_bomb_is_stopped_at_the_limit(name: str, encode: Callable[[bytes], bytes]) -> None:
    bomb = encode(bytes(64 * 1024 * 1024))
    assert len(bomb) < LIMIT
    with pytest.raises(TooLong):
        decoded(bomb, [name], limit_bytes=LIMIT)


@pytest.mark.parametrize(("name", "encode"), CODINGS)
def test_the_limit_is_met_exactly(name: str, encode: Callable[[bytes], bytes]) -> None:
    body = bytes(5000)
    assert decoded(encode(body), [name], limit_bytes=5000) == body
    with pytest.raises(TooLong):
        decoded(encode(body), [name], limit_bytes=4999)


def test_a_plain_body_is_the_very_object_and_is_bounded_too() -> None:
    body = bytes(100)
    assert decoded(body, [], limit_bytes=100) is body
    with pytest.raises(TooLong):
        decoded(body, [], limit_bytes=99)


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_a_body_in_another_coding_is_an_error(name: str) -> None:
    with pytest.raises(CodingError):
        decoded(b"\xff\xd8\xff\xe0 no such coding" * 20, [name], limit_bytes=LIMIT)


def test_a_name_that_nobody_knows_is_no_coding() -> None:
    decoding = Decoding(["utf-8"], limit_bytes=LIMIT)
    assert decoding.is_plain
    assert decoded(b"words", ["utf-8"], limit_bytes=LIMIT) == b"words"


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate, br, zstd"),
        ("gzip;q=0.5, dcb, dcz", "gzip;q=0.5"),
        ("dcz", "identity"),
        ("", "identity"),
        ("*", "identity"),
        ("identity", "identity"),
        ("GZIP", "GZIP"),
    ],
)
def test_only_what_can_be_undone_is_offered(asked: str, kept: str) -> None:
    assert offered(asked) == kept
