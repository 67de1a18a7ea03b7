"""Time stamps over checkpoints of a case's log: queued while there is no network, then kept.

A stamp (RFC 3161) proves that a checkpoint, and each record under it, existed when an authority
saw it: no more. A stamp that comes late proves its own late time; the time of a sighting then
rests on the clock of the unit. The authority learns a digest, and nothing of the case.
"""

import base64
import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from protech.errors import ConfigError, TrustError
from protech.evidence.canonical import canonical
from protech.evidence.stamp_wire import ANSWER_BYTES, check, request
from protech.lists.checkpoint import parse
from protech.lists.logbook import read_file
from protech.lists.note import NOTE_BYTES
from protech.settings import private_directory, settle, write_private

FORMAT_VERSION = 1

WAITING = ".waiting"
STAMP = ".stamp"
DIGITS = 12

Send = Callable[[bytes], bytes]
"""Carries a request to the authority, and returns its answer; OSError where it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A checkpoint, and the authority's answer about it, which holds."""

    size: int
    """How many records it covers: the log's first ones."""
    at: datetime
    """When the authority saw the checkpoint."""
    checkpoint: bytes = field(repr=False)
    response: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    """The authority's, in DER; it counts for who knows it from elsewhere."""

    def covers(self, index: int) -> bool:
        """Return whether a record existed by then."""
        return index < self.size


class Stamps:
    """The stamps of a case, in files of their own, and the checkpoints that wait for theirs."""

    def __init__(self, directory: Path) -> None:
        """Take a directory of this user alone; it is made if need be.

        Raises:
            ConfigError: It cannot be made.
            TrustError: It is open to others.
        """
        self._directory = private_directory(directory)

    def queue(self, checkpoint: bytes) -> None:
        """Have a checkpoint stamped; the first one of each size is.

        Raises:
            TrustError: It is none.
            ConfigError: It cannot be written.
        """
        name = f"{parse(checkpoint).size:0{DIGITS}d}"
        waiting = self._directory / (name + WAITING)
        if not waiting.exists() and not (self._directory / (name + STAMP)).exists():
            write_private(waiting, checkpoint)
            settle(self._directory)

    @property
    def waiting(self) -> tuple[int, ...]:
        """The sizes of the checkpoints that are not stamped yet, least first."""
        found = self._directory.glob(f"*{WAITING}")
        return tuple(sorted(int(path.stem) for path in found if path.stem.isdecimal()))

    def stamp(self, send: Send, certificate: bytes) -> int:
        """Have what waits stamped, the latest first, and return how many were.

        The latest covers every record, so it is worth the most where the network is short.

        Args:
            send: Carries each request.
            certificate: The authority's own, in DER.

        Raises:
            ConfigError: The authority cannot be reached, or nothing can be written; what was
                stamped until then is kept, the rest waits.
            TrustError: An answer does not hold.
        """
        stamped = 0
        for size in reversed(self.waiting):
            path = self._directory / f"{size:0{DIGITS}d}{WAITING}"
            checkpoint = read_file(path, most=NOTE_BYTES) or b""
            try:
                response = send(request(checkpoint))
            except OSError as refused:
                raise ConfigError(
                    "The time-stamping authority cannot be reached: nothing is lost, the"
                    " checkpoints wait. Check its address and the network, and run it again."
                ) from refused
            check(checkpoint, response, certificate)
            self._keep(path.with_suffix(STAMP), checkpoint, response, certificate)
            path.unlink()
            stamped += 1
        return stamped

    def _keep(self, path: Path, checkpoint: bytes, response: bytes, certificate: bytes) -> None:
        fields = {
            "certificate": base64.b64encode(certificate).decode(),
            "checkpoint": checkpoint.decode(),
            "response": base64.b64encode(response).decode(),
            "v": FORMAT_VERSION,
        }
        write_private(path, canonical(fields))
        settle(self._directory)

    def all(self) -> tuple[Stamp, ...]:
        """Return the stamps, each checked again, the earliest first.

        Raises:
            TrustError: One was changed.
            ConfigError: One cannot be read.
        """
        found = [self._read(path) for path in self._directory.glob(f"*{STAMP}")]
        return tuple(sorted(found, key=lambda one: (one.at, one.size)))

    def first(self, index: int) -> Stamp | None:
        """Return the earliest stamp that covers a record; None while there is none.

        Raises:
            TrustError: A stamp was changed.
        """
        return next((one for one in self.all() if one.covers(index)), None)

    def _read(self, path: Path) -> Stamp:
        try:
            content = read_file(path, most=NOTE_BYTES + 4 * ANSWER_BYTES)
            fields = json.loads(content or b"")
            if fields["v"] != FORMAT_VERSION:
                raise ValueError("another version")
            checkpoint = fields["checkpoint"].encode()
            response = base64.b64decode(fields["response"], validate=True)
            certificate = base64.b64decode(fields["certificate"], validate=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise TrustError(
                "A time stamp of the case was changed, or is of another version; put back its"
                " copy."
            ) from None
        return Stamp(
            size=parse(checkpoint).size,
            at=check(checkpoint, response, certificate).at,
            checkpoint=checkpoint,
            response=response,
            certificate=certificate,
        )


def sender(url: str, *, timeout_s: float = 30.0) -> Send:
    """Return what carries requests to an authority over HTTP (RFC 3161, 3.4).

    Args:
        url: Its address, ``http`` or ``https``; a stamp proves itself, so either will do.
        timeout_s: For each step.

    Raises:
        ConfigError: The address is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            "The address of the time-stamping authority is none of http or https; mend the"
            " authority package."
        )
    host, port, path = parts.hostname, parts.port, parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path

    def send(content: bytes) -> bytes:
        connection = (
            http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout_s)
        )
        try:
            connection.request(
                "POST", target, content, {"Content-Type": "application/timestamp-query"}
            )
            answer = connection.getresponse()
            response = answer.read(ANSWER_BYTES + 1)
        except http.client.HTTPException as broken:
            raise OSError("the answer was no HTTP") from broken
        finally:
            connection.close()
        if answer.status != http.client.OK or len(response) > ANSWER_BYTES:
            raise OSError("the authority gave no stamp")
        return response

    return send
