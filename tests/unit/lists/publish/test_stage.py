from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.entries import Use
from protech.lists.formats.exceptions import ExceptionEntry, ExceptionHeader, content_of
from protech.lists.publish.stage import change_recipients, enrol, revoke, stage
from protech.lists.seal import new_identity, recipient_of
from protech.lists.trust import TargetKind
from tests.authority import HEADER, NOW, Authority, write_list

ONE, TWO = (recipient_of(new_identity()) for _ in range(2))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority.new(tmp_path / "authority")
    made.stage(range(50), {"one": ONE, "two": TWO})
    return made


def test_a_version_waits_with_its_ciphertext(authority: Authority) -> None:
    staged = authority.stage(range(60))
    assert (staged.target.version, staged.target.entries, staged.recipients) == (1, 60, 2)
    assert staged.delta_bytes is None
    (ciphertext,) = authority.repository.staged_targets.iterdir()
    assert ciphertext.stat().st_size == staged.ciphertext_bytes
    assert ciphertext.name.endswith(".baseline.1.list.age")


def test_a_list_that_nobody_receives_is_not_staged(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="name one device"):
        Authority.new(tmp_path / "a").stage([1])


def test_a_list_of_no_authority_is_not_staged(authority: Authority) -> None:
    with pytest.raises(TrustError, match="lists that do are baseline"):
        authority.stage([1], header=replace(HEADER, name="other"))


def test_only_a_later_version_follows(authority: Authority, tmp_path: Path) -> None:
    authority.sign("olga", "omar", "alice", "bob")
    authority.publish()
    with pytest.raises(TrustError, match="--version 2"):
        authority.stage(range(51))
    path = write_list(tmp_path / "a.list", range(51))
    staged = stage(authority.repository, path, NOW, version=2)
    assert staged.target.version == 2
    assert staged.delta_bytes is not None


def test_a_name_is_one_devices(authority: Authority) -> None:
    with pytest.raises(TrustError, match="another key"):
        enrol(authority.repository, "baseline", {"one": TWO}, NOW)
    assert enrol(authority.repository, "baseline", {"one": ONE}, NOW) == {"baseline": 2}


def exceptions(path: Path, *lists: str) -> Path:
    header = ExceptionHeader(
        name="hotline-exceptions",
        version=1,
        author="A hotline",
        created_at=NOW,
        expires_at=NOW + timedelta(days=30),
        lists=frozenset(lists),
    )
    entry = ExceptionEntry(
        sha256=bytes(32), lists=frozenset(lists), reason="a logo", author="A hotline"
    )
    path.write_bytes(content_of(header, [entry]))
    return path


def test_exceptions_go_the_same_way_for_operators_alone(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path / "a", lists=("baseline", "hotline-exceptions"))
    source = exceptions(tmp_path / "a.exceptions", "baseline")
    kind = TargetKind.EXCEPTIONS
    staged = stage(authority.repository, source, NOW, kind=kind, recipients={"one": ONE})
    assert staged.target.path == "hotline-exceptions.1.exceptions.age"
    assert staged.target.uses == {Use.TRIAGE, Use.MESSAGING}
    assert staged.target.entries == 1
    stolen = exceptions(tmp_path / "b.exceptions", "baseline", "others-list")
    with pytest.raises(TrustError, match="would silence a list that is not"):
        stage(authority.repository, stolen, NOW, kind=kind)


def test_the_last_recipient_stays(authority: Authority) -> None:
    assert revoke(authority.repository, "two", ["baseline"], NOW) == {"baseline": 1}
    with pytest.raises(TrustError, match="no recipient left"):
        revoke(authority.repository, "one", ["baseline"], NOW)
    with pytest.raises(TrustError, match="no device 'two'"):
        revoke(authority.repository, "two", ["baseline"], NOW)


def test_recipients_are_named_before_there_is_a_list(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path / "a")
    assert change_recipients(authority.repository, {"baseline": {"one": ONE}}, NOW) == {
        "baseline": 1
    }
    assert authority.stage([1]).recipients == 1


def test_a_revocation_that_failed_half_way_can_be_repeated(authority: Authority) -> None:
    folder = authority.repository.plain("baseline")
    (plain,) = folder.glob("*.list")
    away = plain.rename(plain.with_suffix(".away"))
    with pytest.raises(ConfigError):
        revoke(authority.repository, "two", ["baseline"], NOW)
    away.rename(plain)
    assert revoke(authority.repository, "two", ["baseline"], NOW) == {"baseline": 1}
    assert "two" not in authority.repository.recipients("baseline")
