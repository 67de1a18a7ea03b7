"""The list of a run: opened only where its repository is the one that the anchors name."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from protech.errors import AuthorityError, SourceError, TrustError
from protech.lists.entries import Use
from protech.lists.fetch_key import Ed2kFile
from protech.lists.fetch_keys import read_header, read_keys
from protech.lists.sync.flow import sync
from protech.lists.trust import TargetKind
from protech.locate import listing
from protech.locate.listing import list_facts, open_locate_list
from protech.locate.papers import Anchors, ListFacts
from tests.authorised import Office, offer
from tests.repository import AUTHORITY, LIST

HELD_KIND = TargetKind.FETCH_KEYS

KEYS = tuple(Ed2kFile(md4=bytes([i]) * 16, aich=bytes(20), size_bytes=i + 1) for i in range(3))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office.open(tmp_path, KEYS)


def facts_of(
    office: Office, anchors: Anchors | None = None, *, days: int = 0, name: str = LIST
) -> ListFacts:
    now = datetime.now(UTC) + timedelta(days=days)
    with open_locate_list(name, anchors or office.anchors, office.device, now=now) as (
        facts,
        _,
    ):
        return facts


def test_facts_and_keys_come_together(office: Office) -> None:
    now = datetime.now(UTC)
    with open_locate_list(LIST, office.anchors, office.device, now=now) as (facts, file):
        assert read_header(file).count == 3
        assert tuple(read_keys(file)) == KEYS
    assert (facts.name, facts.version, facts.authority) == (LIST, 1, AUTHORITY)
    assert facts.uses == {Use.LOCATE}
    assert facts.signers == {one.public for one in office.repository.officers[:2]}
    assert facts.signers < facts.speakers
    assert facts.root_sha256 == office.anchors.lists[0].root_sha256
    assert facts.fresh_until == office.repository.timestamp.signed.expires


def test_what_is_read_is_what_was_checked(office: Office, tmp_path: Path) -> None:
    """The list is a file of the person's, who may write to it meanwhile."""
    (path,) = (tmp_path / "device").rglob("*.fetch_keys.list")
    now = datetime.now(UTC)
    with open_locate_list(LIST, office.anchors, office.device, now=now) as (_, file):
        path.write_bytes(path.read_bytes().replace(b"0101", b"6666"))
        assert read_header(file).count == len(KEYS)
        assert tuple(read_keys(file)) == KEYS


def test_what_is_changed_between_check_and_reading_is_refused(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (tmp_path / "device").rglob("*.fetch_keys.list")
    content = path.read_bytes()

    for changed in (content.replace(b"0101", b"6666"), content + b"\n", content[:-1]):

        def change(*given: Any, changed: bytes = changed, **named: Any) -> ListFacts:
            path.write_bytes(changed)
            return list_facts(*given, **named)

        path.write_bytes(content)
        monkeypatch.setattr(listing, "list_facts", change)
        with pytest.raises(TrustError, match="changed while it was read"):
            facts_of(office)


def test_a_repository_that_no_anchor_names_is_refused(office: Office) -> None:
    (anchor,) = office.anchors.lists
    others = [
        replace(anchor, root_sha256=bytes(32)),
        replace(anchor, authorities=frozenset({"another"})),
    ]
    for other in others:
        with pytest.raises(AuthorityError, match="does not name"):
            facts_of(office, replace(office.anchors, lists=(other,)))


def test_a_stale_list_names_nobody(office: Office) -> None:
    with pytest.raises(AuthorityError, match="is stale"):
        facts_of(office, days=31)


def test_an_older_version_than_is_vouched_for_is_refused(office: Office) -> None:
    shelf = next(office.device.repositories()[0].shelves())
    held = shelf.current()
    assert held is not None
    content = held.path.read_bytes()
    offer(office.repository, KEYS[:1], version=2)
    office.repository.publish()
    sync(office.device, str(office.repository.folder))
    assert facts_of(office).version == 2
    held.path.write_bytes(content)
    shelf.renew(held)
    with pytest.raises(TrustError, match="does not show any more who vouches"):
        facts_of(office)


def test_a_record_that_says_more_than_was_signed_is_refused(office: Office) -> None:
    (path,) = office.device.folder.rglob("current.json")
    record = json.loads(path.read_text())
    record["target"]["protech"]["issuer"] = "Somebody else"
    path.write_text(json.dumps(record))
    with pytest.raises(TrustError, match="does not show any more who vouches"):
        facts_of(office)


def test_a_list_that_was_changed_is_refused(office: Office) -> None:
    path = office.device.find(LIST, kind=HELD_KIND).path
    changed = bytearray(path.read_bytes())
    changed[-3] ^= 1
    path.write_bytes(changed)
    with pytest.raises(TrustError, match="was damaged"):
        facts_of(office)


def test_a_list_that_calls_itself_otherwise_is_refused(tmp_path: Path) -> None:
    office = Office.open(tmp_path, KEYS)
    offer(office.repository, KEYS, version=2, issuer="Not what its header says")
    office.repository.publish()
    sync(office.device, str(office.repository.folder))
    with pytest.raises(TrustError, match="calls itself otherwise"):
        facts_of(office)


def test_a_sealed_list_is_opened_in_locked_memory(tmp_path: Path) -> None:
    office = Office.open(tmp_path, KEYS)
    offer(office.repository, KEYS, version=2, is_sealed=True)
    office.repository.publish()
    sync(office.device, str(office.repository.folder))
    assert facts_of(office).version == 2


def test_there_is_no_other_list(office: Office) -> None:
    with pytest.raises(SourceError, match="There is no list 'nowhere'"):
        facts_of(office, name="nowhere")


def test_a_list_outside_of_every_repository_is_refused(office: Office, tmp_path: Path) -> None:
    held = replace(office.device.find(LIST, kind=HELD_KIND), path=tmp_path / "elsewhere")
    with pytest.raises(TrustError, match="in no repository"):
        list_facts(held, office.device, now=datetime.now(UTC))
