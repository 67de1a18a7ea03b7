"""A filter that DCSO's own implementation made, through ours: the same answers, bit by bit.

Reference: Flor 1.1.3 (PyPI, DCSO, BSD-3-Clause), which hashlookup-forensic-analyser uses; the
vectors were made by it. Tolerance: none.
"""

import json
from pathlib import Path

from protech.lists.formats.circl import Bloom

REFERENCE = Path(__file__).with_name("bloom_reference.json")


def test_the_reference_and_ours_give_the_same_answers(tmp_path: Path) -> None:
    reference = json.loads(REFERENCE.read_text())
    (tmp_path / "filter").write_bytes(bytes.fromhex(reference["filter"]))
    with Bloom.open(tmp_path / "filter") as bloom:
        assert all(bloom.contains(bytes.fromhex(one)) for one in reference["known"])
        answers = {one: bloom.contains(bytes.fromhex(one)) for one in reference["others"]}
    assert answers == reference["others"]
    assert set(answers.values()) == {True, False}  # mistaken where the reference is
