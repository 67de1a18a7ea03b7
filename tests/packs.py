"""A small case for tests: a list, two officers, conversations with made-up peers, and packs.

Nothing here is real: files are random bytes, addresses are of 198.18.0.0/15 (RFC 2544).
"""

import base64
import hashlib
import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protech.evidence.canonical import canonical
from protech.evidence.log import Log
from protech.evidence.transcript import Recorder
from protech.lists.fetch_key import BLOCK_BYTES, FetchKey, TorrentFile, TorrentTree, tree_root
from protech.lists.fetch_keys import key_line
from protech.merkle import inclusion_proof, leaf_hash, root
from protech.signing import Key

START = min(
    datetime(2026, 11, 28, 13, 0, tzinfo=UTC),
    datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1),
)
"""Before any stamp that a test has made."""
DATA_KEY = bytes(range(32))
LOG_SIGNER = Key.of_seed(bytes([7]) * 32)
ORIGIN = "protech/case/A-1"
OURS = b"-PT0001-observer-own"
THEIRS = b"-XX0001-some-peer-id"
FAST = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x04])


def time_text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def content(size: int, *, seed: int = 0) -> bytes:
    """Return the random bytes that stand for a file."""
    return random.Random(seed).randbytes(size)


def flat_key(
    *, piece_bytes: int = 1 << 15, first: int = 5000, size: int = 100_000, rest: int = 7000
) -> tuple[TorrentFile, bytes]:
    """Return the key of a file in a torrent of the first version, and the whole torrent."""
    torrent = content(first + size + rest, seed=piece_bytes)
    places = range(first // piece_bytes, -(-(first + size) // piece_bytes))
    pieces = [torrent[at * piece_bytes : (at + 1) * piece_bytes] for at in places]
    key = TorrentFile(
        info_hash=hashlib.sha1(torrent).digest(),
        file_index=1,
        first_byte=first,
        size_bytes=size,
        piece_bytes=piece_bytes,
        torrent_bytes=len(torrent),
        pieces=tuple(hashlib.sha1(piece).digest() for piece in pieces),
    )
    return key, torrent


def tree_levels(data: bytes, *, piece_bytes: int) -> list[list[bytes]]:
    """Return the layers of the tree over a file's blocks, the leaves first (BEP 52)."""
    leaves = [
        hashlib.sha256(data[at : at + BLOCK_BYTES]).digest()
        for at in range(0, len(data), BLOCK_BYTES)
    ]
    width = 1 << (len(leaves) - 1).bit_length()
    levels = [leaves + [bytes(32)] * (width - len(leaves))]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=True)
        levels.append([hashlib.sha256(left + right).digest() for left, right in pairs])
    return levels


