import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from protech.errors import SourceError
from protech.locate.lab.error_rates import certificate, results
from protech.locate.lab.score import Score, Share
from protech.locate.report import self_test
from tests.locate_case import CODE, COMMIT, SELF_TEST


def test_a_certificate_is_read() -> None:
    found = self_test.read(SELF_TEST)
    assert found.measured_on.isoformat() == "2026-11-28"
    assert found.seeds == (1, 2, 3)
    assert found.levels[4].right == 3100
    assert found.recall["L4"].share == 0.9944
    assert found.content == SELF_TEST


def test_a_certificate_is_of_one_code_and_of_no_other() -> None:
    found = self_test.read(SELF_TEST)
    assert found.is_of(CODE)
    assert not found.is_of("")
    assert not found.is_of("f" * 64)


def test_a_date_may_have_a_time() -> None:
    at = json.dumps({**json.loads(SELF_TEST), "date": "2026-11-28T10:00:00Z"})
    assert self_test.read(at).measured_on.isoformat() == "2026-11-28"


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    fields = json.loads(SELF_TEST)
    change(fields)
    return json.dumps(fields)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        changed(lambda fields: fields.update(v=2)),
        changed(lambda fields: fields.update(date="yesterday")),
        changed(lambda fields: fields.update(commit="not a commit")),
        changed(lambda fields: fields["levels"]["L4"].update(true=3101)),
        changed(lambda fields: fields["levels"]["L4"].update(true=3000)),
        changed(lambda fields: fields["levels"]["L4"].update(low=1.1)),
        changed(lambda fields: fields["levels"]["L4"].update(high=None)),
        changed(lambda fields: fields["levels"]["L3"].update(low=0.95)),
    ],
)
def test_numbers_that_do_not_agree_are_refused(content: str) -> None:
    with pytest.raises(SourceError, match="self-test certificate"):
        self_test.read(content)


def test_what_ships_is_a_certificate_or_nothing() -> None:
    found = self_test.shipped()
    assert found is None or found.levels


def test_the_certificate_that_the_lab_writes_is_the_one_that_is_read() -> None:
    score = Score(
        precision={"3": Share(hits=92, of=100), "4": Share(hits=31, of=31)},
        recall={"4": Share(hits=30, of=33)},
        proofs=Share(hits=31, of=31),
        relayed=0,
        mistakes={},
    )
    found = results(score, seeds=[1], kinds={}, commit=COMMIT, code=CODE, on=date(2026, 11, 28))
    read = self_test.read(json.dumps(certificate(found)))
    assert (read.levels[3].right, read.levels[4].share) == (92, 1.0)
    assert read.recall["L4"].n == 33
