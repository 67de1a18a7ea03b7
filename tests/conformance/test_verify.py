"""The stand-alone verifier and the tool's own judge read every conversation alike.

Both are ours and share no code; what one says of a transcript, whole, changed or made up, the
other must say, or a sighting would be disclosed that its own verifier refuses.
"""

import asyncio
import base64
import json
import random
import struct
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from protech.evidence import verify
from protech.evidence.transcript import NoTranscript
from protech.lists.fetch_key import TorrentFile, TorrentTree
from protech.lists.fetch_keys import key_fields
from protech.locate.adapter import Candidate, Grant, ListName, Sighting, Target
from protech.locate.bittorrent.judge import judge
from protech.locate.bittorrent.probe import Prober
from protech.locate.door import Door
from tests import packs, seeds
from tests.packs import Talk

FLAT, TORRENT = packs.flat_key(rest=70_000)
SMALL, SMALL_TORRENT = packs.flat_key(piece_bytes=1 << 14, first=0, size=50_000, rest=0)
TREE, FILE = packs.tree_key()
LONE, LONE_FILE = packs.tree_key(piece_bytes=1 << 18, size=100_000)
ONE, ONE_FILE = packs.tree_key(size=9_000)
FILES = {
    FLAT.info_hash: TORRENT,
    SMALL.info_hash: SMALL_TORRENT,
    TREE.info_hash: FILE,
    LONE.info_hash: LONE_FILE,
    ONE.info_hash: ONE_FILE,
}
KEYS: list[TorrentFile | TorrentTree] = [FLAT, SMALL, TREE, LONE, ONE]

NAME = ListName(name="listed", version=1, sha256=bytes(32))

Shown = dict[str, Any] | str


def by_tool(content: bytes, key: TorrentFile | TorrentTree) -> Shown:
    target = Target(entry="e", number=0, list_name=NAME, key=key, weak=frozenset(key.weak))
    try:
        found = judge(content, target)
    except NoTranscript:
        return "refused"
    hexed = {
        part: None
        if value is None
        else {
            name: one.hex() if isinstance(one, bytes) else one
            for name, one in asdict(value).items()
        }
        for part, value in (("claims", found.claims), ("proof", found.proof))
    }
    client = None if found.peer_id is None else found.peer_id.hex()
    return {"level": int(found.level), "client": client, **hexed}


def by_verifier(content: bytes, key: TorrentFile | TorrentTree) -> Shown:
    try:
        found = verify.replay(content, json.loads(json.dumps(key_fields(key))))
    except verify.BROKEN:
        return "refused"
    return {name: found[name] for name in ("level", "client", "claims", "proof")}


def same(content: bytes, key: TorrentFile | TorrentTree) -> Shown:
    ours = by_tool(content, key)
    assert by_verifier(content, key) == ours
    return ours


def flat_steps(talk: Talk, drawn: random.Random) -> list[Callable[[], object]]:
    key = talk.key
    piece = drawn.randrange(key.torrent_pieces)
    content = FILES[key.info_hash]
    data = content[piece * key.piece_bytes : (piece + 1) * key.piece_bytes]
    return [lambda: talk.piece(piece, data)] if data else []


