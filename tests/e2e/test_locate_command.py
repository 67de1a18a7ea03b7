"""``protech locate`` in earnest, through the installed command, on a machine of namespaces.

What it refuses, with which exit code and what it tells the person; and the whole way, from a
magistrate's terms to a destroyed case, against one real peer at an address that is public.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from protech.evidence import case_key
from protech.lists.fetch_key import TorrentFile
from protech.lists.seal import new_identity, recipient_of
from protech.locate.case import Case, create_case, open_case
from protech.locate.demo.office import LIST
from tests.earnest import (
    DAY,
    INSTALLED,
    PEER,
    TRACKER,
    Done,
    Machine,
    can_be_made,
    machine,
    shared_by_a_peer,
    sync_stale,
)
from tests.seeds import share
from tests.softhsm import PIN

pytestmark = [
    *(pytest.mark.needs(one) for one in ("unshare", "nsenter", "ip", "softhsm2-util")),
    pytest.mark.skipif(not can_be_made(), reason="needs root, for namespaces of its own"),
]

NOBODY = 65534
SMALL = "size=600k"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    shared = share(folder / "shared", version=1)
    announce = f"http://{TRACKER[0]}:{TRACKER[1]}/announce"
    assert isinstance(shared.target.key, TorrentFile)
    key = replace(shared.target.key, trackers=(announce,))
    with machine(folder, [key]) as made, shared_by_a_peer(made, shared):
        place = made.folder / "office" / "repository" / "public"
        root = made.folder / "root.json"
        subprocess.run(
            made.inside(INSTALLED, "lists", "sync", place, "--root", root, "--use", "locate"),
            check=True,
            capture_output=True,
            env=made.environment(),
        )
        yield made


@pytest.fixture(scope="module")
def begun(at: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a case that has run once; tests take copies of it."""
    case = at.file_papers(tmp_path_factory.mktemp("begun") / "case")
    done = at.locate(*run_of(case), "--one-round", *at.token(0), pin=PIN)
    assert done.returncode == 0, done.stderr
    return case


@pytest.fixture
def case(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "case", copy_function=shutil.copy2))


def run_of(case: Path) -> tuple[str | Path, ...]:
    return ("run", case, "--list", LIST, "--no-page")


def opened(at: Machine, case: Path) -> Case:
    identity = at.identity.read_text().strip()
    return open_case(case, lambda wraps: case_key.open_with_identity(wraps, identity))


def records(at: Machine, case: Path) -> list[dict[str, Any]]:
    with opened(at, case).open_log() as log:
        return [json.loads(one.content) for one in log.read()]


def refused(done: Done, code: int, *words: str) -> None:
    """Fail unless a command refused with a code, and told a person so on one line."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    lines = done.stderr.splitlines()
    assert "protech: " in lines[-1]
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[-1]


def sign_papers(at: Machine, case: Path) -> None:
    """Sign a magistrate's terms with the command, and put what they need into the folder."""
    papers = case / "papers"
    papers.mkdir(mode=0o700, parents=True)
    case.chmod(0o700)
    signer = ("--signer", at.folder / "magistrate.key")
    terms = at.write_terms(case.with_name("terms.json"))
    done = at.locate("sign", terms, *signer, "--out", papers / "authorisation.json")
    assert done.returncode == 0, done.stderr
    assert "legal_basis" in done.stdout
    text = json.loads((papers / "authorisation.json").read_bytes())["document"]
    (papers / "timestamp.json").write_bytes(at.timestamp(text))


def approve_pieces(at: Machine, case: Path) -> None:
    """Have a request for pieces signed by two operators; others and one alone do not do."""
    request = case.with_name("request.txt")
    wanted = ("--list", LIST, "--pieces", "3", "--out", request)
    assert at.locate("propose", case, *wanted).returncode == 0
    approve = ("approve", request, "--case", case)
    for _ in range(2):  # the same person again is no second one
        done = at.locate(*approve, *at.token(0), pin=PIN)
        assert "1 more must sign it" in done.stdout
    assert not (case / "papers" / "requests").exists()
    done = at.locate(*approve, *at.token(2), pin=PIN)
    assert done.returncode == 7
    assert "names no operator with this key" in done.stderr
    done = at.locate(*approve, *at.token(1), pin=PIN)
    assert "a run takes it from here" in done.stdout
    [filed] = (case / "papers" / "requests").iterdir()
    assert filed.suffix == ".json"


