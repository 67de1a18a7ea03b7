"""Which transport reaches a peer: TCP first, uTP where it does not, encryption where asked for.

Few connections: uTP is tried when TCP was refused, or has not answered for a while; encryption
only where the peer hung up on a plain handshake.
"""

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field

from protech.locate.adapter import Transport
from protech.locate.bittorrent import messages, mse, utp
from protech.locate.bittorrent.conversation import Conversation
from protech.locate.bittorrent.messages import Malformed
from protech.locate.door import Dialled, Door
from protech.locate.links import Limits, Link
from protech.locate.loss import Lost

INSTEAD: dict[Transport, tuple[Transport, ...]] = {
    Transport.TCP: (Transport.MSE, Transport.UTP),
    Transport.UTP: (Transport.UTP_MSE,),
}
"""What is tried where a peer hung up on a plain handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A connection that stands."""

    transport: Transport
    link: Link = field(repr=False)
    first: bytes = field(repr=False)
    """Our handshake."""
    is_sent: bool = False
    """Whether it was sent already, with the handshake of the encryption."""


class Reach:
    """Connects to peers through one door."""

    def __init__(self, door: Door, limits: Limits) -> None:
        """Open nothing yet."""
        self._door = door
        self._limits = limits

    async def plain(self, conversation: Conversation) -> Called | None:
        """Return what connects to a peer; None where nothing does.

        Raises:
            AuthorityError: Nothing may be sent to it.
            ConfigError: This machine has no sockets, ports or source address for it.
        """
        now = asyncio.get_running_loop().time()
        until = now + self._limits.connect_s
        conversation.attempts += 1
        try:
            with self._door.dial(conversation.peer) as dialled:
                try:
                    link = await dialled.stream(until=now + self._limits.utp_after_s)
                except TimeoutError:
                    return await self._raced(conversation, dialled, until)
                return _called(conversation, Transport.TCP, link)
        except Lost as lost:
            conversation.failed(Transport.TCP, lost.loss)
        return await self.by(Transport.UTP, conversation)

    async def by(self, transport: Transport, conversation: Conversation) -> Called | None:
        """Return a connection to a peer by one transport; None where there is none.

        Raises:
            AuthorityError: Nothing may be sent to it.
            ConfigError: This machine has no sockets, ports or source address for it.
        """
        until = asyncio.get_running_loop().time() + self._limits.connect_s
        conversation.attempts += 1
        link: Link | None = None
        called: Called | None = None
        first = None
        try:
            if transport in (Transport.TCP, Transport.MSE):
                link = await self._door.connect(conversation.peer, until=until)
            else:
                link = await utp.call(self._door, conversation.peer, until=until)
            if transport in (Transport.MSE, Transport.UTP_MSE):
                info_hash = conversation.key.info_hash
                first = messages.handshake(info_hash)
                link = await mse.encrypt(link, info_hash, first, until=until)
            called = _called(conversation, transport, link, first)
        except (Lost, Malformed, TimeoutError) as failed:
            conversation.failed(transport, _outcome_of(failed))
        finally:
            if called is None and link is not None:
                link.close()
        return called

    async def _raced(
        self, conversation: Conversation, dialled: Dialled, until: float
    ) -> Called | None:
        conversation.attempts += 1
        return await self._first(
            conversation,
            {
                Transport.TCP: dialled.stream(until=until),
                Transport.UTP: self._utp(conversation, until),
            },
        )

    async def _utp(self, conversation: Conversation, until: float) -> Link:
        return await utp.call(self._door, conversation.peer, until=until)

    async def _first(
        self, conversation: Conversation, calls: dict[Transport, Coroutine[None, None, Link]]
    ) -> Called | None:
        """Return the first connection that stands; the others are given up."""
        tasks = {asyncio.ensure_future(call): transport for transport, call in calls.items()}
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                one = next(task for task in tasks if task in done)  # TCP, where both stand
                transport = tasks.pop(one)
                try:
                    return _called(conversation, transport, one.result())
                except (Lost, TimeoutError) as failed:
                    conversation.failed(transport, _outcome_of(failed))
            return None
        finally:
            await _give_up(tasks)


async def _give_up(tasks: Collection[asyncio.Future[Link]]) -> None:
    """End calls that are not needed any more, and what they came to."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and task.exception() is None:
            task.result().close()


def _called(
    conversation: Conversation, transport: Transport, link: Link, first: bytes | None = None
) -> Called:
    conversation.stands(transport, link)
    return Called(
        transport=transport,
        link=link,
        first=first or messages.handshake(conversation.key.info_hash),
        is_sent=first is not None,
    )


def _outcome_of(failed: Lost | Malformed | TimeoutError) -> str:
    if isinstance(failed, Lost):
        return failed.loss
    return "timed_out" if isinstance(failed, TimeoutError) else "malformed"