def tree_steps(talk: Talk, drawn: random.Random) -> list[Callable[[], object]]:
    key, file = talk.key, FILES[talk.key.info_hash]
    assert isinstance(key, TorrentTree)
    place = drawn.randrange(-(-len(file) // key.piece_bytes))
    piece = file[place * key.piece_bytes : (place + 1) * key.piece_bytes]
    at = drawn.randrange(0, len(piece), 1 << 14)
    block = piece[at : at + (1 << 14)]
    number = (place * key.piece_bytes + at) >> 14
    width = len(packs.tree_levels(file, piece_bytes=key.piece_bytes)[0])
    top = width.bit_length() - 1
    count = 1 << drawn.randint(1, max(top, 1))
    layers = drawn.randint(0, max(top - 1, 0))
    steps: list[Callable[[], object]] = [
        lambda: talk.block(key.first_piece + place, at, block),
        lambda: talk.measure(key.first_piece + place, block, offset=at),
        lambda: talk.piece(key.first_piece + place, piece),
    ]
    if width > 1 and count <= width:
        steps.append(lambda: talk.hashes(number // count * count, count, layers, file=file))
    return steps


def conversation(seed: int) -> tuple[bytes, TorrentFile | TorrentTree]:
    """Return a conversation of plausible and implausible steps, drawn from a seed."""
    drawn = random.Random(seed)
    key = drawn.choice(KEYS)
    talk = Talk(key)
    talk.greet(drawn.choice([packs.THEIRS] * 9 + [packs.OURS]))
    total = key.torrent_pieces
    for _ in range(drawn.randrange(9)):
        held = {at for at in range(total) if drawn.random() < 0.3}
        plain: list[Callable[[], object]] = [
            lambda: talk.hear(drawn.choice([0, 1, 2, 3, 14, 15])),
            partial(talk.bitfield, held),
            lambda: talk.hear(4, struct.pack(">I", drawn.randrange(total + 1))),
            lambda: talk.hear(drawn.randrange(30), drawn.randbytes(drawn.choice([0, 4, 48]))),
            lambda: talk.say(drawn.choice([2, 6, 21, 99]), drawn.randbytes(12)),
        ]
        steps = flat_steps if isinstance(key, TorrentFile) else tree_steps
        special = steps(talk, drawn)
        drawn.choice(plain[:3] + special * 3 + plain[drawn.choice([3, 4, 5]) :])()
    return talk.end(), key


@pytest.mark.parametrize("part", range(6))
def test_conversations_are_judged_alike(part: int) -> None:
    levels = {0: 0, 1: 0, 2: 0, 3: 0, 4: 0}
    for seed in range(part * 100, part * 100 + 100):
        shown = same(*conversation(seed))
        assert isinstance(shown, dict)
        levels[shown["level"]] += 1
    assert levels[4] > 10
    assert min(levels[1], levels[2], levels[3]) > 0


def mutated(content: bytes, drawn: random.Random) -> bytes:
    """Return a transcript in which events were dropped, doubled, moved or changed."""
    value = json.loads(content)
    events = value["events"]
    for _ in range(drawn.randint(1, 3)):
        if not events:
            break
        at = drawn.randrange(len(events))
        kind = drawn.randrange(5)
        if kind == 0:
            del events[at]
        elif kind == 1:
            events.insert(at, events[at])
        elif kind == 2:
            events[at] = [events[at][0], *drawn.choice(events)[1:]]
        elif isinstance(events[at][2], str):
            data = bytearray(base64.b64decode(events[at][2]))
            data[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
            cut = drawn.choice([len(data), drawn.randrange(1, len(data) + 1)])
            events[at][2] = base64.b64encode(data[:cut]).decode()
        else:
            name = drawn.choice(list(events[at][2]))
            old = events[at][2][name]
            new = old + drawn.choice([-1, 1]) if isinstance(old, int) else old[:-1] + "0"
            events[at] = [*events[at][:2], {**events[at][2], name: new}]
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@pytest.mark.parametrize("part", range(6))
def test_changed_conversations_are_judged_alike(part: int) -> None:
    for seed in range(part * 150, part * 150 + 150):
        drawn = random.Random(-1 - seed)
        content, key = conversation(seed)
        same(mutated(content, drawn), key)


def test_flipped_bytes_are_judged_alike() -> None:
    for seed in range(300):
        drawn = random.Random(seed)
        content, key = conversation(seed)
        flipped = bytearray(content)
        flipped[drawn.randrange(len(flipped))] ^= 1 << drawn.randrange(8)
        same(bytes(flipped), key)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff"])
def test_what_is_no_transcript_is_refused_by_both(content: bytes) -> None:
    assert same(content, FLAT) == "refused"


def test_a_conversation_about_another_torrent_is_judged_alike() -> None:
    for seed in range(60):
        content, _ = conversation(seed)
        for key in KEYS:
            same(content, key)


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_real_client_served_is_read_alike(version: int, tmp_path: Path) -> None:
    shared = seeds.share(tmp_path / "lab", version=version)
    with seeds.seed(shared, "127.0.0.2", encryption="plain", transports="tcp") as candidate:
        sighting = proved(candidate, shared.target)
    key = shared.target.key
    assert isinstance(key, TorrentFile | TorrentTree)
    shown = same(sighting.transcript, key)
    assert isinstance(shown, dict)
    assert shown["level"] == 4


def proved(candidate: Candidate, target: Target) -> Sighting:
    async def work() -> Sighting:
        prober = Prober(Door(lambda _: None))
        grant = Grant(
            request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1)
        )
        async with asyncio.timeout(60), prober.probe(candidate, target) as conversation:
            return await prober.prove(conversation, grant)

    return asyncio.run(work())
