"""``protech locate run --lab`` as a person runs it, and what is left of it afterwards.

One run is shared by all tests here. What it leaves is looked at with other people's programs,
and by the defence's verifier in an environment that has no Protech.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from protech.evidence import case_key
from protech.locate.case import Case, open_case
from tests.e2e.clean import link

COMMAND = Path(sys.executable).with_name("protech")
SEED = 20261128
LONG_S = 400
"""For a machine that has much else to do; some 45 s on one that has not."""

WINDOW = 64
"""So many bytes of a listed file in a row are looked for, wherever they could stand."""

OPENED = re.compile(r'(?:open|openat|creat)\((?:\S+, )?"((?:[^"\\]|\\.)*)", (\S+).* = \d+')
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|^0[0-7]+")

DRIVER = """
import contextlib, importlib.util, io, json, sys
verifier, pack, key, copy = sys.argv[1:]
spec = importlib.util.spec_from_file_location("verify", verifier)
module = importlib.util.module_from_spec(spec)
sys.modules["verify"] = module
spec.loader.exec_module(module)

def judged(fields):
    with open(copy, "w") as file:
        file.write(module.dumps(fields))
    with contextlib.redirect_stdout(io.StringIO()):
        return module.main([copy, "--log-key", key])

def changed(text):
    at = len(text) // 2
    return text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1:]

def tampered(fields, path=()):
    for name, value in fields.items() if isinstance(fields, dict) else enumerate(fields):
        here = (*path, name)
        if isinstance(value, (dict, list)):
            yield from tampered(value, here)
            continue
        fields[name] = changed(value) if isinstance(value, str) and value else 77
        yield here
        fields[name] = value

whole = json.load(open(pack))
told = {"whole": judged(whole)}
for path in tampered(whole):
    told["/".join(map(str, path))] = judged(whole)
for kind in list(whole["records"]):
    part = whole["records"].pop(kind)
    told["without " + kind] = judged(whole)
    whole["records"][kind] = part
