"""``protech locate``: check, run, approve, report, verify; its grammar."""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from protech.locate import (
    command_analyse,
    command_papers,
    command_report,
    command_run,
    command_verify,
)
from protech.locate.command_key import add_key, add_token
from protech.locate.command_numbers import count, place, span
from protech.sandbox import harden_process
from protech.streams import only_our_words

SILENCED = ("tuf", "securesystemslib")
"""Their loggers name addresses."""

EXAMPLE = """examples:
  protech locate run --lab                      see it work, on a hostile swarm of its own
  protech locate check CASE --list targets      what a run needs, and what is missing
  protech locate run CASE --list targets --module token.so --token anna
  protech locate propose CASE --list targets --pieces 100 --out request.json
  protech locate approve request.json --case CASE --module token.so --token bert
  protech locate report CASE --lang fr --out report --module token.so --token anna
  protech locate verify report/sighting-17.json
"""

type Act = Callable[[argparse.Namespace], int]
type Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name


def add_command(commands: Commands) -> None:
    """Add ``locate`` and its actions to the command line."""
    locate = commands.add_parser(
        "locate",
        help="who shares a listed file, for an authorised unit",
        description="Find which peers share listed files, with graded and verifiable proof.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = locate.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_check(actions)
    _add_run(actions)
    _add_page(actions)
    _add_join(actions)
    _add_papers(actions)
    _add_requests(actions)
    _add_report(actions)
    _add_analyse(actions)
    _add_verify(actions)
    _add_destroy(actions)


def _add(actions: Commands, name: str, *, about: str, example: str) -> argparse.ArgumentParser:
    return actions.add_parser(
        name,
        help=about,
        description=about[:1].upper() + about[1:] + ".",
        epilog=f"example:\n  protech locate {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # an example is copied whole
    )


def _add_check(actions: Commands) -> None:
    check = _add(
        actions,
        "check",
        about="say what a run needs and what is missing; nothing is sent",
        example="CASE --list targets",
    )
    check.add_argument("case", type=Path, metavar="CASE", help="its directory")
    check.add_argument("--list", required=True, metavar="NAME", help="a synced list for locate")
    check.add_argument("--json", action="store_true", help="print it as JSON")
    check.set_defaults(run=_hardened(command_run.check_run))


def _add_run(actions: Commands) -> None:
    run = _add(
        actions,
        "run",
        about="look for the peers that share listed files, and record what they show",
        example="CASE --list targets --module token.so --token anna",
    )
    run.add_argument("case", type=Path, metavar="CASE", nargs="?", help="its directory")
    run.add_argument("--list", metavar="NAME", help="a synced list for locate")
    run.add_argument("--lab", action="store_true", help="show it all on a swarm of its own")
    run.add_argument("--seed", type=place, metavar="N", help="what --lab draws its swarm from")
    run.add_argument("--one-round", action="store_true", help="end when nothing more is due")
    run.add_argument("--minutes", type=span, metavar="N", help="end after so long")
    run.add_argument("--no-page", action="store_true", help="open no local page")
    run.add_argument("--json", action="store_true", help="print what came of it as JSON")
    add_key(run)
    run.set_defaults(run=_hardened(command_run.run_case))


def _add_page(actions: Commands) -> None:
    page = _add(
        actions, "page", about="show a case on a local page", example="CASE --identity key.txt"
    )
    page.add_argument("case", type=Path, metavar="CASE", help="its directory")
    add_key(page)
    page.set_defaults(run=_hardened(command_run.show_page))


def _add_join(actions: Commands) -> None:
    join = _add(
        actions,
        "join",
        about="make the directory of one more vantage of a case, with a log of its own",
        example="SECOND --of CASE --vantage second --module token.so --token anna",
    )
    join.add_argument("folder", type=Path, metavar="DIR", help="a new directory")
    join.add_argument("--of", type=Path, required=True, metavar="CASE", help="the case to join")
    join.add_argument("--vantage", required=True, metavar="NAME", help="what to call it")
    add_key(join)
    join.set_defaults(run=_hardened(command_run.join_vantage))


def _add_papers(actions: Commands) -> None:
    sign = _add(
        actions,
        "sign",
        about="sign an authorisation or a timestamp that an officer has written",
        example="terms.json --signer magistrate.key --out authorisation.json",
    )
    sign.add_argument("paper", type=Path, metavar="FILE", help="terms, or a paper to sign too")
    sign.add_argument("--signer", type=Path, required=True, metavar="KEY", help="a signing key")
    sign.add_argument("--passphrase-fd", type=place, metavar="N", help="gives its passphrase")
    sign.add_argument("--out", type=Path, required=True, metavar="FILE", help="where it is put")
    sign.set_defaults(run=_hardened(command_papers.sign_paper))


def _add_requests(actions: Commands) -> None:
    propose = _add(
        actions,
        "propose",
        about="write a request for pieces, for two operators to sign",
        example="CASE --list targets --pieces 100 --out request.json",
    )
    propose.add_argument("case", type=Path, metavar="CASE", help="its directory")
    propose.add_argument("--list", required=True, metavar="NAME", help="whose files are meant")
    propose.add_argument(
        "--pieces", type=count, required=True, metavar="N", help="at most so many"
    )
    propose.add_argument(
        "--hours", type=span, default=24, metavar="N", help="for so long (default: 24)"
    )
    propose.add_argument(
        "--entry", action="append", metavar="ID", help="one file of the list (default: all)"
    )
    propose.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    propose.set_defaults(run=_hardened(command_papers.propose_request))
    approve = _add(
        actions,
        "approve",
        about="sign a request for pieces with a token; two operators must",
        example="request.json --case CASE --module token.so --token bert",
    )
    approve.add_argument(
        "request", type=Path, metavar="FILE", help="it; the signature goes into it"
    )
    approve.add_argument(
        "--case", type=Path, required=True, metavar="CASE", help="its directory"
    )
    add_token(approve)
    approve.set_defaults(run=_hardened(command_papers.approve_request))


def _add_report(actions: Commands) -> None:
    report = _add(
        actions,
        "report",
        about="write the report of a case, with packs for the defence",
        example="CASE --lang fr --out report --module token.so --token anna",
    )
    report.add_argument("case", type=Path, metavar="CASE", help="its directory")
    report.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a new directory"
    )
    report.add_argument("--lang", choices=("fr", "en"), default="fr", help="default: fr")
    report.add_argument("--sheet", choices=("requisition", "epoc"), help="draft a field sheet")
    report.add_argument(
        "--basis", choices=("60-1", "77-1-1", "60-1-2"), help="of a réquisition"
    )
    report.add_argument(
        "--peer", metavar="N", help="whom the sheet is about: its number in the report"
    )
    report.add_argument(
        "--pack", type=place, action="append", metavar="N", help="a record (default: each L4)"
    )
    add_key(report)
    report.set_defaults(run=_hardened(command_report.write_report))


