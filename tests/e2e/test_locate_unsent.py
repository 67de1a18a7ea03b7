"""Where the authority does not cover it, no packet leaves: they are counted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.needs("ip")
@pytest.mark.needs("unshare")
def test_no_packet_leaves_that_is_not_covered() -> None:
    namespace = ["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs leave to make a network namespace")
    shown = subprocess.run(
        [*namespace, sys.executable, "-m", "tests.unsent"],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        text=True,
        timeout=120,
    )
    found = json.loads(shown.stdout)
    controls = {name: one for name, one in found.items() if name.startswith("control")}
    others = {name: one for name, one in found.items() if name not in controls}
    assert len(controls) == 3
    assert [name for name, one in controls.items() if not one["packets"]] == []
    assert [name for name, one in controls.items() if one["refused"]] == []
    assert len(others) == 19
    assert {name: one for name, one in others.items() if one["packets"]} == {}
    assert [name for name, one in others.items() if not one["refused"]] == []
