"""A case made up from a seed: records as a run writes them, on addresses for tests."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

NOW = datetime(2026, 11, 28, 13, 0, tzinfo=UTC)
COUNTRIES = ("FR", "FR", "FR", "FR", "BE", "RE", "GP", "LU", "CH", "DE")
OPERATORS = {
    "FR": ((64496, "Example Télécom"), (64497, "Réseau d’essai")),
    "BE": ((64498, "Example Belgium"),),
}
LISTED = {"name": "unit-list", "version": 7}

type Made = dict[str, Any]


def text_of(at: datetime) -> str:
    """Return a moment as records write it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def head(kind: str, at: datetime, *, is_synchronised: bool = True) -> Made:
    """Return what every record begins with."""
    clock = {"synchronised": is_synchronised, "error_ms": 1.4}
    return {"v": 1, "kind": kind, "at": text_of(at), "clock": clock}


def run(at: datetime, *, is_lab: bool = True, days: float = 30) -> Made:
    """Return the record that a run begins with."""
    return {
        **head("run", at),
        "case": "2026-0417",
        "authorisation": {
            "id": "A-2026-11",
            "case": "2026-0417",
            "issuer": "Example prosecutor",
            "legal_basis": "Code de procédure pénale, art. 230-46 (laboratory)",
            "powers": ["observe", "prove"],
            "jurisdiction": ["FR", "RE", "GP", "MQ", "GF", "YT"],
            "networks": ["bittorrent", "ed2k"],
            "not_before": text_of(at - timedelta(days=2)),
            "not_after": text_of(at + timedelta(days=days)),
            "operators": [{"name": "Operator one"}, {"name": "Operator two"}],
            "lists": ["unit-list"],
        },
        "authorisation_sha256": "ab" * 32,
        "timestamp_sha256": "cd" * 32,
        "list": {**LISTED, "sha256": "ef" * 32, "issuer": "Example authority", "keys": 412},
        "build": {"version": "0.4.0", "commit": "0c20ffee", "code": "c0de"},
        "lab": is_lab,
        "source_addresses": ["198.18.0.1"],
        "databases": [{"name": "places-a", "date": "2026-11-01", "sha256": "00" * 32}],
        "observers": [],
    }


def place(country: str | None, *, flags: tuple[str, ...] = (), asn: int | None = None) -> Made:
    """Return where an address is registered."""
    operators = OPERATORS.get(country or "", ((None, None),))
    number, name = operators[(asn or 0) % len(operators)]
    inside = country in {"FR", "RE", "GP"}
    return {
        "verdict": "inside" if inside else "undetermined",
        "country": country,
        "countries": [["places-a", country], ["places-b", country or "BE"]],
        "operator": {"asn": number, "name": name},
        "flags": sorted(flags),
        "databases": [["places-a", "2026-11-01", "00" * 32]],
    }


def sighting(
    at: datetime,
    *,
    level: int,
    address: str = "198.18.1.1",
    port: int = 6881,
    entry: str = "0123456789abcdef",
    network: str = "bittorrent",
    where: Made | None = None,
    listed: Made | None = None,
) -> Made:
    """Return the record of one conversation."""
    is_named = level >= 3
    proof = {"piece": 17, "offset_bytes": 0, "length_bytes": 262144, "digest": "11" * 20}
    claims = {"held": 40, "total": 64, "listed_held": 12, "listed_total": 20}
    outcomes = ("unreachable", "silent", "nothing_held", "claimed", "served")
    return {
        **head("sighting", at + timedelta(seconds=1)),
        "case": "2026-0417",
        "run": 0,
        "entry": entry,
        "number": 3,
        "list": listed or LISTED,
        "network": network,
        "level": level,
        "outcome": outcomes[level],
        "peer": {"address": address, "port": port}
        if is_named
        else {"pseudonym": sha256(f"{address}:{port}".encode()).hexdigest()[:32]},
        "local": {"address": "198.18.0.1", "port": 40123} if level >= 2 else None,
        "transport": "tcp" if level else None,
        "started_at": text_of(at),
        "ended_at": text_of(at + timedelta(seconds=1)),
        "sources": ["dht", "tracker"],
        "attempts": 1,
        "client": {"id": "2d" * 20, "name": "libtorrent 2.1"}
        if is_named
        else {"id": None, "name": None},
        "claims": claims if is_named else None,
        "proof": proof if level == 4 else None,
        "request_sha256": "22" * 32 if level == 4 else None,
        "place": place("FR") if where is None else where,
        "facts": {},
        "transcript": None,
    }


def counts(at: datetime, *, outside: int = 7) -> Made:
    """Return the numbers of one look."""
    told = {"entry": "0123456789abcdef", "named": 40, "outside": outside, "levels": {"L3": 4}}
    return {**head("counts", at), "counts": told}


def stop(at: datetime, reason: str = "the authorisation ended") -> Made:
    """Return the record that a run ends with."""
    return {**head("stop", at), "reason": reason}


def case(
    *, seed: int, peers: int, sightings: int, end: datetime = NOW, hours: float = 72
) -> Iterator[Made]:
    """Yield a whole case: a run, then sightings in the order of time, with counts between."""
    rng = random.Random(seed)
    begin = end - timedelta(hours=hours)
    yield run(begin)
    entries = [f"{rng.getrandbits(64):016x}" for _ in range(60)]
    known = [_peer(rng, number) for number in range(peers)]
    times = sorted(rng.random() ** 0.8 for _ in range(sightings))
    for number, share in enumerate(times):
        at = begin + (end - begin) * share
        peer = known[number] if number < peers else known[int(peers * rng.random() ** 2)]
        level = rng.choices(range(5), (30, 14, 8, 32, 16))[0]
        level = 3 if level == 4 and peer["where"]["verdict"] != "inside" else level
        if number < peers and rng.random() < 0.8:
            level = max(level, 3)
        files = rng.sample(entries[: 3 + peer["files"]], 1)
        yield sighting(
            at,
            level=level,
            address=peer["address"],
            port=peer["port"],
            entry=files[0],
            network=peer["network"],
            where=peer["where"],
        )
        if number % 40 == 0:
            yield counts(at, outside=rng.randrange(9))


def _peer(rng: random.Random, number: int) -> Made:
    country = rng.choice((*COUNTRIES, None))
    flags = [flag for flag in ("tor_exit", "vpn", "hosting", "cgnat") if rng.random() < 0.03]
    block, host = divmod(number, 250)
    shared = number > 0 and rng.random() < 0.03
    if shared:
        block, host = divmod(number - 1, 250)
    return {
        "address": f"198.18.{block + 1}.{host + 1}",
        "port": rng.randrange(1024, 65536),
        "network": "ed2k" if rng.random() < 0.2 else "bittorrent",
        "where": place(country, flags=tuple(flags), asn=rng.randrange(4)),
        "files": int(rng.expovariate(0.2)),
    }
