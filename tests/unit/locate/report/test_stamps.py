from datetime import timedelta

from protech.locate.report.stamps import Checkpoint, first_stamp
from tests.locate_case import BEGUN_AT


def checkpoint(size: int, hours: float | None) -> Checkpoint:
    stamped = None if hours is None else BEGUN_AT + timedelta(hours=hours)
    return Checkpoint(size=size, root=bytes(32), signed_at=BEGUN_AT, stamped_at=stamped)


def test_the_earliest_stamp_that_covers_a_record_is_its_stamp() -> None:
    states = [checkpoint(5, 1), checkpoint(9, 3), checkpoint(12, 2), checkpoint(20, None)]
    assert first_stamp(states, 4) is states[0]
    assert first_stamp(states, 5) is states[2]
    assert first_stamp(states, 12) is None
    assert first_stamp([], 0) is None
