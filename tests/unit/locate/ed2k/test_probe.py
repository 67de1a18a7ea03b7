"""A probe makes one connection, and ends in what the peer shows."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import (
    Candidate,
    Endpoint,
    Grant,
    Level,
    Outcome,
    Sighting,
    Source,
    Target,
    Transport,
)
from protech.locate.door import Door
from protech.locate.ed2k import probe
from protech.locate.ed2k.aich import BLOCK_BYTES
from protech.locate.ed2k.messages import PART_BYTES, Op, message
from protech.locate.ed2k.probe import Conversation, Prober, choose, fresh_user_hash
from protech.locate.links import Limits
from tests import donkeys, spoken

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
GRANT = Grant(request_sha256=bytes(32), not_after=NOW + timedelta(seconds=1))
WHOLE = donkeys.content(9, 2 * BLOCK_BYTES)
TARGET = spoken.target_of(donkeys.key_of(WHOLE))
QUICK = Limits(connect_s=2.0, answer_s=0.6, unchoke_s=0.6, piece_s=0.6)

Visit = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def client(answer: Callable[[bytes], bytes], *, drip_bytes: int = 0) -> Visit:
    """Return a client that answers what it reads; ``drip_bytes`` at a time, where not 0."""

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            reply = answer(data)
            step = drip_bytes or len(reply) or 1
            for at in range(0, len(reply), step):
                writer.write(reply[at : at + step])
                await writer.drain()

    return visit


def changed(op: Op, answer: bytes) -> Visit:
    return client(
        donkeys.serving(WHOLE, change=lambda one, usual: answer if one == op else usual)
    )


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up on what is not obfuscated, as clients do that require it."""
    await reader.read(1)


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve until the middle of a block."""
    answer = donkeys.serving(WHOLE)
    while data := await reader.read(1 << 16):
        reply = answer(data)
        if len(reply) > 100_000:
            writer.write(reply[:100_000])
            await writer.drain()
            return
        writer.write(reply)


async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send half of a block, and nothing more."""
    answer = donkeys.serving(WHOLE)
    while data := await reader.read(1 << 16):
        writer.write(answer(data)[:100_000])


@asynccontextmanager
async def listening(visit: Visit) -> AsyncIterator[Endpoint]:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await visit(reader, writer)
        except OSError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield Endpoint(address=ip_address(host), port=port)


def probed(
    visit: Visit,
    *,
    target: Target = TARGET,
    grant: Grant = GRANT,
    permit: Callable[[Endpoint], None] = lambda _: None,
) -> Sighting:
    prober = Prober(Door(permit), limits=QUICK, clock=lambda: NOW)

    async def work() -> Sighting:
        async with asyncio.timeout(30), listening(visit) as place:
            candidate = Candidate(endpoint=place, source=Source.SERVER)
            async with prober.probe(candidate, target) as conversation:
                return await prober.prove(conversation, grant)

    return asyncio.run(work())


def test_who_has_the_file_is_proved_in_one_connection() -> None:
    found = probed(client(donkeys.serving(WHOLE)))
    assert (found.level, found.outcome) == (Level.DELIVERED, Outcome.SERVED)
    assert (found.attempts, found.transport) == (1, Transport.TCP)
    assert (found.client_id, found.client_name) == (donkeys.THEIRS, "lab")
    assert found.proof is not None
    data = WHOLE[found.proof.offset_bytes :][: found.proof.length_bytes]
    assert found.proof.digest == donkeys.sha1(data)


def test_what_drips_in_time_is_heard() -> None:
    found = probed(client(donkeys.serving(WHOLE), drip_bytes=5000))
    assert found.outcome is Outcome.SERVED


@pytest.mark.parametrize(
    ("visit", "level", "outcome"),
    [
        (mute, 1, Outcome.SILENT),
        (hang_up, 1, Outcome.CLOSED),
        (client(lambda data: data), 1, Outcome.ECHO),
        (client(lambda data: b"HTTP/1.1 400\r\n"), 1, Outcome.OTHER_PROTOCOL),
        (changed(Op.SET_FILE, message(Op.NO_SUCH_FILE, donkeys.MD4)), 2, Outcome.NOTHING_HELD),
        (changed(Op.SET_FILE, donkeys.status(set(), len(WHOLE))), 2, Outcome.NOTHING_HELD),
        (changed(Op.SET_FILE, donkeys.status({1}, 9 * PART_BYTES)), 2, Outcome.MALFORMED),
        (changed(Op.AICH_REQUEST, message(Op.AICH_ANSWER, donkeys.MD4)), 3, Outcome.REFUSED),
        (changed(Op.START_UPLOAD, b""), 3, Outcome.CHOKED),
        (halfway, 3, Outcome.REFUSED),
        (stalls, 3, Outcome.REFUSED),
    ],
    ids=["mute", "hangs up", "echo", "http", "no file", "no parts", "wrong status",
         "no hashes", "busy", "halfway", "stalls"],
)  # fmt: skip
def test_what_peers_do_is_an_outcome(visit: Visit, level: int, outcome: Outcome) -> None:
    found = probed(visit)
    assert (found.level, found.outcome) == (level, outcome)
    assert found.proof is None