def _add_analyse(actions: Commands) -> None:
    analyse = _add(
        actions,
        "analyse",
        about="print a case in numbers: countries, operators, files, peers",
        example="CASE --top 50 --module token.so --token anna",
    )
    analyse.add_argument("case", type=Path, metavar="CASE", help="its directory")
    analyse.add_argument(
        "--top",
        type=count,
        default=command_analyse.TOP,
        metavar="N",
        help=f"so many peers at most (default: {command_analyse.TOP})",
    )
    analyse.add_argument(
        "--out", type=Path, metavar="FILE", help="save the sums that may be passed on"
    )
    analyse.add_argument("--json", action="store_true", help="print those sums as JSON alone")
    add_key(analyse)
    analyse.set_defaults(run=_hardened(command_analyse.analyse_case))
    compare = _add(
        actions,
        "compare",
        about="find out whether a partner unit saw the same peers, without telling it yours",
        example="CASE --shared-key key.hex --out tokens.json --identity key.txt",
    )
    compare.add_argument("case", type=Path, metavar="CASE", help="its directory")
    compare.add_argument(
        "--shared-key",
        type=Path,
        required=True,
        metavar="FILE",
        help="a secret that both units have: 64 hex digits",
    )
    compare.add_argument("--out", type=Path, metavar="FILE", help="what the partner gets")
    compare.add_argument("--against", type=Path, metavar="FILE", help="what the partner gave")
    compare.add_argument("--yes", action="store_true", help="save --out without asking")
    add_key(compare)
    compare.set_defaults(run=_hardened(command_analyse.compare_case))


def _add_verify(actions: Commands) -> None:
    verify = _add(
        actions,
        "verify",
        about="check a pack as the defence's expert does, or a whole case with its key",
        example="report/sighting-17.json --log-key CASE+1234abcd+AQID...",
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="a pack, or a case's directory")
    verify.add_argument("--log-key", metavar="KEY", help="the log's public key, got otherwise")
    verify.add_argument(
        "--authority-key",
        metavar="KEY",
        help="a key of who authorised it, in hex or as the authority's package writes it",
    )
    verify.add_argument("--tsa", type=Path, metavar="CERTIFICATE", help="the stamp authority's")
    verify.add_argument("--lang", choices=("fr", "en"), default="en", help="default: en")
    add_key(verify)
    verify.set_defaults(run=_hardened(command_verify.verify_file))


def _add_destroy(actions: Commands) -> None:
    destroy = _add(
        actions,
        "destroy",
        about="destroy the key of a case, for good: nothing of it can be read again",
        example='CASE --reason "deletion ordered on 2027-01-31" --identity key.txt',
    )
    destroy.add_argument("case", type=Path, metavar="CASE", help="its directory")
    destroy.add_argument("--reason", required=True, help="by which decision; it is public")
    destroy.add_argument("--yes", action="store_true", help="do not ask again")
    add_key(destroy)
    destroy.set_defaults(run=_hardened(command_report.destroy_case))


def _hardened(act: Act) -> Act:
    """Keep the process that holds keys from debuggers and core dumps, then act."""

    def run(options: argparse.Namespace) -> int:
        harden_process()
        only_our_words(silenced=SILENCED)
        logging.getLogger("protech").setLevel(logging.WARNING)  # a run says itself how it goes
        return act(options)

    return run
