"""An eDonkey conversation, heard again by the verifier, shows what was said and no more."""

import pytest

from protech.evidence import verify
from protech.evidence.transcript import Recorder
from protech.evidence.verify_ed2k import Ed2k, number
from protech.lists.fetch_keys import key_fields
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import BLOCK_BYTES
from tests import donkeys

WHOLE = donkeys.content(3, 3 * BLOCK_BYTES + 100)
KEY = donkeys.key_of(WHOLE)
FIELDS = dict(key_fields(KEY))
BLOCK = donkeys.block_of(WHOLE, 1)


def shown(recorder: Recorder) -> dict[str, object]:
    return verify.replay(recorder.finish(), FIELDS)


def honest() -> Recorder:
    recorder = donkeys.begun()
    recorder.received(donkeys.named()[:22])
    recorder.elided("name", 5, bytes(32))
    recorder.received(donkeys.status(None, len(WHOLE)))
    recorder.sent(messages.aich_request(KEY.md4, 0, KEY.aich))
    recorder.received(donkeys.aich_answer(WHOLE, 0))
    return recorder


def test_numbers_are_little_endian() -> None:
    assert number(b"\x01\x02") == 513


def test_a_delivered_block_is_level_4() -> None:
    recorder = honest()
    donkeys.delivered(recorder, WHOLE, BLOCK)
    found = shown(recorder)
    assert (found["level"], found["client"], found["fault"]) == (4, donkeys.THEIRS.hex(), "")


def test_what_was_claimed_is_level_3_and_what_was_not_less() -> None:
    assert shown(honest())["level"] == 3
    assert shown(donkeys.begun())["level"] == 1
    recorder = donkeys.begun()
    recorder.received(donkeys.status(set(), len(WHOLE)))
    assert shown(recorder)["level"] == 2


def test_without_a_connection_it_is_level_0() -> None:
    assert shown(Recorder("ed2k", clock=lambda: 0.0))["level"] == 0


@pytest.mark.parametrize("distinct", [63, 64])
def test_a_block_of_few_values_proves_nothing(distinct: int) -> None:
    recorder = honest()
    donkeys.delivered(recorder, WHOLE, BLOCK, distinct=distinct)
    assert shown(recorder)["level"] == (4 if distinct == 64 else 3)


def test_a_fault_ends_it() -> None:
    recorder = honest()
    recorder.received(donkeys.hello_answer(donkeys.OURS))
    donkeys.delivered(recorder, WHOLE, BLOCK)
    found = shown(recorder)
    assert (found["level"], found["fault"]) == (3, "an echo of our own introduction")


def test_it_stands_alone() -> None:
    heard = Ed2k(FIELDS, verify.require)
    heard.hear(">", messages.hello(donkeys.OURS, port=1))
    heard.hear("<", donkeys.hello_answer())
    assert heard.shown()["level"] == 1


@pytest.mark.parametrize("size_bytes", [0, -1, 1 << 60])
def test_a_key_of_no_file_is_refused(size_bytes: int) -> None:
    with pytest.raises(verify.Fault, match="no file"):
        Ed2k({**FIELDS, "size_bytes": size_bytes}, verify.require)


def test_a_flood_of_short_messages_is_read_in_one_go() -> None:
    recorder = honest()
    recorder.received(b"\xd4\1\0\0\0\x77" * 300_000)
    assert shown(recorder)["level"] == 3
