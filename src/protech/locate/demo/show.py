"""``protech locate run --lab``: a hostile swarm, a run against it, its report, and the truth.

Everything is as in earnest but the addresses: the papers are signed and checked, the log is
written and signed, the report is made from it, and its verifier is run as the defence runs it.
Then what was said is held against what the swarm knows of itself.
"""

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from protech.errors import ConfigError
from protech.locate.adapter import Network
from protech.locate.case import Case, create_case
from protech.locate.demo.office import publish_list
from protech.locate.demo.people import CASE, People, found_authority, sign_papers
from protech.locate.equipment import Order, equipped
from protech.locate.lab.score import Score, score, seen_in
from protech.locate.lab.swarm import Lab
from protech.locate.observe import Looked
from protech.locate.place import lab_databases
from protech.locate.report.gather import delivered, of_log, packs_of
from protech.locate.report.self_test import shipped
from protech.locate.report.words import Language
from protech.locate.report.write import compose, save
from protech.locate.run import run
from protech.locate.vantage import Vantage
from protech.locate.watching import page_of
from protech.settings import private_directory, write_private

SEEDS = 1 << 31

DIFFERS = 1
"""Exit code where a proof was wrong, or the verifier and the report do not agree."""

VERIFIER_S = 60.0

IDENTITY = "identity.txt"
"""The lab's authority's own: opens the case with ``--identity``."""

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What came of a demonstration."""

    seed: int
    reason: str
    score: Score
    disagreeing: int
    """Packs that the verifier did not find to agree with the report."""
    folder: Path | None = field(repr=False)
    """Where case and report are, as long as the person can look at them."""

    @property
    def fields(self) -> dict[str, object]:
        """As ``--json`` prints it; below level 3 a log names nobody: nothing can be scored."""
        score = replace(
            self.score,
            precision=_of_named(self.score.precision),
            recall=_of_named(self.score.recall),
            mistakes=_of_named(self.score.mistakes),
        )
        return {
            "v": 1,
            "seed": self.seed,
            "ended": self.reason,
            "score": score.fields,
            "packs_that_disagree": self.disagreeing,
            "folder": None if self.folder is None else str(self.folder),
        }

    @property
    def is_sound(self) -> bool:
        """Whether every proof was right and every pack agreed."""
        return self.score.proofs.hits == self.score.proofs.of and not self.disagreeing


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants of a demonstration."""

    seed: int | None = None
    folder: Path | None = None
    """Where case and report stay; None: in a directory that goes with it."""
    has_page: bool = True
    stays: bool = False
    """Whether the page stays until the person ends it."""
    is_json: bool = False


def demonstrate(wish: Wish, say: Say) -> int:
    """Show the whole way, and return the exit code.

    Raises:
        ProtechError: A part did not come up; it says which.
    """
    with ExitStack() as stack:
        if wish.folder is None:
            made = tempfile.TemporaryDirectory(
                prefix="protech-lab-", ignore_cleanup_errors=True
            )
            folder = Path(stack.enter_context(made))
        else:
            folder = private_directory(wish.folder)
            if any(folder.iterdir()):
                raise ConfigError(f"There is something in {folder} already; name a new one.")
        try:
            shown = asyncio.run(_show(wish, folder, say))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
    return 0 if shown.is_sound else DIFFERS


async def _show(wish: Wish, folder: Path, say: Say) -> Shown:
    _end_as_by_ctrl_c()
    seed = secrets.randbelow(SEEDS) if wish.seed is None else wish.seed
    say(f"Starting a swarm of holders and deceivers on loopback (seed {seed}).")
    with ExitStack() as stack:
        async with Lab.start(folder / "swarm", seed=seed) as lab:
            case, order = set_up(folder, lab)
            if wish.has_page:
                say(f"Watch it at {stack.enter_context(page_of(case))}")
            say(f"Looking for {len(lab.fetch_keys)} listed files, as case {case.name}.")
            async with equipped(case, order) as outfit:
                ended = await run(
                    outfit, asyncio.Event(), is_one_round=True, on_look=_telling(say)
                )
            found = score(filter(None, map(seen_in, _records(case))), lab.truth)
        disagreeing = _report(case, folder / "report", say)
        stays = wish.stays and wish.has_page
        shown = Shown(
            seed=seed,
            reason=ended.reason,
            score=found,
            disagreeing=disagreeing,
            folder=folder if stays or wish.folder is not None else None,
        )
        sys.stdout.write(json.dumps(shown.fields) + "\n" if wish.is_json else table(shown))
        sys.stdout.flush()
        if stays:
            say("The page and the report stay until you press Ctrl-C.")
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    return shown


