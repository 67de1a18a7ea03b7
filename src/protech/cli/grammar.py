"""What every part of the command line is built with."""

import argparse
from datetime import UTC, datetime

MOST_WORKERS = 256
"""Each is a process of some 60 MB, and all are started at once."""


type Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name


def new_command(commands: Commands, name: str, **texts: str) -> argparse.ArgumentParser:
    """Add a command; ``texts`` are its help, its description and its epilog with examples."""
    return commands.add_parser(
        name,
        help=texts["help"],
        description=texts.get("description"),
        epilog=texts["epilog"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def workers(text: str) -> int:
    """Read a number of workers.

    Raises:
        ArgumentTypeError: It is none that this machine should start.
    """
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"give a number from 1 to {MOST_WORKERS}")
    return number


def day(text: str) -> datetime:
    """Read a date, in UTC where it names no zone.

    Raises:
        ArgumentTypeError: It is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("give a date, as 2027-12-31") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
