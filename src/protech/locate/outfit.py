"""All that a run is made of; ``equipment`` opens it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from protech.evidence.log import Log
from protech.locate.adapter import Adapter, Network
from protech.locate.archive import Archive
from protech.locate.case import Case
from protech.locate.clearance import Clearance
from protech.locate.identify import Watch
from protech.locate.leave import Manners
from protech.locate.place import Gazetteer
from protech.locate.schedule import Schedule
from protech.locate.stamping import Stamper


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfit:
    """All that a run is made of; ``log`` is open for writing, and no other run has the case."""

    case: Case
    log: Log
    clearance: Clearance
    watch: Watch
    adapters: Mapping[Network, Adapter]
    schedule: Schedule
    manners: Manners
    gazetteer: Gazetteer
    source_addresses: Sequence[str] = field(default=(), repr=False)
    stamp: Stamper | None = None
    archive: Archive | None = None
    sent: Callable[[], Mapping[str, int]] = dict
    """How many packets left by the door, by kind."""
    looks: int = 8
    """Targets at once; conversations have a limit of their own."""
