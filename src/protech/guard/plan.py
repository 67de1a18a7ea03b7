"""What a guard consists of: settings, directories, and the processes that follow from them."""

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from protech.errors import ConfigError
from protech.guard.supervise import Part
from protech.settings import Places, private_directory

Address = tuple[str, int]

DEFAULT_LISTEN: Address = ("127.0.0.1", 8899)

AUTHORITY = "authority.pem"
"""The certificate that a browser is told to trust; the proxy makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """Where a guard keeps what lives with it (``runtime``) and what outlives it (``state``)."""

    runtime: Path
    state: Path

    @property
    def detector(self) -> Path:
        """The detector's socket."""
        return self.runtime / "detector.sock"

    @property
    def tokens(self) -> Path:
        """One-time tokens of the page."""
        return self.runtime / "tokens"

    @property
    def page(self) -> Path:
        """Where the page says its address."""
        return self.runtime / "page"

    @property
    def authority(self) -> Path:
        """The certificate that a browser is told to trust."""
        return self.state / AUTHORITY

    @property
    def counts(self) -> Path:
        """How many items were hidden."""
        return self.state / "counts.db"

    @property
    def pause(self) -> Path:
        """Until when the person paused the guard."""
        return self.state / "pause.json"

    @classmethod
    def of(cls, places: Places) -> "Rooms":
        """Return the rooms of the guard of one user."""
        return cls(runtime=places.runtime, state=places.state / "guard")

    def make(self) -> None:
        """Make the directories, for this user alone.

        Raises:
            ConfigError: One cannot be made.
            TrustError: One belongs to somebody else or is open to others.
        """
        state = private_directory(self.state)
        # Its check also covers the directory around it, which may be in /tmp.
        Places(config=state, state=state, cache=state, runtime=self.runtime).make_runtime()
        self.page.unlink(missing_ok=True)  # A killed guard left it; nothing serves there now.


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One guard: ``overrides`` and ``roots`` are the demo's, for its own site."""

    rooms: Rooms
    listen: Address = DEFAULT_LISTEN
    page_port: int | None = None
    lists: tuple[str, ...] = ()
    models: str = "packaged"
    is_adult_filter_on: bool = False
    workers: int | None = None
    overrides: Mapping[str, Address] = field(default_factory=dict)
    roots: Path | None = None


def parts(plan: Plan) -> list[Part]:
    """Return the processes of ``plan`` in the order in which they start."""
    found = [
        Part(
            name="detector",
            command=_detector(plan),
            is_ready=lambda: answers(plan.rooms.detector),
            meanwhile="Until it is back every picture is hidden.",
        ),
        Part(
            name="proxy",
            command=_proxy(plan),
            is_ready=lambda: answers(plan.listen),
            meanwhile="Until it is back the browser loads nothing at all.",
        ),
    ]
    if plan.page_port is not None:
        page = DEFAULT_LISTEN[0], plan.page_port
        found.append(
            Part(
                name="page",
                command=_page(plan, plan.page_port),
                is_ready=lambda: plan.rooms.page.exists() and answers(page),
                meanwhile="The protection goes on; only the guard's own page is away.",
            )
        )
    return found


def answers(where: Path | Address) -> bool:
    """Return whether something listens at a socket's path or a loopback address."""
    family = socket.AF_UNIX if isinstance(where, Path) else _family(where[0])
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(where) if isinstance(where, Path) else where)
        except OSError:
            return False
    return True


def free(address: Address, *, option: str | None) -> Address:
    """Return ``address``, with a free port where its port is 0, once it is known to be free.

    Raises:
        ConfigError: Another program uses the port; ``option`` names what to change.
    """
    with socket.socket(_family(address[0]), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as refused:
            raise _unusable(address, refused, option) from refused
        return address[0], int(probe.getsockname()[1])


def address_of(text: str) -> Address:
    """Return the loopback address and port that ``text`` names, as in ``127.0.0.1:8899``.

    Raises:
        ConfigError: It is no such address, or one that others could reach.
    """
    host, _, port = text.rpartition(":")
    try:
        address, number = ipaddress.ip_address(host.strip("[]")), int(port)
    except ValueError as wrong:
        raise ConfigError(
            f"{text!r} is no address to listen at; give one such as 127.0.0.1:8899."
        ) from wrong
    if not address.is_loopback:
        raise ConfigError(
            f"The guard listens on this machine only, and others could reach {host}; use"
            f" 127.0.0.1:{port}."
        )
    if not 0 <= number <= 65535:
        raise ConfigError(f"There is no port {number}; give one from 1 to 65535.")
    return str(address), number


def text_of(address: Address) -> str:
    """Return ``address`` as it is written on a command line."""
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


def _unusable(address: Address, refused: OSError, option: str | None) -> ConfigError:
    where = f"{address[0]}:{address[1]}"
    if refused.errno != errno.EADDRINUSE:
        return ConfigError(
            f"The guard cannot listen at {where}: {refused.strerror}; choose a port above 1023."
        )
    change = (
        f"choose another port with {option} {address[0]}:{address[1] + 1}, or "
        if option
        else ""
    )
    return ConfigError(
        f"Port {address[1]} of this machine is in use by another program; {change}stop that"
        f" program (`ss -ltnp 'sport = :{address[1]}'` names it)."
    )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _python(module: str, *arguments: str | Path) -> tuple[str, ...]:
    # -P: the directory that the person stands in must not be a place to import from.
    return (
        sys.executable,
        "-P",
        "-m",
        module,
        *(os.fspath(argument) for argument in arguments),
    )


def _detector(plan: Plan) -> tuple[str, ...]:
    arguments: list[str | Path] = ["--socket", plan.rooms.detector, "--policy", "guard"]
    for source in plan.lists:
        arguments += ["--list", source]
    arguments += ["--models", plan.models]
    if plan.is_adult_filter_on:
        arguments.append("--adult-filter")
    if plan.workers is not None:
        arguments += ["--workers", str(plan.workers)]
    return _python("protech.serve.detector", *arguments)


def _proxy(plan: Plan) -> tuple[str, ...]:
    rooms = plan.rooms
    arguments: list[str | Path] = [
        "--listen",
        text_of(plan.listen),
        "--detector",
        rooms.detector,
    ]
    arguments += ["--state", rooms.state, "--counts", rooms.counts, "--pause", rooms.pause]
    for host, address in plan.overrides.items():
        arguments += ["--override", f"{host}={text_of(address)}"]
    if plan.roots is not None:
        arguments += ["--upstream-ca", plan.roots]
    return _python("protech.guard.proxy", *arguments)


def _page(plan: Plan, port: int) -> tuple[str, ...]:
    rooms = plan.rooms
    arguments: list[str | Path] = ["--port", str(port), "--detector", rooms.detector]
    arguments += ["--record", rooms.counts, "--pause-file", rooms.pause]
    arguments += ["--tokens", rooms.tokens, "--place", rooms.page]
    arguments += ["--listen", text_of(plan.listen)]
    return _python("protech.guard.dashboard", *arguments)
