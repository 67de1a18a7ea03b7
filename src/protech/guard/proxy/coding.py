"""Undoing content codings with a bound, so that a small body cannot become a large one here."""

import zlib
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Protocol

import brotli
import zstandard

from protech.guard.gate import KNOWN_CODINGS

PIECE_BYTES = 1024 * 1024
"""The most that one step of decoding gives."""

ZSTD_INPUT_BYTES = 64
"""Four bytes of Zstandard may stand for 128 KB (RFC 8878 3.1.1.2), so they are fed in sips."""

ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""What browsers take. Source: RFC 9659."""


class CodingError(Exception):
    """A body is not in the coding that it says, so no browser would show it."""


class TooLong(Exception):
    """A body grows beyond the bound once decoded."""


class Decoder(Protocol):
    """Undoes one coding piece by piece."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` adds, in pieces of at most some megabytes."""
        ...


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._state = zlib.decompressobj(window_bits)
        self._is_first = True

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._is_first and data and self._window_bits == zlib.MAX_WBITS:
            # "deflate" is zlib (RFC 9110 8.4.1.2), yet some send it bare; browsers take both.
            if not _is_zlib(data):
                self._state = zlib.decompressobj(-zlib.MAX_WBITS)
            self._is_first = False
        while data:
            try:
                piece = self._state.decompress(data, PIECE_BYTES)
            except zlib.error as broken:
                raise CodingError("not a deflate stream") from broken
            if piece:
                yield piece
            data = self._state.unconsumed_tail or self._next_member()

    def _next_member(self) -> bytes:
        """Return the bytes of a gzip member that follows, readying the state for it."""
        rest = self._state.unused_data
        if self._state.eof and rest.startswith(b"\x1f\x8b"):
            self._state = zlib.decompressobj(self._window_bits)
            return rest
        return b""


class _Brotli:
    def __init__(self) -> None:
        self._state = brotli.Decompressor()

    def decode(self, data: bytes) -> Iterator[bytes]:
        try:
            piece = self._state.process(data, output_buffer_limit=PIECE_BYTES)
            while True:
                if piece:
                    yield piece
                if self._state.is_finished() or self._state.can_accept_more_data():
                    return
                piece = self._state.process(b"", output_buffer_limit=PIECE_BYTES)
        except brotli.error as broken:
            raise CodingError("not a brotli stream") from broken


class _Zstd:
    def __init__(self) -> None:
        context = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
        self._state = context.decompressobj(read_across_frames=True)

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), ZSTD_INPUT_BYTES):
            try:
                piece = self._state.decompress(data[start : start + ZSTD_INPUT_BYTES])
            except zstandard.ZstdError as broken:
                raise CodingError("not a Zstandard stream") from broken
            if piece:
                yield piece


class Decoding:
    """Undoes a row of codings piece by piece, at most ``limit_bytes`` in all.

    Unknown names are taken as no coding at all, which is what browsers do with them.
    """

    def __init__(self, codings: Iterable[str], *, limit_bytes: int) -> None:
        """Take ``codings`` in the order in which the server applied them."""
        known = [coding for coding in codings if coding in KNOWN_CODINGS]
        self._decoders = [_decoder(coding) for coding in reversed(known)]
        self._left_bytes = limit_bytes

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to undo."""
        return not self._decoders

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` adds to the decoded body.

        Raises:
            CodingError: The data is not in the coding.
            TooLong: More than ``limit_bytes`` came out.
        """
        pieces: Iterable[bytes] = (data,)
        for piece in reduce(_through, self._decoders, pieces):
            self._left_bytes -= len(piece)
            if self._left_bytes < 0:
                raise TooLong
            yield piece


def decoded(body: bytes, codings: Iterable[str], *, limit_bytes: int) -> bytes:
    """Return ``body`` with its codings undone; what a cut-off body still holds, if cut off.

    Raises:
        CodingError: The body is not in the coding.
        TooLong: More than ``limit_bytes`` came out.
    """
    decoding = Decoding(codings, limit_bytes=limit_bytes)
    if decoding.is_plain and len(body) <= limit_bytes:
        return body
    return b"".join(decoding.feed(body))


def offered(accept_encoding: str) -> str:
    """Return an Accept-Encoding header without the codings that we cannot undo."""
    offers = (offer.strip() for offer in accept_encoding.split(","))
    known = KNOWN_CODINGS | {"identity"}
    kept = [offer for offer in offers if offer.split(";", 1)[0].strip().lower() in known]
    return ", ".join(kept) or "identity"


def _through(pieces: Iterable[bytes], decoder: Decoder) -> Iterator[bytes]:
    for piece in pieces:
        yield from decoder.decode(piece)


def _decoder(coding: str) -> Decoder:
    match coding:
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
        case _:
            return _Zlib(zlib.MAX_WBITS | 16)


def _is_zlib(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and (len(data) < 2 or int.from_bytes(data[:2]) % 31 == 0)
