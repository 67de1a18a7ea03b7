from collections.abc import Sequence
from dataclasses import replace

import pytest

from protech.errors import TrustError
from protech.lists.root import (
    RoleKeys,
    RootExtension,
    Witness,
    build_extension,
    check_delegation,
    check_extension,
    check_roles,
    parse_extension,
)

EXTENSION = RootExtension(
    log_origin="lists.example/log",
    log_key=b"l" * 32,
    witnesses=(Witness(name="w1", key=b"1" * 32), Witness(name="w2", key=b"2" * 32)),
    quorum=2,
)
A, B, C, SERVER = (letter * 64 for letter in "abcd")
TWO = {"id1": A, "id2": B}
ONLINE = RoleKeys(threshold=1, keys={"id9": SERVER})
ROLES = {
    "root": RoleKeys(threshold=2, keys=TWO),
    "targets": RoleKeys(threshold=2, keys=TWO),
    "snapshot": ONLINE,
    "timestamp": ONLINE,
    "hotline": RoleKeys(threshold=2, keys={**TWO, "id3": C}),
}


def test_what_is_pinned_survives_the_way_through_json() -> None:
    assert parse_extension(build_extension(EXTENSION)) == EXTENSION


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"witnesses": ()}, "quorum of 2 of 0"),
        ({"quorum": 3}, "quorum of 3 of 2"),
        ({"quorum": 0}, "quorum of 0"),
        ({"quorum": 1}, "quorum of 1 of 2 witnesses cannot be: it must be more than half"),
        ({"log_key": b"1" * 32}, "different keys"),
        ({"log_origin": "w1"}, "different names"),
        ({"witnesses": (EXTENSION.witnesses[0],) * 2}, "count twice"),
    ],
)
def test_a_quorum_is_of_different_witnesses(changed: dict[str, object], what: str) -> None:
    with pytest.raises(TrustError, match=what):
        check_extension(replace(EXTENSION, **changed))  # type: ignore[arg-type]  # by name


def test_a_root_that_pins_no_log_is_refused() -> None:
    with pytest.raises(TrustError, match="root of trust"):
        parse_extension(None)
    with pytest.raises(TrustError, match="another version"):
        parse_extension({**build_extension(EXTENSION), "v": 2})


def test_two_people_sign_for_each_role_but_the_servers() -> None:
    check_roles(ROLES)


@pytest.mark.parametrize(
    ("name", "role", "what"),
    [
        ("hotline", RoleKeys(threshold=2, keys={"id1": A, "id2": A.upper()}), "lowercase"),
        ("hotline", RoleKeys(threshold=2, keys={"id1": A, "id2": f"{A[:2]} {A[2:]}"}), "hex"),
        ("root", RoleKeys(threshold=1, keys=TWO), "no one may sign alone"),
        ("targets", RoleKeys(threshold=1, keys=TWO), "no one may sign alone"),
        ("hotline", RoleKeys(threshold=1, keys=TWO), "no one may sign alone"),
        ("hotline", RoleKeys(threshold=3, keys=TWO), "3 signatures of 2 keys"),
        ("hotline", RoleKeys(threshold=2, keys={"id1": A, "id2": A}), "twice"),
        ("root", RoleKeys(threshold=2, keys={**TWO, "id9": SERVER}), "server's key"),
    ],
)
def test_one_person_or_the_server_alone_signs_nothing(
    name: str, role: RoleKeys, what: str
) -> None:
    with pytest.raises(TrustError, match=what):
        check_roles({**ROLES, name: role})


def test_a_role_that_is_missing_is_named() -> None:
    with pytest.raises(TrustError, match="snapshot"):
        check_roles({name: role for name, role in ROLES.items() if name != "snapshot"})


def test_an_authority_is_delegated_whole_lists() -> None:
    check_delegation("hotline", ["hotline-baseline.*", "files.*"], is_terminating=True)


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("hotline", []),
        ("hotline", None),
        ("hotline", ["*"]),
        ("hotline", ["*.*"]),
        ("hotline", ["a.b.*"]),
        ("hotline", ["a/b.*"]),
        ("hotline", ["a?.*"]),
        ("hotline", ["list.*", "other.1.list.age"]),
        ("../hotline", ["list.*"]),
    ],
)
def test_no_delegation_reaches_into_anothers_names(
    name: str, paths: Sequence[str] | None
) -> None:
    with pytest.raises(TrustError, match="whole names"):
        check_delegation(name, paths, is_terminating=True)


@pytest.mark.parametrize("name", ["root", "targets", "snapshot", "timestamp"])
def test_no_authority_is_called_as_a_role_of_tuf(name: str) -> None:
    with pytest.raises(TrustError, match="cannot be called"):
        check_delegation(name, ["list.*"], is_terminating=True)


def test_a_delegation_ends_the_search() -> None:
    with pytest.raises(TrustError, match="terminating"):
        check_delegation("hotline", ["list.*"], is_terminating=False)
