"""A whole case: what holds is counted, what does not is named, and stamps are of this log."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.evidence import verify
from protech.evidence.case_check import Checked, check_case
from protech.evidence.log import Log
from protech.evidence.stamp import Stamps
from protech.lists.fetch_keys import key_fields
from tests import packs
from tests.packs import Case, Talk
from tests.stamping import Authority

FLAT, TORRENT = packs.flat_key()
CLAIM = Talk(FLAT).greet().bitfield().end()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = packs.make_case(tmp_path / "log", (FLAT,))
    with made.log:
        yield made


def sighted(case: Case, **changes: object) -> int:
    shown = verify.replay(CLAIM, json.loads(json.dumps(key_fields(FLAT))))
    return case.sighting(0, CLAIM, shown, **changes)


def test_a_case_is_counted_and_what_says_too_much_is_named(case: Case) -> None:
    sighted(case)
    bad = sighted(case, level=4)
    sighted(case, level=1, transcript=None)
    lost = sighted(case, number=5)
    assert check_case(case.log) == Checked(
        records=case.log.size,
        levels=(0, 1, 0, 2, 1),
        stamps=0,
        wrong=(bad, lost),
        unsigned=case.log.size,
    )


def test_what_no_checkpoint_covers_is_counted(case: Case) -> None:
    sighted(case)
    case.log.checkpoint(packs.START + timedelta(minutes=9))
    assert check_case(case.log).unsigned == 0
    sighted(case)
    assert check_case(case.log).unsigned == 1


@pytest.mark.parametrize("level", [5, -1, True, 3.0, "3", None])
def test_a_level_that_is_none_is_wrong(case: Case, level: object) -> None:
    odd = sighted(case, level=level)
    assert check_case(case.log).wrong == (odd,)


def test_the_authority_must_be_the_one_that_is_named(case: Case) -> None:
    index = sighted(case)
    own = case.authority.public.hex()
    assert check_case(case.log, authorities=[own]).wrong == ()
    assert check_case(case.log, authorities=[own, "00" * 32]).wrong == (index,)


def test_a_record_under_another_leaf_is_found(case: Case) -> None:
    sighted(case)
    leaves = list(case.log.leaves())

    class Forged(Log):
        """A log whose leaves are another's."""

        def leaves(self) -> Iterator[bytes]:
            yield from leaves[::-1]

    case.log.__class__ = Forged
    with pytest.raises(TrustError, match="Record 0 of the log"):
        check_case(case.log)
    case.log.__class__ = Log


def test_more_proofs_than_operators_signed_for_are_wrong(tmp_path: Path) -> None:
    piece = FLAT.first_piece + 1
    data = TORRENT[piece * FLAT.piece_bytes : (piece + 1) * FLAT.piece_bytes]
    proof = Talk(FLAT).greet().bitfield().say(2).hear(1).piece(piece, data).end()
    shown = verify.replay(proof, json.loads(json.dumps(key_fields(FLAT))))
    made = packs.make_case(tmp_path / "two", (FLAT,), terms={"pieces": 2})
    with made.log:
        places = [made.sighting(0, proof, shown) for _ in range(3)]
        assert check_case(made.log).wrong == (places[2],)


@pytest.mark.needs("openssl")
def test_stamps_must_be_of_states_of_this_log(tmp_path: Path, case: Case) -> None:
    authority = Authority(tmp_path / "authority")
    stamps = Stamps(tmp_path / "stamps")
    sighted(case)
    stamps.queue(case.log.checkpoint(packs.START + timedelta(minutes=9)))
    sighted(case)
    stamps.stamp(authority.send, authority.certificate)
    assert check_case(case.log, stamps).stamps == 1
    other = packs.make_case(tmp_path / "other", (FLAT,))
    with other.log:
        sighted(other)
        with pytest.raises(TrustError, match="stamped"):
            check_case(other.log, stamps)
