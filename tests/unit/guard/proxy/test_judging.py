import asyncio
import base64
from dataclasses import dataclass
from datetime import date

import pytest

from protech.guard.proxy.judging import Judging, Unjudged
from protech.guard.proxy.placeholder import placeholder
from protech.types import Reason
from tests.proxied import Counts, JudgeBySha, picture

GOOD = picture(1)
BAD = picture(2)
GREY = placeholder(64, 48)
FILM = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(99)


def judging(*, is_down: bool = False, delay_s: float = 0) -> tuple[Judging, Counts]:
    judge = JudgeBySha(is_down=is_down, delay_s=delay_s)
    judge.block(BAD)
    counts = Counts()
    return Judging(judge, counts, deadline_s=0.05), counts


def test_an_allowed_picture_has_no_stand_in_and_is_not_counted() -> None:
    parts, counts = judging()
    assert asyncio.run(parts.stand_in(GOOD, None)) is None
    parts.close()
    assert counts.rows == []


def test_a_blocked_picture_has_one_of_its_size_and_is_counted_with_its_reason() -> None:
    parts, counts = judging()
    assert asyncio.run(parts.stand_in(BAD, None)) == GREY
    parts.close()
    [(_, surface, reason)] = counts.rows
    assert (surface, reason) == ("proxy", Reason.KNOWN)


def test_without_a_judge_there_is_no_judgement() -> None:
    with pytest.raises(Unjudged):
        asyncio.run(judging(is_down=True)[0].stand_in(GOOD, None))


def test_a_judge_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protech.guard.proxy.judging.GRACE_S", 0.05)
    with pytest.raises(Unjudged):
        asyncio.run(judging(delay_s=9)[0].stand_in(GOOD, None))


def test_a_count_that_cannot_be_written_hides_all_the_same() -> None:
    @dataclass
    class Full:
        def count(self, *, day: date, surface: str, reason: Reason) -> None:
            raise OSError("disk full")

    judge = JudgeBySha()
    judge.block(BAD)
    parts = Judging(judge, Full())
    assert asyncio.run(parts.stand_in(BAD, None)) == GREY
    parts.close()


def message(content: bytes, *, is_text: bool = False, is_down: bool = False) -> bytes:
    parts, _ = judging(is_down=is_down)
    return asyncio.run(parts.message(content, is_text=is_text))


def test_a_message_is_screened_whole() -> None:
    assert message(GOOD) == GOOD
    assert message(BAD) == GREY
    assert message(b"\x00words\x01") == b"\x00words\x01"


def test_a_picture_behind_a_header_is_blanked_and_the_length_kept() -> None:
    assert message(b"\x04head" + GOOD) == b"\x04head" + GOOD
    assert message(b"\x04head" + BAD) == b"\x04head" + bytes(len(BAD))
    assert message(b"\x04" + FILM) == b"\x04" + bytes(len(FILM))


def test_a_message_of_text_is_rewritten_where_blocked() -> None:
    words = '{{"a": "data:image/jpeg;base64,{}"}}'
    innocent = words.format(base64.b64encode(GOOD).decode()).encode()
    assert message(innocent, is_text=True) == innocent
    guilty = words.format(base64.b64encode(BAD).decode()).encode()
    expected = words.format(base64.b64encode(GREY).decode()).encode()
    assert message(guilty, is_text=True) == expected


def test_a_message_without_a_judgement_is_hidden() -> None:
    assert message(GOOD, is_down=True) == placeholder(None, None)
    words = b'"data:image/jpeg;base64,' + base64.b64encode(GOOD) + b'"'
    assert base64.b64encode(GOOD) not in message(words, is_text=True, is_down=True)
