from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protech.errors import ListFormatError, SourceError, TrustError
from protech.lists.entries import Category, Use
from protech.lists.fetch_key import Ed2kFile
from protech.lists.fetch_keys import KeyWriter
from protech.lists.publish.plain import drafted, keep, plain_name
from protech.lists.trust import TargetKind
from tests.authority import HEADER, write_list

FULL = TargetKind.FULL


def test_a_list_is_kept_canonically(tmp_path: Path) -> None:
    source = write_list(tmp_path / "a.list", [3, 1, 2, 3])
    with drafted(source, FULL, version=7) as draft:
        target = keep(draft, tmp_path)
    kept = tmp_path / plain_name(target)
    assert kept.name == "baseline.7.list"
    assert (target.version, target.entries) == (7, 3)
    assert target.size_bytes == kept.stat().st_size
    assert kept.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"a.list", kept.name}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"category": Category.OWN}, "never published"),
        ({"issuer": None}, "issuer"),
        ({"legal_basis": None, "legal_class": None}, "legal_basis, legal_class"),
    ],
)
def test_a_list_that_does_not_say_whose_it_is_is_not_published(
    changed: Mapping[str, Any], what: str, tmp_path: Path
) -> None:
    source = write_list(tmp_path / "a.list", [1], replace(HEADER, **changed))
    with pytest.raises(TrustError, match=what), drafted(source, FULL, version=None):
        pass


def test_known_good_files_need_no_legal_class(tmp_path: Path) -> None:
    header = replace(HEADER, category=Category.KNOWN_GOOD, legal_class=None)
    source = write_list(tmp_path / "a.list", [1], header)
    with drafted(source, FULL, version=None) as draft:
        assert draft.header.is_known_good


@pytest.mark.parametrize(("uses", "name"), [({Use.LOCATE}, "baseline"), ({Use.GUARD}, "A b")])
def test_what_no_target_may_be_is_not_kept(uses: set[Use], name: str, tmp_path: Path) -> None:
    header = replace(HEADER, uses=frozenset(uses), name=name)
    source = write_list(tmp_path / "a.list", [1], header)
    with drafted(source, FULL, version=None) as draft, pytest.raises(TrustError):
        keep(draft, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.list"]


def test_a_list_with_a_bad_entry_is_not_published(tmp_path: Path) -> None:
    source = write_list(tmp_path / "a.list", [1, 2])
    source.write_bytes(source.read_bytes() + b"{}\n")
    with pytest.raises(ListFormatError, match="line 4"), drafted(source, FULL, version=None):
        pass


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        drafted(tmp_path / "none", FULL, version=None).__enter__()
    with pytest.raises(SourceError, match="not a file"):
        drafted(tmp_path, FULL, version=None).__enter__()


def test_fetch_keys_are_published_as_they_are(tmp_path: Path) -> None:
    header = replace(HEADER, uses=frozenset({Use.LOCATE}))
    source = tmp_path / "a.keys"
    with source.open("wb") as file:
        writer = KeyWriter(file, header)
        writer.write(Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=9))
        writer.finish()
    with drafted(source, TargetKind.FETCH_KEYS, version=None) as draft:
        target = keep(draft, tmp_path)
    assert target.path == "baseline.1.fetch_keys.age"
    assert (tmp_path / plain_name(target)).read_bytes() == source.read_bytes()
    with pytest.raises(TrustError, match="another version"):
        drafted(source, TargetKind.FETCH_KEYS, version=2).__enter__()
    with pytest.raises(ListFormatError):
        drafted(source, FULL, version=None).__enter__()


def test_a_delta_is_made_here_and_nowhere_else(tmp_path: Path) -> None:
    source = write_list(tmp_path / "a.list", [1])
    with pytest.raises(TrustError, match="stage the list itself"):
        drafted(source, TargetKind.DELTA, version=None).__enter__()
