"""Packs: all that one sighting rests on, nothing of another peer, and the first stamp."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from protech.errors import ConfigError, SourceError
from protech.evidence import verify
from protech.evidence.pack import Disclosure
from protech.evidence.stamp import Stamps
from protech.lists.fetch_keys import key_fields
from tests import packs
from tests.packs import Case, Talk
from tests.stamping import Authority

FLAT, _ = packs.flat_key()
TREE, _ = packs.tree_key()

CLAIM = Talk(FLAT).greet().bitfield().end()
OTHER = "198.18.9.9"


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = packs.make_case(tmp_path / "log", (FLAT, TREE))
    with made.log:
        yield made


def sighted(case: Case, **changes: object) -> int:
    shown = verify.replay(CLAIM, json.loads(json.dumps(key_fields(FLAT))))
    return case.sighting(0, CLAIM, shown, **changes)


def signed(case: Case, minutes: int = 9) -> bytes:
    return case.log.checkpoint(packs.START + timedelta(minutes=minutes))


def parsed(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(content)
    return found


def test_a_pack_holds_what_the_sighting_rests_on_and_no_other_peer(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    sighted(case, peer={"address": OTHER, "port": 1}, facts={"kind": "entry"})
    index = sighted(case)
    sighted(case, peer={"address": OTHER, "port": 2})
    signed(case)
    content = Disclosure(case.log).pack(index)
    assert set(parsed(content)["records"]) == {"run", "entry", "sighting"}
    assert OTHER.encode() not in content
    assert b'"number":1' not in content
    (tmp_path / "pack").write_bytes(content)
    assert verify.main([str(tmp_path / "pack")]) == 0
    assert "it may lie" in capsys.readouterr().out


def test_a_log_that_nobody_signed_discloses_nothing(case: Case) -> None:
    index = sighted(case)
    with pytest.raises(ConfigError, match="sign a checkpoint"):
        Disclosure(case.log)
    signed(case)
    later = sighted(case)
    disclosure = Disclosure(case.log)
    disclosure.pack(index)
    with pytest.raises(ConfigError, match="No checkpoint covers"):
        disclosure.pack(later)


def test_what_is_no_sighting_is_told(case: Case) -> None:
    index = sighted(case, number=7)
    signed(case)
    disclosure = Disclosure(case.log)
    for bad in (0, case.run, 99):
        with pytest.raises(SourceError, match="no sighting"):
            disclosure.pack(bad)
    with pytest.raises(SourceError, match="lacks the run or the entry"):
        disclosure.pack(index)


@pytest.mark.needs("openssl")
def test_a_pack_has_the_first_stamp_that_covers_it(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path / "authority")
    stamps = Stamps(tmp_path / "stamps")
    first = sighted(case)
    stamps.queue(signed(case, 9))
    second = sighted(case)
    stamps.queue(signed(case, 10))
    stamps.stamp(authority.send, authority.certificate)
    third = sighted(case)
    signed(case, 11)
    disclosure = Disclosure(case.log, stamps)
    sizes = [
        int(parsed(disclosure.pack(index))["checkpoint"].split("\n")[1])
        for index in (first, second, third)
    ]
    # All stamps are of the same second here, so the smallest that covers comes first.
    assert sizes == [first + 1, second + 1, third + 1]
    path = tmp_path / "pack"
    path.write_bytes(disclosure.pack(first))
    certificate = str(authority.home / "certificate.pem")
    keys = ["--log-key", case.log.about.key.text]
    keys += ["--authority-key", case.authority.public.hex()]
    assert verify.main([str(path), "--tsa", certificate, *keys]) == 0
    said = capsys.readouterr().out
    assert "The time stamp holds" in said
    assert "NOTHING" not in said
    assert verify.main([str(path)]) == 0
    assert "certificate came along: COMPARED WITH NOTHING" in capsys.readouterr().out
    other = Authority(tmp_path / "other")
    assert verify.main([str(path), "--tsa", str(other.home / "certificate.pem")]) == 1
    path.write_bytes(disclosure.pack(third))
    assert verify.main([str(path)]) == 0
    assert "No time stamp" in capsys.readouterr().out


@pytest.mark.needs("openssl")
def test_a_stamp_of_another_checkpoint_is_refused(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path / "authority")
    stamps = Stamps(tmp_path / "stamps")
    first = sighted(case)
    stamps.queue(signed(case, 9))
    stamps.stamp(authority.send, authority.certificate)
    good = parsed(Disclosure(case.log, stamps).pack(first))
    stamps.queue(signed(case, 10))
    unstamped = parsed(Disclosure(case.log).pack(first))
    path = tmp_path / "pack"
    path.write_text(verify.dumps({**unstamped, "stamp": good["stamp"]}))
    assert verify.main([str(path)]) != 0
    stamp = {**good["stamp"], "checkpoint": unstamped["checkpoint"]}
    path.write_text(verify.dumps({**unstamped, "stamp": stamp}))
    assert verify.main([str(path)]) != 0
    capsys.readouterr()
