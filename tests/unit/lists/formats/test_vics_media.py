"""One of the media of a VICS file: what it holds and carries, and what is wrong with it."""

import base64
from typing import Any

import pytest

from protech.lists.entries import PDQ_PER_ENTRY, Entry
from protech.lists.formats.values import BadValue
from protech.lists.formats.vics_media import CARRIED_KEPT, MediaReader

MD5, SHA1, SHA256, HASH = "ab" * 16, "CD" * 20, "eF" * 32, "01" * 32
PHOTODNA = base64.b64encode(bytes(range(144))).decode()


def entry(**fields: Any) -> Entry:
    return MediaReader().entry(fields)


def alternative(name: object, value: object) -> dict[str, object]:
    return {"HashName": name, "HashValue": value}


def carried(**fields: Any) -> object:
    return entry(MD5=MD5, **fields).others["vics"]


def test_all_that_is_known_is_held() -> None:
    found = entry(
        MD5=MD5.upper(),
        SHA1=f" {SHA1} ",
        PhotoDNA=PHOTODNA,
        AlternativeHashes=[
            alternative("SHA-256", SHA256),
            alternative("pdq", HASH),
            alternative("PDQ", HASH.upper()),
            alternative(" PDQ ", "02" * 32),
            alternative("PhotoDNA", PHOTODNA),
            alternative("F1", "whatever"),
            alternative(7, HASH),
            alternative("PDQ", ""),
            "no object",
        ],
        MediaFiles=[{"FileName": "holiday.jpg", "MD5": "00" * 16}],
        Unknown={"MD5": "00" * 16},
    )
    assert found == Entry(
        md5=bytes.fromhex(MD5),
        sha1=bytes.fromhex(SHA1),
        sha256=bytes.fromhex(SHA256),
        pdq=(bytes.fromhex(HASH), b"\2" * 32),
        photodna=bytes(range(144)),
        others={"vics": {"category": "none"}},
    )


def test_keys_are_known_in_any_capitals() -> None:
    found = entry(md5=MD5, Sha1=SHA1, category=3, PHOTODNA=PHOTODNA)
    assert (found.md5, found.sha1) == (bytes.fromhex(MD5), bytes.fromhex(SHA1))
    assert (found.photodna, found.others) == (bytes(range(144)), {"vics": {"category": 3}})


@pytest.mark.parametrize(
    ("value", "category"),
    [
        (0, 0), (2, 2), ("2", 2), (" 2 ", 2), ("A1", "A1"), (None, "none"), ("", "none"),
        (True, "none"), (-1, "none"), (10**40, "none"), (1.5, "none"), ([1], "none"),
        ("x" * 99, "x" * 40), ("a\nb", "none"), ("²", "²"), ({"Name": "1"}, "none"),
    ],
)  # fmt: skip
def test_a_category_is_a_small_number_or_a_short_word(value: object, category: object) -> None:
    assert carried(Category=value) == {"category": category}


@pytest.mark.parametrize("value", [True, "true", "TRUE", " true ", 1, "1"])
def test_flags_are_carried_where_they_are_true(value: object) -> None:
    assert carried(Category=1, VictimIdentified=value, IsDistributed="x" * 10**6) == {
        "category": 1,
        "victim_identified": True,
    }


@pytest.mark.parametrize("value", [False, "false", "False", "", None, 0, "0", {}, [], ["true"]])
def test_flags_that_are_not_true_are_left_out(value: object) -> None:
    assert carried(Category=1, OffenderIdentified=value) == {"category": 1}


def test_series_tags_and_names_are_left_out() -> None:
    said = carried(Category=1, Series="a", Tags="b", Comments="c", MediaSize=9, MediaID=7)
    assert said == {"category": 1}


WRONG = {
    "zz": "is not 32 hex digits",
    MD5[:-1]: "is not 32 hex digits",
    MD5 + "00": "is not 32 hex digits",
    MD5[:-2] + "  ": "is not 32 hex digits",
    "\0" * 32: "is not 32 hex digits",
    "\ud800" * 32: "is not 32 hex digits",
    17: "is no text",
}


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_a_wrong_digest_is_named_and_the_others_are_kept(value: Any) -> None:
    with pytest.raises(BadValue, match=f"^'md5' {WRONG[value]}$") as alone:
        entry(MD5=value)
    assert alone.value.kept is None
    with pytest.raises(BadValue, match=f"^'md5' {WRONG[value]}$") as beside:
        entry(MD5=value, SHA1=SHA1, Category=1)
    assert beside.value.kept == Entry(
        sha1=bytes.fromhex(SHA1), others={"vics": {"category": 1}}
    )


def test_what_contradicts_itself_is_named() -> None:
    with pytest.raises(BadValue, match="two different 'md5'") as found:
        entry(MD5=MD5, AlternativeHashes=[alternative("MD5", "00" * 16)])
    assert found.value.kept is not None
    with pytest.raises(BadValue, match="'photodna' is not"):
        entry(MD5=MD5, AlternativeHashes=[alternative("PhotoDNA", "x")])
    assert entry(MD5=MD5, AlternativeHashes=[alternative("MD5", MD5.upper())]).md5


@pytest.mark.parametrize("fields", [{}, {"MD5": None, "SHA1": ""}, {"MediaID": 1, "MD5": ""}])
def test_what_has_no_identifier_is_no_entry(fields: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match="no identifier"):
        entry(**fields)


def test_the_digests_of_nothing_are_no_entry() -> None:
    for fields in (
        {"MD5": "D41D8CD98F00B204E9800998ECF8427E", "SHA1": SHA1},
        {"SHA1": "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    ):
        with pytest.raises(BadValue, match="a file without content") as found:
            entry(**fields)
        assert found.value.kept is None


def test_an_entry_has_no_more_hashes_than_one_can_have() -> None:
    hashes = [alternative("PDQ", i.to_bytes(32).hex()) for i in range(PDQ_PER_ENTRY + 9)]
    assert len(entry(AlternativeHashes=hashes).pdq) == PDQ_PER_ENTRY


def test_what_is_carried_in_common_is_one_object_and_not_kept_without_end() -> None:
    reader = MediaReader()
    first, second = (reader.entry({"MD5": MD5, "Category": 1}) for _ in range(2))
    assert first.others is second.others
    for i in range(CARRIED_KEPT + 9):
        assert reader.entry({"MD5": MD5, "Category": f"c{i}"}).others == {
            "vics": {"category": f"c{i}"}
        }
    assert len(reader._carried) == CARRIED_KEPT
