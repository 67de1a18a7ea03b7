"""Closed and full streams, seen from a process of their own."""

import subprocess
import sys

import pytest

USE = """
import os, sys
from protech.streams import let_go_of_output, open_streams
open_streams()
sys.stderr.write("a word")
sys.stdin.read()
try:
    print("a word", flush=True)
except OSError:
    let_go_of_output()
sys.exit(0 if os.open(os.devnull, os.O_RDONLY) > 2 else 1)
"""


@pytest.mark.parametrize(
    "line", ["", ">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>&-"]
)
def test_a_program_outlives_streams_that_are_closed_or_full(line: str) -> None:
    command = ["sh", "-c", f'exec "$@" {line}', "sh", sys.executable, "-c", USE]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    assert ended.stderr in {"", "a word"}
    assert ended.stdout == ("a word\n" if line in {"", "2>&-", "<&-"} else "")


SPEAK = """
import logging
from protech.streams import only_our_words
loud = logging.getLogger("loud")
loud.addHandler(logging.StreamHandler())
only_our_words(silenced=["loud"])
for name in ("loud", "loud.child", "other", "protech.part"):
    logging.getLogger(name).error("words of %s", name)
"""


def test_only_our_own_loggers_speak() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SPEAK], capture_output=True, text=True, check=True
    )
    assert said.stdout == ""
    assert said.stderr == "protech ERROR words of protech.part\n"