@pytest.fixture(scope="module")
def whole(at: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a case that went the whole way: signed, checked, approved, and run once."""
    case = tmp_path_factory.mktemp("whole") / "case"
    sign_papers(at, case)
    before = at.packets()
    done = at.locate("check", case, "--list", LIST, "--json")
    assert done.returncode == 0, done.stdout
    assert all(one["ok"] for one in json.loads(done.stdout)["checks"])
    approve_pieces(at, case)
    assert at.packets() == before
    done = at.locate(*run_of(case), "--one-round", "--json", *at.token(0), pin=PIN)
    assert done.returncode == 0, done.stderr
    ended = {"v": 1, "ended": "one round was asked for", "looks": 1}
    assert json.loads(done.stdout) == ended
    assert PEER not in done.stderr
    return case


def test_a_peer_is_proved_under_two_operators_signatures(at: Machine, whole: Path) -> None:
    found = records(at, whole)
    kinds = [one["kind"] for one in found]
    assert kinds[:4] == ["run", "proof_request", "entry", "sighting"]
    assert set(kinds[4:]) == {"counts", "stop"}
    assert {one["operator"] for one in found[1]["signatures"]} == {
        one.name for one in at.operators
    }
    assert (found[0]["lab"], found[3]["level"]) == (False, 4)
    assert found[3]["peer"]["address"] == PEER
    assert found[3]["place"]["country"] == "FR"


def test_it_is_reported_verified_and_destroyed_for_good(
    at: Machine, whole: Path, tmp_path: Path
) -> None:
    report, key = tmp_path / "report", at.token(1)
    done = at.locate("report", whole, "--out", report, "--lang", "en", *key, pin=PIN)
    assert done.returncode == 0, done.stderr
    assert (report / "report-en.pdf").read_bytes().startswith(b"%PDF")
    assert at.locate("verify", report / "sighting-3.json").returncode == 0
    assert "L4 1" in at.locate("verify", whole, *key, pin=PIN).stdout

    destroy = ("destroy", whole, "--reason", "ordered on 2027-01-31", "--identity", at.identity)
    refused(at.locate(*destroy, given="another case\n"), 2, "was not typed")
    done = at.locate(*destroy, given="C-7\n")
    assert done.returncode == 0, done.stderr
    assert "ordered on 2027-01-31" in done.stdout
    done = at.locate("report", whole, "--out", tmp_path / "other", *key, pin=PIN)
    refused(done, 2, "was destroyed")
    refused(at.locate(*run_of(whole), *at.token(0), pin=PIN), 2, "was destroyed")


def test_a_clock_that_is_not_synchronised_stops_a_run_before_any_packet(
    at: Machine, case: Path
) -> None:
    if (
        b"not synchronised"
        not in at.locate("check", case, "--list", LIST, has_time_server=False).stdout.encode()
    ):
        pytest.skip("this machine's kernel says that its clock is synchronised")
    before = at.packets()
    done = at.locate(*run_of(case), *at.token(0), pin=PIN, has_time_server=False)
    refused(done, 7, "not synchronised", "No packet was sent.")
    assert at.packets() == before


@contextmanager
def package(at: Machine, act: Callable[[Path], object]) -> Iterator[None]:
    """Have the authority package otherwise for a while."""
    content = at.package.read_bytes()
    act(at.package)
    try:
        yield
    finally:
        at.package.unlink(missing_ok=True)
        at.package.write_bytes(content)
        at.package.chmod(0o644)


@pytest.mark.parametrize(
    ("act", "code", "word"),
    [
        (Path.unlink, 7, "No authority package is installed"),
        (lambda path: path.chmod(0o666), 7, "Others than root can write"),
        (lambda path: os.chown(path, NOBODY, NOBODY), 7, "Others than root can write"),
        (lambda path: path.write_bytes(path.read_bytes()[:99]), 5, "is no JSON object"),
    ],
)
def test_without_a_package_that_is_roots_nothing_runs(
    at: Machine, case: Path, act: Callable[[Path], object], code: int, word: str
) -> None:
    with package(at, act):
        done = at.locate(*run_of(case), *at.token(0), pin=PIN)
        refused(done, code, word)
        checked = at.locate("check", case, "--list", LIST)
        assert checked.returncode == 7
        assert word in checked.stdout


def test_no_option_or_variable_names_another_package(at: Machine, case: Path) -> None:
    told = at.locate("run", "--help").stdout
    assert "anchors" not in told
    assert "authority.json" not in told


PAPERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "expired": ({"not_after": datetime.now(UTC) - timedelta(hours=1)}, 7, "ended at"),
    "not begun": ({"not_before": datetime.now(UTC) + timedelta(hours=1)}, 7, "begins at"),
    "revoked": ({"in_force": False}, 7, "not among those in force"),
    "timestamp of yesterday": ({"age": DAY + timedelta(hours=1)}, 7, "a day old or more"),
    "timestamp of tomorrow": ({"age": -DAY}, 7, "later than this machine's clock"),
    "another list": ({"lists": frozenset({"others"})}, 7, "does not cover the list"),
}


@pytest.mark.parametrize("name", PAPERS)
def test_papers_that_do_not_hold_are_refused_before_any_packet(
    at: Machine, tmp_path: Path, name: str
) -> None:
    changes, code, word = PAPERS[name]
    case, before = at.file_papers(tmp_path / "case", **changes), at.packets()
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), code, word, "No case was begun.")
    assert not (case / "case.json").exists()
    checked = at.locate("check", case, "--list", LIST)
    assert checked.returncode == 7
    assert word in checked.stdout
    assert at.packets() == before


@pytest.mark.slow
def test_half_written_papers_are_refused(at: Machine, case: Path) -> None:
    paper = case / "papers" / "authorisation.json"
    whole = paper.read_bytes()
    paper.write_bytes(whole[: len(whole) // 2])
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 5, "no signed document")
    paper.write_bytes(whole.replace(b"A-7", b"A-8"))
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 5, "does not hold")
    paper.unlink()
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 7, "cannot be read")


def test_the_papers_of_another_case_are_refused(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    other = at.file_papers(tmp_path / "other", case="C-8")
    shutil.rmtree(case / "papers")
    shutil.copytree(other / "papers", case / "papers")
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 7, "for another case")
    checked = at.locate("check", case, "--list", LIST)
    assert checked.returncode == 7
    assert "is for the case C-8, and this one is C-7" in checked.stdout


def test_what_one_operator_signed_is_no_request(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    request = tmp_path / "request.json"
    wanted = ("--list", LIST, "--pieces", "3", "--out", request)
    assert at.locate("propose", case, *wanted).returncode == 0
    done = at.locate("approve", request, "--case", case, *at.token(0), pin=PIN)
    assert done.returncode == 0
    (case / "papers" / "requests").mkdir()
    shutil.copy(request, case / "papers" / "requests" / "request.json")
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 7, "signed by 1 of the operators")
    checked = at.locate("check", case, "--list", LIST)
    assert checked.returncode == 7
    assert "NO  proof requests: " in checked.stdout


def test_a_case_is_opened_by_its_own_people_alone(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    run = run_of(case)
    refused(at.locate(*run, *at.token(0), pin="654321"), 7, "its PIN is another one")
    refused(at.locate(*run, *at.token(2), pin=PIN), 5, "not wrapped to this token")
    refused(at.locate(*run, *at.token(0)), 2, "no terminal to ask for the PIN")
    refused(at.locate(*run), 2, "name one")
    no_such = ("--module", at.token(0)[1], "--token", "nobody")
    refused(at.locate(*run, *no_such, pin=PIN), 2, "cannot be opened", "pkcs11-tool")
    stranger = tmp_path / "stranger.txt"
    stranger.touch(mode=0o600)
    stranger.write_text(new_identity() + "\n")
    refused(at.locate("page", case, "--identity", stranger), 5, "not wrapped to this identity")
    gone = tmp_path / "gone.txt"
    refused(at.locate("page", case, "--identity", gone), 2, "No such file", "age identity")


def test_where_there_is_no_case_it_says_how_one_begins(at: Machine, tmp_path: Path) -> None:
    nowhere, key = tmp_path / "nowhere", ("--identity", at.identity)
    refused(at.locate(*run_of(nowhere), *key), 7, "cannot be read", "nothing is sent")
    refused(at.locate("page", nowhere, *key), 2, "There is no case")
    refused(at.locate("report", nowhere, "--out", tmp_path / "r", *key), 2, "There is no case")
    refused(at.locate("run"), 2, "protech locate run CASE --list NAME")


def test_a_case_of_a_lab_or_of_somebody_else_is_not_run(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    recipient = recipient_of(at.identity.read_text().strip())
    lab = create_case(tmp_path / "lab", name="C-7", is_lab=True, recipients=[recipient])
    refused(at.locate(*run_of(lab.folder), "--identity", at.identity), 2, "case is of a lab")
    case.chmod(0o755)
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 5, "open to others")
    case.chmod(0o700)
    os.chown(case, NOBODY, NOBODY)
    refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 5, "not a directory of yours")


@pytest.mark.slow
def test_a_case_that_was_put_together_from_two_is_not_opened(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    recipient = recipient_of(at.identity.read_text().strip())
    other = create_case(tmp_path / "other", name="C-8", is_lab=False, recipients=[recipient])
    shutil.copy(other.folder / "key.json", case / "key.json")
    refused(at.locate("page", case, "--identity", at.identity), 5, "different names")
    (case / "case.json").write_text('{"v":1,"name":"C-8","lab":false}')
    shutil.rmtree(case / "papers")
    at.file_papers(case, case="C-8")
    refused(at.locate(*run_of(case), "--identity", at.identity), 5)


def test_a_list_that_is_not_here_or_stale_is_not_used(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    done = at.locate("run", case, "--list", "others", "--no-page", *at.token(0), pin=PIN)
    refused(done, 3, "others", "protech lists sync")
    stale = tmp_path / "stale"
    stale.mkdir()
    sync_stale(stale, [share(tmp_path / "shared", version=1).target.key])
    state = at.folder / "state"
    state.rename(at.folder / "state.fresh")
    shutil.copytree(stale / "state", state)
    try:
        before = at.packets()
        refused(at.locate(*run_of(case), *at.token(0), pin=PIN), 7, "stale", "lists sync")
        assert at.packets() == before
    finally:
        shutil.rmtree(state)
        (at.folder / "state.fresh").rename(state)


def said(process: subprocess.Popen[str], word: str) -> None:
    """Wait until a command has told this."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(word)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_told_to_end_says_so_in_its_log(
    at: Machine, case: Path, number: signal.Signals
) -> None:
    with at.running(*run_of(case), "--identity", at.identity) as process:
        said(process, "Looking for 1 files")
        if number is signal.SIGINT:  # one run at a time; asked here, where one runs
            other = at.locate(*run_of(case), "--identity", at.identity)
            refused(other, 2, "nother process appends")
        time.sleep(0.5)
        process.send_signal(number)
        told = process.stderr.read() if process.stderr else ""
        assert process.wait(30) == 0, told
    assert "The run has ended: it was told to stop." in told
    with opened(at, case).open_log() as log:
        assert log.last_checkpoint is not None
        assert log.last_checkpoint.size == log.size
    assert records(at, case)[-1]["reason"] == "it was told to stop"


