"""Makes the records of a case from a seed: laboratory addresses, random digests, nobody real.

Written through ``protech.locate.records``: what reads a case is tested on what writes one.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from protech.evidence.report import Block
from protech.lists.fetch_key import TorrentFile
from protech.lists.fetch_keys import key_line
from protech.locate.adapter import (
    Claims,
    Endpoint,
    Level,
    ListName,
    Network,
    Outcome,
    Proof,
    Sighting,
    Source,
    Target,
    Transport,
)
from protech.locate.identify import Watch, entry_of
from protech.locate.papers import ClockReading
from protech.locate.records import (
    Record,
    Run,
    counts_record,
    entry_record,
    request_record,
    run_record,
    sighting_record,
    stop_record,
)
from protech.locate.report.material import Material
from protech.locate.report.self_test import SelfTest
from protech.locate.report.stamps import Checkpoint
from protech.locate.report.write import material
from protech.merkle import leaf_hash

BEGUN_AT = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
REPORTED_AT = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)
CODE = "c0de" * 16
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CASE_NAME = "LAB-2026-0042"
CERTIFICATE_SHA256 = bytes(range(32))
HOSTILE_NAME = '#panic() $x$ *\u202e"evil"\u4e2d'

AUTHORISATION = {
    "case": CASE_NAME,
    "id": "LAB-AUTH-7",
    "issuer": "Laboratory prosecutor",
    "lists": ["lab-list"],
    "legal_basis": "CPP 230-46, 1° to 3°",
    "powers": ["observe", "prove"],
    "jurisdiction": ["FR"],
    "networks": ["bittorrent"],
    "not_before": "2026-11-20T00:00:00Z",
    "not_after": "2026-12-20T00:00:00Z",
    "operators": [{"name": "operator-17", "public_key": "00"}, {"name": "operator-21"}],
}
DATABASES = [
    {"name": "geo-a", "date": "2026-11-01", "sha256": "aa" * 32},
    {"name": "geo-b", "date": "2026-11-03", "sha256": "bb" * 32},
]


def place(country: str | None = "FR", flags: Sequence[str] = ()) -> Record:
    """Return what ``locate.place`` says of an address."""
    return {
        "verdict": "inside" if country else "undetermined",
        "country": country,
        "countries": [["geo-a", "FR"], ["geo-b", country or "BE"]],
        "operator": {"asn": 64500, "name": "Exemple Télécom"},
        "flags": list(flags),
        "databases": [[one["name"], one["date"], one["sha256"]] for one in DATABASES],
    }


def clock(at: datetime, *, is_synchronised: bool = True) -> ClockReading:
    """Return what the kernel said of its clock."""
    return ClockReading(at=at, is_synchronised=is_synchronised, error_ms=0.8)


def watch(seed: int = 1, entries: int = 3) -> Watch:
    """Return a list of random keys."""
    pick = random.Random(seed)
    name = ListName(name="lab-list", version=7, sha256=pick.randbytes(32))
    keys = [
        TorrentFile(
            info_hash=pick.randbytes(20),
            file_index=0,
            first_byte=0,
            size_bytes=4 * 65536,
            piece_bytes=65536,
            torrent_bytes=4 * 65536,
            pieces=tuple(pick.randbytes(20) for _ in range(4)),
        )
        for _ in range(entries)
    ]
    lines = [key_line(key) for key in keys]
    return Watch(
        list_name=name,
        issuer="lab-authority",
        targets=tuple(
            Target(
                entry=entry_of("lab-authority", name.name, line),
                number=number,
                list_name=name,
                key=key,
            )
            for number, (key, line) in enumerate(zip(keys, lines, strict=True))
        ),
        leaves=tuple(leaf_hash(line) for line in lines),
    )


class CaseMaker:
    """Adds records one by one; ``records`` are all of them, in the order of the log."""

    def __init__(self, seed: int = 1, *, is_lab: bool = True) -> None:
        """Begin a case with its run."""
        self.pick = random.Random(seed + 1000)  # other numbers than the list's
        self.watch = watch(seed)
        run = Run(
            case=CASE_NAME,
            authorisation=AUTHORISATION,
            authorisation_sha256=self.pick.randbytes(32),
            timestamp_sha256=self.pick.randbytes(32),
            watch=self.watch,
            commit=COMMIT,
            code=CODE,
            is_lab=is_lab,
            source_addresses=("198.18.0.1",),
            databases=DATABASES,
        )
        self.records: list[Record] = [run_record(run, clock(BEGUN_AT))]
        self.request_sha256 = self.pick.randbytes(32)

    @property
    def numbered(self) -> list[tuple[int, dict[str, Any]]]:
        """The records with their places, read back as JSON as the log gives them."""
        return list(enumerate(json.loads(json.dumps(self.records))))

    def request(self, at: datetime = BEGUN_AT, *, entries: str | Sequence[str] = "all") -> None:
        """Add a request that two operators signed."""
        signed = [
            {"operator": name, "public_key": "00", "signature": "00"}
            for name in ("operator-17", "operator-21")
        ]
        text = json.dumps(
            {
                "entries": entries,
                "pieces": 20,
                "not_before": "2026-11-25T00:00:00.000Z",
                "not_after": "2026-12-05T00:00:00.000Z",
            }
        )
        self.records.append(request_record(text, self.request_sha256, signed, clock(at)))

    def sighting(
        self,
        level: Level = Level.DELIVERED,
        *,
        peer: str = "198.18.7.9",
        port: int = 51413,
        at: datetime = BEGUN_AT,
        entry: int = 0,
        outcome: Outcome | None = None,
        where: Record | None = None,
        client_name: str | None = "Transmission 3.00",
        client_id: bytes | None = None,
    ) -> int:
        """Add a conversation, and return its place."""
        target = self.watch.targets[entry]
        reached = {Level.DELIVERED: Outcome.SERVED, Level.CLAIMS: Outcome.CHOKED}
        proof = None
        if level is Level.DELIVERED:
            proof = Proof(
                piece=2,
                offset_bytes=131072,
                length_bytes=65536,
                digest=self.pick.randbytes(20),
                sha256=self.pick.randbytes(32),
                distinct_bytes=256,
            )
        seen = Sighting(
            entry=target.entry,
            network=Network.BITTORRENT,
            level=level,
            outcome=outcome or reached.get(level, Outcome.UNREACHABLE),
            peer=Endpoint(address=ip_address(peer), port=port),
            local=Endpoint(address=ip_address("198.18.0.1"), port=40123),
            transport=self.pick.choice((Transport.TCP, Transport.UTP, Transport.MSE)),
            started_at=at,
            ended_at=at + timedelta(milliseconds=1234),
            sources=(Source.TRACKER, Source.DHT),
            attempts=2,
            client_id=client_id or b"-TR3000-" + self.pick.randbytes(12),
            client_name=client_name,
            claims=Claims(
                held=3, total=4, listed_held=3, listed_total=4, bitfield_sha256=bytes(32)
            ),
            proof=proof,
            transcript=b"{}",
        )
        self.records.append(
            sighting_record(
                seen,
                target,
                clock(seen.ended_at),
                case=CASE_NAME,
                run=0,
                pseudonym_key=bytes(32),
                place=place() if where is None else where,
                request_sha256=self.request_sha256 if proof else None,
            )
        )
        return len(self.records) - 1

    def entries(self, at: datetime = BEGUN_AT) -> None:
        """Add what discloses the keys of the list inside the case."""
        self.records += [
            entry_record(target, self.watch, clock(at)) for target in self.watch.targets
        ]

    def counts(self, at: datetime = BEGUN_AT, **numbers: int) -> None:
        """Add numbers alone."""
        self.records.append(counts_record(numbers, clock(at)))

    def stop(self, at: datetime) -> None:
        """End the run."""
        self.records.append(stop_record("the operator stopped it", clock(at)))

    def checkpoint(
        self, signed_at: datetime, *, stamped_at: datetime | None = None
    ) -> Checkpoint:
        """Return a signed state over what is there now."""
        return Checkpoint(
            size=len(self.records),
            root=self.pick.randbytes(32),
            signed_at=signed_at,
            stamped_at=stamped_at,
            certificate_sha256=CERTIFICATE_SHA256 if stamped_at else None,
        )


def small_case() -> tuple[CaseMaker, list[Checkpoint]]:
    """Return a case with one of everything that a report has a word for."""
    made = CaseMaker()
    made.request()
    minute, day = timedelta(minutes=1), timedelta(days=2)
    for n, level in enumerate((Level.MENTIONED, Level.ANSWERS, Level.HANDSHAKE)):
        made.sighting(level, peer=f"198.18.1.{n + 1}", at=BEGUN_AT + n * minute)
    made.sighting(at=BEGUN_AT + 5 * minute)
    made.sighting(at=BEGUN_AT + 6 * minute, entry=1, client_name=HOSTILE_NAME)
    made.sighting(
        Level.CLAIMS,
        peer="198.18.9.4",
        port=6881,
        at=BEGUN_AT + 7 * minute,
        outcome=Outcome.BAD_PIECE,
        where=place(None, ["tor_exit"]),
    )
    first = made.checkpoint(BEGUN_AT + 8 * minute, stamped_at=BEGUN_AT + 8.5 * minute)
    made.sighting(peer="198.18.9.4", port=50000, at=BEGUN_AT + 9 * minute)
    made.sighting(peer="2001:db8::17", port=6881, at=BEGUN_AT + 10 * minute, entry=2)
    made.sighting(at=BEGUN_AT + day + 12 * minute)
    made.counts(BEGUN_AT + day, named=240, outside=31, not_covered=4, left_alone=9)
    made.stop(BEGUN_AT + day + 13 * minute)
    late = made.checkpoint(
        BEGUN_AT + day + 14 * minute, stamped_at=BEGUN_AT + day + 26 * 60 * minute
    )
    made.sighting(Level.CLAIMS, peer="198.18.9.9", at=BEGUN_AT + day + 15 * minute)
    return made, [first, late]


def long_case(sightings: int = 500, *, seed: int = 2) -> CaseMaker:
    """Return a case of many sightings of level 3 and 4, of a fifth as many peers."""
    made = CaseMaker(seed)
    made.request()
    for n in range(sightings):
        level = Level.CLAIMS if made.pick.random() < 0.3 else Level.DELIVERED
        peer = made.pick.randrange(max(1, sightings // 5))
        made.sighting(
            level,
            peer=f"198.18.{20 + peer // 250}.{1 + peer % 250}",
            at=BEGUN_AT + timedelta(minutes=7 * n),
            entry=n % 3,
        )
    return made


def material_of(
    made: CaseMaker,
    checkpoints: Sequence[Checkpoint] = (),
    *,
    self_test: SelfTest | None = None,
) -> Material:
    """Return what a report of a case is made from."""
    return material(
        made.numbered, checkpoints, at=REPORTED_AT, self_test=self_test, verifier="# verify"
    )


def said(blocks: Iterable[Block]) -> str:
    """Return every word of some blocks, one value a line, as a reader sees them."""
    return "\n".join(_words(tuple(blocks)))


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value.replace("\u202f", " ").replace("\u00a0", " ")
    elif isinstance(value, tuple):
        for one in value:
            yield from _words(one)
    elif is_dataclass(value):
        for one in fields(value):
            yield from _words(getattr(value, one.name))


SELF_TEST = json.dumps(
    {
        "v": 1,
        "date": "2026-11-28",
        "commit": COMMIT,
        "code": CODE,
        "seeds": [1, 2, 3],
        "levels": {
            "L3": {"n": 3400, "true": 3131, "precision": 0.9209, "low": 0.911, "high": 0.93},
            "L4": {"n": 3100, "true": 3100, "precision": 1.0, "low": 0.9988, "high": 1.0},
        },
        "recall": {
            "L4": {"n": 900, "found": 895, "recall": 0.9944, "low": 0.987, "high": 0.998}
        },
    }
)
"""Made-up numbers, for tests of what shows them."""
