"""Tokens of SoftHSM for tests: made once in each process, in a folder that it takes away."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "123456"
LABELS = ("operator-a", "operator-b", "operator-c")
"""The library sees no token that is made once it is loaded: all are made here."""


@functools.cache
def tokens() -> tuple[str, ...]:
    """Return the labels of empty tokens, whose PIN is ``PIN``; their library is ``MODULE``."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n"
        "log.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    for label in LABELS:
        words = ["--init-token", "--free", "--label", label, "--so-pin", PIN, "--pin", PIN]
        subprocess.run(["softhsm2-util", *words], check=True, capture_output=True)
    return LABELS
