"""``protech guard --demo``: one page without the guard and with it, and what each shows."""

import asyncio
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from protech.errors import ConfigError
from protech.guard.demo import words as demo_words
from protech.guard.demo.certificate import SitePair, site_pair
from protech.guard.demo.look import (
    Seen,
    Way,
    browser,
    browser_command,
    look_as_client,
    look_with_browser,
)
from protech.guard.demo.pictures import Photo, side_by_side
from protech.guard.demo.site import HOST, listed_files, photos, served
from protech.guard.plan import Plan, Rooms
from protech.guard.session import detector_state, page_address, say, supervised, with_ports
from protech.salus.enlist import enlist
from protech.serve.detector_client import DetectorClient, DetectorUnavailable
from protech.settings import Places, private_directory
from protech.types import Kind, Reason

SHOWS_ANOTHER = 1
"""Exit code where something hidden was shown, or something else was hidden."""

JUDGE_S = 60.0

WITHOUT, WITH, BESIDE = "without-guard.png", "with-guard.png", "side-by-side.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the demo set up: its guard, its site, its photos."""

    plan: Plan
    site_port: int
    pair: SitePair
    photos: Sequence[Photo]
    pictures: Path
    """Where the screenshots go."""

    @property
    def straight(self) -> Way:
        """The way to the site without the guard."""
        return Way(site=("127.0.0.1", self.site_port), authority=self.pair.authority)

    def through(self) -> Way:
        """Return the way to the site through the guard, which must have started."""
        authority = self.plan.rooms.authority.read_bytes()
        return replace(self.straight, proxy=self.plan.listen, authority=authority)


def demo(plan: Plan, *, screenshots: Path | None) -> int:
    """Show the guard on a site of its own; return the exit code.

    The demo's guard has directories of its own that go with it: it touches no list, certificate
    or count of the person, and runs beside a guard that protects them.

    Raises:
        ConfigError: A part did not start, or the screenshots have no place.
    """
    pictures = _place_for(screenshots)
    say("Painting twelve landscapes and listing four of them.")
    shown = photos()
    with tempfile.TemporaryDirectory(
        prefix="protech-demo-", ignore_cleanup_errors=True
    ) as directory:
        rooms = Rooms(runtime=Path(directory, "run"), state=Path(directory, "state"))
        rooms.make()
        known = _known_list(Path(directory))
        pair = site_pair(HOST, now=datetime.now(UTC))
        roots = Path(directory, "site-authority.pem")
        roots.write_bytes(pair.authority)
        with served(shown, certificate=pair.chain, key=pair.key) as port:
            plan = replace(
                plan,
                rooms=rooms,
                lists=(os.fspath(known), *plan.lists),
                overrides={HOST: ("127.0.0.1", port)},
                roots=roots,
            )
            stage = Stage(
                plan=with_ports(plan),
                site_port=port,
                pair=pair,
                photos=shown,
                pictures=pictures,
            )
            return _run(stage)


def _run(stage: Stage) -> int:
    say("Starting the guard; this takes some seconds.")
    stopped = Event()
    with supervised(stage.plan, say=say) as supervisor, ThreadPoolExecutor(1) as thread:
        showing = thread.submit(_show, stage, stopped)

        def over(shown: Future[int]) -> None:
            if shown.exception() or not sys.stdout.isatty():
                supervisor.ask_to_stop()

        showing.add_done_callback(over)
        try:
            supervisor.run()
        finally:
            stopped.set()
        return showing.result()


def _show(stage: Stage, stopped: Event) -> int:
    """Look twice, say what was seen; return the exit code."""
    try:
        return _compared(stage, stopped)
    except (OSError, DetectorUnavailable) as broken:
        raise ConfigError(
            f"The demo ended early: {broken}. Try again; `protech doctor` says what is missing."
        ) from broken


def _compared(stage: Stage, stopped: Event) -> int:
    reasons = asyncio.run(_judged(stage))
    program = browser()
    looks = _browse(stage, program, stopped) if program else None
    if stopped.is_set():
        return 0
    if looks is None:
        lack = "The browser took no screenshot here" if program else "No browser is installed"
        say(f"{lack}: fetching the photos with a plain HTTPS client instead.")
        ways = stage.straight, stage.through()
        looks = look_as_client(ways[0], stage.photos), look_as_client(ways[1], stage.photos)
        program = None
    outcomes = [
        demo_words.Outcome(photo=photo, reason=reason, without=without, through=through)
        for photo, reason, without, through in zip(stage.photos, reasons, *looks, strict=True)
    ]
    state = detector_state(stage.plan.rooms.detector) or {}
    print(demo_words.report(outcomes, state, has_browser=program is not None))
    if program is not None:
        print(demo_words.pictures(stage.pictures, (WITHOUT, WITH, BESIDE)))
    if sys.stdout.isatty():
        print(_invitation(stage, program), flush=True)
    return 0 if all(outcome.is_right for outcome in outcomes) else SHOWS_ANOTHER


def _browse(stage: Stage, program: str, stopped: Event) -> tuple[list[Seen], list[Seen]] | None:
    say("Opening the page in a browser: once without the guard, once through it.")
    seen = []
    for way, name in ((stage.straight, WITHOUT), (stage.through(), WITH)):
        look = look_with_browser(
            program,
            way,
            stage.photos,
            picture=stage.pictures / name,
            is_stopped=stopped.is_set,
        )
        if look is None:
            return None
        seen.append(look)
    side_by_side(stage.pictures / WITHOUT, stage.pictures / WITH, stage.pictures / BESIDE)
    return seen[0], seen[1]


async def _judged(stage: Stage) -> list[Reason]:
    """Return what the guard's own detector says of each photo."""
    async with DetectorClient(stage.plan.rooms.detector) as client:
        answers = [
            await client.inspect(photo.content, claims=Kind.IMAGE, deadline_s=JUDGE_S)
            for photo in stage.photos
        ]
    return [answer.reason for answer in answers]


def _invitation(stage: Stage, program: str | None) -> str:
    command = None
    if program is not None:
        profile = stage.plan.rooms.runtime.parent / "browser"
        command = browser_command(program, stage.through(), profile=os.fspath(profile))
        command.append(f"https://{HOST}/")
    return demo_words.invitation(
        shlex.join(command) if command else None, page=page_address(stage.plan.rooms)
    )


def _known_list(directory: Path) -> Path:
    folder = directory / "evenings"
    folder.mkdir()
    for name, content in listed_files().items():
        (folder / name).write_bytes(content)
    known = directory / "evenings.list"
    made, wanted = enlist(folder, known).entries, len(listed_files())
    if made != wanted:
        raise ConfigError(
            f"Only {made} of the {wanted} photos of the demo's list could be hashed;"
            " `protech doctor` says what does not work here."
        )
    return known


def _place_for(screenshots: Path | None) -> Path:
    if screenshots is None:
        return private_directory(Places.of_user().cache / "demo")
    try:
        screenshots.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise ConfigError(
            f"The screenshots have no place in {screenshots}: {refused.strerror}; name another"
            " directory with --screenshots."
        ) from refused
    return screenshots.resolve()