def tree_key(
    *, piece_bytes: int = 1 << 16, size: int = 300_000, first_piece: int = 2
) -> tuple[TorrentTree, bytes]:
    """Return the key of a file in a torrent of the second version, and the file."""
    data = content(size, seed=piece_bytes + 1)
    levels = tree_levels(data, piece_bytes=piece_bytes)
    count = -(-size // piece_bytes)
    height = (piece_bytes // BLOCK_BYTES).bit_length() - 1
    layer = tuple(levels[height][:count]) if count > 1 else ()
    key = TorrentTree(
        info_hash=hashlib.sha256(data).digest(),
        file_index=0,
        first_piece=first_piece,
        torrent_pieces=first_piece + count + 1,
        root=levels[-1][0],
        size_bytes=size,
        piece_bytes=piece_bytes,
        layer=layer,
    )
    if layer:
        assert tree_root(layer, piece_bytes=piece_bytes) == key.root
    return key, data


def framed(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">IB", len(body) + 1, kind) + body


def handshake(key: FetchKey, peer_id: bytes, reserved: bytes = FAST) -> bytes:
    assert isinstance(key, TorrentFile | TorrentTree)
    return b"\x13BitTorrent protocol" + reserved + key.info_hash[:20] + peer_id


class Clock:
    """A clock that goes on by ten milliseconds at each look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.01
        return self.now_s


class Talk:
    """A conversation as a session would take it down."""

    def __init__(self, key: TorrentFile | TorrentTree) -> None:
        self.key = key
        self.recorder = Recorder("bittorrent", started_s=0.0, clock=Clock())
        self.recorder.tried("utp", "timed_out")
        self.recorder.transport = "tcp"

    def greet(self, peer_id: bytes = THEIRS, *, reserved: bytes = FAST) -> "Talk":
        self.recorder.sent(handshake(self.key, OURS))
        self.recorder.received(handshake(self.key, peer_id, reserved))
        return self

    def hear(self, kind: int, body: bytes = b"") -> "Talk":
        self.recorder.received(framed(kind, body))
        return self

    def say(self, kind: int, body: bytes = b"") -> "Talk":
        self.recorder.sent(framed(kind, body))
        return self

    def bitfield(self, pieces: set[int] | None = None) -> "Talk":
        total = self.key.torrent_pieces
        held = set(range(total)) if pieces is None else pieces
        bits = sum(1 << (total - 1 - at) for at in held) << (-total % 8)
        return self.hear(5, bits.to_bytes(-(-total // 8)))

    def block(self, piece: int, begin: int, data: bytes) -> "Talk":
        where = struct.pack(">II", piece, begin)
        self.say(6, where + struct.pack(">I", len(data)))
        return self.unasked(piece, begin, data)

    def unasked(self, piece: int, begin: int, data: bytes) -> "Talk":
        where = struct.pack(">II", piece, begin)
        self.recorder.received(struct.pack(">IB", len(data) + 9, 7) + where)
        self.recorder.elided("piece", len(data), hashlib.sha256(data).digest())
        return self

    def piece(self, piece: int, data: bytes, *, distinct: int = 256) -> "Talk":
        """Fetch a whole piece in blocks, and measure it."""
        for begin in range(0, len(data), BLOCK_BYTES):
            self.block(piece, begin, data[begin : begin + BLOCK_BYTES])
        return self.measure(piece, data, distinct=distinct)

    def measure(self, piece: int, data: bytes, **more: int) -> "Talk":
        more = {"distinct_bytes": more.pop("distinct", 256), **more}
        digests = {"sha1": hashlib.sha1(data).digest(), "sha256": hashlib.sha256(data).digest()}
        self.recorder.measured({"piece": piece, "length": len(data), **digests, **more})
        return self

    def hashes(self, index: int, count: int, layers: int, *, file: bytes) -> "Talk":
        """Ask for hashes of the file's tree, and get them (BEP 52)."""
        assert isinstance(self.key, TorrentTree)
        levels = tree_levels(file, piece_bytes=self.key.piece_bytes)
        asked = self.key.root + struct.pack(">IIII", 0, index, count, layers)
        found = levels[0][index : index + count]
        height = count.bit_length() - 1
        for layer in range(height, layers + 1):
            found.append(levels[layer][(index >> layer) ^ 1])
        return self.say(21, asked).hear(22, asked + b"".join(found))

    def end(self) -> bytes:
        return self.recorder.finish()


class Officer:
    """An operator with a key on P-256, as in a token."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = self.key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    def sign(self, message: bytes) -> bytes:
        made = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(SHA256())))
        return b"".join(one.to_bytes(32) for one in made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case with its log: what was listed, and where the records stand."""

    log: Log
    run: int
    keys: tuple[FetchKey, ...] = field(repr=False)
    authority: Officer
    request: dict[str, Any] = field(repr=False)

    def sighting(self, number: int, transcript: bytes, shown: Any, /, **changes: object) -> int:
        """Append the record of a conversation that shows what is said; return its index."""
        record = sighting_record(number, transcript, shown, run=self.run)
        if record["level"] == 4:
            record["request_sha256"] = self.request["request_sha256"]
        return self.log.append([{**record, **changes}]).start


def sighting_record(
    number: int, transcript: bytes, shown: Any, *, run: int = 0
) -> dict[str, Any]:
    """Return a record; ``shown`` is what ``verify.replay`` gives, or any other claim of it."""
    lasted = timedelta(milliseconds=json.loads(transcript)["events"][-1][0])
    begin = START + timedelta(minutes=5)
    is_named = shown["level"] > 2
    return {
        "v": 1,
        "kind": "sighting",
        "at": time_text(begin + lasted),
        "clock": {"synchronised": True, "error_ms": 1.5},
        "case": "A-1",
        "run": run,
        "entry": f"e{number}",
        "number": number,
        "list": {"name": "listed", "version": 3},
        "network": shown["network"],
        "level": shown["level"],
        "outcome": "served" if shown["level"] == 4 else "claimed",
        "peer": {"address": "198.18.3.4", "port": 51413} if is_named else {"pseudonym": "00"},
        "local": {"address": "198.18.0.1", "port": 40001},
        "transport": shown["transport"],
        "started_at": time_text(begin),
        "ended_at": time_text(begin + lasted),
        "sources": ["tracker"],
        "attempts": 2,
        "client": {"id": shown["client"] if is_named else None, "name": None},
        "claims": shown["claims"],
        "proof": shown["proof"],
        "request_sha256": None,
        "place": {"verdict": "inside", "country": "FR"},
        "facts": {},
        "transcript": base64.b64encode(transcript).decode(),
    }


def _authorisation(officers: list[Officer], **changes: object) -> dict[str, object]:
    return {
        "v": 1,
        "kind": "authorisation",
        "id": "1",
        "case": "A-1",
        "issuer": "A court",
        "legal_basis": "CPP 230-46",
        "powers": ["observe", "prove"],
        "jurisdiction": ["FR"],
        "networks": ["bittorrent"],
        "not_before": time_text(START - timedelta(days=1)),
        "not_after": time_text(START + timedelta(days=1)),
        "operators": [
            {
                "name": one.name,
                "kind": "p256",
                "public_key": base64.b64encode(one.public).decode(),
            }
            for one in officers
        ],
        "lists": ["listed"],
        **changes,
    }


def make_case(
    directory: Path,
    keys: tuple[FetchKey, ...],
    *,
    paper: dict[str, object] | None = None,
    terms: dict[str, object] | None = None,
    signers: int = 2,
    signed: Callable[[dict[str, str]], list[dict[str, str]]] = lambda made: [made],
) -> Case:
    """Make a case whose run, entries and request are in its log."""
    officers = [Officer("A. Officer"), Officer("B. Officer")]
    authority = Officer("A court")
    authorisation = _authorisation(officers, **(paper or {}))
    digest = hashlib.sha256(canonical(authorisation)).hexdigest()
    lines = [key_line(key) for key in keys]
    leaves = [leaf_hash(line) for line in lines]
    common = {"v": 1, "at": time_text(START), "clock": {"synchronised": True, "error_ms": 1.5}}
    log = Log.create(directory, origin=ORIGIN, signer=LOG_SIGNER, data_key=DATA_KEY)
    log.append([{**common, "kind": "stop", "reason": "an earlier run"}])
    listed = {"name": "listed", "version": 3, "sha256": "00" * 32, "issuer": "A service"}
    run = {
        **common,
        "kind": "run",
        "case": "A-1",
        "authorisation": authorisation,
        "authorisation_sha256": digest,
        "authorisation_signatures": signed(
            {
                "public_key": authority.public.hex(),
                "signature": authority.sign(canonical(authorisation)).hex(),
            }
        ),
        "timestamp_sha256": "00" * 32,
        "list": {**listed, "keys": len(keys), "tree_root": root(leaves).hex()},
        "build": {"version": "0", "commit": "0"},
        "lab": False,
        "source_addresses": ["198.18.0.1"],
        "databases": [],
        "observers": [],
    }
    index = log.append([run]).start
    request = canonical(
        {
            "v": 1,
            "kind": "proof_request",
            "id": "r1",
            "case": "A-1",
            "authorisation_sha256": digest,
            "list": "listed",
            "entries": "all",
            "networks": ["bittorrent"],
            "pieces": 9,
            "not_before": time_text(START),
            "not_after": time_text(START + timedelta(hours=1)),
            **(terms or {}),
        }
    )
    asked = {
        **common,
        "kind": "proof_request",
        "request": request.decode(),
        "request_sha256": hashlib.sha256(request).hexdigest(),
        "signatures": [
            {
                "operator": one.name,
                "public_key": one.public.hex(),
                "signature": one.sign(request).hex(),
            }
            for one in officers[:signers]
        ],
    }
    entries = [
        {
            **common,
            "kind": "entry",
            "entry": f"e{number}",
            "number": number,
            "list": {"name": "listed", "version": 3},
            "line": line.decode(),
            "proof": [node.hex() for node in inclusion_proof(leaves, number, len(leaves))],
        }
        for number, line in enumerate(lines)
    ]
    log.append([*entries, asked])
    return Case(log=log, run=index, keys=keys, authority=authority, request=asked)
