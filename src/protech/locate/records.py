"""What the log of a case holds: each record as a canonical JSON object.

Below level 3 a record names no address: a peer that was only mentioned, or only answered, is a
pseudonym under a key of the case. Source: docs/locate.md.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from protech import __version__
from protech.lists.fetch_keys import key_line
from protech.locate.adapter import Claims, Endpoint, Level, ListName, Proof, Sighting, Target
from protech.locate.identify import Watch
from protech.locate.papers import ClockReading

FORMAT_VERSION = 1

NAMED = Level.CLAIMS
"""The lowest level whose record names an address."""
REPLAYED = Level.HANDSHAKE
"""The lowest level whose record holds the conversation."""

PSEUDONYM_BYTES = 16

type Record = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run stands on; the first record of it."""

    case: str
    authorisation: Mapping[str, object] = field(repr=False)
    authorisation_sha256: bytes = field(repr=False)
    authorisation_signatures: Sequence[Mapping[str, str]] = field(default=(), repr=False)
    timestamp_sha256: bytes = field(repr=False)
    watch: Watch
    commit: str
    code: str
    """Of the code that speaks, listens and judges (``build.code_of_build``)."""
    is_lab: bool
    source_addresses: Sequence[str] = field(default=(), repr=False)
    databases: Sequence[Mapping[str, object]] = ()
    observers: Sequence[str] = field(default=(), repr=False)


def utc_text(moment: datetime) -> str:
    """Return a moment as records write it: UTC, to the millisecond.

    Raises:
        ValueError: It has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment in a record has a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _head(kind: str, clock: ClockReading) -> Record:
    """Return what every record begins with."""
    told = {"synchronised": clock.is_synchronised, "error_ms": clock.error_ms}
    return {"v": FORMAT_VERSION, "kind": kind, "at": utc_text(clock.at), "clock": told}


def run_record(run: Run, clock: ClockReading) -> Record:
    """Return the record that a run begins with."""
    watch = run.watch
    listed = {
        **_list_fields(watch.list_name),
        "sha256": watch.list_name.sha256.hex(),
        "issuer": watch.issuer,
        "keys": len(watch.targets),
        "tree_root": watch.tree_root.hex(),
    }
    return {
        **_head("run", clock),
        "case": run.case,
        "authorisation": dict(run.authorisation),
        "authorisation_sha256": run.authorisation_sha256.hex(),
        "authorisation_signatures": [dict(one) for one in run.authorisation_signatures],
        "timestamp_sha256": run.timestamp_sha256.hex(),
        "list": listed,
        "build": {"version": __version__, "commit": run.commit, "code": run.code},
        "lab": run.is_lab,
        "source_addresses": list(run.source_addresses),
        "databases": [dict(one) for one in run.databases],
        "observers": list(run.observers),
    }


def entry_record(target: Target, watch: Watch, clock: ClockReading) -> Record:
    """Return the record that discloses a key inside the case, and that it is of the list."""
    return {
        **_head("entry", clock),
        **_target_fields(target),
        "line": key_line(target.key).decode(),
        "proof": [node.hex() for node in watch.proof_of(target)],
    }


def sighting_record(
    sighting: Sighting,
    target: Target,
    clock: ClockReading,
    *,
    case: str,
    run: int,
    pseudonym_key: bytes,
    place: Mapping[str, object] | None = None,
    request_sha256: bytes | None = None,
) -> Record:
    """Return the record of a conversation.

    Args:
        sighting: What it shows.
        target: What it was about.
        clock: Read when the conversation ended.
        case: Which case.
        run: The index of the run's record.
        pseudonym_key: Of the case, for those that no record names.
        place: Where the address is registered, as ``locate.place`` says it.
        request_sha256: Of the request that two operators signed, where a piece was asked for.
    """
    has_name = sighting.level >= NAMED
    is_replayed = sighting.level >= REPLAYED
    local = sighting.local if is_replayed else None
    return {
        **_head("sighting", clock),
        **_target_fields(target),
        "case": case,
        "run": run,
        "network": sighting.network.value,
        "level": int(sighting.level),
        "outcome": sighting.outcome.value,
        "peer": _endpoint(sighting.peer)
        if has_name
        else {"pseudonym": pseudonym(sighting.peer, pseudonym_key)},
        "local": None if local is None else _endpoint(local),
        "transport": None if sighting.transport is None else sighting.transport.value,
        "started_at": utc_text(sighting.started_at),
        "ended_at": utc_text(sighting.ended_at),
        "sources": sorted(source.value for source in sighting.sources),
        "attempts": sighting.attempts,
        "client": _client(sighting) if has_name else {"id": None, "name": None},
        "claims": None if sighting.claims is None else _claims(sighting.claims),
        "proof": None if sighting.proof is None else _proof(sighting.proof),
        "request_sha256": None if request_sha256 is None else request_sha256.hex(),
        "place": None if place is None else dict(place),
        "facts": dict(sighting.facts),
        "transcript": base64.b64encode(sighting.transcript).decode() if is_replayed else None,
    }


def request_record(
    request: str,
    request_sha256: bytes,
    signatures: Sequence[Mapping[str, str]],
    clock: ClockReading,
) -> Record:
    """Return the record of a request for pieces, with both operators' signatures."""
    return {
        **_head("proof_request", clock),
        "request": request,
        "request_sha256": request_sha256.hex(),
        "signatures": [dict(one) for one in signatures],
    }


def counts_record(counts: Mapping[str, object], clock: ClockReading) -> Record:
    """Return a record of numbers alone: peers outside the jurisdiction are only counted."""
    return {**_head("counts", clock), "counts": dict(counts)}


def stop_record(reason: str, clock: ClockReading) -> Record:
    """Return the record that a run ends with."""
    return {**_head("stop", clock), "reason": reason}


def pseudonym(peer: Endpoint, key: bytes) -> str:
    """Return what a peer is called that no record names; it means nothing outside its case."""
    return hmac.digest(key, peer.text.encode(), "sha256")[:PSEUDONYM_BYTES].hex()


def _target_fields(target: Target) -> Record:
    return {
        "entry": target.entry,
        "number": target.number,
        "list": _list_fields(target.list_name),
    }


def _list_fields(name: ListName) -> Record:
    return {"name": name.name, "version": name.version}


def _endpoint(endpoint: Endpoint) -> Record:
    return {"address": str(endpoint.address), "port": endpoint.port}


def _client(sighting: Sighting) -> Record:
    client_id = None if sighting.client_id is None else sighting.client_id.hex()
    return {"id": client_id, "name": sighting.client_name}


def _claims(claims: Claims) -> Record:
    return {**asdict(claims), "bitfield_sha256": claims.bitfield_sha256.hex()}


def _proof(proof: Proof) -> Record:
    return {**asdict(proof), "digest": proof.digest.hex(), "sha256": proof.sha256.hex()}
