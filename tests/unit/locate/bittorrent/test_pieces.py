"""One piece is asked for, measured in locked memory, and gone; or the reason why none came."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from protech.errors import AuthorityError
from protech.lists.fetch_key import BLOCK_BYTES, TorrentTree
from protech.locate.adapter import Outcome, Transport
from protech.locate.bittorrent import messages, pieces
from protech.locate.bittorrent.hearing import Hearing
from protech.locate.bittorrent.held import TorrentKey
from protech.locate.bittorrent.judge import Judgement, judge
from protech.locate.bittorrent.messages import Kind, framed
from protech.locate.bittorrent.pieces import Choice
from protech.locate.bittorrent.session import Session
from protech.locate.links import Limits
from protech.locate.loss import Loss
from tests import spoken
from tests.spoken import Line

WHOLE = spoken.content(5, 5 * BLOCK_BYTES + 700)
FILE = spoken.file_key(WHOLE, piece_bytes=2 * BLOCK_BYTES)
TREE = spoken.tree_key(WHOLE, piece_bytes=2 * BLOCK_BYTES)
BITS = framed(Kind.BITFIELD, b"\xe0")
Answer = Callable[[int, bytes], bytes]


class Peer:
    """Answers each message that comes after the handshake with what ``answer`` gives."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[int] = []
        self._answer = answer
        self._sent = bytearray()
        self._is_greeted = False

    def __call__(self, sent: bytes) -> bytes:
        self._sent += sent
        if not self._is_greeted:
            del self._sent[:68]
            self._is_greeted = True
        answered = b""
        while len(self._sent) >= 5:
            end = 4 + int.from_bytes(self._sent[:4])
            kind, content = self._sent[4], bytes(self._sent[5:end])
            del self._sent[:end]
            self.asked.append(kind)
            answered += self._answer(kind, content)
        return answered


def honest(kind: int, content: bytes, *, whole: bytes = WHOLE) -> bytes:
    if kind == Kind.INTERESTED:
        return framed(Kind.UNCHOKE)
    if kind == Kind.REQUEST:
        piece, begin, size = (int.from_bytes(content[at : at + 4]) for at in (0, 4, 8))
        at = piece * 2 * BLOCK_BYTES + begin
        return framed(Kind.PIECE, content[:8] + whole[at : at + size])
    if kind == Kind.HASH_REQUEST:
        return framed(Kind.HASHES, content + spoken.hashes_for(WHOLE, TREE, content))
    return b""


def proved(
    key: TorrentKey,
    choice: Choice,
    answer: Answer = honest,
    *,
    reserved: bytes = bytes(8),
    ends: Loss | None = None,
) -> tuple[Outcome | None, Judgement, Line, Peer]:
    target = spoken.target_of(key)
    peer = Peer(answer)
    line = Line(spoken.greeting(key, reserved=reserved) + BITS, answer=peer, ends=ends)
    hearing = Hearing(target, started_s=0)
    hearing.stands(Transport.TCP)
    session = Session(line, hearing, key, limits=Limits())

    async def work() -> Outcome | None:
        until = asyncio.get_running_loop().time() + 5
        await session.greet(messages.handshake(key.info_hash), until)
        await session.hear_claims(until)
        return await pieces.prove(session, choice)

    outcome = asyncio.run(work())
    session.close()
    shown = judge(hearing.transcript(), target)
    assert shown == hearing.judgement
    assert line.sheltered is None
    return outcome, shown, line, peer


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("key", [FILE, TREE], ids=["file", "tree"])
def test_a_whole_piece_is_proved(key: TorrentKey, place: int) -> None:
    outcome, shown, line, _ = proved(key, Choice(place=place))
    assert outcome is None
    assert shown.proof is not None
    data = WHOLE[shown.proof.offset_bytes :][: shown.proof.length_bytes]
    assert shown.proof.sha256 == hashlib.sha256(data).digest()
    assert line.is_closed


@pytest.mark.parametrize(("place", "offset"), [(0, 0), (1, BLOCK_BYTES), (2, BLOCK_BYTES)])
def test_one_block_suffices_with_its_hashes(place: int, offset: int) -> None:
    outcome, shown, _, peer = proved(TREE, Choice(place=place, offset=offset))
    assert outcome is None
    assert shown.proof is not None
    assert shown.proof.length_bytes <= BLOCK_BYTES
    assert peer.asked.count(Kind.REQUEST) == 1


@pytest.mark.parametrize("refusal", [b"", framed(Kind.HASH_REJECT, bytes(48))])
def test_without_hashes_the_whole_piece_is_fetched(refusal: bytes) -> None:
    def answer(kind: int, content: bytes) -> bytes:
        return refusal if kind == Kind.HASH_REQUEST else honest(kind, content)

    outcome, shown, _, peer = proved(TREE, Choice(place=1, offset=0), answer)
    assert outcome is None
    assert shown.proof is not None
    assert shown.proof.length_bytes == 2 * BLOCK_BYTES
    assert peer.asked.count(Kind.REQUEST) == 2
    assert peer.asked.count(Kind.INTERESTED) == 1


def test_another_content_is_measured_and_proves_nothing() -> None:
    other = spoken.content(6, len(WHOLE))
    for key, choice in ((FILE, Choice(place=0)), (TREE, Choice(place=0, offset=0))):
        outcome, shown, _, _ = proved(
            key, choice, lambda kind, content: honest(kind, content, whole=other)
        )
        assert (outcome, shown.proof, shown.is_weak) == (None, None, False)


def test_a_blank_piece_is_weak() -> None:
    blank = bytes(len(WHOLE))
    key = spoken.file_key(blank, piece_bytes=2 * BLOCK_BYTES)
    outcome, shown, _, _ = proved(
        key, Choice(place=0), lambda kind, content: honest(kind, content, whole=blank)
    )
    assert (outcome, shown.proof, shown.is_weak) == (None, None, True)


