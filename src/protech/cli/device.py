"""``protech lists sync`` and ``check``: a device's and an auditor's side of known lists."""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from protech.cli.grammar import Commands, new_command
from protech.errors import ConfigError, SourceError, TrustError
from protech.salus.walk import shown

if TYPE_CHECKING:
    from protech.lists.device import DeviceLists
    from protech.lists.entries import Use
    from protech.lists.sync.flow import Synced
    from protech.lists.sync.taking import Outcome

FILE_BYTES = 1 << 20

SILENCED = ("tuf", "securesystemslib")
"""Their loggers name addresses."""

SYNC_EXAMPLE = """examples:
  protech lists sync https://lists.example.org/ --root root.json      the first time
  protech lists sync                                   every repository that is known here
  protech lists sync /media/stick/lists --root root.json     a copy of one, without a network
  protech lists sync https://lists.example.org/ --forget

The root of trust comes from the authority by another way than the address. Its SHA-256 is
printed: read it to each other by telephone before you rely on what was brought. Afterwards it
is pinned. The device's own key is made by `protech lists keys device`; the authority enrols it.

Every device sends the same requests: the files of the repository, without a cookie, an
identifier or a User-Agent. The server sees the address they come from, when, and which files.
"""
CHECK_EXAMPLE = """examples:
  protech lists check https://lists.example.org/ --root root.json
  protech lists check /srv/lists --root root.json --earlier seen --save seen

exit codes: 0 all of it holds, 5 something does not (see docs/rows.md for the others).
"""


def add_device(actions: Commands) -> None:
    """Add ``sync`` and ``check`` to the actions of ``protech lists``."""
    _add_sync(actions)
    _add_check(actions)


def _add_sync(actions: Commands) -> None:
    sync = new_command(
        actions,
        "sync",
        help="bring an authority's lists to this device",
        description="Fetch, verify and put in place the newest lists that are for this device.",
        epilog=SYNC_EXAMPLE,
    )
    sync.add_argument("place", nargs="?", metavar="URL", help="an address or a directory")
    sync.add_argument("--root", type=Path, metavar="FILE", help="root of trust, needed once")
    sync.add_argument(
        "--use",
        dest="uses",
        action="append",
        choices=("guard", "triage", "messaging", "locate"),
        help="what lists are wanted for, from now on; may be given more than once",
    )
    sync.add_argument(
        "--forget", action="store_true", help="delete the repository and its lists from here"
    )
    sync.add_argument("--json", action="store_true", help="print a JSON line a repository")
    sync.set_defaults(run=_sync)


def _add_check(actions: Commands) -> None:
    check = new_command(
        actions,
        "check",
        help="verify a repository from end to end",
        description="Look through a repository without any key, and print what holds.",
        epilog=CHECK_EXAMPLE,
    )
    check.add_argument("place", metavar="URL", help="its address, or a directory")
    check.add_argument("--root", type=Path, required=True, metavar="FILE")
    check.add_argument("--earlier", type=Path, metavar="FILE", help="a checkpoint seen before")
    check.add_argument("--save", type=Path, metavar="FILE", help="write its checkpoint here")
    check.add_argument(
        "--metadata", action="store_true", help="leave the encrypted lists themselves out"
    )
    check.add_argument("--json", action="store_true", help="print a JSON line a check")
    check.set_defaults(run=_check)


def _sync(options: argparse.Namespace) -> int:
    from protech.lists.device import DeviceLists
    from protech.lists.entries import Use
    from protech.sandbox import harden_process
    from protech.streams import only_our_words

    harden_process()
    only_our_words(silenced=SILENCED)
    device = DeviceLists.of_user()
    if options.forget:
        return _forget(device, options.place)
    root = _root(options.root)
    uses = frozenset(map(Use, options.uses)) if options.uses else None
    errors = []
    try:
        for done in _each(device, options.place, root=root, uses=uses):
            _tell(done, is_json=options.json)
            errors += [done.error] if done.error else []
    finally:
        _warn_of_stale(device)
    if errors:
        raise errors[0]
    return 0


def _warn_of_stale(device: "DeviceLists") -> None:
    """Say loudly what nobody vouches for any more, whatever became of the sync."""
    from protech.errors import ProtechError

    with suppress(ProtechError):
        for held in device.lists():
            if held.is_stale(datetime.now(UTC)):
                sys.stderr.write(f"protech: the list {held.name} is STALE; it stays in use.\n")


