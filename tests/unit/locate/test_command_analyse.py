import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.seal import new_identity, recipient_of
from protech.locate.adapter import Level
from protech.locate.case import Case, create_case
from protech.locate.command_analyse import analyse_case, compare_case
from tests.locate_case import CASE_NAME, CaseMaker

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    identity = new_identity()
    (tmp_path / "identity").write_text(identity + "\n")
    (tmp_path / "identity").chmod(0o600)
    (tmp_path / "shared").write_text("ab" * 32)
    case = create_case(
        tmp_path / "case", name=CASE_NAME, is_lab=True, recipients=[recipient_of(identity)]
    )
    fill(case)
    return argparse.Namespace(
        case=case.folder,
        identity=tmp_path / "identity",
        token=None,
        top=2,
        out=None,
        json=False,
        shared_key=tmp_path / "shared",
        against=None,
        yes=True,
    )


def fill(case: Case) -> None:
    made = CaseMaker()
    for number in range(6):
        made.sighting(peer=f"198.18.7.{number}")
    made.sighting(Level.HANDSHAKE, peer="198.18.7.99")
    with case.open_log(for_writing=True) as log:
        log.append(made.records)
        log.checkpoint(NOW)


def test_a_case_is_told_in_numbers(
    options: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert analyse_case(options) == 0
    told = capsys.readouterr().out
    assert "Exemple Télécom" in told
    assert told.count("198.18.7.") == 2


def test_only_sums_are_saved_and_printed_as_json(
    options: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options.json, options.out = True, tmp_path / "sums.json"
    assert analyse_case(options) == 0
    told = capsys.readouterr().out
    assert json.loads(told) == json.loads(options.out.read_text())
    assert "198.18" not in told


def test_two_units_find_out_whom_both_saw(
    options: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options.out = tmp_path / "tokens.json"
    assert compare_case(options) == 0
    assert "198.18" not in options.out.read_text() + capsys.readouterr().out
    options.against = options.out
    assert compare_case(options) == 0
    told = capsys.readouterr()
    assert told.out.count("198.18.7.") == 6
    assert "198.18.7.99" not in told.out
    assert "6 of 6" in told.err


def test_nothing_is_saved_unseen_or_under_no_key(
    options: argparse.Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="--out"):
        compare_case(options)
    options.out, options.yes = tmp_path / "tokens.json", False
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        with pytest.raises(ConfigError, match="Nothing was saved"):
            compare_case(options)
    assert not options.out.exists()
    (tmp_path / "shared").write_text("short")
    with pytest.raises(ConfigError, match="64 hex digits"):
        compare_case(options)


def test_a_partners_file_that_is_none_is_refused(
    options: argparse.Namespace, tmp_path: Path
) -> None:
    options.against = tmp_path / "identity"
    with pytest.raises(TrustError):
        compare_case(options)


def test_a_partners_file_that_is_not_there_is_named(
    options: argparse.Namespace, tmp_path: Path
) -> None:
    options.against = tmp_path / "nowhere"
    with pytest.raises(ConfigError, match="nowhere"):
        compare_case(options)
