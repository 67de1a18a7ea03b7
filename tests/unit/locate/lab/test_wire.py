"""The little of the peer protocol that the lab speaks."""

import asyncio

from protech.locate.lab.wire import (
    BITFIELD,
    MESSAGE_BYTES,
    Handshake,
    bitfield,
    message,
    read_handshake,
    read_messages,
)

OURS = Handshake(info_hash=b"i" * 20, peer_id=b"p" * 20)


def reader_of(content: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(content)
    reader.feed_eof()
    return reader


def handshake_in(content: bytes) -> Handshake | None:
    async def go() -> Handshake | None:
        return await read_handshake(reader_of(content))

    return asyncio.run(go())


def messages_in(content: bytes) -> list[tuple[int, bytes]]:
    async def go() -> list[tuple[int, bytes]]:
        return [one async for one in read_messages(reader_of(content))]

    return asyncio.run(go())


def test_a_handshake_is_read_as_it_was_written() -> None:
    assert handshake_in(OURS.content) == OURS


def test_what_is_no_handshake_is_none() -> None:
    assert handshake_in(b"GET / HTTP/1.1" + bytes(60)) is None
    assert handshake_in(OURS.content[:67]) is None


def test_messages_are_read_and_keep_alives_passed_over() -> None:
    assert messages_in(message(1) + bytes(4) + message(4, b"abcd")) == [(1, b""), (4, b"abcd")]


def test_a_message_that_is_too_long_ends_the_conversation() -> None:
    assert messages_in((MESSAGE_BYTES + 1).to_bytes(4) + bytes(9)) == []


def test_a_bitfield_sets_the_highest_bit_first() -> None:
    assert bitfield([0, 9], 10) == message(BITFIELD, b"\x80\x40")
