"""What a person is shown before they sign."""

from datetime import UTC, datetime

import pytest

from protech.cli.papers import show_paper
from protech.lists.entries import Category, Use
from protech.lists.keys import fingerprint
from protech.lists.publish.sign import Paper
from protech.lists.repository.documents import Progress
from protech.lists.root import RoleKeys, RootExtension, Witness
from protech.lists.trust import ListTarget, TargetKind

UNTIL = datetime(2027, 1, 2, tzinfo=UTC)
OFFICER, LOG, WITNESS = (bytes([i]) * 32 for i in range(3))
PAPER = Paper(
    progress=Progress(
        role="root", version=3, expires_at=UNTIL, signed=("a",), waiting=("b",), missing=1
    ),
    roles={"root": RoleKeys(threshold=2, keys={"a": OFFICER.hex()})},
    lists={"hotline": ("hotline-images",)},
    pinned=RootExtension(
        log_origin="example.org/\x1blog",
        log_key=LOG,
        witnesses=(Witness(name="w", key=WITNESS),),
        quorum=1,
    ),
    targets=(
        ListTarget(
            name="hotline-images",
            version=2,
            kind=TargetKind.DELTA,
            base=1,
            sha256=bytes(32),
            size_bytes=1,
            entries=1234,
            category=Category.CSAM,
            uses=frozenset({Use.GUARD}),
            issuer="A hotline",
            legal_basis="a law",
            is_sealed=True,
            expires_at=UNTIL,
            others={"recipients": 7},
        ),
    ),
    payload=b"",
)


def test_every_key_list_and_end_is_shown_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    show_paper(PAPER)
    shown = capsys.readouterr().out
    for told in (
        "root 3: 1 signatures, 1 more needed; until 2027-01-02",
        "root: 2 of 1 keys must sign",
        "hotline publishes hotline-images",
        "witnesses: 1 of 1 must cosign",
        "hotline-images 2 from 1: delta, csam, 1,234 entries, for guard, sealed",
        "7 recipients",
        "A hotline: a law",
        *map(fingerprint, (OFFICER, LOG, WITNESS)),
    ):
        assert told in shown


def test_no_name_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_paper(PAPER)
    assert "\x1b" not in capsys.readouterr().out
