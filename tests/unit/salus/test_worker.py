"""The worker's own steps, in this process; test_cage and test_pool lock real ones."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from protech.errors import ConfigError, ModelError, SandboxError
from protech.salus import wire, worker
from protech.salus.sampling import Sampling
from protech.salus.seekable import Seekable
from protech.salus.sniff import MediaType
from protech.salus.wire_measured import WireError
from protech.types import Limits, Measured, Unscannable

REQUEST = wire.Request(
    operation=wire.Operation.MEASURE,
    media_type=MediaType.PNG,
    size_bytes=5,
    sequence=7,
    seconds=60.0,
    has_descriptor=False,
)


class Echo:
    """Measures the length of an item."""

    def measure(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        return Measured(width_px=len(data))

    def video(self, source: Seekable, *, media_type: MediaType, sampling: Sampling) -> Measured:
        return Measured(width_px=source.size_bytes, height_px=sampling)

    def header(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        return Measured(height_px=len(data))

    def rehash(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        return Measured(width_px=1, height_px=len(data))


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        yield ours, theirs


def answered(ours: socket.socket) -> wire.Message:
    kind, size_bytes = wire.parse_head(ours.recv(wire.MESSAGE_BYTES, socket.MSG_WAITALL))
    return wire.parse_message(
        kind, ours.recv(size_bytes, socket.MSG_WAITALL) if size_bytes else b""
    )


def test_requests_are_answered_until_the_other_end_closes(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    serving = threading.Thread(target=worker.serve, args=(theirs, Echo()), daemon=True)
    serving.start()
    ours.sendall(wire.request_bytes(REQUEST) + b"12345")
    assert answered(ours) == wire.Answer(sequence=7, measured=Measured(width_px=5))
    head = wire.Request(
        operation=wire.Operation.HEADER,
        media_type=MediaType.PNG,
        size_bytes=2,
        sequence=8,
        seconds=60.0,
        has_descriptor=False,
    )
    ours.sendall(wire.request_bytes(head) + b"12")
    assert answered(ours) == wire.Answer(sequence=8, measured=Measured(height_px=2))
    again = replace(REQUEST, operation=wire.Operation.REHASH, sequence=9)
    ours.sendall(wire.request_bytes(again) + b"12345")
    both = Measured(width_px=1, height_px=5)
    assert answered(ours) == wire.Answer(sequence=9, measured=both)
    ours.close()
    serving.join(30)
    assert not serving.is_alive()


def test_a_request_in_pieces_is_one_request(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    serving = threading.Thread(target=worker.serve, args=(theirs, Echo()), daemon=True)
    serving.start()
    for byte in wire.request_bytes(REQUEST) + b"12345":
        ours.sendall(bytes([byte]))
    assert answered(ours) == wire.Answer(sequence=7, measured=Measured(width_px=5))
    ours.close()
    serving.join(30)


def served(
    ours: socket.socket, theirs: socket.socket, head: wire.Request, *sent: int
) -> Measured:
    """Return what a worker answers to ``head`` with the descriptors that are sent beside it."""
    serving = threading.Thread(target=worker.serve, args=(theirs, Echo()), daemon=True)
    serving.start()
    socket.send_fds(ours, [wire.request_bytes(head)], list(sent))
    if not sent:
        ours.sendall(bytes(head.size_bytes))
    answer = answered(ours)
    ours.shutdown(socket.SHUT_WR)
    serving.join(30)
    assert isinstance(answer, wire.Answer)
    return answer.measured


@pytest.mark.parametrize("operation", wire.Operation)
@pytest.mark.parametrize("is_file", [True, False])
def test_a_video_is_measured_from_where_it_lies_and_nothing_else_is_done_with_it(
    sockets: tuple[socket.socket, socket.socket],
    tmp_path: Path,
    operation: wire.Operation,
    *,
    is_file: bool,
) -> None:
    path = tmp_path / "film"
    path.write_bytes(bytes(300))
    head = replace(
        REQUEST,
        operation=operation,
        sampling=Sampling.KEYFRAMES,
        media_type=MediaType.MP4,
        size_bytes=300,
        has_descriptor=is_file,
    )
    with path.open("rb") as file:
        measured = served(*sockets, head, *([file.fileno()] if is_file else []))
    is_measured = operation is wire.Operation.MEASURE
    expected = Measured(width_px=300, height_px=Sampling.KEYFRAMES)
    assert measured == (expected if is_measured else Measured())


def test_a_video_of_another_length_has_changed(
    sockets: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    path = tmp_path / "film"
    path.write_bytes(bytes(300))
    head = replace(REQUEST, media_type=MediaType.MP4, size_bytes=200, has_descriptor=True)
    with path.open("rb") as file:
        changed = Measured(unscannable=Unscannable.CHANGED)
        assert served(*sockets, head, file.fileno()) == changed


def test_a_descriptor_that_was_promised_and_is_missing_ends_the_worker(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    ours.sendall(wire.request_bytes(replace(REQUEST, has_descriptor=True)))
    with pytest.raises(WireError, match="descriptor"):
        worker.serve(theirs, Echo())


def test_half_a_request_ends_the_worker(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    ours.sendall(wire.request_bytes(REQUEST) + b"123")
    ours.shutdown(socket.SHUT_WR)
    with pytest.raises(WireError, match="early"):
        worker.serve(theirs, Echo())


def test_a_file_is_read_whole_and_only_if_it_is_as_long_as_said(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        assert worker.read_descriptor(file.fileno(), size_bytes=10) == b"0123456789"
        changed = Measured(unscannable=Unscannable.CHANGED)
        assert worker.read_descriptor(file.fileno(), size_bytes=9) == changed
        assert worker.read_descriptor(file.fileno(), size_bytes=11) == changed


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.touch()
    with path.open("rb") as file:
        assert worker.read_descriptor(file.fileno(), size_bytes=0) == b""


def test_what_is_no_file_is_unreadable() -> None:
    ours, theirs = os.pipe()
    try:
        unreadable = Measured(unscannable=Unscannable.UNREADABLE)
        assert worker.read_descriptor(ours, size_bytes=3) == unreadable
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (SandboxError("no lock"), wire.Refusal.SANDBOX),
        (ModelError("no model"), wire.Refusal.MODEL),
        (ConfigError("no setting"), wire.Refusal.CONFIG),
        (ImportError("no library"), wire.Refusal.CONFIG),
        (OSError("no file"), wire.Refusal.CONFIG),
    ],
)
def test_why_it_cannot_start_is_said_before_it_ends(
    sockets: tuple[socket.socket, socket.socket], error: Exception, refusal: wire.Refusal
) -> None:
    def broken(models: Path | None, *, limits: Limits) -> Echo:
        raise error

    ours, theirs = sockets
    code = worker.main(["--channel", str(theirs.detach())], loading=broken)
    assert code == 1
    assert answered(ours) == wire.Refused(refusal=refusal, text=str(error))


@pytest.mark.parametrize("limits", ["no JSON", '{"unknown": 1}', "[]"])
def test_limits_that_are_none_are_refused(
    sockets: tuple[socket.socket, socket.socket], limits: str
) -> None:
    ours, theirs = sockets
    assert worker.main(["--channel", str(theirs.detach()), "--limits", limits]) == 1
    message = answered(ours)
    assert isinstance(message, wire.Refused)
    assert message.refusal is wire.Refusal.CONFIG


def test_limits_arrive_as_they_were() -> None:
    limits = Limits(seconds=1.5, frames=3)
    assert worker._limits(json.dumps(asdict(limits))) == limits


def test_everything_is_loaded_and_works_without_models() -> None:
    meter = worker.load(None, limits=Limits())
    measured = meter.measure(b"no image", media_type=MediaType.PNG)
    assert measured.unscannable is Unscannable.CORRUPT


def test_a_directory_without_models_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        worker.load(tmp_path, limits=Limits())


ORPHAN = """
import socket, sys
from protech.salus import wire, worker
worker.ORPHAN_GRACE_S = 0.1

class Hung:
    def measure(self, data, *, media_type):
        while True: pass

worker.serve(socket.socket(fileno=int(sys.argv[1])), Hung())
"""


def test_a_hung_worker_that_nobody_ends_ends_itself(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    with process:
        request = wire.Request(
            operation=wire.Operation.MEASURE,
            media_type=MediaType.PNG,
            size_bytes=0,
            sequence=1,
            seconds=0.1,
            has_descriptor=False,
        )
        ours.sendall(wire.request_bytes(request))
        assert process.wait(30) < 0


def test_importing_the_worker_loads_no_codec() -> None:
    code = "import sys, protech.salus.worker; sys.exit('PIL' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
