from tools import lock

ALL = """\
# made by a command
numpy==2.5.5 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via protech
pytest==9.2.0 \\
    --hash=sha256:cc
pyseccomp==0.1.2 ; sys_platform == 'linux' \\
    --hash=sha256:dd
"""
GUARD = "numpy==2.5.5 \\\n    --hash=sha256:aa\n"


def test_a_subset_with_the_same_pins_is_good() -> None:
    assert lock.faults(ALL, {"guard": GUARD}) == []


def test_another_version_is_a_fault() -> None:
    assert lock.faults(ALL, {"guard": GUARD.replace("2.5.5", "2.5.4")}) != []


def test_a_package_of_its_own_is_a_fault() -> None:
    flask = "flask==3.1 \\\n    --hash=sha256:ee\n"
    assert lock.faults(ALL, {"guard": GUARD + flask}) != []


def test_a_pin_without_a_digest_is_a_fault() -> None:
    assert lock.faults(ALL, {"guard": "numpy==2.5.5\n"}) != []


def test_a_place_to_fetch_from_is_a_fault() -> None:
    assert (
        lock.faults(f"--index-url {'https'}://pypi.example/simple\n{ALL}", {"guard": GUARD})
        != []
    )


def test_markers_belong_to_a_pin() -> None:
    assert lock.pins(ALL)["pyseccomp sys_platform == 'linux'"].startswith("pyseccomp==0.1.2")


def test_the_committed_locks_are_good() -> None:
    subsets = {name: lock.path_of(name).read_text() for name in lock.SUBSETS}
    assert lock.faults(lock.path_of("all").read_text(), subsets) == []


def test_peers_pin_what_they_like_with_its_digest() -> None:
    peers = "numpy==1.0 \\\n    --hash=sha256:ff\n"
    assert lock.faults(ALL, {"guard": GUARD}, peers) == []
    assert lock.faults(ALL, {"guard": GUARD}, "numpy==1.0\n") != []
