import json
import re
from typing import Any

from protech.evidence.bundle import bundle
from protech.lists.fetch_key import TorrentFile
from protech.locate.adapter import Level
from tests.locate_case import BEGUN_AT, CASE_NAME, CaseMaker, small_case


def nodes(text: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(text)["@graph"] if one["@type"].endswith(f":{kind}")]


def test_the_same_records_give_the_same_bytes() -> None:
    made, _ = small_case()
    assert bundle(made.numbered) == bundle(made.numbered)


def test_a_case_that_grows_keeps_its_ids() -> None:
    made, _ = small_case()
    before = json.loads(bundle(made.numbered[:-1]))["@graph"]
    after = json.loads(bundle(made.numbered))["@graph"]
    ids = {one["@id"] for one in after}
    assert {one["@id"] for one in before} <= ids


def test_nothing_below_level_3_is_in_it() -> None:
    made, _ = small_case()
    text = bundle(made.numbered)
    pseudonyms = [
        record["peer"]["pseudonym"]
        for _, record in made.numbered
        if record["kind"] == "sighting" and record["level"] < Level.CLAIMS
    ]
    assert len(pseudonyms) == 3
    assert not any(one in text for one in pseudonyms)
    assert "198.18.1." not in text
    assert len(nodes(text, "InvestigativeAction")) == 7


def test_a_listed_file_is_called_by_its_entry_and_by_no_fetch_key() -> None:
    made, _ = small_case()
    text = bundle(made.numbered)
    for target in made.watch.targets:
        assert isinstance(target.key, TorrentFile)
        assert target.entry in text
        assert target.key.info_hash.hex() not in text.lower()


def test_a_connection_has_both_ends_ports_and_times() -> None:
    made = CaseMaker()
    made.sighting(peer="198.18.7.9", port=51413)
    (connection,) = nodes(bundle(made.numbered), "NetworkConnection")
    (facet,) = connection["uco-core:hasFacet"]
    assert facet["uco-observable:destinationPort"] == 51413
    assert facet["uco-observable:sourcePort"] == 40123
    assert facet["uco-observable:startTime"]["@value"] == "2026-11-26T08:00:00.000Z"


def test_a_sighting_without_place_transport_or_end_of_ours_is_told_all_the_same() -> None:
    made = CaseMaker()
    made.sighting(Level.CLAIMS)
    bare = made.numbered
    bare[-1][1].update(place=None, transport=None, local=None, claims=None)
    (action,) = nodes(bundle(bare), "InvestigativeAction")
    assert "uco-action:location" not in action


def test_the_digest_of_a_tree_is_no_hash_of_the_piece_and_stands_in_words() -> None:
    made = CaseMaker()
    made.sighting()
    records = made.numbered
    records[-1][1]["proof"]["digest"] = "ab" * 32
    text = bundle(records)
    assert f"of a tree over the piece: {'ab' * 32}" in text
    assert len(re.findall("uco-types:hashMethod", text)) == 1


def test_a_piece_whose_digest_is_its_sha256_has_one_hash() -> None:
    made = CaseMaker()
    made.sighting()
    records = made.numbered
    records[-1][1]["proof"]["digest"] = records[-1][1]["proof"]["sha256"]
    assert bundle(records).count("uco-types:hashMethod") == 1


def test_the_investigation_names_its_authorisation_once_for_several_runs() -> None:
    made = CaseMaker()
    made.records.append(made.records[0])
    made.sighting(at=BEGUN_AT)
    text = bundle(made.numbered)
    (investigation,) = nodes(text, "Investigation")
    assert investigation["uco-core:name"] == CASE_NAME
    assert len(investigation["case-investigation:relevantAuthorization"]) == 1


def test_an_authorisation_without_term_is_told_without() -> None:
    made = CaseMaker()
    records = made.numbered
    records[0][1]["authorisation"] = {"case": CASE_NAME}
    (authorisation,) = nodes(bundle(records), "Authorization")
    assert "uco-core:startTime" not in authorisation
