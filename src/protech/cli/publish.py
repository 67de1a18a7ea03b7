"""``protech lists publish``: what the operator of an authority's repository does."""

import argparse
from pathlib import Path

from protech.cli import publish_steps as steps
from protech.cli.grammar import Commands, new_command

EXAMPLE = """examples:
  protech lists publish new REPO --origin lists.example/log --authority hotline \\
      --list baseline --owner olga.key.pub --owner omar.key.pub --officer alice.key.pub \\
      --officer bob.key.pub --witness w1.key.pub --witness w2.key.pub --quorum 2
  protech lists publish stage REPO baseline.list --device laptop=age1...
  protech lists publish log REPO           enter what was signed into the log, for its witnesses
  protech lists publish now REPO           make it visible
  protech lists publish refresh REPO       every day: say that it is still the newest

docs/publish-a-list.md goes through all of it.
"""


def add_publish(actions: Commands) -> None:
    """Add ``protech lists publish`` and its steps."""
    publish = new_command(
        actions, "publish", help="publish lists as an authority", epilog=EXAMPLE
    )
    commands = publish.add_subparsers(title="steps", metavar="STEP", required=True)
    _add_new(commands)
    _add_delegate(commands)
    _add_stage(commands)
    _add_recipients(commands)
    for name, run, text in (
        ("log", steps.log, "enter what was signed into the log"),
        ("now", steps.now, "publish what was signed and cosigned"),
        ("refresh", steps.refresh, "say that what is served is still the newest"),
        ("status", steps.status, "what is served, and what waits for whom"),
    ):
        _step(commands, name, text).set_defaults(run=run)
    _add_rotate(commands)
    renew = _step(commands, "renew", "have documents signed again before they expire")
    renew.add_argument("roles", nargs="*", metavar="ROLE", help="which (default: all)")
    renew.set_defaults(run=steps.renew)


def _step(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}."
    step = new_command(commands, name, help=text, description=description, epilog=EXAMPLE)
    step.add_argument("repository", type=Path, metavar="REPO")
    step.add_argument("--json", action="store_true", help="print the result as JSON")
    return step


def _add_people(step: argparse.ArgumentParser, who: str, *, is_needed: bool) -> None:
    step.add_argument(
        f"--{who}",
        dest=f"{who}s",
        action="append",
        default=[],
        type=Path,
        required=is_needed,
        metavar="FILE.pub",
        help=f"the public key of an {who}; once for each",
    )
    step.add_argument(
        f"--{who}s-needed",
        type=int,
        default=2,
        metavar="N",
        help=f"how many {who}s must sign (2 or more)",
    )


def _add_new(commands: Commands) -> None:
    new = _step(commands, "new", "make a repository")
    new.add_argument("--origin", required=True, help="the log's name, as example.org/lists")
    new.add_argument("--authority", required=True, metavar="NAME")
    new.add_argument("--list", dest="lists", action="append", required=True, metavar="NAME")
    _add_people(new, "owner", is_needed=True)
    _add_people(new, "officer", is_needed=True)
    _add_witnesses(new, is_needed=True)
    new.set_defaults(run=steps.new)


def _add_witnesses(step: argparse.ArgumentParser, *, is_needed: bool) -> None:
    step.add_argument(
        "--witness",
        dest="witnesses",
        action="append",
        default=[],
        type=Path,
        required=is_needed,
        metavar="FILE.pub",
        help="the public key of a witness; once for each",
    )
    step.add_argument(
        "--quorum",
        type=int,
        required=is_needed,
        metavar="N",
        help="how many witnesses must cosign; more than half of them",
    )


def _add_delegate(commands: Commands) -> None:
    delegate = _step(commands, "delegate", "give lists to an authority")
    delegate.add_argument("--authority", required=True, metavar="NAME")
    delegate.add_argument("--list", dest="lists", action="append", required=True)
    _add_people(delegate, "officer", is_needed=False)
    delegate.set_defaults(run=steps.delegate)


def _add_stage(commands: Commands) -> None:
    stage = _step(commands, "stage", "make the next version of a list, to be signed")
    stage.add_argument("list", type=Path, metavar="LIST")
    stage.add_argument(
        "--kind",
        choices=("full", "exceptions", "fetch_keys"),
        default="full",
        help="what the file holds (default: full, a list)",
    )
    stage.add_argument("--version", type=int, metavar="N", help="its number, not the file's")
    _add_devices(stage, is_needed=False)
    stage.set_defaults(run=steps.stage)


def _add_devices(step: argparse.ArgumentParser, *, is_needed: bool) -> None:
    step.add_argument(
        "--device",
        dest="devices",
        action="append",
        default=[],
        required=is_needed,
        metavar="NAME=age1...",
        help="who receives it; once for each",
    )


def _add_recipients(commands: Commands) -> None:
    enrol = _step(commands, "enrol", "let more devices read a list")
    enrol.add_argument("--list", required=True, metavar="NAME")
    _add_devices(enrol, is_needed=True)
    enrol.set_defaults(run=steps.enrol)
    revoke = _step(commands, "revoke", "encrypt lists anew without a device")
    revoke.add_argument("--device", required=True, metavar="NAME")
    revoke.set_defaults(run=steps.revoke)


def _add_rotate(commands: Commands) -> None:
    rotate = _step(commands, "rotate", "change keys of people, the server or witnesses")
    rotate.add_argument("role", metavar="ROLE", help="root, server, witnesses or an authority")
    for which in ("remove", "add"):
        rotate.add_argument(
            f"--{which}", action="append", default=[], type=Path, metavar="FILE.pub"
        )
    rotate.add_argument("--needed", type=int, metavar="N", help="how many must sign then")
    _add_witnesses(rotate, is_needed=False)
    rotate.set_defaults(run=steps.rotate)
