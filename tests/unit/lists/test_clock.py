"""The clock of lists."""

from datetime import UTC, datetime, timedelta

from protech.lists.clock import utc_now


def test_it_tells_the_time_in_utc() -> None:
    before, now, after = datetime.now(UTC), utc_now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)
