"""The same answers of NCMEC's service through threatexchange's parser and through ours."""

import io
import random
from collections import Counter
from xml.etree import ElementTree as ET

import pytest
from threatexchange.exchanges.clients.ncmec.hash_api import (
    GetEntriesResponse,
    NCMECEntryType,
    NCMECEntryUpdate,
    _XMLWrapper,
)

from protech.lists.entries import BadEntry, Entry
from protech.lists.formats import ncmec

SPACES = ("", ' xmlns="https://hashsharing.ncmec.org/hashsharing/v2"')
DELETED = "its member has deleted it"


def made(seed: int) -> str:
    """Return an answer as the service documents it, with random digests."""
    source = random.Random(seed)

    def one(group: str) -> str:
        kind = group[:-1]
        if source.random() < 0.2:
            kind = f"deleted{kind.capitalize()}"
        tags = {"md5": 16, "sha1": 20, "pdq": 32, "pdna": 144, "netclean": 20}
        held = {tag: width for tag, width in tags.items() if source.random() < 0.7}
        if kind.startswith("deleted"):
            held = {}
        inside = "".join(
            f"<{tag}>{source.randbytes(w).hex()}</{tag}>" for tag, w in held.items()
        )
        return (
            f'<{kind}><member id="{source.randrange(99)}">M</member>'
            f"<timestamp>2017-10-24T15:00:00Z</timestamp><id>{source.randrange(10**9)}</id>"
            f"<classification>{source.choice(['A1', 'A2', 'B1'])}</classification>"
            f"<fingerprints>{inside}</fingerprints>"
            '<feedback><affirmativeFeedback type="MD5"><members><member id="1">A</member>'
            "</members></affirmativeFeedback></feedback>"
            f"</{kind}>"
        )

    groups = "".join(
        f'<{group} count="9" maxTimestamp="2017-10-24T15:10:00Z">'
        + "\n".join(one(group) for _ in range(source.randrange(40)))
        + f"</{group}>"
        for group in ("images", "videos")
    )
    space = source.choice(SPACES)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<queryResult{space}>{groups}</queryResult>'


def theirs(xml: str) -> list[NCMECEntryUpdate]:
    """Return what threatexchange's client makes of an answer, as its ``_get`` parses it."""
    parsed = ET.iterparse(io.BytesIO(xml.encode()))  # noqa: S314 - our own text, as they do
    for _, element in parsed:
        element.tag = element.tag.rpartition("}")[2]
    return GetEntriesResponse.from_xml(_XMLWrapper(parsed.root), 0).updates  # type: ignore[attr-defined]


def raw(update: NCMECEntryUpdate, tag: str) -> bytes | None:
    value = update.fingerprints.get(tag)
    return None if value is None else bytes.fromhex(value)


@pytest.mark.parametrize("seed", range(20))
def test_both_read_the_same_entries(seed: int) -> None:
    xml = made(seed)
    ours = list(ncmec.read(io.BytesIO(xml.encode())))
    updates = theirs(xml)
    good = [one for one in ours if isinstance(one, Entry)]
    useful = [
        one for one in updates if {"md5", "sha1", "pdq", "pdna"} & one.fingerprints.keys()
    ]
    for entry, update in zip(good, useful, strict=True):
        assert (entry.md5, entry.sha1) == (raw(update, "md5"), raw(update, "sha1"))
        assert entry.pdq == ((raw(update, "pdq"),) if "pdq" in update.fingerprints else ())
        assert entry.photodna == raw(update, "pdna")
        about = entry.others["ncmec"]
        assert isinstance(about, dict)
        assert about["type"] == update.entry_type.value
        assert (about["id"], about["member"]) == (update.id, str(update.member_id))
        assert about["classification"] == update.classification
        votes = {kind: [len(given), 0] for kind, given in update.feedback.items()}
        assert about["votes"] == votes
    assert sum(isinstance(o, BadEntry) and DELETED in o.reason for o in ours) == sum(
        one.deleted for one in updates
    )
    assert len(ours) == len(updates)


def test_both_know_the_same_kinds() -> None:
    assert Counter(ncmec.ITEMS) == Counter(kind.value for kind in NCMECEntryType)
