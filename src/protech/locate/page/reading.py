"""Reads what records hold, without trust in its shape: what is not there is not made up."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

type Record = Mapping[str, object]
"""One record of a case's log, as its JSON says it."""


def fields(value: object) -> Mapping[str, Any]:
    """Return an object of a record; an empty one where there is none."""
    return value if isinstance(value, Mapping) else {}


def text(of: Mapping[str, object], name: str) -> str:
    """Return a field as text; empty where it is absent or null."""
    value = of.get(name)
    return "" if value is None else str(value)


def words(value: object) -> tuple[str, ...]:
    """Return a list of a record as texts, empty ones left out."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(str(one) for one in value if one)


def endpoint(address: str, port: object) -> str:
    """Return ``192.0.2.1:6881``, or ``[2001:db8::1]:6881``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ms_of(moment: object) -> int:
    """Return the milliseconds since 1970 of a moment as records write it."""
    return round(datetime.fromisoformat(str(moment)).timestamp() * 1000)


def moment_of(ms: int) -> datetime:
    """Return the moment that ``ms`` counts to, UTC."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC)
