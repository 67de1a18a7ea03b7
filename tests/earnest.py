"""A unit that works in earnest, on a machine of its own made of namespaces.

It has an authority package that root installed, a list that was synced, two operators with
tokens, and a network in which every address leads back to itself: nothing gets out of it.
Run as a program it is a tracker there: see ``tracker``.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any, Self

import libtorrent as lt
import pytest
from mmdb_writer import IPSet, MMDBWriter  # type: ignore[attr-defined] # its own argument

from protech.errors import ProtechError
from protech.lists.fetch_key import FetchKey
from protech.lists.seal import new_identity, recipient_of
from protech.locate.adapter import Network
from protech.locate.anchors import anchors_content, parse_anchors
from protech.locate.demo.office import AUTHORITY, LIST, publish_list
from protech.locate.documents import canonical, make_authorisation, make_timestamp, sign
from protech.locate.papers import (
    Anchors,
    Authorisation,
    KeyKind,
    ListAnchor,
    Operator,
    Power,
    Quorum,
    Timestamp,
)
from protech.locate.terms import authorisation_fields
from protech.locate.tokens import Token
from protech.signing import Key
from tests import seeds
from tests.softhsm import MODULE, PIN, tokens

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = Path(sys.executable).with_name("protech")

PEER, TRACKER = "9.0.0.9", ("9.0.0.1", 6969)
"""Public addresses, which in this network lead nowhere else."""

DAY = timedelta(days=1)
LONG_S = 180

PLACES = {
    "XDG_CONFIG_HOME": "config",
    "XDG_STATE_HOME": "state",
    "XDG_CACHE_HOME": "cache",
    "XDG_RUNTIME_DIR": "run",
    "TMPDIR": "tmp",
}

INSIDE = """
mount --make-rprivate / && mount --bind "$1" /etc && ip link set lo up \
 && ip route add local default dev lo && echo ready && exec cat
