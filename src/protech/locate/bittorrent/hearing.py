"""A conversation taken down and judged in one: the judge hears what the transcript will hold.

What ``judge`` reads from the finished transcript is the same, event by event; reading it back
from JSON for each of a hundred thousand peers would take longer than speaking to them.
"""

from collections.abc import Mapping

from protech.evidence.events import Elided, Measured
from protech.evidence.transcript import Recorder
from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Network, Target, Transport
from protech.locate.bittorrent.judge import Judgement, Replay

ROOM_BYTES = 256 << 10
ROOM_BYTES_A_PIECE = 16
"""A bit and a HAVE are 10 bytes: who talks on beyond that says nothing, and fills the log."""


class Hearing:
    """Takes down one attempt to converse, and what was tried before it."""

    __slots__ = ("_recorder", "_replay", "_transport")

    def __init__(self, target: Target, *, started_s: float) -> None:
        """Begin with nothing said.

        Args:
            target: What the conversation is about.
            started_s: When the first attempt began, on the monotonic clock.
        """
        pieces = 0 if isinstance(target.key, Ed2kFile) else target.key.torrent_pieces
        room_bytes = ROOM_BYTES + ROOM_BYTES_A_PIECE * pieces
        self._recorder = Recorder(
            Network.BITTORRENT, started_s=started_s, room_bytes=room_bytes
        )
        self._replay = Replay(target)
        self._transport: Transport | None = None

    def stands(self, transport: Transport | None) -> None:
        """Take down what the connection is that stands."""
        self._transport = transport
        self._recorder.transport = transport

    def sent(self, data: bytes) -> None:
        """Take down what was sent."""
        self._recorder.sent(data)
        self._replay.sent(data)

    def received(self, data: bytes) -> None:
        """Take down what was received."""
        self._recorder.received(data)
        self._replay.received(data)

    def elided(self, kind: str, length_bytes: int, sha256: bytes) -> None:
        """Take down that the message begun ends with so many bytes that are not kept."""
        self._recorder.elided(kind, length_bytes, sha256)
        self._replay.take(Elided(at_ms=0, kind=kind, length_bytes=length_bytes, sha256=sha256))

    def measured(self, measured: Measured) -> None:
        """Take down what was measured of a piece or block."""
        fields: Mapping[str, int | bytes | None] = {
            "piece": measured.piece,
            "offset": measured.offset_bytes,
            "length": measured.length_bytes,
            "sha1": measured.sha1,
            "sha256": measured.sha256,
            "distinct_bytes": measured.distinct_bytes,
        }
        self._recorder.measured(
            {name: value for name, value in fields.items() if value is not None}
        )
        self._replay.take(measured)

    def tried(self, transport: Transport, outcome: str) -> None:
        """Take down an attempt that did not stand."""
        self._recorder.tried(transport, outcome)

    @property
    def judgement(self) -> Judgement:
        """What it shows up to now."""
        return self._replay.judgement(has_connection=self._transport is not None)

    def transcript(self) -> bytes:
        """Return what was taken down up to now."""
        return self._recorder.finish()
