"""This machine's clock: what the kernel says of it, and whether anybody set it meanwhile.

Sources: adjtimex(2), clock_gettime(2). The kernel slews CLOCK_BOOTTIME with CLOCK_REALTIME, so
that their difference stays, and only who sets the clock changes it.
"""

import ctypes
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import CLOCK_BOOTTIME, CLOCK_REALTIME, clock_gettime_ns

from protech.errors import AuthorityError, ConfigError
from protech.locate.papers import ClockReading
from protech.locate.rules import CLOCK_ERROR_MS

TIME_ERROR = 5
STA_UNSYNC = 0x0040

STEP_NS = 50_000_000
"""More than this and the clock was set. A reading that was interrupted shows a later time than
it was, never an earlier one, so that no load looks like a step back."""

READINGS = 8
"""So many, of which the smallest difference was not interrupted."""

LOOK_NS = 1_000_000_000
"""How often the kernel is asked whether the clock is synchronised still."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux on 64 bits (linux/timex.h)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


type Ticks = Callable[[], int]
"""Nanoseconds of a clock."""

type Discipline = Callable[[], tuple[bool, float | None]]
"""Whether the clock is synchronised, and how many milliseconds it may be off at most."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def kernel_discipline() -> tuple[bool, float | None]:
    """Return what the kernel says of its clock: synchronised, and off by so much at most.

    Raises:
        ConfigError: It says nothing.
    """
    told = _Timex()
    state = _LIBC.adjtimex(ctypes.byref(told))
    if state < 0:
        why = os.strerror(ctypes.get_errno())
        raise ConfigError(
            f"The kernel does not say whether the clock is synchronised: {why}. Allow adjtimex"
            " to this process (it is only read)."
        )
    is_synchronised = state != TIME_ERROR and not told.status & STA_UNSYNC
    return is_synchronised, told.maxerror / 1000 if is_synchronised else None


realtime_ns: Ticks = partial(clock_gettime_ns, CLOCK_REALTIME)
"""The time in nanoseconds since 1970."""

boottime_ns: Ticks = partial(clock_gettime_ns, CLOCK_BOOTTIME)
"""Nanoseconds since the machine started, sleep among them."""


def moment(at_ns: int) -> datetime:
    """Return a time in nanoseconds since 1970 as one in UTC."""
    return EPOCH + timedelta(microseconds=at_ns // 1000)


class Clock:
    """A clock that stops who asks it once somebody has set it, or it is not kept any more."""

    def __init__(
        self,
        *,
        must_be_synchronised: bool,
        realtime: Ticks = realtime_ns,
        boottime: Ticks = boottime_ns,
        discipline: Discipline = kernel_discipline,
    ) -> None:
        """Take the clock as it goes now.

        Args:
            must_be_synchronised: Whether it stops where the kernel says that it is not.
            realtime: Tells the time, in nanoseconds since 1970.
            boottime: Nanoseconds that nobody sets.
            discipline: What the kernel says of the clock.

        Raises:
            ConfigError: The kernel says nothing of it.
        """
        self._realtime = realtime
        self._boottime = boottime
        self._discipline = discipline
        self._must_be_synchronised = must_be_synchronised
        self._stopped: str | None = None
        self._difference = self._smallest_difference()
        self._look_at = 0
        self._told = discipline()

    def reading(self) -> ClockReading:
        """Return the time and what the kernel says of it.

        Raises:
            ConfigError: It says nothing.
        """
        self._told = self._discipline()
        is_synchronised, error_ms = self._told
        return ClockReading(
            at=moment(self._realtime()), is_synchronised=is_synchronised, error_ms=error_ms
        )

    def tick(self) -> int:
        """Return the time in nanoseconds since 1970; cheap, for each packet.

        Raises:
            AuthorityError: The clock was set, or is not synchronised any more; from then on,
                always.
        """
        # This one first: an interruption between them makes the time later, never earlier.
        boot_ns = self._boottime()
        now_ns = self._realtime()
        moved = now_ns - boot_ns - self._difference
        if boot_ns >= self._look_at or not -STEP_NS < moved < STEP_NS:
            self._look(boot_ns)
        return now_ns

    def _look(self, boot_ns: int) -> None:
        """Look closely, and stop where something does not hold."""
        if self._stopped is None:
            moved = self._smallest_difference() - self._difference
            is_synchronised, error_ms = self._told = self._discipline()
            if not -STEP_NS < moved < STEP_NS:
                self._stopped = (
                    f"This machine's clock was set by {moved / 1e9:+.3f} s during the run, so"
                    " that times before and after do not compare. Start again once it is right."
                )
            elif self._must_be_synchronised and not is_synchronised:
                self._stopped = (
                    "This machine's clock is not synchronised any more, says the kernel; look"
                    " after chrony or systemd-timesyncd, and start again."
                )
            elif self._must_be_synchronised and (error_ms or 0) > CLOCK_ERROR_MS:
                self._stopped = (
                    f"This machine's clock may be {error_ms:.0f} ms off by now; look after its"
                    " time server, and start again."
                )
        if self._stopped is not None:
            self._look_at = 0
            raise AuthorityError(f"{self._stopped} No packet was sent.")
        self._look_at = boot_ns + LOOK_NS

    def _smallest_difference(self) -> int:
        differences = []
        for _ in range(READINGS):
            boot_ns = self._boottime()
            differences.append(self._realtime() - boot_ns)
        return min(differences)
