"""Repositories of known lists, made with python-tuf and free to be wrong, and their server.

They hold random digests and hashes from a seed. What publishes in earnest is not used here, so
that a fault of it and one of the device cannot hide each other.
"""

import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from protech.lists import checkpoint, delta, seal
from protech.lists.entries import Category, ListHeader, Use
from protech.lists.formats.own import header_line
from protech.lists.keys import KeySigner, tuf_key
from protech.lists.log import leaf_of
from protech.lists.root import EXTENSION, RootExtension, Witness, build_extension
from protech.lists.trust import ListTarget, TargetKind, custom_of
from protech.merkle import Tree, leaf_hash
from protech.signing import Key

ORIGIN = "example.org/lists"
AUTHORITY = "hotline"
LIST = "hotline-images"
OTHER_LIST = "hotline-other"
DAY = timedelta(days=1)


def key(name: str) -> Key:
    """Return a key that is the same in every run."""
    return Key.of_seed(hashlib.sha256(name.encode()).digest())


def header(**changes: Any) -> ListHeader:
    """Return the header of a list of the authority."""
    head = ListHeader(
        name=LIST,
        version=1,
        category=Category.CSAM,
        uses=frozenset({Use.GUARD, Use.TRIAGE}),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        issuer="A hotline of tests",
        legal_basis="none: a test",
    )
    return replace(head, **changes)


def lines(seed: int, count: int) -> set[bytes]:
    """Return entries: random digests and hashes."""
    chance = random.Random(seed)
    return {
        json.dumps(
            {"sha256": chance.randbytes(32).hex(), "pdq": [chance.randbytes(32).hex()]},
            separators=(",", ":"),
        ).encode()
        + b"\n"
        for _ in range(count)
    }


def plain(head: ListHeader, entries: set[bytes]) -> bytes:
    """Return a canonical list."""
    return header_line(replace(head, count=len(entries))) + b"".join(sorted(entries))


def target_of(content: bytes, head: ListHeader, **changes: Any) -> ListTarget:
    """Return what an authority says of a list."""
    target = ListTarget(
        name=head.name,
        version=head.version,
        kind=TargetKind.FULL,
        sha256=hashlib.sha256(content).digest(),
        size_bytes=len(content),
        entries=content.count(b"\n") - 1,
        category=head.category,
        uses=head.uses,
        issuer=head.issuer or "",
        legal_basis=head.legal_basis or "",
        is_sealed=head.is_sealed,
        expires_at=head.expires_at,
    )
    return replace(target, **changes)


