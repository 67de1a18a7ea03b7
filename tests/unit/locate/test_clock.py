"""A clock that was set, or that nobody keeps, stops who asks it."""

from datetime import UTC, datetime

import pytest

from protech.errors import AuthorityError
from protech.locate.clock import (
    LOOK_NS,
    READINGS,
    STEP_NS,
    Clock,
    boottime_ns,
    kernel_discipline,
    moment,
    realtime_ns,
)

START = 1_800_000_000_000_000_000


class Machine:
    """Two clocks and a kernel that a test turns."""

    def __init__(self) -> None:
        self.boot = 1_000
        self.offset = START
        self.interrupted: list[int] = []
        self.told: tuple[bool, float | None] = (True, 2.5)
        self.looks = 0

    def boottime(self) -> int:
        return self.boot

    def realtime(self) -> int:
        late = self.interrupted.pop(0) if self.interrupted else 0
        return self.boot + self.offset + late

    def discipline(self) -> tuple[bool, float | None]:
        self.looks += 1
        return self.told

    def clock(self, *, must_be_synchronised: bool = True) -> Clock:
        return Clock(
            must_be_synchronised=must_be_synchronised,
            realtime=self.realtime,
            boottime=self.boottime,
            discipline=self.discipline,
        )


def test_it_tells_the_time() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.tick() == START + 1_000
    machine.boot += 3 * LOOK_NS
    assert clock.tick() == START + 1_000 + 3 * LOOK_NS
    reading = clock.reading()
    assert (reading.is_synchronised, reading.error_ms) == (True, 2.5)
    assert reading.at == moment(START + 1_000 + 3 * LOOK_NS)


@pytest.mark.parametrize("step", [-STEP_NS, STEP_NS, -3_600_000_000_000, 1_000_000_000])
def test_a_clock_that_was_set_stops_for_good(step: int) -> None:
    machine = Machine()
    clock = machine.clock(must_be_synchronised=False)
    clock.tick()
    machine.offset += step
    with pytest.raises(AuthorityError, match="was set by"):
        clock.tick()
    machine.offset -= step
    machine.boot += LOOK_NS
    with pytest.raises(AuthorityError, match="was set by"):
        clock.tick()


def test_a_small_correction_goes_on() -> None:
    machine = Machine()
    clock = machine.clock()
    for step in (STEP_NS - 1, -(STEP_NS - 1)):
        machine.offset = START + step
        machine.boot += 1
        clock.tick()


def test_a_reading_that_was_interrupted_is_no_step() -> None:
    machine = Machine()
    machine.interrupted = [10 * STEP_NS] * (READINGS - 1)
    clock = machine.clock()
    clock.tick()
    machine.interrupted = [10 * STEP_NS]
    clock.tick()


def test_the_kernel_is_asked_once_a_second() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.tick()
    before = machine.looks
    for _ in range(100):
        machine.boot += LOOK_NS // 100 - 1
        clock.tick()
    assert machine.looks == before
    machine.boot += 100
    clock.tick()
    assert machine.looks == before + 1


@pytest.mark.parametrize(
    ("told", "message"), [((False, None), "not synchronised"), ((True, 1000.1), "1000 ms off")]
)
def test_a_clock_that_nobody_keeps_stops_a_run_and_no_lab(
    told: tuple[bool, float | None], message: str
) -> None:
    machine = Machine()
    run, lab = machine.clock(), machine.clock(must_be_synchronised=False)
    run.tick()
    machine.told = told
    machine.boot += LOOK_NS
    lab.tick()
    with pytest.raises(AuthorityError, match=message):
        run.tick()
    machine.told = (True, 1.0)
    with pytest.raises(AuthorityError, match=message):
        run.tick()


def test_the_kernel_tells_of_this_machine() -> None:
    is_synchronised, error_ms = kernel_discipline()
    assert (error_ms is not None) is is_synchronised
    assert boottime_ns() > 0
    assert abs((moment(realtime_ns()) - datetime.now(UTC)).total_seconds()) < 60
    Clock(must_be_synchronised=False).tick()