@pytest.mark.slow
def test_a_run_ends_after_its_minutes(at: Machine, case: Path) -> None:
    done = at.locate(*run_of(case), "--minutes", "0.02", *at.token(0), pin=PIN)
    assert done.returncode == 0, done.stderr
    assert records(at, case)[-1]["reason"] == "it was told to stop"


@pytest.mark.slow
def test_a_revocation_ends_a_run_that_has_nothing_to_do(at: Machine, case: Path) -> None:
    with at.running(*run_of(case), "--identity", at.identity) as process:
        said(process, "Looking for 1 files")
        (case / "papers" / "timestamp.json").write_bytes(at.timestamp("another one"))
        process.wait(60)
    assert "not among those in force" in records(at, case)[-1]["reason"]


def test_a_page_opens_and_ends_with_who_asked_for_it(at: Machine, case: Path) -> None:
    for number in (signal.SIGTERM,):
        with at.running("page", case, "--identity", at.identity) as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert re.fullmatch(r"http://[\w.]+:\d+/\S*", address)
            fetched = subprocess.run(
                at.inside("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", address),
                capture_output=True,
                check=True,
                text=True,
            ).stdout
            assert fetched[0] in "23"
            process.send_signal(number)
            assert process.wait(30) == 0
        assert list((at.folder / "tmp").glob("protech-page-*")) == []


