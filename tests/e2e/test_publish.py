"""docs/publish-a-list.md, run from its first command to its last, as it stands."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.as_process import home

PAGE = Path(__file__).resolve().parents[2] / "docs" / "publish-a-list.md"
SOURCE = Path(__file__).resolve().parents[2] / "src"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of the page in a clean home, with ``protech`` on the path."""
    programs = folder / "programs"
    programs.mkdir()
    command = programs / "protech"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m protech.cli "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        **home(folder),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE),
    }
    return subprocess.run(
        ["bash", "-c", f'trap "kill %1" EXIT\nset -eu\n{script}'],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("authority")
    script = "\n".join(blocks()).replace("8000", str(free_port()))
    return run(script, folder)


def test_the_page_can_be_followed_to_its_end(
    done: subprocess.CompletedProcess[str],
) -> None:
    assert done.returncode == 0, done.stderr
    assert "police 1 waits for 2 more signatures" in done.stdout


def test_the_device_gets_each_version(done: subprocess.CompletedProcess[str]) -> None:
    synced = re.findall(r"^  baseline (\d+): (\w+)", done.stdout, re.MULTILINE)
    versions = [version for version, _ in synced]
    assert list(dict.fromkeys(versions)) == ["1", "2"], done.stdout


def test_no_command_of_the_page_is_left_out() -> None:
    shown = " ".join(blocks())
    steps = ["new", "stage", "log", "now", "refresh", "enrol", "revoke", "rotate", "delegate"]
    for command in ["keys new", "keys device", "sign", "witness", "sync"]:
        assert f"protech lists {command}" in shown
    for step in steps:
        assert f"protech lists publish {step}" in shown
