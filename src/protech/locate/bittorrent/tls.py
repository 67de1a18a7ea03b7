"""TLS over a stream that the door opened: no socket of its own, so every packet is permitted.

Source: RFC 8446; Python's ``ssl.SSLObject`` does it in memory.
"""

import ssl
from typing import Protocol

from protech.locate.adapter import Endpoint

RECORD_BYTES = 16 * 1024


class Carrier(Protocol):
    """The stream below."""

    @property
    def local(self) -> Endpoint:
        """Our side of it."""
        ...

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        ...

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the beginning of a buffer; 0 at the end."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class TlsStream:
    """A stream inside another; it offers what that one does."""

    def __init__(self, carrier: Carrier, *, host: str, trust: ssl.SSLContext) -> None:
        """Begin with nothing said; ``over`` also shakes hands."""
        self._carrier = carrier
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._arrived, self._leaving, server_hostname=host)
        self._buffer = memoryview(bytearray(RECORD_BYTES))

    @classmethod
    async def over(
        cls, carrier: Carrier, *, host: str, trust: ssl.SSLContext | None = None
    ) -> "TlsStream":
        """Shake hands with ``host``, whose certificate must hold.

        Raises:
            ssl.SSLError: It does not, or what came is no TLS.
        """
        stream = cls(carrier, host=host, trust=trust or ssl.create_default_context())
        while True:
            try:
                stream._tls.do_handshake()
            except ssl.SSLWantReadError:
                await stream._more()
            except ssl.SSLError:
                await stream._flush()  # the alert, which says why
                raise
            else:
                await stream._flush()
                return stream

    @property
    def local(self) -> Endpoint:
        """Our side of it."""
        return self._carrier.local

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        self._tls.write(data)
        await self._flush()

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the beginning of a buffer; 0 at the end."""
        while True:
            try:
                read = self._tls.read(min(len(buffer), RECORD_BYTES))
                buffer[: len(read)] = read
                return len(read)
            except ssl.SSLWantReadError:
                await self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return 0

    def close(self) -> None:
        """End it, without a word."""
        self._carrier.close()

    async def _more(self) -> None:
        await self._flush()
        size = await self._carrier.receive_into(self._buffer)
        if size:
            self._arrived.write(self._buffer[:size])
        else:
            self._arrived.write_eof()

    async def _flush(self) -> None:
        if leaving := self._leaving.read():
            await self._carrier.send(leaving)
