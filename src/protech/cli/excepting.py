"""``protech lists except``: say of files that a list should not have met them, and sign it."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from protech.cli.grammar import Commands, day, new_command
from protech.cli.officers import add_passphrase, passphrase
from protech.errors import TrustError
from protech.salus.walk import shown

if TYPE_CHECKING:
    from protech.lists.formats.exceptions import ExceptionEntry, ExceptionHeader
    from protech.lists.note import NoteKey

EXAMPLE = """example:
  protech lists except beach.jpg --of national --reason "a landscape, checked by two" \\
      --author "Examiner 7" --key me.key --out unjust.exceptions

The key is made with `protech lists keys new`. Whoever is to heed the exceptions pins it in the
settings, as the command prints, and names the list: protech scan PATH --exceptions LIST
"""

USUAL_DAYS = 365


def add_except(actions: Commands) -> None:
    """Add ``except`` to ``protech lists``."""
    command = new_command(
        actions,
        "except",
        help="take matches of files away, for examiners and operators",
        description="Add FILEs to a signed exception list; a guard never heeds one.",
        epilog=EXAMPLE,
    )
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.add_argument(
        "--of", dest="lists", action="append", required=True, metavar="NAME",
        help="the list whose match is wrong; may be given more than once",
    )  # fmt: skip
    command.add_argument("--reason", required=True, help="why, for whoever reads the row")
    command.add_argument("--author", required=True, help="who says so")
    command.add_argument("--expires", type=day, metavar="DATE", help="default: in a year")
    command.add_argument("--key", type=Path, required=True, help="the author's secret key")
    add_passphrase(command)
    command.add_argument("--out", type=Path, required=True, metavar="LIST")
    command.set_defaults(run=_except)


def _except(options: argparse.Namespace) -> int:
    from protech.lists.exceptions import KEYS, sign_exceptions
    from protech.lists.formats.exceptions import content_of
    from protech.lists.keys import public_path, read_public
    from protech.lists.note import NoteKey, SignatureKind
    from protech.sandbox import harden_process
    from protech.settings import replacing
    from protech.signing import Key

    harden_process()
    key = Key.load(options.key, passphrase=passphrase(options))
    signer = read_public(public_path(options.key)).name
    author = NoteKey(name=signer, kind=SignatureKind.ED25519, public=key.public)
    header, entries = _before(options, author)
    known = {entry.sha256 for entry in entries}
    entries += [one for one in _entries(options) if one.sha256 not in known]
    with replacing(options.out) as file:
        file.write(content_of(header, entries))
    pinned = sign_exceptions(options.out, name=signer, key=key)
    print(f"{shown(options.out)}: {header.name} {header.version}, {len(entries)} exceptions")
    print(f'to heed it, in settings.toml: {KEYS} = ["{pinned.text}"]')
    return 0


def _before(
    options: argparse.Namespace, author: "NoteKey"
) -> "tuple[ExceptionHeader, list[ExceptionEntry]]":
    """Return the header to write, and the exceptions that stand at ``--out`` already.

    Raises:
        TrustError: What stands there was not signed by this author.
    """
    from protech.lists.exceptions import signed_content
    from protech.lists.formats.exceptions import ExceptionHeader, read

    now = datetime.now(UTC).replace(microsecond=0)
    expires_at = options.expires or now + timedelta(days=USUAL_DAYS)
    lists = frozenset(options.lists)
    if not options.out.exists():
        header = ExceptionHeader(
            name=options.out.stem,
            version=1,
            author=options.author,
            created_at=now,
            expires_at=expires_at,
            lists=lists,
        )
        return header, []
    try:
        content = signed_content(options.out, [author])
    except TrustError as wrong:
        raise TrustError(
            f"{options.out} was not signed with this key, or was changed since, so nothing is"
            " added to it: signing would vouch for what others wrote. Name another place with"
            " --out."
        ) from wrong
    header, entries, _ = read(content)
    header = replace(
        header,
        version=header.version + 1,
        created_at=now,
        expires_at=max(expires_at, header.expires_at),
        lists=header.lists | lists,
    )
    return header, list(entries)


def _entries(options: argparse.Namespace) -> "list[ExceptionEntry]":
    from protech.lists.formats.exceptions import ExceptionEntry
    from protech.salus.intake import digests, opened

    entries = []
    for path in options.files:
        with opened(path) as media:
            found = digests(media)
        entries.append(
            ExceptionEntry(
                sha256=found.sha256,
                lists=frozenset(options.lists),
                reason=options.reason,
                author=options.author,
                expires_at=options.expires,
            )
        )
    return entries
