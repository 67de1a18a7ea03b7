"""The demo's own errors; the demo as a whole is in tests/e2e/test_guard_demo.py."""

from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.guard.demo.comparison import demo
from protech.guard.plan import Plan, Rooms


def test_a_place_that_takes_no_screenshots_is_said_before_anything_starts(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    plan = Plan(rooms=Rooms(runtime=tmp_path / "run", state=tmp_path / "state"))
    with pytest.raises(ConfigError, match="--screenshots"):
        demo(plan, screenshots=tmp_path / "file" / "shots")
    assert not (tmp_path / "run").exists()
