"""Our findings as CASE/UCO, checked by case-utils 0.18 against CASE 1.5.0 offline.

Reference: case-utils (NIST), ``case_validate``: pySHACL over the published ontology. Tolerance:
none; even shapes of severity Info must hold.
"""

from pathlib import Path

import pytest
from case_utils.case_validate import validate

from protech.evidence.bundle import bundle
from tests.locate_case import small_case

VERSION = "case-1.5.0"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rdflib's own


def conforms(path: Path) -> tuple[bool, str]:
    """Return whether the reference accepts a graph, and what it says."""
    result = validate(str(path), case_version=VERSION)
    return result.conforms, result.text


def test_a_bundle_of_every_network_and_digest_conforms(tmp_path: Path) -> None:
    made, _ = small_case()
    records = made.numbered
    proofs = [record["proof"] for _, record in records if record.get("proof")]
    proofs[0]["digest"] = proofs[0]["sha256"]
    proofs[1]["digest"] = "ab" * 32
    for _, record in records[-3:]:
        record.update(network="ed2k", transport="ed2k_obfuscated")
    path = tmp_path / "case.jsonld"
    path.write_text(bundle(records))
    holds, text = conforms(path)
    assert holds, text


def test_the_reference_refuses_a_bundle_that_was_spoilt(tmp_path: Path) -> None:
    made, _ = small_case()
    path = tmp_path / "case.jsonld"
    spoilt = bundle(made.numbered).replace('destinationPort":51413', 'destinationPort":"x"')
    path.write_text(spoilt)
    assert not conforms(path)[0]