def _end_as_by_ctrl_c() -> None:
    """Let what ends a process end it tidily: the swarm's processes and files go with it."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def set_up(folder: Path, lab: Lab) -> tuple[Case, Order]:
    """Publish the list, sign the papers, and begin the case."""
    now = datetime.now(UTC)
    office = publish_list(folder / "office", lab.fetch_keys, now)
    people = People.fresh()
    # In a lab alone: whoever has its folder may read its case, and look at the page again.
    write_private(folder / IDENTITY, f"{people.identity}\n".encode())
    anchors = found_authority(folder, people, office)
    case = create_case(folder / "case", name=CASE, is_lab=True, recipients=anchors.recipients)
    sign_papers(
        case.papers,
        people,
        anchors,
        list_name=office.list_name,
        networks=frozenset({Network.BITTORRENT}),
        now=now,
    )
    order = Order(
        list_name=office.list_name,
        anchors=anchors,
        device=office.device,
        vantage=Vantage(dht_nodes=lab.dht_nodes),
        databases=lab_databases(),
    )
    return case, order


def _telling(say: Say) -> Callable[[int, Looked], None]:
    def tell(number: int, looked: Looked) -> None:
        levels = ", ".join(
            f"L{level.value} {count}" for level, count in sorted(looked.levels.items())
        )
        say(f"File {number}: {looked.named} peers named; reached {levels}.")

    return tell


def _records(case: Case) -> list[dict[str, object]]:
    with case.open_log() as log:
        return [json.loads(one.content) for one in log.read()]


def _report(case: Case, folder: Path, say: Say) -> int:
    """Write the report in both languages, and return how many packs the verifier refuses."""
    with case.open_log() as log:
        at = datetime.now(UTC).replace(microsecond=0)
        made = of_log(log, None, at=at, self_test=shipped())
        packs = packs_of(log, None, delivered(log))
        key = log.about.key.text
    files: dict[str, bytes] = {}
    for language in Language:
        files |= compose(made, language=language, packs=packs)
    save(files, folder)
    say(f"Wrote the report in French and English, and {len(packs)} packs for the defence.")
    return sum(not _agrees(folder / name, folder / "verify.py", key) for name in packs)


def _agrees(pack: Path, verifier: Path, key: str) -> bool:
    """Run the verifier as the defence does: alone, in isolated mode."""
    command = [sys.executable, "-I", str(verifier), str(pack), "--log-key", key]
    done = subprocess.run(command, capture_output=True, timeout=VERIFIER_S, check=False)
    return done.returncode == 0


def _kept(shown: Shown) -> str:
    if shown.folder is None:
        return "removed; `run --lab DIR` keeps them in DIR"
    return str(shown.folder / "report")


def _of_named[T](rates: Mapping[str, T]) -> dict[str, T]:
    return {key: one for key, one in rates.items() if key[0] not in "012"}


def table(shown: Shown) -> str:
    """Return what was said against what is so, for a terminal."""
    lines = [
        "",
        "level                        said   right   precision",
    ]
    names = {3: "L3 claims pieces", 4: "L4 delivered a piece"}
    for level, name in names.items():
        share = shown.score.precision.get(str(level))
        if share is not None and share.value is not None:
            lines.append(f"{name:<26} {share.of:>6}  {share.hits:>6}   {share.value:>9.2f}")
    recall = shown.score.recall.get("4")
    proofs = shown.score.proofs
    found = f"{recall.hits} of {recall.of}" if recall else "none was there"
    relayed = f"{shown.score.relayed} by peers that fetched it from another one"
    lines += [
        "",
        f"holders that were proved                  {found}",
        f"proofs that are right                     {proofs.hits} of {proofs.of} ({relayed})",
        f"packs that the verifier disagrees with    {shown.disagreeing}",
        f"report, packs and verifier                {_kept(shown)}",
        "",
    ]
    return "\n".join(lines)