"""

type Done = subprocess.CompletedProcess[str]


def can_be_made() -> bool:
    """Return whether this process may make such a machine."""
    if os.geteuid() or not shutil.which("unshare"):
        return False
    tried = ["unshare", "--mount", "--net", "mount", "--make-rprivate", "/"]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine of a unit: its packages, its people, and where they work."""

    folder: Path
    pid: int
    magistrate: Key = field(repr=False)
    clerk: Key = field(repr=False)
    anchors: Anchors
    operators: tuple[Operator, ...]

    @property
    def package(self) -> Path:
        """Where the authority package stands, as it is seen from outside."""
        return self.folder / "etc" / "protech" / "locate" / "authority.json"

    @property
    def identity(self) -> Path:
        """The authority's own age identity."""
        return self.folder / "identity.txt"

    def environment(self) -> dict[str, str]:
        """Return the environment of somebody who works there."""
        places = {name: str(self.folder / place) for name, place in PLACES.items()}
        home = {"HOME": str(self.folder), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        return os.environ | home | places

    def inside(self, *words: str | Path) -> list[str]:
        """Return the command line that runs a command there."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--"]
        return [*enter, *map(str, words)]

    def command(
        self, *words: str | Path, has_time_server: bool = True, user: int | None = None
    ) -> list[str]:
        """Return the command line of ``protech locate`` there."""
        program = [str(INSTALLED)]
        if has_time_server:
            program = [sys.executable, "-m", "tests.synchronised"]
        if user is not None:
            program = ["setpriv", f"--reuid={user}", "--clear-groups", *program]
        return self.inside(*program, "locate", *words)

    def locate(
        self,
        *words: str | Path,
        pin: str | None = None,
        has_time_server: bool = True,
        given: str = "",
        user: int | None = None,
    ) -> Done:
        """Run ``protech locate`` to its end; a PIN goes through a descriptor."""
        with ExitStack() as stack:
            descriptors: tuple[int, ...] = ()
            if pin is not None:
                words = (*words, "--pin-fd", str(descriptor := _pipe_of(pin)))
                stack.callback(os.close, descriptor)
                descriptors = (descriptor,)
            return subprocess.run(
                self.command(*words, has_time_server=has_time_server, user=user),
                capture_output=True,
                check=False,
                cwd=self.folder,
                env=self.environment(),
                input=given,
                pass_fds=descriptors,
                text=True,
                timeout=LONG_S,
            )

    @contextmanager
    def running(self, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
        """Give ``protech locate`` while it runs."""
        with subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def packets(self) -> int:
        """Return how many packets were sent on this machine's network."""
        told = subprocess.run(
            self.inside("cat", "/proc/net/dev"), capture_output=True, check=True, text=True
        ).stdout.splitlines()
        return sum(int(line.split(":")[1].split()[9]) for line in told if ":" in line)

    def token(self, number: int) -> tuple[str, ...]:
        """Return the options that name an operator's token."""
        return ("--module", str(MODULE), "--token", tokens()[number])

    def terms(self, **changes: object) -> Authorisation:
        """Return what a magistrate would allow today."""
        now = datetime.now(UTC).replace(microsecond=0)
        usual = Authorisation(
            id="A-7",
            case="C-7",
            issuer="A magistrate of tests",
            legal_basis="none: a test on random bytes",
            powers=frozenset(Power),
            jurisdiction=frozenset({"FR"}),
            networks=frozenset({Network.BITTORRENT}),
            not_before=now - DAY,
            not_after=now + DAY,
            operators=self.operators,
            lists=frozenset({LIST}),
        )
        return replace(usual, **changes)  # type: ignore[arg-type] # they are of its fields

    def write_terms(self, path: Path, **changes: object) -> Path:
        """Write them as an officer does, to be signed."""
        fields = authorisation_fields(self.terms(**changes))
        path.write_bytes(canonical({**fields, "kind": "authorisation"}))
        return path

    def file_papers(
        self,
        folder: Path,
        *,
        in_force: bool = True,
        age: timedelta = timedelta(),
        **terms: object,
    ) -> Path:
        """Begin the folder of a case with papers in it, and return it."""
        papers = folder / "papers"
        papers.mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)
        document = sign(make_authorisation(self.terms(**terms)), self.magistrate)
        (papers / "authorisation.json").write_bytes(document.content)
        text = document.text if in_force else "another one"
        (papers / "timestamp.json").write_bytes(self.timestamp(text, age=age))
        return folder

    def timestamp(self, text: str, *, age: timedelta = timedelta()) -> bytes:
        """Return what the authority says of the one authorisation that is in force."""
        digest = sha256(text.encode()).digest()
        at = datetime.now(UTC).replace(microsecond=0) - age
        stamp = make_timestamp(Timestamp(at=at, in_force=frozenset({digest})))
        return sign(stamp, self.clerk).content


def _pipe_of(text: str) -> int:
    reading, writing = os.pipe()
    os.write(writing, f"{text}\n".encode())
    os.close(writing)
    return reading


@contextmanager
def machine(folder: Path, keys: Sequence[FetchKey]) -> Iterator[Machine]:
    """Give a machine whose list names these files."""
    for place in PLACES.values():
        (folder / place).mkdir(mode=0o700)
    office = publish_list(folder / "office", keys, datetime.now(UTC))
    device = folder / "state" / "protech" / "lists"
    device.mkdir(mode=0o700, parents=True)
    shutil.copy(office.device.key, device / "device.key")
    identity = new_identity()
    (folder / "identity.txt").touch(mode=0o600)
    (folder / "identity.txt").write_text(f"{identity}\n")
    magistrate, clerk = Key.generate(), Key.generate()
    anchors = Anchors(
        name="the authority of tests",
        is_lab=False,
        authorisations=Quorum(keys=frozenset({magistrate.public}), threshold=1),
        timestamps=Quorum(keys=frozenset({clerk.public}), threshold=1),
        lists=(
            ListAnchor(
                root_sha256=sha256(office.root).digest(), authorities=frozenset({AUTHORITY})
            ),
        ),
        recipients=(recipient_of(identity),),
    )
    (folder / "root.json").write_bytes(office.root)
    install(folder / "etc", anchors)
    _choose(folder)
    magistrate.save(folder / "magistrate.key")
    with _namespaces(folder / "etc") as pid:
        yield Machine(
            folder=folder,
            pid=pid,
            magistrate=magistrate,
            clerk=clerk,
            anchors=anchors,
            operators=_operators(),
        )


