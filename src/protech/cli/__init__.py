"""The ``protech`` command: reads the command line, calls the part, says what went wrong."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress

from protech import __version__
from protech.cli.grammar import Commands, new_command
from protech.cli.lists import add_lists
from protech.cli.scan import add_scan
from protech.errors import ConfigError, ProtechError
from protech.salus.walk import shown
from protech.streams import let_go_of_output, open_streams

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE."""

DOCTOR_EXAMPLE = """example:
  protech doctor           what works on this machine, and what to do about the rest
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name may have what the terminal has not
    try:
        options = parser(given).parse_args(given)
        code: int = options.run(options)
        sys.stdout.flush()
    except ProtechError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped")
        return INTERRUPTED
    except BrokenPipeError:
        let_go_of_output()
        return BROKEN_PIPE
    except OSError as refused:  # a traceback would end with 1, which means: blocked
        _say(f"the system refused: {refused.strerror}; mend that, or write somewhere else.")
        let_go_of_output()
        return ConfigError.exit_code
    return code


def _say(text: str) -> None:
    """Tell a person on one line; no name in it can steer a terminal."""
    with suppress(OSError):
        sys.stderr.write(f"protech: {shown(text)}\n")


def parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the command line's grammar; the guard's own is read only where it is asked for."""
    top = argparse.ArgumentParser(
        prog="protech",
        description="Screen pictures for those who want not to see them or who must.",
        epilog="Each command explains itself: protech scan --help",
    )
    top.add_argument("--version", action="version", version=f"protech {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if given[:1] == ["guard"]:
        _add_guard(commands)
    else:
        commands.add_parser("guard", help="hide what must not be seen, before it is displayed")
    if given[:1] == ["locate"]:
        _add_locate(commands)
    else:
        commands.add_parser("locate", help="who shares a listed file, for an authorised unit")
    add_scan(commands)
    add_lists(commands)
    _add_doctor(commands)
    return top


def _add_guard(commands: Commands) -> None:
    _require("guard")
    from protech.guard.command import add_command

    add_command(commands)


def _add_locate(commands: Commands) -> None:
    _require("locate")
    from protech.locate.command import add_command

    add_command(commands)


def _require(extra: str) -> None:
    from protech.doctor import missing_for

    missing = missing_for(extra)
    if missing:
        raise ConfigError(
            f"The part {extra} needs packages that are not installed ({', '.join(missing)});"
            f" run: pip install 'protech[{extra}]'"
        )


def _add_doctor(commands: Commands) -> None:
    doctor = new_command(
        commands,
        "doctor",
        help="what works on this machine",
        description="Try what Protech needs, and say what to do about the rest.",
        epilog=DOCTOR_EXAMPLE,
    )
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from protech.doctor import examine

    return examine(is_json=options.json, out=sys.stdout)
