"""What ``protech locate verify`` says of packs and of whole cases, and how it ends."""

import argparse
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.evidence import verify
from protech.evidence.pack import Disclosure
from protech.lists.checkpoint import log_key
from protech.lists.fetch_keys import key_fields
from protech.lists.seal import new_identity, recipient_of
from protech.locate.case import LOG, STAMPS, create_case, open_case
from protech.locate.command_key import add_key, unwrap_of
from protech.locate.command_verify import SHOWN, stamps_of, verify_file
from tests import packs
from tests.packs import Talk

FLAT, _ = packs.flat_key()
CLAIM = Talk(FLAT).greet().bitfield().end()
NOW = datetime(2026, 11, 28, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A case on the disk, and the identity that opens it."""

    folder: Path
    identity: Path

    def verify(self, file: Path | None = None, **changes: object) -> int:
        parser = argparse.ArgumentParser()
        add_key(parser)
        given = parser.parse_args(["--identity", str(self.identity)])
        asked = {
            "file": file or self.folder,
            "log_key": None,
            "authority_key": None,
            "tsa": None,
            "lang": "en",
        }
        return verify_file(argparse.Namespace(**{**vars(given), **asked, **changes}))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    identity = new_identity()
    path = tmp_path / "identity"
    path.touch(mode=0o600)
    path.write_text(identity + "\n")
    folder = tmp_path / "case"
    create_case(folder, name="A-1", is_lab=True, recipients=[recipient_of(identity)])
    return Kept(folder=folder, identity=path)


def fill(kept: Kept, tmp_path: Path, *levels: int) -> list[int]:
    """Put sightings into the log that show level 3 and say what is given."""
    shown = verify.replay(CLAIM, json.loads(json.dumps(key_fields(FLAT))))
    made = packs.make_case(tmp_path / "made", (FLAT,))
    with made.log as log:
        places = [made.sighting(0, CLAIM, shown, level=level) for level in levels]
        records = [json.loads(one.content) for one in log.read()]
    options = argparse.Namespace(identity=kept.identity)
    with open_case(kept.folder, unwrap_of(options)).open_log(for_writing=True) as log:
        log.append(records)
        log.checkpoint(NOW)
        (tmp_path / "pack").write_bytes(Disclosure(log).pack(places[0]))
    return places


def test_a_case_that_shows_what_it_says_ends_with_0(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(kept, tmp_path, 3, 3)
    assert kept.verify() == 0
    said = capsys.readouterr().out
    assert "0 stamps; sightings L0 0, L1 0, L2 0, L3 2, L4 0" in said
    assert "nothing that is signed was changed" in said
    assert "not signed" not in said


def test_the_authority_that_was_named_must_have_signed(kept: Kept, tmp_path: Path) -> None:
    fill(kept, tmp_path, 3)
    assert kept.verify(authority_key="00" * 32) == 1
    with pytest.raises(ConfigError, match="in hex"):
        kept.verify(authority_key="?")


def test_what_nobody_signed_is_not_said_to_be_unchanged(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(kept, tmp_path, 3)
    options = argparse.Namespace(identity=kept.identity)
    with open_case(kept.folder, unwrap_of(options)).open_log(for_writing=True) as log:
        log.append([{"v": 1, "kind": "stop", "reason": "killed"}])
    assert kept.verify() == 0
    assert "the last 1 records are not signed yet" in capsys.readouterr().out
    (kept.folder / LOG / "checkpoint").unlink()
    assert kept.verify() == 1
    assert "no checkpoint signs any of it" in capsys.readouterr().out


def test_sightings_that_say_too_much_are_named_and_end_with_1(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = fill(kept, tmp_path, 3, *[4] * (SHOWN + 1))
    assert kept.verify() == 1
    said = capsys.readouterr().out
    assert f"{SHOWN + 1} of {SHOWN + 2} sightings" in said
    assert f"(records {', '.join(map(str, places[1 : SHOWN + 1]))}, ...)" in said


def test_a_log_that_was_changed_ends_with_1(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(kept, tmp_path, 3)
    with (kept.folder / LOG / "frames").open("r+b") as file:
        file.seek(-9, 2)
        byte = file.read(1)[0]
        file.seek(-9, 2)
        file.write(bytes([byte ^ 1]))
    assert kept.verify() == 1
    assert "The log was changed" in capsys.readouterr().out


def test_a_log_of_another_key_ends_with_1(kept: Kept, tmp_path: Path) -> None:
    fill(kept, tmp_path, 3)
    own = json.loads((tmp_path / "pack").read_text())["log_key"]
    other = log_key("A-1", bytes(32)).text
    assert [kept.verify(log_key=key) for key in (own, other)] == [0, 1]


def test_keys_that_came_along_are_said_to_be_compared_with_nothing(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(kept, tmp_path, 3)
    assert kept.verify() == 0
    assert "knows it: the log's key, the authority's key\n" in capsys.readouterr().out
    own = json.loads((tmp_path / "pack").read_text())["log_key"]
    assert kept.verify(log_key=own) == 0
    assert "knows it: the authority's key\n" in capsys.readouterr().out


def test_a_pack_is_checked_as_the_defence_checks_it(
    kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(kept, tmp_path, 3)
    pack = tmp_path / "pack"
    own = json.loads(pack.read_text())["log_key"]
    other = log_key("A-1", bytes(32)).text
    assert [kept.verify(pack, log_key=key) for key in (None, own, other)] == [0, 0, 1]
    assert "AGREES" in capfd.readouterr().out
    (tmp_path / "certificate").touch()
    assert kept.verify(pack, tsa=tmp_path / "certificate", lang="fr") == 0
    assert "CONCORDE" in capfd.readouterr().out


def test_what_would_be_left_out_is_refused(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--tsa"):
        kept.verify(tsa=tmp_path / "certificate")


def test_who_cannot_open_a_case_learns_nothing_of_it(kept: Kept) -> None:
    kept.identity.write_text(new_identity() + "\n")
    with pytest.raises(TrustError, match="not wrapped"):
        kept.verify()


def test_stamps_are_read_where_there_are_any(kept: Kept) -> None:
    case = open_case(kept.folder, unwrap_of(argparse.Namespace(identity=kept.identity)))
    assert stamps_of(case) is None
    (case.folder / STAMPS).mkdir(mode=0o700)
    found = stamps_of(case)
    assert found is not None
    assert found.all() == ()
