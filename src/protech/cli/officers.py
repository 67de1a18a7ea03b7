"""``protech lists keys``, ``sign`` and ``witness``: what people do with their keys."""

import argparse
import getpass
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from protech.cli.grammar import Commands, new_command
from protech.cli.publish import add_publish
from protech.errors import ConfigError
from protech.salus.walk import shown

if TYPE_CHECKING:
    from protech.lists.repository.documents import Progress

KEYS_EXAMPLE = """examples:
  protech lists keys new alice.key --name alice   a key to sign with, and alice.key.pub
  protech lists keys show alice.key.pub           whose it is, and its fingerprint
  protech lists keys device                       what lists for this device are encrypted to
"""
SIGN_EXAMPLE = """examples:
  protech lists sign staged                           what waits to be signed, and by how many
  protech lists sign staged --key alice.key           look at it, then sign it
"""
WITNESS_EXAMPLE = """examples:
  protech lists witness staged --key witness.key --first     a log that it never saw before
  protech lists witness staged --key witness.key      cosign the log, if it only grew
"""


def add_authority(actions: Commands) -> None:
    """Add what authorities, their officers and their witnesses do to ``protech lists``."""
    _add_keys(actions)
    _add_sign(actions)
    _add_witness(actions)
    add_publish(actions)


def _add_keys(actions: Commands) -> None:
    keys = new_command(
        actions, "keys", help="make keys for signing and for devices", epilog=KEYS_EXAMPLE
    )
    kinds = keys.add_subparsers(title="keys", metavar="WHICH", required=True)
    new = new_command(
        kinds,
        "new",
        help="make a key to sign with",
        description="Make a secret key at FILE (0600) and its public half at FILE.pub.",
        epilog=KEYS_EXAMPLE,
    )
    new.add_argument("file", type=Path, metavar="FILE")
    new.add_argument("--name", required=True, help="whose it is; others will see it")
    add_passphrase(new)
    new.add_argument("--json", action="store_true", help="print the result as JSON")
    new.set_defaults(run=_new_key)
    show = new_command(
        kinds,
        "show",
        help="whose a public key is",
        description="Print the name and the fingerprint of a public key.",
        epilog=KEYS_EXAMPLE,
    )
    show.add_argument("file", type=Path, metavar="FILE.pub")
    show.add_argument("--json", action="store_true", help="print it as JSON")
    show.set_defaults(run=_show_key)
    device = new_command(
        kinds,
        "device",
        help="the public key of this device",
        description="Print what authorities encrypt lists to; the key is made the first time.",
        epilog=KEYS_EXAMPLE,
    )
    device.add_argument("--json", action="store_true", help="print it as JSON")
    device.set_defaults(run=_device_key)


def _add_sign(actions: Commands) -> None:
    sign = new_command(
        actions,
        "sign",
        help="look at what waits for signatures, and sign it",
        description="Show what waits in a repository's folder `staged`; with a key, sign it.",
        epilog=SIGN_EXAMPLE,
    )
    sign.add_argument("folder", type=Path, metavar="STAGED")
    sign.add_argument("--key", type=Path, metavar="FILE", help="your secret key")
    add_passphrase(sign)
    sign.add_argument("--yes", action="store_true", help="do not ask before signing")
    sign.add_argument("--json", action="store_true", help="print it as JSON")
    sign.set_defaults(run=_sign)


def _add_witness(actions: Commands) -> None:
    witness = new_command(
        actions,
        "witness",
        help="cosign the log of a repository, if it only grew",
        description="Check the log in the folder STAGED against what this key saw before, and"
        " cosign its checkpoint in place.",
        epilog=WITNESS_EXAMPLE,
    )
    witness.add_argument("folder", type=Path, metavar="STAGED")
    witness.add_argument("--key", type=Path, required=True, metavar="FILE")
    witness.add_argument(
        "--state", type=Path, metavar="FILE", help="what it saw before (default: FILE.seen)"
    )
    witness.add_argument(
        "--first", action="store_true", help="cosign a log that this key never saw before, too"
    )
    add_passphrase(witness)
    witness.add_argument("--json", action="store_true", help="print the result as JSON")
    witness.set_defaults(run=_witness)


def add_passphrase(command: argparse.ArgumentParser) -> None:
    """Add the ways to give the passphrase of a secret key."""
    ways = command.add_mutually_exclusive_group()
    ways.add_argument(
        "--passphrase", action="store_true", help="the key has a passphrase; ask for it"
    )
    ways.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="read the passphrase from a file"
    )


