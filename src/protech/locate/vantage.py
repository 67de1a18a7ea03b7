"""One place to look from: a source address, the door for all packets, and the networks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from protech.locate.adapter import Adapter, Address, Endpoint, Network
from protech.locate.bittorrent.adapter import BitTorrent
from protech.locate.bittorrent.dht import Dht, open_dht
from protech.locate.bittorrent.discover import Discovery, Excluded, reachable
from protech.locate.bittorrent.names import Resolver
from protech.locate.bittorrent.probe import Prober
from protech.locate.bittorrent.tracker import literal
from protech.locate.clearance import Clearance
from protech.locate.door import Door
from protech.locate.ed2k.adapter import Ed2k
from protech.locate.ed2k.discover import Discovery as Sources
from protech.locate.ed2k.kad import Kad


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """Where from, and by which first nodes the DHT and Kad are asked; none: they are not."""

    source: Address | None = field(default=None, repr=False)
    dht_nodes: Sequence[Endpoint] = field(default=(), repr=False)
    kad_contacts: Sequence[Endpoint] = field(default=(), repr=False)
    name_servers: Sequence[Endpoint] = field(default=(), repr=False)
    """None: trackers that are named are not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The networks that may be looked at, and the door that all of their packets go through."""

    adapters: Mapping[Network, Adapter]
    door: Door

    def sent(self) -> Mapping[str, int]:
        """Return how much left by the door, by kind."""
        door = self.door
        return {
            "connections": door.connects,
            "writes": door.writes,
            "datagrams": door.datagrams_sent,
        }


@asynccontextmanager
async def open_networks(clearance: Clearance, vantage: Vantage) -> AsyncIterator[Networks]:
    """Give the networks that the authorisation covers; nothing was sent yet.

    Raises:
        AuthorityError: Nothing may be sent.
        ConfigError: libtorrent did not come up.
    """
    door = Door(clearance.permit, source=vantage.source)
    networks = clearance.gate.authorisation.terms.networks
    found: dict[Network, Adapter] = {}
    async with AsyncExitStack() as stack:
        if Network.BITTORRENT in networks:
            dht = await stack.enter_async_context(_dht(door, clearance, vantage))
            found[Network.BITTORRENT] = _bittorrent(door, clearance, vantage, dht)
        if Network.ED2K in networks:
            found[Network.ED2K] = _ed2k(door, clearance, vantage)
        yield Networks(adapters=found, door=door)


@asynccontextmanager
async def _dht(door: Door, clearance: Clearance, vantage: Vantage) -> AsyncIterator[Dht | None]:
    if not vantage.dht_nodes:
        yield None
        return
    may_reach = reachable(lab=clearance.is_lab, barred=clearance.anchors.observers)
    nodes, lab = vantage.dht_nodes, clearance.is_lab
    async with open_dht(door, bootstrap=nodes, may_reach=may_reach, lab=lab) as dht:
        yield dht


def _bittorrent(
    door: Door, clearance: Clearance, vantage: Vantage, dht: Dht | None
) -> BitTorrent:
    anchors = clearance.anchors
    ourselves = {*anchors.sources, *([vantage.source] if vantage.source else [])}
    discovery = Discovery(
        door,
        resolve=Resolver(door, vantage.name_servers) if vantage.name_servers else written,
        may_reach=reachable(lab=clearance.is_lab, barred=anchors.observers),
        dht=dht,
        excluded=Excluded(
            ourselves=frozenset() if clearance.is_lab else frozenset(ourselves),
            observers=anchors.observers,
        ),
    )
    return BitTorrent(discovery, Prober(door))


def _ed2k(door: Door, clearance: Clearance, vantage: Vantage) -> Ed2k:
    anchors = clearance.anchors
    may_reach = reachable(lab=clearance.is_lab, barred=anchors.observers)
    ourselves = set() if clearance.is_lab else {*anchors.sources, vantage.source}
    contacts = vantage.kad_contacts
    kad = Kad(door, contacts, may_ask=may_reach) if contacts else None
    return Ed2k(
        door,
        discovery=Sources(
            door, may_name=lambda one: may_reach(one) and one not in ourselves, kad=kad
        ),
    )


async def written(host: str) -> Sequence[Address]:
    """Return the address that a text is; nobody is asked for names."""
    found = literal(host)
    return () if found is None else (found,)
