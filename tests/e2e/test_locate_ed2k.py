"""A run against eDonkey: a real client that offers a file to a server, and peers that lie.

What is seen is of the level it should be, the log tells it, and the verifier agrees.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protech.locate.lab.ed2k_liars import Lie
from tests import donkeys, ed2k_stage
from tests.ed2k_stage import DEAD, HOLDER, LIARS, OUTSIDE, SEED, SIZE_BYTES

ROOT = Path(__file__).parents[2]

pytestmark = [
    *(pytest.mark.needs(one) for one in ("unshare", "ip", "amuled", "rhash")),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a namespace of its own"),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("ed2k")
    command = ["unshare", "--net", sys.executable, "-m", "tests.ed2k_stage", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def sightings(seen: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in seen["records"] if one["kind"] == "sighting"]


def of(seen: dict[str, Any], host: str) -> dict[str, Any]:
    (found,) = (one for one in sightings(seen) if one["peer"].get("address") == host)
    return found


def test_who_has_the_file_is_proved(seen: dict[str, Any]) -> None:
    found = of(seen, HOLDER)
    assert (found["network"], found["level"], found["outcome"]) == ("ed2k", 4, "served")
    assert found["sources"] == ["server"]
    assert found["client"]["name"] == "lab"
    proof = found["proof"]
    block = donkeys.content(SEED, SIZE_BYTES)[proof["offset_bytes"] :]
    block = block[: proof["length_bytes"]]
    assert donkeys.sha1(block).hex() == proof["digest"]
    assert block[:30] not in base64.b64decode(found["transcript"])


def test_who_lies_is_never_proved(seen: dict[str, Any]) -> None:
    proved = [one for one in sightings(seen) if one["level"] == 4]
    assert [one["peer"]["address"] for one in proved] == [HOLDER]


@pytest.mark.parametrize(
    ("lie", "outcome"),
    [
        (Lie.LIAR, "malformed"),
        (Lie.COPIER, "bad_piece"),
        (Lie.BUSY, "choked"),
        (Lie.QUITTER, "refused"),
    ],
)
def test_who_claims_and_gives_nothing_has_an_outcome(
    seen: dict[str, Any], lie: Lie, outcome: str
) -> None:
    found = of(seen, LIARS[lie][0])
    assert (found["level"], found["outcome"]) == (3, outcome)


def test_whom_only_kad_names_is_found(seen: dict[str, Any]) -> None:
    assert of(seen, LIARS[ed2k_stage.BY_KAD][0])["sources"] == ["kad"]


def test_who_does_not_claim_is_not_named(seen: dict[str, Any]) -> None:
    low = [one for one in sightings(seen) if one["level"] < 3]
    assert sorted((one["level"], one["outcome"]) for one in low) == [
        (0, "unreachable"),
        (1, "echo"),
        (1, "nothing_held"),
        (1, "other_protocol"),
        (1, "silent"),
    ]
    assert all(set(one["peer"]) == {"pseudonym"} for one in low)


def test_nobody_outside_of_the_lab_was_asked(seen: dict[str, Any]) -> None:
    assert OUTSIDE[0] not in json.dumps(seen["records"])
    assert DEAD[0] not in json.dumps(seen["records"])


def test_the_report_and_the_verifier_agree(seen: dict[str, Any]) -> None:
    verified = seen["verified"]
    assert "report-en.pdf" in verified["files"]
    assert len(verified["packs"]) == 5
    for name, (code, said) in verified["packs"].items():
        assert code == 0, (name, said)
