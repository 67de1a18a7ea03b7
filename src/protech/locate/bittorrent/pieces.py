"""Asking a peer for one piece of the listed file, which is measured in memory and overwritten.

Of a torrent of the first version a whole piece is needed, of the second one block of 16 KiB
(BEP 52) where the peer gives the hashes above it.
"""

import asyncio
import random
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from protech.evidence.events import Measured
from protech.evidence.transcript import TranscriptFull
from protech.lists.fetch_key import BLOCK_BYTES, TorrentFile, TorrentTree
from protech.locate import buffers
from protech.locate.adapter import Outcome
from protech.locate.bittorrent import messages
from protech.locate.bittorrent.held import TorrentKey
from protech.locate.bittorrent.messages import Kind, Malformed, framed
from protech.locate.bittorrent.proofs import lies_inside, piece_length, tree_place
from protech.locate.bittorrent.session import Session
from protech.locate.loss import Lost

PIECE_BYTES = 32 << 20
"""The largest piece that is fetched."""
LEAST_BYTES = 1024
"""A shorter one, at the end of a file, has few values of a byte by itself."""
SHELTER_BYTES = 128 * 1024
"""Where a link may keep what it has not handed on."""
QUEUE = 64
"""Requests that wait for their answer at a time; every client keeps more."""
HASHES = 2
"""Leaves that are asked for with the hashes above them: the block's own and its sibling's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A place in the listed file, and the offset of a block in it; None for the whole piece."""

    place: int
    offset: int | None = None