def passphrase(options: argparse.Namespace, *, is_new: bool = False) -> str | None:
    """Return the passphrase that was asked for; None where there is none.

    Raises:
        ConfigError: It cannot be read, or was typed in two ways.
    """
    if options.passphrase_file is not None:
        try:
            text: str = options.passphrase_file.read_text().rstrip("\n")
        except (OSError, UnicodeDecodeError) as refused:
            raise ConfigError("The file with the passphrase cannot be read.") from refused
        return text
    if not options.passphrase:
        return None
    typed = getpass.getpass("passphrase: ")
    if is_new and getpass.getpass("the same again: ") != typed:
        raise ConfigError("These were two different passphrases; nothing was made.")
    return typed


def _new_key(options: argparse.Namespace) -> int:
    from protech.lists.keys import make_key, public_path
    from protech.sandbox import harden_process

    harden_process()
    made = make_key(
        options.file, name=options.name, passphrase=passphrase(options, is_new=True)
    )
    fields = {
        "name": made.name,
        "fingerprint": made.fingerprint,
        "secret": str(options.file),
        "public": str(public_path(options.file)),
    }
    show_fields(fields, is_json=options.json)
    return 0


def _show_key(options: argparse.Namespace) -> int:
    from protech.lists.keys import read_public

    key = read_public(options.file)
    show_fields({"name": key.name, "fingerprint": key.fingerprint}, is_json=options.json)
    return 0


def _device_key(options: argparse.Namespace) -> int:
    from protech.lists.device import DeviceLists
    from protech.lists.keys import make_device_key
    from protech.sandbox import harden_process

    harden_process()
    recipient = make_device_key(DeviceLists.of_user().key)
    print(json.dumps({"v": 1, "recipient": recipient}) if options.json else recipient)
    return 0


def _sign(options: argparse.Namespace) -> int:
    from protech.cli.papers import show_paper
    from protech.lists.publish.sign import papers, sign
    from protech.sandbox import harden_process
    from protech.signing import Key

    harden_process()
    waiting = papers(options.folder)
    if not options.json:
        for paper in waiting:
            show_paper(paper)
    if options.key is None:
        if options.json:
            rows = [_progress_fields(paper.progress) for paper in waiting]
            print(json.dumps({"v": 1, "waiting": rows}))
        elif not waiting:
            print("nothing waits for signatures")
        return 0
    key = Key.load(options.key, passphrase=passphrase(options))
    if waiting and not options.yes and not _agrees():
        raise ConfigError("Nothing was signed.")
    signed = sign(options.folder, key, waiting)
    if options.json:
        print(json.dumps({"v": 1, "signed": [_progress_fields(one) for one in signed]}))
        return 0
    for one in signed:
        rest = f"{one.missing} more needed" if one.missing else "enough"
        print(f"signed {one.role} {one.version}: {len(one.signed)} signatures, {rest}")
    return 0


def _agrees() -> bool:
    sys.stderr.write("Sign all of this? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _progress_fields(progress: "Progress") -> dict[str, object]:
    return {
        "role": progress.role,
        "version": progress.version,
        "signed": len(progress.signed),
        "missing": progress.missing,
        "expires_at": progress.expires_at.isoformat(),
    }


def _witness(options: argparse.Namespace) -> int:
    from protech.lists import witness
    from protech.lists.repository.documents import Documents
    from protech.sandbox import harden_process
    from protech.signing import Key

    harden_process()
    key: Path = options.key
    done = witness.sign(
        options.folder,
        options.folder / "checkpoint",
        pinned=Documents.read(options.folder).extension,
        key=Key.load(key, passphrase=passphrase(options)),
        state=options.state or key.with_name(f"{key.name}.seen"),
        now=datetime.now(UTC),
        may_begin=options.first,
    )
    if options.json:
        print(json.dumps({"v": 1, "log_size": done.checkpoint.size, "said": done.message}))
    else:
        print(done.message)
    return 0


def show_fields(fields: Mapping[str, object], *, is_json: bool) -> None:
    """Print a result, a line for each field or all as JSON."""
    if is_json:
        print(json.dumps({"v": 1, **fields}))
        return
    for name, value in fields.items():
        print(f"{name:<14} {shown(Path(str(value)))}")
