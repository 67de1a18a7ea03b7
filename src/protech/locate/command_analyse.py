"""``protech locate analyse`` and ``compare``: a case in numbers, and against a partner's."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from protech.errors import ConfigError
from protech.lists.logbook import read_file
from protech.locate.case import ARCHIVE, Case, open_case
from protech.locate.command_key import unwrap_of
from protech.locate.command_say import on_one_line, say
from protech.locate.deconflict import KEY_BYTES, Seen, make_export, overlap
from protech.locate.records import NAMED
from protech.settings import write_once

PARTNER_BYTES = 2 << 20
TOP = 20


def analyse_case(options: argparse.Namespace) -> int:
    """Print a case in numbers: by country, operator and entry, and the peers that stand out."""
    from protech.locate.analysis import aggregates, by, top_peers
    from protech.locate.archive import Archive

    case = open_case(options.case, unwrap_of(options))
    archive = Archive(case.folder / ARCHIVE, vault=case.vault("archive"))
    with case.open_log() as log:
        archive.follow(log, least=1)
    table = archive.table()
    told = aggregates(table)
    if options.out is not None:
        write_once(options.out, json.dumps(told, indent=1).encode() + b"\n")
    if options.json:
        print(json.dumps(told))
        return 0
    for title, rows in (("country", by("country", table)), ("operator", by("operator", table))):
        _print(title, [(one.name or "unknown", one.peers, one.delivering) for one in rows])
    _print("file", [(one.name, one.peers, one.delivering) for one in by("entry", table)])
    peers = top_peers(table, most=options.top)
    _print("peer", [(f"{one.address} {one.port}", one.entries, one.delivered) for one in peers])
    return 0


def _print(title: str, rows: Sequence[tuple[str, int, int]]) -> None:
    counted = "files" if title == "peer" else "peers"
    print(f"{title:<44} {counted:>8} {'delivered':>10}")
    for name, count, delivered in rows:
        print(f"{on_one_line(name)[:44]:<44} {count:>8} {delivered:>10}")
    print()


def compare_case(options: argparse.Namespace) -> int:
    """Write, or hold against a partner's, tokens of whom a case saw; nothing is sent."""
    case = open_case(options.case, unwrap_of(options))
    ours = make_export(_seen(case), _shared_key(options))
    if options.against is None:
        print(ours.preview)
        if options.out is None:
            raise ConfigError(
                "Nothing was saved: name a file with --out, or a partner's with --against."
            )
        if not options.yes and not _is_meant():
            raise ConfigError("Nothing was saved.")
        write_once(options.out, ours.content)
        return 0
    found = overlap(ours, _given(options.against), _shared_key(options))
    for day, address in found:
        print(f"{day.isoformat()} {address}")
    say(f"{len(found)} of {len(ours.tokens)} peers and days are the partner's, too.")
    return 0


def _seen(case: Case) -> Iterator[Seen]:
    """Yield who was seen at a level that names an address, and on which day."""
    with case.open_log() as log:
        for one in log.read():
            record = json.loads(one.content)
            if record["kind"] == "sighting" and record["level"] >= NAMED:
                at = datetime.fromisoformat(record["ended_at"])
                yield at.date(), ip_address(record["peer"]["address"])


def _given(path: Path) -> bytes:
    content = read_file(path, most=PARTNER_BYTES)
    if content is None:
        raise ConfigError(f"There is no file {path}; name the one that the partner gave.")
    return content


def _shared_key(options: argparse.Namespace) -> bytes:
    try:
        key = bytes.fromhex(options.shared_key.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"The key shared with the partner is a file of {2 * KEY_BYTES} hex digits; agree on"
            " one, for instance `openssl rand -hex 32`, and pass it on by a safe way."
        )
    return key


def _is_meant() -> bool:
    sys.stderr.write("Save this? Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "yes"
