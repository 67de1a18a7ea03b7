import re

from tools import peers

LOCK = """\
# made by a command
cython==3.3.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r peers.in
vpdq==0.2.5 \\
    --hash=sha256:cc
"""


def test_what_is_built_comes_after_what_builds_it() -> None:
    ready, built = peers.parted(LOCK)
    assert [block.partition("==")[0] for block in ready] == ["cython"]
    assert [block.partition("==")[0] for block in built] == ["vpdq"]
    assert ready[0].count("--hash=") == 2


def test_the_lock_pins_all_that_is_built() -> None:
    _, built = peers.parted(peers.LOCK.read_text())
    assert {block.partition("==")[0] for block in built} == peers.BUILT


def test_every_package_of_the_lock_is_installed_once() -> None:
    lock = peers.LOCK.read_text()
    ready, built = peers.parted(lock)
    names = re.findall(r"^([\w-]+)==", lock, re.MULTILINE)
    assert sorted(names) == sorted(block.partition("==")[0] for block in ready + built)


def test_another_lock_is_another_environment() -> None:
    assert peers.wanted(LOCK) == peers.wanted(LOCK)
    assert peers.wanted(LOCK) != peers.wanted(LOCK.replace("0.2.5", "0.2.6"))
