"""``protech guard``: start the guard, see it, pause it."""

import argparse
import json
import os
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from protech.errors import ConfigError, SourceError
from protech.guard import consent, words
from protech.guard.choices import remembered
from protech.guard.help import services
from protech.guard.plan import DEFAULT_LISTEN, Plan, Rooms, address_of, text_of
from protech.guard.record import Count, Record, day_of
from protech.guard.running import Running, announce, only_one, running_guard
from protech.guard.session import (
    detector_state,
    page_address,
    running_of,
    say,
    supervised,
    with_ports,
)
from protech.guard.supervise import Supervisor
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.lists.store import is_synced
from protech.sandbox import harden_process
from protech.settings import Places

ANY_PORT = ("127.0.0.1", 0)
"""The demo runs beside a guard that protects its person."""

NOT_RUNNING = 2
"""Exit code of ``status`` where no guard runs."""

PAUSE_MINUTES = 15

LOOK_AT_CLOCK_S = 600.0
"""How often a guard that has nothing to do looks whether a new day has begun."""

EXAMPLE = """examples:
  protech guard --demo                     see it work on a photo site of its own
  protech guard --list mine.list           protect with a list made by `protech lists make`
  protech guard status                     what is protected, and what was hidden today
  protech guard pause --minutes 30         show everything for half an hour
"""

type Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name


def add_command(commands: Commands) -> None:
    """Add ``guard`` and what it can do to the command line."""
    guard = commands.add_parser(
        "guard",
        help="hide what must not be seen, before it is displayed",
        usage="protech guard [OPTIONS]\n       protech guard status|pause|resume [OPTIONS]",
        description="Screen every picture that a browser loads and hide what must not be seen.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    guard.set_defaults(run=run, action=None)
    _add_options(guard)
    _add_actions(guard)


def run(options: argparse.Namespace) -> int:
    """Carry out what the command line asks; return the exit code.

    Raises:
        ProtechError: What stands in the way, and what to do.
    """
    harden_process()
    places = Places.of_user()
    rooms = Rooms.of(places)
    match options.action:
        case "status":
            return _status(rooms, options)
        case "pause":
            return _pause(rooms, minutes=options.minutes)
        case "resume":
            consent.resume(rooms.pause)
            print("The guard protects again.")
            return 0
        case _ if options.demo:
            from protech.guard.demo.comparison import demo

            plan = plan_of(options, rooms)
            if options.listen is None:
                plan = replace(plan, listen=ANY_PORT)
            return demo(plan, screenshots=options.screenshots)
        case _:
            return _start(plan_of(remembered(options, places.settings_file), rooms))


def plan_of(options: argparse.Namespace, rooms: Rooms) -> Plan:
    """Return the guard that the options describe.

    Raises:
        ConfigError: An address or a name makes no sense.
        SourceError: A list or a directory of models is not there.
    """
    for source in options.list:
        if is_synced(source):
            DeviceLists.of_user().find(source, Use.GUARD)
        elif not Path(source).is_file():
            raise SourceError(f"There is no known list at {source}; check the path.")
    is_packaged = options.models in ("packaged", "none")
    if not is_packaged and not Path(options.models).is_dir():
        raise SourceError(
            f"There is no directory of models at {options.models}; check the path."
        )
    return Plan(
        rooms=rooms,
        listen=address_of(options.listen) if options.listen else DEFAULT_LISTEN,
        lists=tuple(map(_absolute, options.list)),
        models=options.models if is_packaged else os.fspath(Path(options.models).resolve()),
        is_adult_filter_on=options.adult_filter == "on",
    )


def _absolute(source: str | os.PathLike[str]) -> str:
    """Return a list as every part of the guard finds it, wherever it stands."""
    return os.fspath(source if is_synced(source) else Path(source).resolve())


def _add_options(guard: argparse.ArgumentParser) -> None:
    guard.add_argument("--demo", action="store_true", help="show it on a photo site of its own")
    guard.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help=f"where the browser finds the proxy (default {text_of(DEFAULT_LISTEN)})",
    )
    guard.add_argument(
        "--list",
        action="append",
        default=[],
        metavar="LIST",
        help="a known list: a file, or the name of a synced one (default: guard_lists of"
        " settings.toml, else every synced list that is for guards)",
    )
    guard.add_argument(
        "--models",
        default="packaged",
        metavar="DIR",
        help="models of a directory, or none (default: those of the package)",
    )
    guard.add_argument(
        "--adult-filter",
        choices=("on", "off"),
        help="hide everything that is explicit; remembered (off at first)",
    )
    guard.add_argument(
        "--screenshots", type=Path, metavar="DIR", help="where --demo leaves its screenshots"
    )


