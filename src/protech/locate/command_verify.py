"""``protech locate verify``: a pack as the defence checks it, or a whole case with its key."""

import argparse
import base64
import subprocess
import sys
from contextlib import suppress
from importlib import resources

from protech.errors import ConfigError, TrustError
from protech.evidence.case_check import HANDSHAKE, Checked, check_case
from protech.evidence.stamp import Stamps
from protech.locate.case import STAMPS, Case, open_case
from protech.locate.command_key import unwrap_of

DIFFERS = 1
"""Exit code where something does not show what it says, as of ``verify.py``."""

SHOWN = 20
"""So many records are named at most."""


def verify_file(options: argparse.Namespace) -> int:
    """Run the stand-alone verifier in a process of its own, as the defence does.

    A case that can be opened is checked whole, by the same code.
    """
    if options.file.is_dir():
        return _verify_case(options)
    script = resources.files("protech.evidence").joinpath("verify.py")
    command = [sys.executable, "-I", str(script), str(options.file), "--lang", options.lang]
    if options.log_key is not None:
        command += ["--log-key", options.log_key]
    if options.authority_key is not None:
        command += ["--authority-key", _in_hex(options.authority_key)]
    if options.tsa is not None:
        command += ["--tsa", str(options.tsa)]
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode


def _in_hex(key: str) -> str:
    """Return a public key in hex, whether it was written so or in base64."""
    with suppress(ValueError):
        return bytes.fromhex(key).hex()
    try:
        return base64.b64decode(key, validate=True).hex()
    except ValueError:
        raise ConfigError(
            "The authority's key is written in hex, or in base64 as its package has it; give"
            " one of these."
        ) from None


def stamps_of(case: Case) -> Stamps | None:
    """Return the stamps of a case; None where nobody ever stamped it."""
    folder = case.folder / STAMPS
    return Stamps(folder) if folder.is_dir() else None


def _verify_case(options: argparse.Namespace) -> int:
    if options.tsa is not None:
        raise ConfigError(
            "The stamps of a case are checked against the certificates that it keeps with them;"
            " leave out --tsa, or name a pack."
        )
    case = open_case(options.file, unwrap_of(options))
    try:
        found = _checked(case, options)
    except TrustError as changed:
        print(changed)
        return DIFFERS
    levels = ", ".join(f"L{level} {count}" for level, count in enumerate(found.levels))
    print(f"{found.records} records, {found.stamps} stamps; sightings {levels}")
    if unknown := _uncompared(found, options):
        print(f"compared with nothing, so it counts for who knows it: {unknown}")
    if found.wrong:
        print(_told(found))
        return DIFFERS
    if found.records and found.unsigned == found.records:
        print("no checkpoint signs any of it: whoever has the case's key may have written it")
        return DIFFERS
    print("all of them show what they say, and nothing that is signed was changed")
    if found.unsigned:
        print(f"the last {found.unsigned} records are not signed yet, as after a kill")
    return 0


def _checked(case: Case, options: argparse.Namespace) -> Checked:
    named, key = options.log_key, options.authority_key
    authorities = [] if key is None else [_in_hex(key)]
    with case.open_log() as log:
        if named is not None and log.about.key.text != named:
            raise TrustError("The log was made with another key than the one that was named.")
        return check_case(log, stamps_of(case), authorities=authorities)


def _uncompared(found: Checked, options: argparse.Namespace) -> str:
    """Return which keys came along with the case, and so prove nothing by themselves."""
    of = {
        "the log's key": options.log_key is None,
        "the authority's key": options.authority_key is None,
        "the certificates of the stamps": found.stamps > 0,
    }
    return ", ".join(name for name, is_so in of.items() if is_so)


def _told(found: Checked) -> str:
    shown = ", ".join(map(str, found.wrong[:SHOWN]))
    more = ", ..." if len(found.wrong) > SHOWN else ""
    checked = sum(found.levels[HANDSHAKE:])
    return (
        f"{len(found.wrong)} of {checked} sightings of level {HANDSHAKE} and above do not show"
        f" what they say (records {shown}{more}); keep the case as it is, for an expert."
    )
