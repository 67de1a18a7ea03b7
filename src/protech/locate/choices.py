"""What an operator chooses for runs on this machine: the table ``[locate]`` of settings.toml.

    [locate]
    databases = ["~/geo/first.mmdb", "~/geo/second.mmdb"]   # dated, from different makers
    tor_exit = "~/geo/tor.txt"                              # dated lists of addresses
    vpn = "~/geo/vpn.txt"
    hosting = "~/geo/hosting.txt"
    cgnat = "~/geo/cgnat.txt"
    name_servers = ["192.0.2.53"]       # for trackers that are named
    dht_nodes = ["192.0.2.7:6881"]      # first nodes of the DHT; none: it is not asked
    kad_contacts = ["192.0.2.8:4672"]   # first nodes of Kad; none: it is not asked
    source = "192.0.2.99"               # the address to send from
    postgres = "service=protech"        # where several vantages share a case
    vantage = "2/4"                     # which of how many vantages this is

Whom this machine trusts is no choice: that stands in the authority's package alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from protech.errors import ConfigError
from protech.locate.adapter import Address, Endpoint
from protech.locate.bittorrent.discover import reachable
from protech.locate.leases import Shard
from protech.locate.mmdb import read_mmdb
from protech.locate.networks_listed import Flag, ListedNetworks, read_networks
from protech.locate.place import Database
from protech.locate.vantage import Vantage
from protech.settings import read_settings

TABLE = "locate"

is_public = reachable(lab=False)
NAME_SERVER_PORT = 53
DIGITS = 6
"""Neither ports nor vantages have more."""
FLAGS: Mapping[str, Flag] = {one.value: one for one in Flag if one is not Flag.SHARED}
TEXTS = frozenset({"source", "postgres", "vantage", *FLAGS})
LISTS = frozenset({"databases", "name_servers", "dht_nodes", "kad_contacts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was chosen; nothing of it is needed in a lab."""

    vantage: Vantage = field(default_factory=Vantage)
    databases: Sequence[Database] = field(default=(), repr=False)
    networks: Sequence[ListedNetworks] = field(default=(), repr=False)
    postgres: str | None = field(default=None, repr=False)
    shard: Shard = field(default_factory=Shard)


def read_choices(settings_file: Path) -> Choices:
    """Return what the settings choose.

    Raises:
        ConfigError: They choose what cannot be, or a file cannot be read.
        TrustError: Others can write to the settings, or a database does not hold together.
    """
    table = read_settings(settings_file).get(TABLE, {})
    if not isinstance(table, dict):
        raise _wrong(TABLE, "is no table")
    if unknown := sorted(table.keys() - TEXTS - LISTS):
        raise _wrong(unknown[0], "is nothing that locate knows")
    source = _text(table, "source")
    return Choices(
        vantage=Vantage(
            source=None if source is None else _address("source", source),
            dht_nodes=_endpoints(table, "dht_nodes"),
            kad_contacts=_endpoints(table, "kad_contacts"),
            name_servers=tuple(
                _public(
                    "name_servers",
                    Endpoint(address=_address("name_servers", one), port=NAME_SERVER_PORT),
                )
                for one in _texts(table, "name_servers")
            ),
        ),
        databases=tuple(
            _database(_path("databases", one)) for one in _texts(table, "databases")
        ),
        networks=tuple(
            read_networks(_path(name, path), flag)
            for name, flag in FLAGS.items()
            if (path := _text(table, name)) is not None
        ),
        postgres=_text(table, "postgres"),
        shard=_shard(_text(table, "vantage")),
    )


def _shard(text: str | None) -> Shard:
    if text is None:
        return Shard()
    first, _, last = text.partition("/")
    number, count = _number(first), _number(last)
    if not 0 < number <= count:
        raise _wrong("vantage", "is no 'number/of how many'")
    return Shard(index=number - 1, count=count)


def _number(text: str) -> int:
    """Return a number of few digits; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else 0


def _path(name: str, text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # a home that nobody has
        path = None
    if path is None or not text.isprintable():
        raise _wrong(name, "has what is no file's path")
    return path


def _database(path: Path) -> Database:
    return read_mmdb(path, name=path.stem)


def _text(table: Mapping[str, object], name: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "is no text")
    return value


def _texts(table: Mapping[str, object], name: str) -> list[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(name, "is no list of texts")
    return value


def _address(name: str, text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise _wrong(name, "has what is no address") from None


def _endpoints(table: Mapping[str, object], name: str) -> tuple[Endpoint, ...]:
    return tuple(_endpoint(name, one) for one in _texts(table, name))


def _endpoint(name: str, text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    number = _number(port)
    if not 0 < number < 1 << 16:
        raise _wrong(name, "has what is no address with a port")
    return _public(name, Endpoint(address=_address(name, host.strip("[]")), port=number))


def _public(name: str, endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that packets may go to: the gate lets none go to a private address."""
    if not is_public(endpoint.address):
        raise _wrong(name, "has an address that is not public, to which no packet may go")
    return endpoint


def _wrong(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"In the settings, {name!r} of [{TABLE}] {why}; docs/locate.md says what may stand"
        " there."
    )
