"""All that a run needs, opened in order and closed again: papers, list, log, stores, peers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from protech.db import Database
from protech.errors import AuthorityError, ConfigError
from protech.evidence.log import Log
from protech.evidence.stamp import Stamps
from protech.lists.device import DeviceLists
from protech.locate import ledger
from protech.locate.archive import Archive
from protech.locate.case import ARCHIVE, COURTESY, LEASES, STAMPS, Case, has_other_vantages
from protech.locate.clearance import Clearance, Past, open_clearance
from protech.locate.courtesy import Courtesy, local_courtesy
from protech.locate.filed import authorisation_in, requests_in, timestamp_in
from protech.locate.identify import Watch, read_watch
from protech.locate.leases import Shard, local_leases
from protech.locate.ledger import SharedTally
from protech.locate.limits import Politeness
from protech.locate.listing import open_locate_list
from protech.locate.networks_listed import ListedNetworks
from protech.locate.outfit import Outfit
from protech.locate.papers import Anchors, Authorisation
from protech.locate.place import Database as PlaceDatabase
from protech.locate.place import Gazetteer
from protech.locate.schedule import Schedule
from protech.locate.seen import SeenFile
from protech.locate.sharing import shared_courtesy, shared_leases, shared_tally
from protech.locate.stamping import Stamper
from protech.locate.vantage import Vantage, open_networks

LEDGER = "ledger.db"
SEEN = "seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person asks for: which list, whose anchors, which databases of places."""

    list_name: str
    anchors: Anchors
    device: DeviceLists
    vantage: Vantage
    databases: Sequence[PlaceDatabase] = field(default=(), repr=False)
    networks: Sequence[ListedNetworks] = field(default=(), repr=False)
    politeness: Politeness = field(default_factory=Politeness)
    postgres: str | None = field(default=None, repr=False)
    """Where several vantages share leases, limits and pieces; None: this machine alone."""
    shard: Shard = field(default_factory=Shard)
    """Which of the vantages this is."""


@asynccontextmanager
async def equipped(case: Case, order: Order) -> AsyncIterator[Outfit]:
    """Give what a run of a case is made of; nothing is sent before every rule is kept.

    Raises:
        AuthorityError: A rule is not kept.
        ProtechError: Something else stands in the way; no packet was sent.
    """
    async with AsyncExitStack() as stack:
        clearance, watch, log = _cleared(case, order, stack)
        terms = clearance.gate.authorisation.terms
        manners = _manners(case, order)
        stack.callback(manners.close)
        schedule = _schedule(case, order, watch, terms)
        stack.callback(schedule.close)
        networks = await stack.enter_async_context(open_networks(clearance, order.vantage))
        source = order.vantage.source
        yield Outfit(
            case=case,
            log=log,
            clearance=clearance,
            watch=watch,
            adapters=networks.adapters,
            sent=networks.sent,
            schedule=schedule,
            manners=manners,
            gazetteer=Gazetteer(
                jurisdiction=terms.jurisdiction,
                databases=order.databases,
                lists=order.networks,
            ),
            archive=Archive(case.folder / ARCHIVE, vault=case.vault("archive")),
            looks=order.politeness.targets,
            stamp=Stamper(
                Stamps(case.folder / STAMPS),
                order.anchors.stamp_authorities,
                require_open=clearance.require_open,
            ),
            source_addresses=[] if source is None else [str(source)],
        )


def _cleared(case: Case, order: Order, stack: AsyncExitStack) -> tuple[Clearance, Watch, Log]:
    """Open papers, list and log, and with them the gate, where every rule is kept."""
    authorisation = authorisation_in(case.papers, order.anchors)
    if authorisation.terms.case != case.name:
        raise AuthorityError(
            f"The authorisation {authorisation.terms.id} is for another case than this one; put"
            " the right one into its folder of papers. No packet was sent."
        )
    timestamp = timestamp_in(case.papers, order.anchors)
    log = stack.enter_context(case.open_log(for_writing=True))
    if has_other_vantages(case.folder, log.about.key.name) and order.postgres is None:
        raise ConfigError(
            "This is one of several vantages of a case, and has no `postgres` in its settings,"
            " where they count together what is asked for; name it. No packet was sent."
        )
    logged_at = None if log.last_checkpoint is None else log.last_checkpoint.at
    memory = SeenFile(case.folder / SEEN, vault=case.vault("seen"), logged_at=logged_at)
    seen = memory.seen
    # Whatever comes of it: it may have revoked what an older one names.
    memory.note_timestamp(timestamp.terms.at)
    now = datetime.now(UTC)
    opened = open_locate_list(order.list_name, order.anchors, order.device, now=now)
    facts, file = stack.enter_context(opened)
    watch = read_watch(file, sha256=facts.sha256)
    clearance = open_clearance(
        order.anchors,
        authorisation,
        timestamp,
        facts,
        requests=requests_in(case.papers),
        past=Past(logged_at=logged_at, seen=seen, on_newer=memory.note_timestamp),
        ledger=_ledger(case, order, log),
    )
    memory.note_list(facts.name, facts.version)
    return clearance, watch, log


def _ledger(case: Case, order: Order, log: Log) -> SharedTally:
    """Return who counts pieces, for as long as the process lasts; what the log shows counts."""
    vault = case.vault("pieces")
    if order.postgres is not None:
        tally = shared_tally(order.postgres, vault=vault)
    else:
        path = case.folder / LEDGER
        schema, version = ledger.SQLITE_SCHEMA, ledger.FORMAT_VERSION
        tally = SharedTally(Database.open(path, schema=schema, version=version), vault=vault)
    tally.know(ledger.spent_in(one.content for one in log.read()))
    return tally


def _manners(case: Case, order: Order) -> Courtesy:
    vault, politeness = case.vault("courtesy"), order.politeness
    if order.postgres is not None:
        return shared_courtesy(order.postgres, vault=vault, politeness=politeness)
    return local_courtesy(case.folder / COURTESY, vault=vault, politeness=politeness)


def _schedule(case: Case, order: Order, watch: Watch, terms: Authorisation) -> Schedule:
    """Return the schedule of the targets that the authorisation covers."""
    vault = case.vault("leases")
    if order.postgres is not None:
        leases = shared_leases(order.postgres, vault=vault)
    else:
        leases = local_leases(case.folder / LEASES)
    covered = [one for one in watch.targets if one.network in terms.networks]
    return Schedule(leases=leases, vault=vault, targets=covered, shard=order.shard)