def _add_actions(guard: argparse.ArgumentParser) -> None:
    actions = guard.add_subparsers(
        prog="protech guard", title="a guard that runs", metavar="ACTION"
    )
    status = _add_action(
        actions,
        "status",
        about="what is protected, and what was hidden today",
        example="protech guard status --json",
    )
    status.add_argument("--json", action="store_true", help="print it as JSON")
    status.add_argument("--help-lines", action="store_true", help="print whom one can talk to")
    pause = _add_action(
        actions,
        "pause",
        about="show everything for a while",
        example="protech guard pause --minutes 30",
    )
    pause.add_argument(
        "--minutes", type=int, default=PAUSE_MINUTES, help="how long (1 to 1440)"
    )
    _add_action(actions, "resume", about="end a pause", example="protech guard resume")


def _add_action(
    actions: Commands, name: str, *, about: str, example: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(
        name, help=about, description=about.capitalize() + ".", epilog=f"example: {example}"
    )
    action.set_defaults(action=name)
    return action


def _start(plan: Plan) -> int:
    rooms = plan.rooms
    rooms.make()
    with only_one(rooms.runtime):
        plan = with_ports(plan)
        say("Starting the guard; this takes some seconds.")
        with supervised(plan, say=say) as supervisor:
            running = running_of(plan)
            announce(rooms.runtime, running)
            state = detector_state(rooms.detector) or {}
            print(words.started(running, state, page=page_address(rooms)), flush=True)
            _keep_on(supervisor, rooms)
    say("The guard is off.")
    return 0


def _keep_on(supervisor: Supervisor, rooms: Rooms) -> None:
    """Tend the guard until a stop is asked for; forget what is too old, today and each day."""
    trimmed_on = None
    is_over = False
    while not is_over:
        today = day_of(datetime.now(UTC))
        if today != trimmed_on:
            trimmed_on = today
            try:
                _trim(rooms, today)
            except ConfigError as full:
                say(str(full))  # Old counts are no reason to end the protection.
        is_over = supervisor.tend(timeout_s=LOOK_AT_CLOCK_S)


def _status(rooms: Rooms, options: argparse.Namespace) -> int:
    if options.help_lines:
        print(words.help_lines(services(country=_country(), language=_language())))
        return 0
    running = running_guard(rooms.runtime)
    now = datetime.now(UTC)
    counts = _counts_of_today(rooms, now)
    paused_until = consent.paused_until(rooms.pause, now=now)
    state = detector_state(rooms.detector) if running else None
    if options.json:
        print(_as_json(running, state, counts, paused_until))
    elif running is None:
        print(words.not_running(rooms.state))
    else:
        page = page_address(rooms)
        print(words.status(running, state, counts, paused_until=paused_until, page=page))
    return 0 if running else NOT_RUNNING


def _pause(rooms: Rooms, *, minutes: int) -> int:
    until = consent.pause(rooms.pause, now=datetime.now(UTC), minutes=minutes)
    print(
        f"Paused until {until.astimezone():%H:%M}; everything is shown till then."
        " `protech guard resume` ends it earlier."
    )
    return 0


def _as_json(
    running: Running | None,
    state: dict[str, Any] | None,
    counts: list[Count],
    paused_until: datetime | None,
) -> str:
    return json.dumps(
        {
            "v": 1,
            "running": asdict(running) if running else None,
            "detector": state,
            "paused_until": paused_until.isoformat() if paused_until else None,
            "hidden_today": [
                {"surface": row.surface, "reason": row.reason, "count": row.count}
                for row in counts
            ],
        }
    )


def _counts_of_today(rooms: Rooms, now: datetime) -> list[Count]:
    if not rooms.counts.exists():
        return []
    with Record.open(rooms.counts) as record:
        return record.counts(since=day_of(now))


def _trim(rooms: Rooms, today: date) -> None:
    with Record.open(rooms.counts) as record:
        record.trim(today=today)


def _language() -> str | None:
    return _locale().partition("_")[0] or None


def _country() -> str | None:
    return _locale().partition("_")[2] or None


def _locale() -> str:
    chosen = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    name = (chosen or "").partition(".")[0]
    return "" if name in ("C", "POSIX") else name
