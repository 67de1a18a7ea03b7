"""The sandboxed worker: load everything, lock up, then measure one item after another.

It talks to the pool alone, over one inherited socket, and writes to nothing else. Whatever goes
wrong with an item ends the process; the pool calls that item crashed and has another worker.
"""

import argparse
import gc
import json
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from protech import sandbox
from protech.errors import ConfigError, ModelError, ProtechError, SandboxError
from protech.salus import wire
from protech.salus.frames import Undecodable
from protech.salus.sampling import Sampling
from protech.salus.seekable import InMemory, OnDisk, Seekable
from protech.salus.sniff import MediaType
from protech.salus.wire_measured import WireError
from protech.types import Kind, Limits, Measured, Unscannable

if TYPE_CHECKING:
    from protech.salus.measure import Meter, Scorer

ORPHAN_GRACE_S = 5.0
"""How long after its deadline a worker ends itself, should the pool no longer be there to."""
OOM_SCORE = "900"
"""When the machine runs out of memory, a worker goes before anything of the person's."""


class Measuring(Protocol):
    """What a worker asks about an item; ``measure.Meter`` is one."""

    def measure(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return hashes and scores of every judged frame."""

    def header(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return the declared size only."""

    def video(self, source: Seekable, *, media_type: MediaType, sampling: Sampling) -> Measured:
        """Return hashes of the chosen frames of a video, and scores of some."""

    def rehash(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return hashes of every judged frame, of all its pixels."""


class Loading(Protocol):
    """What puts all that a worker needs into memory; ``load`` is one."""

    def __call__(self, models: Path | None, *, limits: Limits) -> Measuring:
        """Return what measures; afterwards no file can be opened."""


def main(arguments: Sequence[str] | None = None, *, loading: Loading | None = None) -> int:
    """Load, lock, and serve the pool until it closes the socket."""
    options = _options(arguments)
    with socket.socket(fileno=options.channel) as channel:
        try:
            limits = _limits(options.limits)
            wanted = partial(load, borders=options.borders, dihedral=options.dihedral)
            meter = (loading or wanted)(options.models, limits=limits)
            ready = lock(
                memory_bytes=limits.memory_bytes,
                channel=options.channel,
                allow_unsandboxed=options.allow_unsandboxed,
            )
        except (ProtechError, ImportError, OSError, RuntimeError) as cause:
            channel.sendall(wire.message_bytes(_refusal(cause)))
            return 1
        channel.sendall(wire.message_bytes(ready))
        serve(channel, meter)
    return 0


def load(
    models: Path | None, *, limits: Limits, borders: bool = False, dihedral: bool = False
) -> "Meter":
    """Return a meter with every codec and model in memory: nothing can be opened later.

    ``borders`` and ``dihedral`` are those of the meter.

    Raises:
        ModelError: A model or its card cannot be used.
        ImportError: A codec is missing.
    """
    # Only a started worker loads codecs, and onnxruntime only where there are models.
    from protech.salus import decode, decode_video
    from protech.salus.measure import Meter

    decode.preload()
    decode_video.preload()
    meter = Meter(
        limits=limits,
        scorer=_scorer(models) if models else None,
        borders=borders,
        dihedral=dihedral,
    )
    gc.collect()
    gc.freeze()
    return meter


def lock(*, memory_bytes: int, channel: int, allow_unsandboxed: bool) -> wire.Ready:
    """Lock this process and return what the pool learns of it.

    Raises:
        SandboxError: A layer is missing and nobody allowed to go on without.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    warm_bytes = sandbox.address_space_bytes()
    state = sandbox.lock_down(memory_bytes=memory_bytes, channel=channel)
    if not state.is_locked and not allow_unsandboxed:
        raise SandboxError(
            "A worker that opens media cannot be locked down: " + "; ".join(state.missing)
        )
    return wire.Ready(
        has_seccomp=state.has_seccomp,
        landlock_abi=state.landlock_abi,
        has_namespaces=state.has_namespaces,
        warm_bytes=warm_bytes,
    )


def serve(channel: socket.socket, meter: Measuring) -> None:
    """Answer requests until the other end closes.

    Raises:
        WireError: The pool sent something else than a request.
    """
    while (received := _receive(channel)) is not None:
        request, descriptors = received
        try:
            data = None if descriptors else _exactly(channel, request.size_bytes)
            signal.setitimer(signal.ITIMER_REAL, request.seconds + ORPHAN_GRACE_S)
            measured = _measured(meter, request, data, *descriptors)
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        answer = wire.Answer(sequence=request.sequence, measured=measured)
        channel.sendall(wire.message_bytes(answer))


def _measured(
    meter: Measuring, request: wire.Request, data: memoryview | None, descriptor: int = -1
) -> Measured:
    """Return what one item gives; a file is copied whole, unless it is a video."""
    if request.media_type.kind is Kind.VIDEO:
        return _video(meter, request, data, descriptor)
    if data is not None:
        return _measure(meter, request, data)
    copied = read_descriptor(descriptor, size_bytes=request.size_bytes)
    return copied if isinstance(copied, Measured) else _measure(meter, request, copied)


def _video(
    meter: Measuring, request: wire.Request, data: memoryview | None, descriptor: int
) -> Measured:
    if request.operation is not wire.Operation.MEASURE:
        return Measured()
    try:
        source: Seekable
        if data is not None:
            source = InMemory(data)
        else:
            source = OnDisk(descriptor, size_bytes=request.size_bytes)
    except Undecodable as undecodable:
        return Measured(unscannable=undecodable.reason)
    return meter.video(source, media_type=request.media_type, sampling=request.sampling)


def _measure(meter: Measuring, request: wire.Request, data: bytes | memoryview) -> Measured:
    match request.operation:
        case wire.Operation.MEASURE:
            return meter.measure(data, media_type=request.media_type)
        case wire.Operation.HEADER:
            return meter.header(data, media_type=request.media_type)
        case wire.Operation.REHASH:
            return meter.rehash(data, media_type=request.media_type)


def _receive(channel: socket.socket) -> tuple[wire.Request, list[int]] | None:
    """Return the next request and its descriptor, if it has one; None at the end."""
    head, descriptors, _flags, _address = socket.recv_fds(channel, wire.REQUEST_BYTES, 1)
    if not head:
        return None
    head += bytes(_exactly(channel, wire.REQUEST_BYTES - len(head)))
    request = wire.parse_request(head)
    if request.has_descriptor != bool(descriptors):
        raise WireError("a descriptor is missing, or one too many")
    return request, descriptors


def read_descriptor(descriptor: int, *, size_bytes: int) -> bytes | Measured:
    """Return the bytes of a file as they are now, or why there are none.

    They are copied: a decoder that looked twice at a mapped file could see two different ones.
    """
    parts: list[bytes] = []
    at = 0
    try:
        while at < size_bytes and (part := os.pread(descriptor, size_bytes - at, at)):
            parts.append(part)
            at += len(part)
        if at < size_bytes or os.pread(descriptor, 1, size_bytes):
            return Measured(unscannable=Unscannable.CHANGED)
    except OSError:
        return Measured(unscannable=Unscannable.UNREADABLE)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _exactly(channel: socket.socket, size_bytes: int) -> memoryview:
    data = memoryview(bytearray(size_bytes))
    at = 0
    while at < size_bytes:
        count = channel.recv_into(data[at:])
        if count == 0:
            raise WireError("the request ends too early")
        at += count
    return data


def _scorer(models: Path) -> "Scorer":
    from protech.models.registry import open_models
    from protech.salus.classify import Classifier

    model_set = open_models(models)
    if model_set is None:
        raise ModelError("The directory of models holds none: name another, or run without.")
    return Classifier.open(model_set).scores


def _refusal(cause: Exception) -> wire.Refused:
    match cause:
        case SandboxError():
            refusal = wire.Refusal.SANDBOX
        case ModelError():
            refusal = wire.Refusal.MODEL
        case _:
            refusal = wire.Refusal.CONFIG
    return wire.Refused(refusal=refusal, text=str(cause) or type(cause).__name__)


def _limits(text: str) -> Limits:
    try:
        return Limits(**json.loads(text))
    except (ValueError, TypeError) as broken:
        raise ConfigError("The limits of a worker are not the fields of Limits.") from broken


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="protech.salus.worker", description=__doc__)
    parser.add_argument("--channel", type=int, required=True, help="descriptor of the socket")
    parser.add_argument("--limits", default="{}", help="fields of Limits as JSON")
    parser.add_argument("--models", type=Path, default=None, help="directory of models")
    parser.add_argument("--borders", action="store_true", help="hash without borders, too")
    parser.add_argument("--dihedral", action="store_true", help="hash mirrored forms, too")
    parser.add_argument("--allow-unsandboxed", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
