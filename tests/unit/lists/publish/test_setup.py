from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.keys import PublicKey, make_key
from protech.lists.publish.setup import (
    Plan,
    Rotation,
    delegate,
    new,
    renew,
    rotate,
    rotate_server,
    watch,
)
from protech.lists.repository.changes import Signers
from protech.signing import Key
from tests.authority import NOW, Authority


def public(name: str) -> PublicKey:
    return PublicKey(name=name, public=Key.generate().public)


A, B, C, W = (public(name) for name in "abcw")
PLAN = Plan(
    origin="lists.example/log",
    owners=Signers(keys=(A, B), threshold=2),
    authority="hotline",
    officers=Signers(keys=(B, C), threshold=2),
    lists=("baseline",),
    witnesses=(W,),
    quorum=1,
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path / "authority")


def test_a_new_repository_keeps_its_keys_to_itself(tmp_path: Path) -> None:
    documents = new(tmp_path / "r", PLAN, NOW)
    assert documents.extension.quorum == 1
    assert documents.authority_of("baseline") == "hotline"
    for path in (tmp_path / "r" / "keys").glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="already"):
        new(tmp_path / "r", PLAN, NOW)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"owners": Signers(keys=(A, B), threshold=1)}, "no one may sign alone"),
        ({"officers": Signers(keys=(B, C), threshold=1)}, "no one may sign alone"),
        ({"officers": Signers(keys=(B,), threshold=2)}, "2 signatures of 1 keys"),
        ({"witnesses": (W, public("x")), "quorum": 1}, "more than half"),
        ({"witnesses": (W, W), "quorum": 2}, "twice"),
        ({"authority": "Hot line"}, "whole names"),
        ({"lists": ("a.b",)}, "whole names"),
        ({"lists": ()}, "whole names"),
        ({"origin": "two words"}, "without spaces"),
    ],
)
def test_nothing_is_made_of_a_plan_that_cannot_be(
    changed: Mapping[str, Any], what: str, tmp_path: Path
) -> None:
    with pytest.raises(TrustError, match=what):
        new(tmp_path / "r", replace(PLAN, **changed), NOW)
    assert not (tmp_path / "r").exists()


def test_more_lists_and_authorities_are_given(authority: Authority) -> None:
    delegate(authority.repository, "hotline", ["national"], NOW)
    officers = Signers(keys=(A, B), threshold=2)
    documents = delegate(authority.repository, "police", ["seized"], NOW, officers=officers)
    assert documents.authority_of("national") == "hotline"
    assert documents.authority_of("seized") == "police"
    with pytest.raises(TrustError, match="somebody's already"):
        delegate(authority.repository, "police", ["baseline"], NOW)
    with pytest.raises(TrustError, match="name its people"):
        delegate(authority.repository, "others", ["more"], NOW)
    with pytest.raises(TrustError, match="has people"):
        delegate(authority.repository, "police", ["more"], NOW, officers=officers)


def test_a_rotation_that_cannot_be_is_refused(authority: Authority) -> None:
    with pytest.raises(TrustError, match="never were in it"):
        rotate(authority.repository, "root", Rotation(removed=[A]), NOW)
    with pytest.raises(TrustError, match="no role"):
        rotate(authority.repository, "snapshot", Rotation(), NOW)
    with pytest.raises(TrustError, match="no one may sign alone"):
        rotate(authority.repository, "hotline", Rotation(threshold=1), NOW)


def test_a_threshold_is_raised(authority: Authority) -> None:
    documents = rotate(authority.repository, "hotline", Rotation(threshold=3), NOW)
    assert documents.role_keys()["hotline"].threshold == 3


def test_the_key_that_waits_for_the_server_is_made_once(authority: Authority) -> None:
    first = rotate_server(authority.repository, NOW).role_keys()["timestamp"]
    assert rotate_server(authority.repository, NOW).role_keys()["timestamp"] == first


def test_witnesses_are_changed(authority: Authority, tmp_path: Path) -> None:
    key = make_key(tmp_path / "w3.key", name="w3")
    documents = watch(authority.repository, [key], 1, NOW)
    assert [one.name for one in documents.extension.witnesses] == ["w3"]
    with pytest.raises(TrustError, match="more than half"):
        watch(authority.repository, [key], 2, NOW)


def test_documents_are_renewed(authority: Authority) -> None:
    authority.sign("olga", "omar")
    documents = renew(authority.repository, NOW, roles=["hotline"])
    waiting = [one.role for one in documents.progress() if not one.is_complete]
    assert waiting == ["hotline"]
    renew(authority.repository, NOW)
    with pytest.raises(TrustError, match="no document 'x'"):
        renew(authority.repository, NOW, roles=["x"])