class _Refused(Exception):
    """The peer gives no piece; ``outcome`` says how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


def choose(
    key: TorrentKey, held: Iterable[int], weak: frozenset[int], chance: random.Random
) -> Choice | None:
    """Return at random one of the places held that can prove something; None for none."""
    places = [
        place
        for place in held
        if place not in weak
        and piece_length(key, place) <= PIECE_BYTES
        and (not isinstance(key, TorrentFile) or lies_inside(key, place))
    ]
    if not places:
        return None
    long = [place for place in places if piece_length(key, place) >= LEAST_BYTES]
    place = chance.choice(long or places)
    if isinstance(key, TorrentFile):
        return Choice(place=place)
    length = piece_length(key, place)
    ends = max(1, length - LEAST_BYTES + 1)  # of where a block may begin
    return Choice(place=place, offset=chance.choice(range(0, ends, BLOCK_BYTES)))


async def prove(session: Session, choice: Choice) -> Outcome | None:
    """Have the peer send what was chosen, measure it, and overwrite it.

    Returns:
        Why nothing was measured; None where something was.

    Raises:
        AuthorityError: Nothing more may be sent.
        ConfigError: The system does not lock so much memory for this user.
    """
    asking = _Asking(session)
    try:
        if choice.offset is not None and await asking.has_hashes(choice):
            await asking.measure(choice.place, choice.offset)
        else:
            await asking.measure(choice.place, None)
    except _Refused as refused:
        return refused.outcome
    except (Malformed, TranscriptFull):
        return Outcome.MALFORMED
    except (Lost, TimeoutError):
        return Outcome.CHOKED
    return None


class _Asking:
    """The requests of one proof."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._key = session.key
        self._loop = asyncio.get_running_loop()
        self._is_interested = False
        self._hashes: bool | None = None
        session.is_guarded = True

    async def has_hashes(self, choice: Choice) -> bool:
        """Ask for the hashes above a block, and return whether the peer gave them."""
        key = self._key
        if not isinstance(key, TorrentTree) or choice.offset is None:
            raise ValueError("only blocks of a tree have hashes above them")
        leaf, _, height = tree_place(key, choice.place, choice.offset)
        if height == 0:
            return True
        fields = messages.hash_fields(
            key.root, index=leaf - leaf % HASHES, count=HASHES, proof_layers=height - 1
        )
        await self._session.send(framed(Kind.HASH_REQUEST, fields))
        await self._show_interest()
        until = self._loop.time() + self._session.limits.hashes_s
        while self._hashes is None:
            try:
                kind, content = await self._session.next(until)
            except TimeoutError:
                return False
            self._hear(kind, content)
        return self._hashes

    async def measure(self, place: int, offset: int | None) -> None:
        """Fetch a block or a whole piece, and take down what was measured of it."""
        key, session = self._key, self._session
        length = piece_length(key, place)
        first = offset or 0
        size = length if offset is None else min(BLOCK_BYTES, length - offset)
        piece = key.first_piece + place
        with (
            buffers.locked_buffer(size + SHELTER_BYTES) as memory,
            memory[:size] as content,
            memory[size:] as shelter,
            closing(session.link) as link,
        ):
            link.shelter(shelter)
            await self._fetch(piece, first, content)
            is_file = isinstance(key, TorrentFile)
            session.hearing.measured(
                Measured(
                    at_ms=0,
                    piece=piece,
                    offset_bytes=offset,
                    length_bytes=size,
                    sha1=buffers.sha1_of(content) if is_file else None,
                    sha256=buffers.sha256_of(content),
                    distinct_bytes=buffers.distinct_bytes_of(content),
                )
            )

    async def _fetch(self, piece: int, first: int, content: memoryview) -> None:
        """Fill ``content`` with what the peer sends of a piece, from offset ``first`` on."""
        session = self._session
        await self._show_interest()
        until = self._loop.time() + session.limits.unchoke_s
        waiting = [
            (first + at, min(BLOCK_BYTES, len(content) - at))
            for at in range(0, len(content), BLOCK_BYTES)
        ][::-1]
        asked: dict[int, int] = {}
        is_first = True
        while waiting or asked:
            if not session.is_choked:
                await self._request(piece, waiting, asked)
            kind, header = await session.next(until)
            if kind == Kind.PIECE:
                offset = self._offset_of(header, piece, asked)
                size = asked.pop(offset)
                with content[offset - first : offset - first + size] as block:
                    await session.receive_content(block, until)
                    session.take_content(size, buffers.sha256_of(block))
                if is_first:
                    is_first, until = False, self._loop.time() + session.limits.piece_s
            else:
                self._hear(kind, header)
                if kind == Kind.CHOKE and not session.is_fast:
                    waiting += sorted(asked.items(), reverse=True)
                    asked.clear()  # BEP 3: what was asked for is forgotten
                elif kind == Kind.REJECT and int.from_bytes(header[4:8]) in asked:
                    if not session.is_choked:
                        raise _Refused(Outcome.REFUSED)
                    offset = int.from_bytes(header[4:8])
                    waiting.append((offset, asked.pop(offset)))

    async def _request(
        self, piece: int, waiting: list[tuple[int, int]], asked: dict[int, int]
    ) -> None:
        requests = b""
        while waiting and len(asked) < QUEUE:
            offset, size = waiting.pop()
            asked[offset] = size
            requests += messages.request(piece, offset, size)
        if requests:
            await self._session.send(requests)

    def _offset_of(self, header: bytes, piece: int, asked: dict[int, int]) -> int:
        """Return where a block belongs whose header came."""
        offset = int.from_bytes(header[4:8])
        size = self._session.content_bytes
        if int.from_bytes(header[:4]) != piece or asked.get(offset) != size:
            raise Malformed("content came that was not asked for")
        return offset

    async def _show_interest(self) -> None:
        if not self._is_interested:
            self._is_interested = True
            await self._session.send(messages.INTERESTED)
            await self._session.ask_for_metadata()  # while an unchoke is waited for

    def _hear(self, kind: int, content: bytes) -> None:
        if kind == Kind.HASHES:
            self._hashes = messages.hash_count(content) == (len(content) - 48) / 32
        elif kind == Kind.HASH_REJECT:
            self._hashes = False
        self._session.hear(kind, content)
