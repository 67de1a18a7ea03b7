"""What the vantages of one case share in a PostgreSQL server: leases, limits, pieces.

Each is a schema of its own under a keyed name: the server does not learn what a case is called.
Whoever has one machine uses ``local_leases`` and ``local_courtesy`` instead.
"""

from collections.abc import Sequence

from protech.db.postgres import SharedDatabase
from protech.locate import courtesy, leases, ledger
from protech.locate.courtesy import Courtesy
from protech.locate.leases import Leases
from protech.locate.ledger import SharedTally
from protech.locate.limits import Politeness
from protech.locate.vault import Vault


def shared_leases(where: str, *, vault: Vault) -> Leases:
    """Return the leases of all vantages; ``where`` is as ``SharedDatabase.open`` takes it.

    Raises:
        ConfigError: The server cannot be used.
    """
    store = _store(where, vault, leases.POSTGRES_SCHEMA, leases.FORMAT_VERSION)
    return Leases(store, skips_locked=True)


def shared_courtesy(where: str, *, vault: Vault, politeness: Politeness) -> Courtesy:
    """Return the limits of one vantage, which remembers with the others what was asked.

    Raises:
        ConfigError: The server cannot be used.
    """
    store = _store(where, vault, courtesy.POSTGRES_SCHEMA, courtesy.FORMAT_VERSION)
    return Courtesy(store=store, vault=vault, politeness=politeness)


def shared_tally(where: str, *, vault: Vault) -> SharedTally:
    """Return the count of pieces under each proof request, for all vantages together.

    Raises:
        ConfigError: The server cannot be used.
    """
    store = _store(where, vault, ledger.POSTGRES_SCHEMA, ledger.FORMAT_VERSION)
    return SharedTally(store, vault=vault)


def _store(where: str, vault: Vault, schema: Sequence[str], version: int) -> SharedDatabase:
    # The tables' own statements tell the three apart, under whichever vault they are.
    name = vault.name(b"schema", *(statement.encode() for statement in schema)).hex()
    return SharedDatabase.open(where, name=f"case_{name}", schema=schema, version=version)