def install(etc: Path, anchors: Anchors) -> None:
    """Put an authority package into a copy of this machine's /etc."""
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    etc.chmod(0o755)
    place = etc / "protech" / "locate"
    place.mkdir(mode=0o755, parents=True)
    content = anchors_content(anchors)
    assert parse_anchors(content, is_lab=False) == anchors
    (place / "authority.json").write_bytes(content)
    (place / "authority.json").chmod(0o644)


def _choose(folder: Path) -> None:
    """Write what an operator chooses: two databases that place the peer in France."""
    names = []
    for name in ("first", "second"):
        writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=f"Test-{name}")
        writer.insert_network(IPSet(["9.0.0.0/8"]), {"country": {"iso_code": "FR"}})
        writer.to_db_file(str(folder / f"{name}.mmdb"))
        names.append(str(folder / f"{name}.mmdb"))
    place = folder / "config" / "protech"
    place.mkdir(mode=0o700)
    (place / "settings.toml").touch(mode=0o600)
    (place / "settings.toml").write_text(f"[locate]\ndatabases = {json.dumps(names)}\n")


def _operators() -> tuple[Operator, ...]:
    """Return two operators, each with a key in a token of their own; a third has one, too."""
    found = []
    for label in tokens():
        with Token.open(MODULE, label, PIN, may_make_keys=True) as token:
            with suppress(ProtechError):
                token.make_key("protech")
            public = token.public_key("protech")
        found.append(Operator(name=f"name of {label}", kind=KeyKind.P256, public=public))
    return tuple(found[:2])


@contextmanager
def _namespaces(etc: Path) -> Iterator[int]:
    """Give the process that holds a network and mounts of its own."""
    with subprocess.Popen(
        ["unshare", "--mount", "--net", "sh", "-c", INSIDE, "sh", str(etc)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "ready\n"
            yield holder.pid
        finally:
            holder.stdin.close()


def sync_stale(folder: Path, keys: Sequence[FetchKey]) -> None:
    """Put a list on the device below a folder that nobody vouches for any more."""
    then = datetime.now(UTC) - 10 * DAY

    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(then.timestamp(), tz)

    (folder / "state" / "protech").mkdir(mode=0o700, parents=True)
    with pytest.MonkeyPatch.context() as patched:  # python-tuf asks for the time itself
        patched.setattr("datetime.datetime", Then)
        office = publish_list(folder / "office", keys, then)
    office.device.folder.rename(folder / "state" / "protech" / "lists")


@contextmanager
def shared_by_a_peer(at: Machine, shared: seeds.Shared) -> Iterator[int]:
    """Let a real client share a file on this machine, and a tracker name it; give its port."""
    setting = {"torrent": str(shared.torrent), "folder": str(shared.folder), "address": PEER}
    client = at.inside(sys.executable, seeds.__file__, json.dumps(setting))
    with _told(client, at.environment()) as port:
        words = (sys.executable, "-m", "tests.earnest", *map(str, TRACKER), PEER, port)
        with _told(at.inside(*words), at.environment()) as ready:
            assert ready == "ready"
            yield int(port)


@contextmanager
def _told(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """Give the first line of a process that lasts until its input ends."""
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def tracker(host: str, port: int, peer: tuple[str, int]) -> None:
    """Name one peer to whoever asks, until the input ends (BEP 3, BEP 23)."""
    compact = ip_address(peer[0]).packed + peer[1].to_bytes(2)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer: Any = {b"interval": 60, b"peers": compact}
            body = lt.bencode(answer)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()
        server.shutdown()


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


if __name__ == "__main__":
    tracker(sys.argv[1], int(sys.argv[2]), (sys.argv[3], int(sys.argv[4])))
