"""The installed command's demo, as a new user runs it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protech.guard.demo.pictures import evening_pixels, has_detail, screenshot
from protech.guard.demo.site import page_height_px, photos, regions

PROTECH = Path(sys.executable).with_name("protech")
DEMO_S = 240
TABLE_ROW = re.compile(
    r"^  (\S.*?)  +(\S.*?)  +(\S+)  +(shown|NOT SHOWN)  +(\w+)$", re.MULTILINE
)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A short path: Chromium puts a socket below TMPDIR, and its address holds 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="pd-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def home(tmp_path: Path, temporary: Path) -> dict[str, str]:
    """Directories of one's own, so that a test meets nobody's guard and leaves nothing."""
    for name in ("run", "state", "cache", "config"):
        (tmp_path / name).mkdir(mode=0o700)
    return os.environ | {
        "XDG_RUNTIME_DIR": os.fspath(tmp_path / "run"),
        "XDG_STATE_HOME": os.fspath(tmp_path / "state"),
        "XDG_CACHE_HOME": os.fspath(tmp_path / "cache"),
        "XDG_CONFIG_HOME": os.fspath(tmp_path / "config"),
        "TMPDIR": os.fspath(temporary),
    }


def demo(home: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROTECH, "guard", "--demo", *options],
        env=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_S,
    )


def assert_table(text: str) -> None:
    rows = TABLE_ROW.findall(text)
    shown = photos()
    assert len(rows) == len(shown)
    listed = [row for row in rows if row[2] in ("known", "resembles")]
    assert len(listed) == sum(photo.is_listed for photo in shown)
    assert {row[2] for row in listed} == {"known", "resembles"}
    assert {row[4] for row in listed} == {"hidden"}
    assert {row[3:] for row in rows if row not in listed} == {("shown", "shown")}


@pytest.mark.needs("chromium")
def test_the_demo_shows_what_is_hidden_and_leaves_its_screenshots(
    home: dict[str, str], tmp_path: Path, temporary: Path
) -> None:
    done = demo(home, "--screenshots", os.fspath(tmp_path / "shots"))
    assert done.returncode == 0, done.stderr
    assert_table(done.stdout)
    assert os.fspath(tmp_path / "shots") in done.stdout
    assert "0 with it" in done.stdout
    assert (tmp_path / "shots" / "side-by-side.png").exists()
    assert not list(temporary.glob("protech-demo-*")), "the demo left something behind"

    shown = photos()
    height_px = page_height_px(len(shown))
    without, through = (
        screenshot(tmp_path / "shots" / name, height_px=height_px)
        for name in ("without-guard.png", "with-guard.png")
    )
    assert evening_pixels(without) > 100_000
    assert evening_pixels(through) == 0
    for photo, region in zip(shown, regions(len(shown)), strict=True):
        across = slice(region.left, region.left + region.width)
        down = slice(region.top, region.top + region.height)
        assert has_detail(without[down, across])
        assert has_detail(through[down, across]) is not photo.is_listed


@pytest.mark.slow
def test_without_a_browser_the_demo_compares_bytes(home: dict[str, str]) -> None:
    done = demo(home | {"PATH": os.fspath(PROTECH.parent)}, "--models", "none")
    assert done.returncode == 0, done.stderr
    assert_table(done.stdout)
    assert "byte for byte" in done.stdout
    assert "No browser is installed" in done.stderr


@pytest.mark.slow
def test_at_a_terminal_the_demo_stays_until_the_person_ends_it(home: dict[str, str]) -> None:
    master, slave = pty.openpty()
    environment = home | {"PATH": os.fspath(PROTECH.parent)}
    with subprocess.Popen(
        [PROTECH, "guard", "--demo", "--models", "none"],
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        said = read_until(master, b"Ctrl-C ends the demo")
        assert b"Its page" in said
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    os.close(master)


def read_until(descriptor: int, wanted: bytes) -> bytes:
    said, end = b"", time.monotonic() + DEMO_S
    while wanted not in said:
        assert select.select([descriptor], [], [], end - time.monotonic())[0], said
        said += os.read(descriptor, 65536)
    return said
