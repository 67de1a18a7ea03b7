"""Peers that speak the protocol: what each claims, serves and keeps from us."""

import asyncio
import re
import struct

import pytest

from protech.locate.lab import liars
from protech.locate.lab.hostile import Behaviour, Share
from protech.locate.lab.liars import AFTER_HANDSHAKE
from protech.locate.lab.plan import Kind
from protech.locate.lab.wire import (
    BITFIELD,
    EXTENDED,
    HASH_REJECT,
    HASH_REQUEST,
    HASHES,
    HAVE,
    HAVE_NONE,
    PIECE,
    REJECT,
    message,
)
from tests.unit.locate.lab.visits import (
    INFO_HASH,
    OWN_ID,
    SHARE,
    handshake,
    messages,
    request,
    visit,
)

HASHES_ASKED = message(HASH_REQUEST, bytes(32) + struct.pack(">IIII", 0, 0, 2, 1))
ALL = b"\xff"


def told(behave: Behaviour, *said: bytes, share: Share = SHARE) -> list[tuple[int, bytes]]:
    return messages(visit(behave, handshake() + b"".join(said), share=share))


def pieces(found: list[tuple[int, bytes]]) -> list[bytes]:
    return [content[8:] for kind, content in found if kind == PIECE]


def block(piece: int) -> bytes:
    return SHARE.content[piece << 14 : (piece + 1) << 14]


def test_a_mute_claims_all_and_serves_nothing() -> None:
    assert told(liars.mute, request(1, 0, 1 << 14)) == [(BITFIELD, ALL)]


def test_a_liar_serves_other_bytes_and_other_hashes() -> None:
    found = told(liars.liar, request(1, 0, 1 << 14), HASHES_ASKED)
    assert found[0] == (BITFIELD, ALL)
    (served,) = pieces(found)
    assert len(served) == 1 << 14
    assert served != block(1)
    assert found[-1][0] == HASHES


def test_a_copier_answers_with_our_own_id() -> None:
    answer = visit(liars.copier, handshake())
    assert answer[48:68] == OWN_ID


def test_a_swapper_serves_the_next_piece() -> None:
    assert pieces(told(liars.swapper, request(1, 0, 1 << 14))) == [block(2)]
    assert pieces(told(liars.swapper, request(7, 0, 1 << 14))) == [block(0)]


def test_who_has_weak_pieces_claims_and_serves_those() -> None:
    found = told(liars.weak_only, request(3, 0, 1 << 14), HASHES_ASKED)
    assert found[0] == (BITFIELD, b"\x18")
    assert pieces(found) == [block(3)]
    assert found[-1][0] == HASH_REJECT


def test_a_super_seed_names_one_piece_and_serves_it() -> None:
    found = told(liars.super_seed)
    assert [kind for kind, _ in found[:2]] == [HAVE_NONE, HAVE]
    assert int.from_bytes(found[1][1]) in SHARE.telling
    assert pieces(told(liars.super_seed, request(2, 0, 1 << 14))) == [block(2)]


def test_a_rejecter_rejects_pieces_and_hashes() -> None:
    found = told(liars.rejecter, request(1, 0, 1 << 14), HASHES_ASKED)
    assert [kind for kind, _ in found[2:]] == [REJECT, HASH_REJECT]


def test_an_empty_peer_has_nothing() -> None:
    assert told(liars.empty) == [(HAVE_NONE, b"")]


def test_an_oversized_message_is_begun() -> None:
    assert visit(liars.oversize, handshake())[68:72] == b"\x7f\xff\xff\xff"


def test_a_metadata_bomb_offers_two_gigabytes() -> None:
    found = told(liars.metadata_bomb)
    assert b"13:metadata_sizei2147483647e" in found[0][1]
    assert len(found) > 1


def test_a_poisoner_names_its_victim_under_the_visitors_own_number() -> None:
    offer = message(EXTENDED, b"\x00d1:md6:ut_pexi77eee")
    found = told(liars.pex_poisoner, offer)
    assert found[-1][1][0] == 77
    assert re.search(rb"5:added6:\x7f\x00\x00\x42", found[-1][1])


def test_a_relay_without_a_holder_says_nothing() -> None:
    assert visit(liars.relay, handshake()) == b""


def test_a_relay_passes_on_what_a_holder_says_under_its_own_id() -> None:
    heard = []

    async def holder(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(68))
        writer.write(handshake() + b"from the holder")
        writer.close()

    async def go() -> bytes:
        upstream = await asyncio.start_server(holder, "127.0.0.1", 0)
        port = upstream.sockets[0].getsockname()[1]
        share = Share(
            info_hashes=(INFO_HASH,),
            total=1,
            piece_bytes=1,
            pieces=(),
            content=b"",
            upstream=("127.0.0.1", port),
        )
        answer = await asyncio.to_thread(visit, liars.relay, handshake(), share=share)
        upstream.close()
        return answer

    answer = asyncio.run(go())
    assert answer[68:] == b"from the holder"
    assert answer[48:68] == heard[0][48:68] != OWN_ID


@pytest.mark.parametrize("kind", AFTER_HANDSHAKE)
def test_none_answers_for_a_torrent_it_does_not_know(kind: Kind) -> None:
    if kind is not Kind.COPIER:
        assert visit(AFTER_HANDSHAKE[kind], handshake(b"z" * 20)) == b""