print(json.dumps(told))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run printed, what it left, and which files it opened to write."""

    code: int
    printed: dict[str, Any]
    said: str
    folder: Path
    home: Path
    written: tuple[str, ...]

    @property
    def case(self) -> Case:
        identity = (self.folder / "identity.txt").read_text().strip()
        return open_case(
            self.folder / "case", lambda wraps: case_key.open_with_identity(wraps, identity)
        )

    @property
    def packs(self) -> list[Path]:
        return sorted((self.folder / "report").glob("sighting-*.json"))

    @property
    def log_key(self) -> str:
        with self.case.open_log() as log:
            return log.about.key.text


def of_home(home: Path) -> dict[str, str]:
    """Return an environment in which all that is anybody's is below one directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    places = {"HOME": home, "TMPDIR": home / "tmp", "XDG_RUNTIME_DIR": home / "run"}
    for place in places.values():
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return kept | {name: str(place) for name, place in places.items()}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home, top = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("lab")
    trace, folder = top / "trace", top / "folder"
    command = [str(COMMAND), "locate", "run", str(folder), "--lab", "--no-page"]
    if shutil.which("strace"):
        watch = "trace=open,openat,creat"
        command = [
            "strace",
            "-f",
            "-qq",
            "--seccomp-bpf",
            "-e",
            watch,
            "-o",
            str(trace),
            *command,
        ]
    done = subprocess.run(
        [*command, "--seed", str(SEED), "--json"],
        capture_output=True,
        check=False,
        cwd=top,
        env=of_home(home),
        text=True,
        timeout=LONG_S,
    )
    traced = trace.read_text(errors="replace").splitlines() if trace.exists() else []
    opened = filter(None, map(OPENED.search, traced))
    return Ran(
        code=done.returncode,
        printed=json.loads(done.stdout or "{}"),
        said=done.stderr,
        folder=folder,
        home=home,
        written=tuple(one[1] for one in opened if WRITES.search(one[2])),
    )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that has ``cryptography`` and not Protech."""
    folder = tmp_path_factory.mktemp("defence")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = (folder / "lib").glob("python3*/site-packages")
    for name in ("cryptography", "cffi", "pycparser"):
        link(distribution(name), packages)
    return folder / "bin" / "python"


def test_every_proof_is_right_and_every_pack_agrees(ran: Ran) -> None:
    assert ran.code == 0, ran.said
    score = ran.printed["score"]
    assert score["proofs"]["hits"] == score["proofs"]["of"] > 15
    assert ran.printed["packs_that_disagree"] == 0
    assert len(ran.packs) == score["proofs"]["of"]
    assert ran.printed["seed"] == SEED


def test_what_is_said_names_no_address_and_nothing_of_the_list(ran: Ran) -> None:
    lines = ran.said.splitlines()
    assert all(line.startswith("protech: ") for line in lines)
    assert not re.search(r"\d+\.\d+\.\d+\.\d+", ran.said)
    assert not re.search(r"[0-9a-f]{16}", ran.said)
    assert not re.search(r"\x1b", ran.said)


@pytest.mark.needs("pdfinfo")
def test_the_report_opens_in_both_languages(ran: Ran) -> None:
    for language in ("fr", "en"):
        told = subprocess.run(
            ["pdfinfo", ran.folder / "report" / f"report-{language}.pdf"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        assert re.search(r"^Pages: +[1-9]", told, re.MULTILINE)
        assert re.search(r"^Tagged: +yes", told, re.MULTILINE)


def test_the_defence_finds_what_the_report_says_without_protech(
    ran: Ran, elsewhere: Path
) -> None:
    gone = subprocess.run(
        [elsewhere, "-I", "-c", "import protech"], check=False, capture_output=True
    )
    assert gone.returncode != 0
    for pack in ran.packs[:5]:
        done = verified(elsewhere, ran, pack)
        assert done.returncode == 0, done.stdout
        assert "L4" in done.stdout


def verified(python: Path, ran: Ran, pack: Path) -> subprocess.CompletedProcess[str]:
    verifier = ran.folder / "report" / "verify.py"
    command: list[str | Path] = [python, "-I", verifier, pack, "--log-key", ran.log_key]
    return subprocess.run(command, capture_output=True, check=False, text=True)


def test_every_tampered_copy_is_refused(ran: Ran, elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    verifier = ran.folder / "report" / "verify.py"
    for pack in (ran.packs[0], ran.packs[-1]):
        driver, copy = tmp_path / "driver.py", tmp_path / "copy.json"
        done = subprocess.run(
            [elsewhere, "-I", driver, verifier, pack, ran.log_key, copy],
            capture_output=True,
            check=True,
            text=True,
        )
        told = json.loads(done.stdout)
        assert told.pop("whole") == 0
        assert len(told) > 20
        assert [path for path, code in told.items() if code == 0] == []


def test_the_command_verifies_a_pack_and_the_whole_case(ran: Ran) -> None:
    def verify(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, "locate", "verify", *words],
            capture_output=True,
            check=False,
            env=of_home(ran.home),
            text=True,
        )

    done = verify(ran.packs[0], "--log-key", ran.log_key, "--lang", "fr")
    assert done.returncode == 0, done.stdout + done.stderr
    identity = ran.folder / "identity.txt"
    done = verify(ran.folder / "case", "--identity", identity)
    assert done.returncode == 0, done.stderr
    assert f"L4 {len(ran.packs)}" in done.stdout


def test_a_second_run_does_not_write_over_the_first(ran: Ran) -> None:
    done = subprocess.run(
        [COMMAND, "locate", "run", "--lab", ran.folder],
        capture_output=True,
        check=False,
        env=of_home(ran.home),
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "name a new one" in done.stderr


@pytest.mark.needs("strace")
def test_nothing_is_written_but_the_case_the_list_and_the_report(ran: Ran) -> None:
    inside = re.compile(
        rf"{re.escape(str(ran.folder))}/(swarm/|office/|authority|\.authority|identity|\.identity"
        r"|report/|case/("
        r"(papers|stamps|archive)/|\.?(case\.json|key\.json|log\.key|seen)"
        r"|(leases|courtesy|ledger)\.db(-wal|-shm|-journal)?$"
        r"|log/(frames|\.?checkpoint)))"
    )
    assert len(ran.written) > 50
    others = {name for name in ran.written if not inside.match(name)}
    assert others <= {"/dev/null", "/dev/tty"}
    left = [one for one in ran.home.rglob("*") if one.is_file()]
    assert left == []


def test_nothing_of_a_listed_file_is_anywhere_but_with_who_shares_it(ran: Ran) -> None:
    windows = set(content_windows(ran.folder / "swarm"))
    assert len(windows) > 50_000
    looked = 0
    for path in ran.folder.rglob("*"):
        if path.is_file() and "swarm" not in path.relative_to(ran.folder).parts[:1]:
            looked += 1
            for piece in pieces_of(path.read_bytes()):
                assert not holds(piece, windows), path.name
    assert looked > 20
    with ran.case.open_log() as log:
        for one in log.read():
            for piece in pieces_of(one.content):
                assert not holds(piece, windows)
    assert not holds((ran.said + json.dumps(ran.printed)).encode(), windows)


def test_a_piece_would_be_found_where_it_is_hidden(ran: Ran) -> None:
    windows = set(content_windows(ran.folder / "swarm"))
    content = (ran.folder / "swarm" / "first-0").read_bytes()[70_001:70_200]
    inner = json.dumps({"a": [base64.b64encode(content).decode()]})
    outer = json.dumps({"b": base64.b64encode(inner.encode()).decode()}).encode()
    for hidden in (b"head" + content, outer, json.dumps([content.hex()]).encode()):
        assert any(holds(piece, windows) for piece in pieces_of(hidden))


def content_windows(folder: Path) -> Iterator[bytes]:
    """Yield what the listed files hold, in steps; blank parts stand anywhere."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".torrent":
            content = path.read_bytes()
            for at in range(0, len(content) - WINDOW, WINDOW):
                window = content[at : at + WINDOW]
                if len(set(window)) > WINDOW // 4:
                    yield window


def holds(data: bytes, windows: set[bytes]) -> bool:
    return any(data[at : at + WINDOW] in windows for at in range(len(data) - WINDOW + 1))


def pieces_of(data: bytes) -> Iterator[bytes]:
    """Yield data, and what is hidden in it as JSON, base64 or hex, however deep."""
    yield data
    try:
        found = json.loads(data)
    except ValueError:
        return
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and len(one) >= WINDOW:
            yield from decoded(one)


def decoded(text: str) -> Iterator[bytes]:
    """Yield what a text stands for in hex or base64, and what is hidden in that."""
    with suppress(ValueError):
        yield bytes.fromhex(text)
        return
    with suppress(ValueError):
        yield from pieces_of(base64.b64decode(text, validate=True))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_lab_that_is_ended_takes_its_swarm_and_its_files_along(
    tmp_path: Path, number: signal.Signals
) -> None:
    environment = of_home(tmp_path)
    command = [str(COMMAND), "locate", "run", "--lab", "--no-page"]
    # A shell's background jobs are deaf to Ctrl-C until a program listens again.
    with subprocess.Popen(
        ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Looking for" in line:
                break
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait(60) == 130
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert told == "protech: stopped\n"
    assert list((tmp_path / "tmp").iterdir()) == []
