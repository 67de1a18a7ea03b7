"""Reads a case from the records of its log; pure.

Below level 3 a sighting is counted and nothing else of it is read: no report can name it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from protech.errors import SourceError
from protech.locate.adapter import Level
from protech.locate.build import UNKNOWN
from protech.locate.report.case import (
    Case,
    Claimed,
    Clock,
    Database,
    Listed,
    Place,
    Proven,
    Request,
    Run,
    Seen,
    Socket,
    Stop,
)
from protech.locate.report.fields import Fields

type Record = Mapping[str, object]


class _Reader:
    """What was read up to now, by kind."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.seen: list[Seen] = []
        self.requests: list[Request] = []
        self.stops: list[Stop] = []
        self.below: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()

    def take(self, index: int, fields: Fields) -> None:
        match fields.text("kind"):
            case "run":
                self.runs.append(_run(index, fields))
            case "sighting" if fields.number("level") >= Level.CLAIMS:
                self.seen.append(_seen(index, fields))
            case "sighting":
                self.below[fields.number("level")] += 1
            case "proof_request":
                self.requests.append(_request(index, fields))
            case "counts":
                self.counts.update(_numbers(fields.inner("counts")))
            case "stop":
                self.stops.append(Stop(at=fields.moment("at"), reason=fields.text("reason")))
            case _:
                pass  # keys of the list, and what later versions add


def read(records: Iterable[tuple[int, Record]]) -> Case:
    """Return a case from the records of its log, each with its index, in order.

    Raises:
        SourceError: A record is not as this version reads it, or there is no run.
    """
    reader = _Reader()
    moments: list[datetime] = []
    for index, record in records:
        fields = Fields(record, f"record {index} of the log")
        moments.append(fields.moment("at"))
        reader.take(index, fields)
    if not reader.runs:
        raise SourceError(
            "The report cannot be made: the log of this case has no run yet. Begin one with"
            " `protech locate run`."
        )
    return Case(
        runs=tuple(reader.runs),
        seen=tuple(reader.seen),
        below=dict(reader.below),
        requests=tuple(reader.requests),
        counts=dict(reader.counts),
        stops=tuple(reader.stops),
        records=len(moments),
        first_at=min(moments),
        last_at=max(moments),
    )


def _run(index: int, fields: Fields) -> Run:
    listed = fields.inner("list")
    build = fields.inner("build")
    return Run(
        index=index,
        at=fields.moment("at"),
        case=fields.text("case"),
        authorisation=fields.inner("authorisation"),
        authorisation_sha256=fields.digest_or_none("authorisation_sha256") or b"",
        timestamp_sha256=fields.digest_or_none("timestamp_sha256") or b"",
        listed=Listed(
            name=listed.text("name"),
            version=listed.number("version"),
            sha256=listed.digest_or_none("sha256") or b"",
            issuer=listed.text_or_none("issuer") or "",
            keys=listed.number("keys"),
            tree_root=listed.digest_or_none("tree_root") or b"",
        ),
        build_version=build.text("version"),
        build_commit=_commit(build),
        build_code=build.text_or_none("code") or "",
        is_lab=fields.flag("lab"),
        source_addresses=fields.texts("source_addresses"),
        databases=tuple(
            Database(
                name=one.text("name"),
                date=one.text("date"),
                sha256=one.digest_or_none("sha256") or b"",
            )
            for one in fields.objects("databases")
        ),
    )


def _seen(index: int, fields: Fields) -> Seen:
    clock = fields.inner("clock")
    client = fields.inner("client")
    local = fields.inner_or_none("local")
    listed = fields.inner("list")
    return Seen(
        index=index,
        at=fields.moment("at"),
        clock=Clock(
            is_synchronised=clock.flag("synchronised"),
            error_ms=clock.amount_or_none("error_ms"),
        ),
        run=fields.number("run"),
        entry=fields.text("entry"),
        list_name=listed.text("name"),
        list_version=listed.number("version"),
        network=fields.text("network"),
        level=_level(fields),
        outcome=fields.text("outcome"),
        peer=_socket(fields.inner("peer")),
        local=None if local is None else _socket(local),
        transport=fields.text_or_none("transport"),
        started_at=fields.moment("started_at"),
        ended_at=fields.moment("ended_at"),
        sources=fields.texts("sources"),
        attempts=fields.number("attempts"),
        client_id=client.digest_or_none("id"),
        client_name=client.text_or_none("name"),
        claims=_claims(fields.inner_or_none("claims")),
        proof=_proof(fields.inner_or_none("proof")),
        request_sha256=fields.digest_or_none("request_sha256"),
        place=_place(fields.inner_or_none("place")),
    )


def _commit(build: Fields) -> str:
    """Return the commit of a build; nothing where it was not known."""
    found = build.text_or_none("commit")
    return "" if found is None or found == UNKNOWN else found


def _level(fields: Fields) -> Level:
    try:
        return Level(fields.number("level"))
    except ValueError:
        raise fields.refused("level") from None


def _socket(fields: Fields) -> Socket:
    return Socket(address=fields.text("address"), port=fields.number("port"))


def _claims(fields: Fields | None) -> Claimed | None:
    if fields is None:
        return None
    return Claimed(
        held=fields.number("held"),
        total=fields.number("total"),
        listed_held=fields.number("listed_held"),
        listed_total=fields.number("listed_total"),
    )


def _proof(fields: Fields | None) -> Proven | None:
    if fields is None:
        return None
    return Proven(
        piece=fields.number("piece"),
        offset_bytes=fields.number("offset_bytes"),
        length_bytes=fields.number("length_bytes"),
        digest=fields.digest_or_none("digest") or b"",
        sha256=fields.digest_or_none("sha256") or b"",
        distinct_bytes=fields.number("distinct_bytes"),
    )


def _place(fields: Fields | None) -> Place | None:
    if fields is None:
        return None
    operator = fields.inner_or_none("operator") or Fields({}, "")
    return Place(
        verdict=fields.text("verdict"),
        country=fields.text_or_none("country"),
        countries=tuple(
            (str(one[0]), None if one[1] is None else str(one[1]))
            for one in _tuples(fields.items("countries"), 2)
        ),
        asn=operator.number_or_none("asn"),
        operator=operator.text_or_none("name"),
        flags=fields.texts("flags"),
        databases=tuple(
            Database(name=str(one[0]), date=str(one[1]), sha256=_hex(one[2]))
            for one in _tuples(fields.items("databases"), 3)
        ),
    )


def _request(index: int, fields: Fields) -> Request:
    return Request(
        index=index,
        at=fields.moment("at"),
        sha256=fields.digest_or_none("request_sha256") or b"",
        operators=tuple(one.text("operator") for one in fields.objects("signatures")),
        terms=_terms(fields.text("request")),
    )


def _terms(text: str) -> Mapping[str, object]:
    """Return what a request asks for; the operators signed its text, which is kept as it is."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _numbers(fields: Fields) -> dict[str, int]:
    """Return the whole numbers of an object; what it holds besides is left alone."""
    return {
        name: value
        for name, value in fields.values.items()
        if isinstance(value, int) and not isinstance(value, bool)
    }


def _tuples(items: Sequence[object], width: int) -> Iterable[Sequence[object]]:
    return (one for one in items if isinstance(one, list | tuple) and len(one) == width)


def _hex(value: object) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""
