"""Records of sightings as a log holds them, drawn by lot from a seed."""

import random
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
OPERATORS = {64496: "Lab network A", 64497: "Lab network B", 64498: None}


def record(
    *,
    address: str = "198.18.0.1",
    port: int = 6881,
    level: int = 3,
    entry: str = "E1",
    country: str | None = "XA",
    asn: int | None = 64496,
    at: datetime = NOON,
) -> dict[str, object]:
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    named: dict[str, object] = {"address": address, "port": port}
    return {
        "v": 1,
        "kind": "sighting",
        "entry": entry,
        "number": 1,
        "network": "bittorrent",
        "level": level,
        "outcome": "claimed",
        "transport": "tcp",
        "peer": named if level >= 3 else {"pseudonym": f"of {address}"},
        "started_at": text,
        "ended_at": text,
        "claims": {"held": 3, "total": 9, "listed_held": 2, "listed_total": 4},
        "place": {
            "verdict": "inside",
            "country": country,
            "operator": {"asn": asn, "name": OPERATORS.get(asn or 0)},
            "flags": ["vpn", "hosting"],
        },
    }


def records(count: int, *, seed: int = 1) -> list[dict[str, object]]:
    chance = random.Random(seed)
    return [
        record(
            address=f"198.18.{chance.randrange(20)}.{chance.randrange(250)}",
            port=chance.choice([6881, 51413]),
            level=chance.choices([0, 1, 2, 3, 4], [5, 5, 10, 60, 20])[0],
            entry=f"E{chance.randrange(40)}",
            country=chance.choice(["XA", "XB", None]),
            asn=chance.choice([*OPERATORS, None]),
            at=NOON + timedelta(seconds=chance.randrange(3 * 86400)),
        )
        for _ in range(count)
    ]