def test_who_lies_about_its_parts_sends_no_listed_block() -> None:
    other = donkeys.content(10, len(WHOLE))
    found = probed(client(donkeys.serving(other)))
    assert (found.level, found.outcome) == (Level.CLAIMS, Outcome.REFUSED)

    def garbage(op: int, usual: bytes) -> bytes:
        return donkeys.aich_answer(WHOLE, 0) if op == Op.AICH_REQUEST else usual

    found = probed(client(donkeys.serving(other, change=garbage)))
    assert (found.level, found.outcome) == (Level.CLAIMS, Outcome.BAD_PIECE)


def test_a_blank_block_is_weak() -> None:
    blank = bytes(len(WHOLE))
    target = spoken.target_of(donkeys.key_of(blank))
    found = probed(client(donkeys.serving(blank)), target=target)
    assert (found.level, found.outcome) == (Level.CLAIMS, Outcome.WEAK_PIECE)


def test_nobody_is_there() -> None:
    async def work() -> Sighting:
        async with listening(mute) as place:
            pass
        candidate = Candidate(endpoint=place, source=Source.KAD)
        async with Prober(Door(lambda _: None)).probe(candidate, TARGET) as conversation:
            return conversation.sighting

    found = asyncio.run(work())
    assert (found.level, found.outcome) == (Level.MENTIONED, Outcome.UNREACHABLE)
    assert (found.local, found.transport, found.client_name) == (None, None, None)


def test_who_does_not_answer_in_time_is_not_there() -> None:
    class Far(Door):
        async def connect(self, peer: Endpoint, *, until: float | None = None) -> object:  # type: ignore[override]
            raise TimeoutError

    async def work() -> Sighting:
        async with Prober(Far(lambda _: None)).probe(spoken.CANDIDATE, TARGET) as conversation:
            return conversation.sighting

    found = asyncio.run(work())
    assert (found.level, found.outcome) == (Level.MENTIONED, Outcome.UNREACHABLE)


def test_after_its_term_a_grant_asks_for_nothing() -> None:
    found = probed(client(donkeys.serving(WHOLE)), grant=replace(GRANT, not_after=NOW))
    assert (found.level, found.outcome) == (Level.CLAIMS, Outcome.CLAIMED)


def test_blocks_that_prove_nothing_are_not_asked_for() -> None:
    target = replace(TARGET, weak=frozenset({0, 1, 2}))
    found = probed(client(donkeys.serving(WHOLE)), target=target)
    assert (found.level, found.outcome) == (Level.CLAIMS, Outcome.CLAIMED)


@pytest.mark.parametrize(("allowed", "level"), [(0, 0), (1, 1), (3, 3), (4, 3)])
def test_where_the_authority_ends_the_conversation_does(allowed: int, level: int) -> None:
    left = [allowed]

    def permit(_: Endpoint) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise AuthorityError("The authorisation has ended.")

    found = probed(client(donkeys.serving(WHOLE)), permit=permit)
    assert (found.level, found.outcome) == (level, Outcome.STOPPED)


def test_a_target_of_another_network_is_refused() -> None:
    other = spoken.target_of(spoken.file_key(WHOLE, piece_bytes=BLOCK_BYTES))
    with pytest.raises(TypeError):
        Conversation(spoken.CANDIDATE, other, clock=lambda: NOW)


def test_the_time_is_utc() -> None:
    prober = Prober(Door(lambda _: None))
    assert prober._clock().tzinfo is UTC


def test_nobody_has_our_user_hash_and_it_looks_like_any() -> None:
    first, second = fresh_user_hash(), fresh_user_hash()
    assert first != second
    assert (first[5], first[14]) == (14, 111)


def test_a_block_is_chosen_from_what_is_held_and_proves_something() -> None:
    size = 2 * PART_BYTES + BLOCK_BYTES
    key = replace(donkeys.key_of(WHOLE), size_bytes=size, weak=(54,))
    chance = random.Random(1)
    chosen = {choose(key, frozenset({1, 2}), frozenset({55}), chance) for _ in range(2000)}
    places = {one.place for one in chosen if one is not None}
    assert places == set(range(53, 106)) - {54, 55}
    assert choose(key, frozenset({2}), frozenset(), chance) is None
    assert choose(key, frozenset(), frozenset(), chance) is None


@pytest.mark.parametrize(
    ("size", "count"), [(probe.LEAST_BYTES - 1, 1), (probe.LEAST_BYTES, 2)]
)
def test_a_last_block_too_short_to_prove_anything_is_not_chosen(size: int, count: int) -> None:
    key = replace(donkeys.key_of(WHOLE), size_bytes=BLOCK_BYTES + size)
    chance = random.Random(1)
    chosen = {choose(key, frozenset({0}), frozenset(), chance) for _ in range(50)}
    assert len(chosen) == count


def test_nothing_is_asked_for_beyond_where_ranges_end() -> None:
    part = probe.LAST_BYTE // PART_BYTES
    key = replace(donkeys.key_of(WHOLE), size_bytes=probe.LAST_BYTE + 2 * PART_BYTES)
    chance = random.Random(1)
    chosen = [choose(key, frozenset({part, part + 1}), frozenset(), chance) for _ in range(500)]
    assert all(one is not None and one.start + one.size < probe.LAST_BYTE for one in chosen)
    assert choose(key, frozenset({part + 1}), frozenset(), chance) is None
