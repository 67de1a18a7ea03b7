"""Who is lost is told from what this machine lacks."""

import errno

import pytest

from protech.errors import ConfigError
from protech.locate.loss import OURS, Loss, Lost, lost_by


@pytest.mark.parametrize(
    ("number", "loss"),
    [
        (errno.ECONNREFUSED, Loss.REFUSED),
        (errno.ECONNRESET, Loss.RESET),
        (errno.ETIMEDOUT, Loss.TIMED_OUT),
        (errno.EHOSTUNREACH, Loss.UNREACHABLE),
        (errno.EACCES, Loss.UNREACHABLE),
    ],
)
def test_a_peer_is_lost(number: int, loss: Loss) -> None:
    fault = lost_by(OSError(number, ""))
    assert isinstance(fault, Lost)
    assert fault.loss is loss


@pytest.mark.parametrize("number", OURS)
def test_what_this_machine_lacks_is_the_operators_to_repair(number: int) -> None:
    assert isinstance(lost_by(OSError(number, "")), ConfigError)