def _each(
    device: "DeviceLists",
    place: str | None,
    *,
    root: bytes | None,
    uses: "frozenset[Use] | None",
) -> "Iterable[Synced]":
    """Sync one repository, or all that are known; one that fails leaves the others alone."""
    from protech.errors import ProtechError
    from protech.lists.sync.flow import sync
    from protech.triage.show import Progress

    places = [place] if place else [one.address for one in device.repositories()]
    if not places:
        raise ConfigError(
            "No repository is known here; give its address and its root of trust: protech lists"
            " sync URL --root FILE"
        )
    failed: list[ProtechError] = []
    progress = Progress(sys.stderr)
    for each in places:
        try:
            yield sync(
                device,
                each,
                root=root,
                uses=uses,
                on_wait=_say_waiting,
                on_bytes=lambda count: progress.show(f"{count / 1e6:,.1f} MB"),
            )
        except ProtechError as error:
            failed.append(error)
        finally:
            progress.clear()
    if failed:
        raise failed[0]


def _forget(device: "DeviceLists", place: str | None) -> int:
    from protech.lists import indexes
    from protech.lists.sync.flow import known

    if place is None:
        raise ConfigError("Name the repository to forget: protech lists sync URL --forget")
    with device.turn(_say_waiting):
        pinned = known(device, place)
        if pinned is None:
            raise SourceError("No repository with this address is known here.")
        device.forget(pinned)
    indexes.clear()  # they hold what the lists held
    print("forgotten, with its lists")
    return 0


def _root(path: Path | None) -> bytes | None:
    """Read the root of trust that was given, and say its digest."""
    if path is None:
        return None
    root = _content(path)
    digest = hashlib.sha256(root).hexdigest()
    parts = " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))
    sys.stderr.write(f"root of trust, SHA-256: {parts}\ncompare it by telephone\n")
    return root


def _tell(done: "Synced", *, is_json: bool) -> None:
    if is_json:
        print(json.dumps(_fields(done)))
        return
    print(f"{shown(done.repository)}: root {done.root_version}, {done.log_size} in the log")
    for one in done.outcomes:
        print(f"  {_line(one)}")


def _line(one: "Outcome") -> str:
    version = "" if one.version is None else f" {one.version}"
    fresh = "" if one.fresh_until is None else f", fresh until {_moment(one.fresh_until)}"
    why = "" if one.why is None else f": {one.why}"
    return f"{one.name}{version}: {one.state.replace('_', ' ')}{fresh}{why}"


def _fields(done: "Synced") -> dict[str, object]:
    return {
        "v": 1,
        "repository": done.repository,
        "root_version": done.root_version,
        "log_size": done.log_size,
        "fresh_until": done.fresh_until.astimezone(UTC).isoformat(),
        "lists": [
            {
                "name": one.name,
                "version": one.version,
                "state": one.state,
                "fresh_until": one.fresh_until and one.fresh_until.astimezone(UTC).isoformat(),
                "why": one.why,
            }
            for one in done.outcomes
        ],
        "error": None if done.error is None else str(done.error),
    }


def _check(options: argparse.Namespace) -> int:
    from protech.lists.sync.audit import Audit
    from protech.sandbox import harden_process
    from protech.settings import write_private
    from protech.streams import only_our_words

    harden_process()
    only_our_words(silenced=SILENCED)
    audit = Audit(
        options.place,
        root=_root(options.root) or b"",
        earlier=None if options.earlier is None else _content(options.earlier),
        has_targets=not options.metadata,
    )
    failed = 0
    for each in audit.checks():
        failed += not each.holds
        if options.json:
            row = {"v": 1, "check": each.what, "holds": each.holds, "found": each.found}
            print(json.dumps(row))
        else:
            print(f"{'holds' if each.holds else 'FAILS'}  {each.what:<24} {shown(each.found)}")
    if failed:
        raise TrustError(f"{failed} of the checks above did not hold.")
    if options.save is not None and audit.note is not None:
        write_private(options.save, audit.note)
    return 0


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES)
    except OSError as refused:
        raise ConfigError(f"{path} cannot be read: {refused.strerror}.") from refused


def _say_waiting() -> None:
    sys.stderr.write("waiting for another sync to end\n")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