def test_a_full_disk_ends_a_run_and_loses_nothing(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir(mode=0o700)
    mount = f"mount -t tmpfs -o {SMALL},mode=700 tmpfs".split()
    subprocess.run(at.inside(*mount, small), check=True)
    on_it = small / "case"
    subprocess.run(at.inside("cp", "-a", case, on_it), check=True)
    known = len(records(at, case))
    subprocess.run(
        at.inside("dd", "if=/dev/zero", f"of={small / 'rest'}", "bs=512"),
        check=False,
        capture_output=True,
    )
    done = at.locate(*run_of(on_it), "--one-round", *at.token(0), pin=PIN)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search("No space left|disk is not full", done.stderr)
    assert "Traceback" not in done.stderr
    subprocess.run(at.inside("rm", small / "rest"), check=True)
    done = at.locate(*run_of(on_it), "--one-round", *at.token(0), pin=PIN)
    assert done.returncode == 0, done.stderr
    done = at.locate("verify", on_it, *at.token(0), pin=PIN)
    assert done.returncode == 0, done.stderr
    count = int(done.stdout.split()[0])
    assert count > known


def test_papers_that_say_what_they_must_not_steer_no_terminal(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    hostile = tmp_path / "hostile.json"
    text = json.dumps({"\x1b]0;owned\x07": "\x1b[2Jyes", "kind": ["\u202e"]})
    hostile.write_text(json.dumps({"v": 1, "document": text, "signatures": []}))
    done = at.locate("approve", hostile, "--case", case, *at.token(0), pin=PIN)
    assert done.returncode == 5
    assert "\x1b" not in done.stdout + done.stderr
    assert "\u202e" not in done.stdout
    for document in ("[]", "[" * 100_000):
        hostile.write_text(json.dumps({"v": 1, "document": document, "signatures": []}))
        done = at.locate("approve", hostile, "--case", case, *at.token(0), pin=PIN)
        refused(done, 5)


ASKED = (
    (("propose", "CASE", "--list", LIST, "--pieces", "0", "--out", "r"), "1 or more"),
    (("propose", "CASE", "--list", LIST, "--pieces", "3", "--hours", "nan"), "above 0"),
    (("run", "CASE", "--list", LIST, "--minutes", "-1"), "above 0"),
    (("run", "CASE", "--list", LIST, "--seed", "3"), "--seed draws the swarm of --lab"),
    (("run", "--lab", "--minutes", "3"), "leave out --minutes"),
    (("report", "CASE"), "--out"),
)


@pytest.mark.parametrize(("words", "told"), ASKED)
def test_what_makes_no_sense_is_refused_before_anything_is_done(
    at: Machine, case: Path, words: tuple[str, ...], told: str
) -> None:
    done = at.locate(*(str(case) if one == "CASE" else one for one in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_request_for_more_than_is_authorised_is_refused(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "request.json")
    done = at.locate("propose", case, "--list", "others", "--pieces", "3", *out)
    refused(done, 7, "asks for more than the authorisation")
    observed = at.file_papers(tmp_path / "observe", powers=frozenset({"observe"}))
    done = at.locate("propose", observed, "--list", LIST, "--pieces", "3", *out)
    refused(done, 7, "does not carry the power to prove")
    assert not (tmp_path / "request.json").exists()


@pytest.mark.slow
def test_a_report_is_written_whole_or_not_at_all(
    at: Machine, case: Path, tmp_path: Path
) -> None:
    key = ("--identity", at.identity)
    out = tmp_path / "report"
    done = at.locate("report", case, "--out", out, "--pack", "99", *key)
    refused(done, 3, "is no sighting")
    done = at.locate("report", case, "--out", out, "--sheet", "epoc", *key)
    refused(done, 2, "name it with --peer")
    done = at.locate("report", case, "--out", out, "--sheet", "epoc", "--peer", "99", *key)
    assert done.returncode in {2, 3}
    assert "Traceback" not in done.stderr
    assert not out.exists()