class Repository:
    """One repository in a folder. Its documents can be changed before ``publish``."""

    def __init__(self, folder: Path, *, recipients: Sequence[str], name: str = "first") -> None:
        """Make the documents of a repository with one authority and no list yet."""
        self.folder = folder
        self.name = name
        self.recipients = list(recipients)
        self.owners = [key(f"{name} owner {i}") for i in range(3)]
        self.officers = [key(f"{name} officer {i}") for i in range(3)]
        self.server = key(f"{name} server")
        self.log = key(f"{name} log")
        self.witnesses = [key(f"{name} witness {i}") for i in range(3)]
        self.origin = ORIGIN if name == "first" else f"{name}.{ORIGIN}"
        later = datetime.now(UTC).replace(microsecond=0) + 30 * DAY
        self.root = Metadata(Root(expires=later, consistent_snapshot=True))
        self.root.signed.roles = {
            "root": Role([], 2), "targets": Role([], 2), "snapshot": Role([], 1),
            "timestamp": Role([], 1),
        }  # fmt: skip
        for role in ("root", "targets"):
            for owner in self.owners:
                self.root.signed.add_key(tuf_key(owner.public), role)
        for role in ("snapshot", "timestamp"):
            self.root.signed.add_key(tuf_key(self.server.public), role)
        self.pin()
        delegated = DelegatedRole(
            AUTHORITY, [], 2, terminating=True, paths=[f"{LIST}.*", f"{OTHER_LIST}.*"]
        )
        self.targets = Metadata(
            Targets(expires=later, delegations=Delegations({}, {AUTHORITY: delegated}))
        )
        for officer in self.officers:
            self.targets.signed.add_key(tuf_key(officer.public), AUTHORITY)
        self.authority = Metadata(Targets(expires=later))
        self.snapshot = Metadata(Snapshot(expires=later))
        self.timestamp = Metadata(Timestamp(expires=later))
        self.leaves: list[bytes] = []
        self.contents: dict[tuple[str, int], bytes] = {}
        self.cosigners: list[tuple[str, Key]] | None = None
        self.cosigned_at = datetime.now(UTC)

    @property
    def role(self) -> DelegatedRole:
        """The authority's role in targets."""
        delegations = self.targets.signed.delegations
        assert delegations is not None
        assert delegations.roles is not None
        return delegations.roles[AUTHORITY]

    def pin(self, **changes: Any) -> None:
        """Write log and witnesses into the root."""
        extension = RootExtension(
            log_origin=self.origin,
            log_key=self.log.public,
            witnesses=tuple(
                Witness(name=f"witness-{i}", key=one.public)
                for i, one in enumerate(self.witnesses)
            ),
            quorum=2,
        )
        told = build_extension(replace(extension, **changes))
        self.root.signed.unrecognized_fields[EXTENSION] = told

    def add(
        self,
        entries: set[bytes],
        *,
        base: int | None = None,
        is_logged: bool = True,
        recipients: Sequence[str] | None = None,
        target_changes: dict[str, Any] | None = None,
        **changes: Any,
    ) -> ListTarget:
        """Offer a version of a list whole, and by a delta from ``base`` where one is named."""
        head = header(**changes)
        content = plain(head, entries)
        self.contents[head.name, head.version] = content
        target = target_of(content, head, **(target_changes or {}))
        to = self.recipients if recipients is None else list(recipients)
        self.offer(target, content, to)
        if base is not None:
            step = io.BytesIO()
            old = self.contents[head.name, base]
            delta.make(io.BytesIO(old), io.BytesIO(content), step)
            by = replace(target, kind=TargetKind.DELTA, base=base)
            self.offer(by, step.getvalue(), to)
        if is_logged:
            self.log_version(target)
        return target

    def offer(self, target: ListTarget, content: bytes, recipients: Sequence[str]) -> Path:
        """Encrypt a file, put it in place and into the authority's document."""
        sealed = io.BytesIO()
        seal.seal(io.BytesIO(content), sealed, recipients)
        return self.put(target, sealed.getvalue())

    def put(self, target: ListTarget, served: bytes) -> Path:
        """Put a file in place as it is, and into the authority's document."""
        file = TargetFile.from_data(target.path, served, ["sha256"])
        file.unrecognized_fields["custom"] = custom_of(target)
        self.authority.signed.targets[target.path] = file
        place = self.file_of(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(served)
        return place

    def file_of(self, target: ListTarget) -> Path:
        """Return where the file of a target is served."""
        digest = self.authority.signed.targets[target.path].hashes["sha256"]
        return self.folder / "targets" / f"{digest}.{target.path}"

    def log_version(self, target: ListTarget) -> None:
        """Add a leaf."""
        self.leaves.append(leaf_of(target, published_at=datetime(2026, 1, 1, tzinfo=UTC)).data)

    def publish(self, *, bump: bool = True) -> None:
        """Sign all documents, in new versions but for the root, and write them and the log."""
        if bump and (self.folder / "metadata" / "timestamp.json").exists():
            for document in (self.targets, self.authority, self.snapshot, self.timestamp):
                document.signed.version += 1
        if self.root.signed.version == 1:  # later ones are written by ``rotate``
            self.write("root", self.root, self.owners[:2])
        self.write("targets", self.targets, self.owners[:2])
        self.write(AUTHORITY, self.authority, self.officers[:2])
        self.vouch()
        self.write_log()

    def vouch(self) -> None:
        """Write snapshot and timestamp over what is there."""
        self.snapshot.signed.meta = {
            "targets.json": MetaFile(self.targets.signed.version),
            f"{AUTHORITY}.json": MetaFile(self.authority.signed.version),
        }
        self.write("snapshot", self.snapshot, [self.server])
        self.timestamp.signed.snapshot_meta = MetaFile(self.snapshot.signed.version)
        self.write("timestamp", self.timestamp, [self.server])

    def rotate(self, signers: Sequence[Key]) -> None:
        """Write the next version of the root, signed by these keys."""
        self.root.signed.version += 1
        self.write("root", self.root, signers)

    def write(self, role: str, document: Metadata[Any], signers: Sequence[Key]) -> Path:
        """Sign a document with these keys alone and write it."""
        document.signatures.clear()
        for signer in signers:
            document.sign(KeySigner(signer), append=True)
        name = role if role == "timestamp" else f"{document.signed.version}.{role}"
        place = self.folder / "metadata" / f"{name}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(document.to_bytes())
        return place

    def write_log(self) -> None:
        """Write the leaves, and a checkpoint that witnesses have cosigned."""
        tree = Tree()
        for leaf in self.leaves:
            tree.append(leaf_hash(leaf))
        told = checkpoint.Checkpoint(origin=self.origin, size=tree.size, root=tree.root)
        log = checkpoint.log_key(self.origin, self.log.public)
        note = checkpoint.signed(told, key=log, sign=self.log.sign)
        cosigners = self.cosigners
        if cosigners is None:
            cosigners = [(f"witness-{i}", one) for i, one in enumerate(self.witnesses[:2])]
        for name, witness in cosigners:
            note = checkpoint.cosign(
                note,
                key=checkpoint.witness_key(name, witness.public),
                sign=witness.sign,
                now=self.cosigned_at,
            )
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        (self.folder / "log" / "checkpoint").write_bytes(note)
        (self.folder / "log" / "entries").write_bytes(
            b"".join(leaf + b"\n" for leaf in self.leaves)
        )

    @property
    def first_root(self) -> bytes:
        """The root of trust that people are given."""
        return (self.folder / "metadata" / "1.root.json").read_bytes()


type Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Serves a folder on loopback; ``answers`` takes the place of a path's file."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        """Take what is served."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str, tuple[tuple[str, str], ...]]] = []

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def asked(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [path for _, path, _ in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append((self.command, self.path, tuple(self.headers.items())))
        special = next(
            (one for path, one in self.server.answers.items() if self.path.endswith(path)), None
        )
        if special is not None:
            special(self)
            return
        file = self.server.folder / self.path.lstrip("/")
        if file.is_file():
            answer(file.read_bytes())(self)
        else:
            answer(b"no such file", status=404)(self)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def answer(content: bytes, *, status: int = 200, **headers: str) -> Answer:
    """Return an answer with this content."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Set-Cookie", "id=1")
        handler.send_header("ETag", '"1"')
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return send


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve a folder on loopback as long as the ``with`` lasts."""
    with Server(folder) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
