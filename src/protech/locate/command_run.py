"""``protech locate check``, ``run`` and ``page``."""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from protech.errors import AuthorityError, ConfigError
from protech.evidence import case_key
from protech.evidence.log import Log
from protech.lists.device import DeviceLists
from protech.locate.anchors import system_anchors
from protech.locate.case import LOG, PAPERS, Case, create_case, is_case, join_case, open_case
from protech.locate.check import PROVING, check, fields_of
from protech.locate.command_key import unwrap_of
from protech.locate.command_say import on_one_line, say
from protech.locate.filed import authorisation_in
from protech.locate.papers import Anchors, KeyKind
from protech.settings import Places, private_directory

if TYPE_CHECKING:
    from protech.locate.observe import Looked
    from protech.locate.run import Ended

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

NOT_READY = 7
"""Exit code of ``check`` where a rule is not kept: that of ``AuthorityError``."""


def check_run(options: argparse.Namespace) -> int:
    """Say what a run needs, and what is missing."""
    name, logged_at = _known_of(options.case)
    checks = check(
        options.list,
        options.case / PAPERS,
        DeviceLists.of_user(),
        anchors=system_anchors,
        logged_at=logged_at,
        case=name,
    )
    if options.json:
        print(json.dumps({"v": 1, "checks": [fields_of(one) for one in checks]}))
    else:
        for one in checks:
            print(f"{'ok ' if one.is_met else 'NO '} {one.what}: {on_one_line(one.message)}")
    return 0 if all(one.is_met for one in checks) else NOT_READY


def _known_of(folder: Path) -> tuple[str | None, datetime | None]:
    """Return what a case tells without its key: its name, and when its log was last signed."""
    if not is_case(folder):
        return None, None
    with Log.open(folder / LOG) as log:
        state = log.last_checkpoint
    return case_key.read_wraps(folder).case, None if state is None else state.at


def run_case(options: argparse.Namespace) -> int:
    """Look for the peers of listed files, in earnest or in a lab."""
    _require_sense(options)
    if options.lab:
        from protech.locate.demo.show import Wish, demonstrate

        wish = Wish(
            seed=options.seed,
            folder=options.case,
            has_page=not options.no_page,
            stays=sys.stdout.isatty() and not options.no_page,
            is_json=options.json,
        )
        return demonstrate(wish, say)
    case, anchors = _case_of(options)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ended, looks = runner.run(_run(case, anchors, options))
    if options.json:
        print(json.dumps({"v": 1, "ended": ended.reason, "looks": looks}))
    else:
        say(f"The run has ended: {ended.reason.rstrip('.')}. Looked {looks} times.")
    return NOT_READY if ended.is_by_authority else 0


def _require_sense(options: argparse.Namespace) -> None:
    """Refuse what is asked for and would be left out."""
    if not options.lab and (options.case is None or options.list is None):
        raise ConfigError(
            "Name the case's directory and the list: protech locate run CASE --list NAME; or"
            " see it work with --lab."
        )
    if not options.lab and options.seed is not None:
        raise ConfigError("--seed draws the swarm of --lab; leave it out, or add --lab.")
    only_in_earnest = ("list", "minutes", "one_round", "identity", "module", "token", "pin_fd")
    for name in only_in_earnest if options.lab else ():
        value = getattr(options, name)
        if value is not None and value is not False:  # a descriptor may be 0
            raise ConfigError(
                f"--lab makes its own list, papers and keys, and looks once; leave out"
                f" --{name.replace('_', '-')}."
            )


def show_page(options: argparse.Namespace) -> int:
    """Show a case on a local page until the person ends it."""
    from protech.locate.watching import page_of

    case = open_case(options.case, unwrap_of(options))
    with page_of(case) as address:
        print(address, flush=True)
        say("The page stays until you press Ctrl-C.")
        wait_for_end()
    return 0


def join_vantage(options: argparse.Namespace) -> int:
    """Make the directory of one more vantage, which shares the case's key and stores."""
    case = open_case(options.of, unwrap_of(options))
    joined = join_case(options.folder, case, vantage=options.vantage)
    with joined.open_log() as log:
        print(f"{options.folder}: its log's key is {log.about.key.text}")
    say("Give it papers of its own, and each vantage `postgres` and `vantage` in its settings.")
    return 0


def wait_for_end() -> None:
    """Wait until the person has had enough, or the machine goes down."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        signal.sigwait(STOPS)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _case_of(options: argparse.Namespace) -> tuple[Case, Anchors]:
    """Open the case, or begin it under the authorisation in its folder."""
    anchors = system_anchors()
    if is_case(options.case):
        private_directory(options.case)
        case = open_case(options.case, unwrap_of(options))
        if case.is_lab:
            raise ConfigError("That case is of a lab; it is never used for anything else.")
        _let_in(case, anchors)
        return case, anchors
    _require_ready(options, anchors)
    terms = authorisation_in(options.case / PAPERS, anchors).terms
    tokens = [one.public for one in terms.operators if one.kind is KeyKind.P256]
    case = create_case(
        options.case,
        name=terms.case,
        is_lab=False,
        recipients=anchors.recipients,
        tokens=tokens,
    )
    say(f"Began the case {case.name}; its key is the authority's and the operators'.")
    return case, anchors


def _let_in(case: Case, anchors: Anchors) -> None:
    """Wrap the case's key to the operators of a later authorisation, too."""
    known = {one.public for one in case_key.read_wraps(case.folder).tokens}
    for one in authorisation_in(case.papers, anchors).terms.operators:
        if one.kind is KeyKind.P256 and one.public not in known:
            case_key.add_token(case.folder, case.data_key, one.public)
            say(f"The case can be opened by {one.name} now, too.")


def _require_ready(options: argparse.Namespace, anchors: Anchors) -> None:
    """Begin no case that could not be run.

    Raises:
        AuthorityError: A rule is not kept.
    """
    device = DeviceLists.of_user()
    for one in check(options.list, options.case / PAPERS, device, anchors=lambda: anchors):
        if not one.is_met and one.what != PROVING:
            raise AuthorityError(f"{one.message.rstrip('.')}. No case was begun.")


async def _run(
    case: Case, anchors: Anchors, options: argparse.Namespace
) -> "tuple[Ended, int]":
    """Run until it is told to stop, and return why it ended and how often it looked."""
    from protech.locate.choices import read_choices
    from protech.locate.equipment import Order, equipped
    from protech.locate.run import run
    from protech.locate.watching import page_of

    choices = read_choices(Places.of_user().settings_file)
    order = Order(
        list_name=options.list,
        anchors=anchors,
        device=DeviceLists.of_user(),
        vantage=choices.vantage,
        databases=choices.databases,
        networks=choices.networks,
        postgres=choices.postgres,
        shard=choices.shard,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    if options.minutes is not None:
        loop.call_later(options.minutes * 60, stop.set)
    looks = 0

    def on_look(_number: int, _looked: "Looked") -> None:
        nonlocal looks
        looks += 1

    with ExitStack() as stack:
        async with equipped(case, order) as outfit:
            if not options.no_page:
                say(f"Watch it at {stack.enter_context(page_of(case))}")
            say(f"Looking for {len(outfit.watch.targets)} files; Ctrl-C ends it.")
            ended = await run(outfit, stop, is_one_round=options.one_round, on_look=on_look)
    return ended, looks
