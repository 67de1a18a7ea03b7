"""A guard as its own process and its user's commands see it."""

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.guard.plan import Plan, Rooms
from protech.guard.session import (
    STOPS,
    detector_state,
    page_address,
    running_of,
    say,
    supervised,
    with_ports,
)
from protech.guard.supervise import PartError


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    rooms = Rooms(runtime=tmp_path / "run", state=tmp_path / "state")
    rooms.make()
    return Plan(rooms=rooms, listen=("127.0.0.1", 0), models="none", workers=1)


def test_ports_are_found_and_differ(plan: Plan) -> None:
    found = with_ports(plan)
    assert found.page_port
    assert found.listen[1]
    assert found.page_port != found.listen[1]


def test_a_port_in_use_is_refused(plan: Plan) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = replace(plan, listen=("127.0.0.1", other.getsockname()[1]))
        with pytest.raises(ConfigError, match="--listen"):
            with_ports(taken)


def test_where_nothing_runs_nothing_answers(plan: Plan) -> None:
    assert detector_state(plan.rooms.detector) is None
    assert page_address(plan.rooms) is None


def test_a_running_guard_says_where_it_is(plan: Plan) -> None:
    running = running_of(replace(plan, listen=("127.0.0.1", 7)))
    assert running.listen == "127.0.0.1:7"
    assert running.process == os.getpid()
    assert running.certificate.startswith(os.fspath(plan.rooms.state))


def test_what_is_said_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("Something.")
    assert capsys.readouterr() == ("", "protech: Something.\n")


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_ends_the_run_and_handlers_come_back(
    plan: Plan, number: signal.Signals
) -> None:
    before = [signal.getsignal(each) for each in STOPS]
    broken = replace(plan, lists=("/there-is-no-list",))
    with pytest.raises(PartError), supervised(broken, say=lambda _: None):
        pass
    assert [signal.getsignal(each) for each in STOPS] == before
