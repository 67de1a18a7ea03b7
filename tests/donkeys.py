"""Files of random bytes as eDonkey knows them, and clients that say what a test has written."""

import base64
import hashlib
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from protech.evidence.transcript import Recorder
from protech.lists.fetch_key import Ed2kFile
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import BLOCK_BYTES, Block, blocks_of
from protech.locate.ed2k.messages import PART_BYTES, Op, message

THEIRS = bytes(range(16))
OURS = bytes(16)
MD4 = bytes(range(50, 66))
"""Of made-up files: nothing here computes it."""
CHUNK_BYTES = 10240
"""How much clients send in a message."""


def content(seed: int, size_bytes: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def sha1(data: bytes) -> bytes:
    return hashlib.sha1(data).digest()


class Tree:
    """The AICH tree of a file, built from its leaves up: not as ``aich`` does it."""

    def __init__(self, whole: bytes) -> None:
        self.hashes: dict[int, bytes] = {}
        self.places: dict[int, tuple[int, int]] = {}
        self.root = self._build(whole, 0, len(whole), 1)

    def _build(self, whole: bytes, start: int, size: int, number: int) -> bytes:
        base = PART_BYTES if size > PART_BYTES else BLOCK_BYTES
        if size <= base:
            found = sha1(whole[start : start + size])
        else:
            count = (size + base - 1) // base
            left = (count + 1 if number % 2 else count) // 2 * base
            found = sha1(
                self._build(whole, start, left, 2 * number + 1)
                + self._build(whole, start + left, size - left, 2 * number)
            )
        self.hashes[number], self.places[number] = found, (start, size)
        return found

    def recovery(self, part: int) -> dict[int, bytes]:
        """Return what clients give for a part: its blocks, and what stands beside its way."""
        begin = part * PART_BYTES
        end = min(begin + PART_BYTES, self.places[1][1])
        found = {}
        for number, (start, size) in self.places.items():
            parent = self.places.get(number // 2, (0, 0))
            is_leaf = 2 * number not in self.places and begin <= start < end
            is_beside = parent[0] <= begin and end <= parent[0] + parent[1]
            is_beside = is_beside and (start + size <= begin or end <= start)
            if is_leaf or is_beside:
                found[number] = self.hashes[number]
        return found


def key_of(whole: bytes, *, md4: bytes = MD4) -> Ed2kFile:
    return Ed2kFile(md4=md4, aich=Tree(whole).root, size_bytes=len(whole))


def hashed(path: Path, servers: tuple[str, ...] = ()) -> Ed2kFile:
    """Return the key of a file, by `rhash`."""
    command = ["rhash", "--printf", "%{ed2k} %{aich}", str(path)]
    md4, aich = subprocess.run(
        command, capture_output=True, check=True, text=True
    ).stdout.split()
    return Ed2kFile(
        md4=bytes.fromhex(md4),
        aich=base64.b32decode(aich.upper()),
        size_bytes=path.stat().st_size,
        servers=servers,
    )


def hello_answer(user_hash: bytes = THEIRS, *, name: bytes = b"lab", tags: int = 1) -> bytes:
    listed = struct.pack("<BHBH", 2, 1, 1, len(name)) + name
    head = user_hash + struct.pack("<IHI", 0, 4662, tags)
    return message(Op.HELLO_ANSWER, head + listed + struct.pack("<IH", 0, 0))


def status(parts: set[int] | None, size_bytes: int, *, md4: bytes = MD4) -> bytes:
    """Return the word of which parts a client has; None for all."""
    if parts is None:
        return message(Op.FILE_STATUS, md4 + bytes(2))
    count = messages.status_parts(size_bytes)
    bits = sum(1 << part for part in parts)
    packed = count.to_bytes(2, "little") + bits.to_bytes(-(-count // 8), "little")
    return message(Op.FILE_STATUS, md4 + packed)


def named(md4: bytes = MD4, name: bytes = b"\x03\0abc") -> bytes:
    return message(Op.NAME, md4 + name)


def recovery(hashes: dict[int, bytes], *, wide: bool = False) -> bytes:
    form = "<I" if wide else "<H"
    counted = struct.pack("<H", len(hashes))
    packed = counted + b"".join(struct.pack(form, one) + hashes[one] for one in hashes)
    return bytes(2) + packed if wide else packed + bytes(2)


def aich_answer(whole: bytes, part: int, *, md4: bytes = MD4) -> bytes:
    tree = Tree(whole)
    given = recovery(tree.recovery(part))
    return message(Op.AICH_ANSWER, md4 + part.to_bytes(2, "little") + tree.root + given)


def content_message(begin: int, data: bytes, *, md4: bytes = MD4) -> bytes:
    return message(Op.CONTENT, md4 + struct.pack("<II", begin, begin + len(data)) + data)


def asked(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return the messages in what was sent."""
    return list(messages.frames(bytearray(data)))


def serving(
    whole: bytes,
    *,
    parts: set[int] | None = None,
    change: Callable[[int, bytes], bytes] = lambda op, answer: answer,
) -> Callable[[bytes], bytes]:
    """Return what answers as a client that has the file; ``change`` spoils an answer."""

    def one(op: int, body: bytes) -> bytes:
        match op:
            case Op.HELLO:
                return hello_answer()
            case Op.REQUEST_NAME:
                return named()
            case Op.SET_FILE:
                return status(parts, len(whole))
            case Op.AICH_REQUEST:
                return aich_answer(whole, int.from_bytes(body[16:18], "little"))
            case Op.START_UPLOAD:
                return message(Op.ACCEPT_UPLOAD)
            case Op.REQUEST_PARTS:
                begin, end = struct.unpack_from("<I8xI", body, 16)
                return b"".join(
                    content_message(at, whole[at : min(at + CHUNK_BYTES, end)])
                    for at in range(begin, end, CHUNK_BYTES)
                )
            case _:
                return b""

    def answer(data: bytes) -> bytes:
        return b"".join(change(op, one(op, body)) for _, op, body in asked(data))

    return answer


def begun(theirs: bytes | None = None) -> Recorder:
    """Return a conversation in which both have introduced themselves."""
    recorder = Recorder("ed2k", clock=lambda: 0.0)
    recorder.transport = "tcp"
    recorder.sent(messages.hello(OURS, port=4662))
    recorder.received(hello_answer() if theirs is None else theirs)
    return recorder


def delivered(
    recorder: Recorder, whole: bytes, block: Block, *, part: int = 0, distinct: int = 256
) -> None:
    """Take down that a block was asked for, came and was measured."""
    data = whole[block.start : block.start + block.size]
    recorder.sent(messages.request_parts(MD4, block.start, block.start + block.size))
    for at in range(0, len(data), CHUNK_BYTES):
        chunk = data[at : at + CHUNK_BYTES]
        recorder.received(content_message(block.start + at, chunk)[:30])
        recorder.elided("block", len(chunk), hashlib.sha256(chunk).digest())
    measured(recorder, block, data, part=part, distinct=distinct)


def measured(
    recorder: Recorder, block: Block, data: bytes, *, part: int = 0, distinct: int = 256
) -> None:
    recorder.measured(
        {
            "piece": part,
            "offset": block.start - part * PART_BYTES,
            "length": len(data),
            "sha1": sha1(data),
            "sha256": hashlib.sha256(data).digest(),
            "distinct_bytes": distinct,
        }
    )


def block_of(whole: bytes, place: int) -> Block:
    return blocks_of(len(whole), place // 53)[place % 53]