def never(kind: int, content: bytes) -> bytes:
    return b""


def rejects(kind: int, content: bytes) -> bytes:
    return framed(Kind.REJECT, content) if kind == Kind.REQUEST else honest(kind, content)


def mute(kind: int, content: bytes) -> bytes:
    return b"" if kind == Kind.REQUEST else honest(kind, content)


def another_piece(kind: int, content: bytes) -> bytes:
    if kind == Kind.REQUEST:
        return framed(Kind.PIECE, (2).to_bytes(4) + bytes(4) + bytes(BLOCK_BYTES))
    return honest(kind, content)


def another_length(kind: int, content: bytes) -> bytes:
    if kind == Kind.REQUEST:
        return framed(Kind.PIECE, content[:8] + bytes(BLOCK_BYTES - 1))
    return honest(kind, content)


def hurried(kind: int, content: bytes) -> bytes:
    if kind == Kind.INTERESTED:
        return framed(Kind.UNCHOKE) + framed(Kind.PIECE, bytes(8 + BLOCK_BYTES))
    return b""


def long_bitfield(kind: int, content: bytes) -> bytes:
    return framed(Kind.BITFIELD, bytes(9))


@pytest.mark.parametrize(
    ("answer", "ends", "outcome"),
    [
        (never, None, Outcome.CHOKED),
        (never, Loss.CLOSED, Outcome.CHOKED),
        (mute, None, Outcome.CHOKED),
        (mute, Loss.RESET, Outcome.CHOKED),
        (rejects, None, Outcome.REFUSED),
        (another_piece, None, Outcome.MALFORMED),
        (another_length, None, Outcome.MALFORMED),
        (hurried, None, Outcome.CHOKED),
        (long_bitfield, None, Outcome.MALFORMED),
    ],
)
def test_a_peer_that_gives_none_has_an_outcome(
    answer: Answer, ends: Loss | None, outcome: Outcome
) -> None:
    found, shown, _, _ = proved(FILE, Choice(place=0), answer, reserved=spoken.FAST, ends=ends)
    assert found is outcome
    assert shown.proof is None


def test_after_a_choke_blocks_are_asked_for_again() -> None:
    choked = iter([True])

    def answer(kind: int, content: bytes) -> bytes:
        if kind == Kind.REQUEST and next(choked, False):
            return framed(Kind.CHOKE) + framed(Kind.UNCHOKE)
        return honest(kind, content)

    outcome, shown, _, peer = proved(FILE, Choice(place=2), answer)
    assert outcome is None
    assert shown.proof is not None
    assert peer.asked.count(Kind.REQUEST) >= 3


def test_a_rejection_while_choked_is_asked_for_again() -> None:
    first = iter([True])

    def answer(kind: int, content: bytes) -> bytes:
        if kind == Kind.REQUEST and next(first, False):
            return framed(Kind.CHOKE) + framed(Kind.REJECT, content) + framed(Kind.UNCHOKE)
        return honest(kind, content)

    outcome, shown, _, _ = proved(FILE, Choice(place=0), answer, reserved=spoken.FAST)
    assert outcome is None
    assert shown.proof is not None


def test_where_nothing_more_may_be_sent_it_is_said() -> None:
    def answer(kind: int, content: bytes) -> bytes:
        raise AuthorityError("The authorisation has ended.")

    with pytest.raises(AuthorityError):
        proved(FILE, Choice(place=0), answer)


def chosen(
    key: TorrentKey, held: range, weak: frozenset[int] = frozenset()
) -> set[Choice | None]:
    chance = random.Random(1)
    return {pieces.choose(key, held, weak, chance) for _ in range(200)}


def test_any_place_that_can_prove_something_may_be_chosen() -> None:
    assert chosen(FILE, range(3)) == {Choice(place=0), Choice(place=1), Choice(place=2)}
    assert chosen(FILE, range(3), frozenset({0, 2})) == {Choice(place=1)}
    assert chosen(FILE, range(0)) == {None}
    assert chosen(FILE, range(1), frozenset({0})) == {None}
    blocks = {(one.place, one.offset) for one in chosen(TREE, range(3)) if one is not None}
    # The last block has 700 bytes: too few to choose.
    assert blocks == {(0, 0), (0, BLOCK_BYTES), (1, 0), (1, BLOCK_BYTES), (2, 0)}


def test_pieces_that_other_files_share_are_not_chosen() -> None:
    key = spoken.file_key(
        WHOLE, piece_bytes=2 * BLOCK_BYTES, first_byte=5, size_bytes=4 * BLOCK_BYTES
    )
    assert chosen(key, range(3)) == {Choice(place=1)}


def test_pieces_that_are_too_large_are_not_chosen() -> None:
    key = replace(
        FILE, piece_bytes=2 * pieces.PIECE_BYTES, torrent_bytes=9 * pieces.PIECE_BYTES
    )
    assert chosen(key, range(1)) == {None}


def test_short_pieces_are_chosen_where_there_is_no_other() -> None:
    short = spoken.tree_key(WHOLE[:300], piece_bytes=BLOCK_BYTES)
    assert isinstance(short, TorrentTree)
    assert chosen(short, range(1)) == {Choice(place=0, offset=0)}


def test_only_a_tree_has_hashes() -> None:
    async def work() -> None:
        hearing = Hearing(spoken.target_of(FILE), started_s=0)
        session = Session(Line(), hearing, FILE, limits=Limits())
        with pytest.raises(ValueError, match="tree"):
            await pieces._Asking(session).has_hashes(Choice(place=0))

    asyncio.run(work())
