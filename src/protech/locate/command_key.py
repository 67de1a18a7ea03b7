"""How a person opens a case: with a token of theirs, or an identity of the authority."""

import argparse
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protech.errors import ConfigError
from protech.evidence import case_key
from protech.lists.keys import device_identity
from protech.locate.approve import read_pin
from protech.locate.case import Unwrap
from protech.locate.command_numbers import place
from protech.locate.tokens import Token, TokenKey


def add_token(command: argparse.ArgumentParser) -> None:
    """Add the options that name a key in a token."""
    command.add_argument(
        "--module", type=Path, metavar="FILE", help="the token's PKCS#11 library"
    )
    command.add_argument("--token", metavar="LABEL", help="what the token is called")
    command.add_argument(
        "--key", default="protech", metavar="LABEL", help="the key in it (default: protech)"
    )
    command.add_argument(
        "--pin-fd",
        type=place,
        metavar="N",
        help="a descriptor that gives the PIN; else it is asked",
    )


def add_key(command: argparse.ArgumentParser) -> None:
    """Add the options that open a case."""
    command.add_argument(
        "--identity", type=Path, metavar="FILE", help="an age identity of the authority"
    )
    add_token(command)


@contextmanager
def token_key(options: argparse.Namespace) -> Iterator[TokenKey]:
    """Give the key that the options name, in its open token.

    Raises:
        ConfigError: They name none, or there is no such token.
        AuthorityError: The PIN is wrong.
    """
    if options.module is None or options.token is None:
        raise ConfigError(
            "Name your token with --module and --token: its maker's PKCS#11 library, and what"
            " `pkcs11-tool --list-token-slots` calls it."
        )
    with Token.open(options.module, options.token, _pin(options)) as token:
        yield token.key(options.key)


def unwrap_of(options: argparse.Namespace) -> Unwrap:
    """Return what opens a case's key, as the options say.

    Raises:
        ConfigError: They say nothing.
    """
    if options.identity is not None:
        try:
            identity = device_identity(options.identity)
        except ConfigError as refused:
            why = getattr(refused.__cause__, "strerror", None)
            raise ConfigError(
                f"The age identity {options.identity} cannot be read: {why}; name the file that"
                " the case's authority keeps."
            ) from refused
        return lambda wraps: case_key.open_with_identity(wraps, identity)

    def with_token(wraps: case_key.Wraps) -> bytes:
        with token_key(options) as key:
            return case_key.open_with_token(wraps, key.public, key.agree)

    if options.token is None:
        raise ConfigError(
            "A case is opened with a token (--module, --token) or with an age identity of its"
            " authority (--identity); name one."
        )
    return with_token


def _pin(options: argparse.Namespace) -> str:
    if options.pin_fd is not None:
        return read_pin(options.pin_fd)
    if not sys.stdin.isatty():
        raise ConfigError(
            "There is no terminal to ask for the PIN; give it through a descriptor: --pin-fd 3"
            " 3< FILE."
        )
    try:
        return getpass.getpass(f"PIN of {options.token}: ")
    except EOFError:
        raise ConfigError("No PIN was typed, so the token was not opened.") from None
