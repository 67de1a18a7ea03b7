"""What all tests share: `needs` skips a test whose program is missing, and says so."""

import shutil

import pytest
from hypothesis import settings

settings.register_profile("protech", deadline=None)  # a busy machine is no fault
settings.load_profile("protech")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a program this machine lacks; `dev.py check` prints the reason."""
    for marker in item.iter_markers("needs"):
        (program,) = marker.args
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}; system-packages.txt names what brings it")
