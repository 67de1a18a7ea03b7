"""Papers: made, signed and read; whatever is not as it was signed is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import AuthorityError, ProtechError, TrustError
from protech.locate.documents import (
    FILE_BYTES,
    Document,
    canonical,
    draft,
    make_authorisation,
    make_request,
    make_timestamp,
    read_authorisation,
    read_document,
    read_request,
    read_timestamp,
    sign,
)
from protech.locate.papers import Quorum
from tests.authorised import (
    ANCHORS,
    CLERK,
    MAGISTRATE,
    NOW,
    OPERATORS,
    TERMS,
    authorisation,
    key,
    request_document,
    timestamp_document,
)

AUTHORISED = sign(make_authorisation(TERMS), MAGISTRATE)
GOOD = AUTHORISED.content


def test_a_paper_comes_back_as_it_was_made() -> None:
    paper = read_authorisation(GOOD, ANCHORS)
    assert paper.terms == TERMS
    assert paper.text == AUTHORISED.text
    assert canonical(AUTHORISED.fields) + b"\n" == GOOD
    stamped = read_timestamp(timestamp_document(paper).content, ANCHORS)
    assert (stamped.terms.at, stamped.terms.in_force) == (NOW, frozenset({paper.sha256}))
    asked = read_request(request_document(paper, entries=frozenset({"E-1"})).content)
    assert asked.terms.entries == frozenset({"E-1"})
    assert asked.terms.authorisation_sha256 == paper.sha256
    assert make_request(asked.terms).text == asked.text
    assert make_timestamp(stamped.terms).text == stamped.text


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_every_bit_flip_is_refused_or_changes_nothing(place: int) -> None:
    changed = bytearray(GOOD)
    changed[place // 8] ^= 1 << place % 8
    try:
        paper = read_authorisation(bytes(changed), ANCHORS)
    except ProtechError:
        return
    assert paper.text == AUTHORISED.text  # the whitespace at the end, or a key's JSON escape
    assert paper.signers == {MAGISTRATE.public}


@given(st.binary(max_size=200))
def test_what_is_no_paper_is_refused(content: bytes) -> None:
    for read in (
        lambda: read_authorisation(content, ANCHORS),
        lambda: read_timestamp(content, ANCHORS),
        lambda: read_request(content),
    ):
        with pytest.raises(TrustError):
            read()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_what_anybody_signs_is_a_paper_only_by_its_terms(value: object) -> None:
    try:
        text = canonical(value).decode()
    except UnicodeEncodeError:
        return
    document = sign(Document(text=text), MAGISTRATE)
    with pytest.raises(TrustError):
        read_authorisation(document.content, ANCHORS)


def test_one_sort_of_paper_is_not_taken_for_another() -> None:
    stamped = sign(Document(text=timestamp_document().text), MAGISTRATE)
    with pytest.raises(TrustError, match="of another kind"):
        read_authorisation(stamped.content, ANCHORS)
    with pytest.raises(TrustError, match="of another kind"):
        read_request(GOOD)


def fields() -> dict[str, object]:
    told: dict[str, object] = json.loads(AUTHORISED.text)
    return told


def signed(told: object) -> bytes:
    return sign(Document(text=canonical(told).decode()), MAGISTRATE).content


@pytest.mark.parametrize("name", sorted(fields()))
def test_a_field_that_is_missing_is_refused(name: str) -> None:
    told = fields()
    del told[name]
    with pytest.raises(TrustError):
        read_authorisation(signed(told), ANCHORS)


def test_a_limit_that_is_not_known_is_not_passed_over() -> None:
    with pytest.raises(TrustError, match="1 terms that this Protech does not know"):
        read_authorisation(signed(fields() | {"only_on": "weekdays"}), ANCHORS)
    told = json.loads(AUTHORISED.text)["operators"]
    operators = [one | {"only_on": "weekdays"} for one in told]
    with pytest.raises(TrustError, match="more of an operator"):
        read_authorisation(signed(fields() | {"operators": operators}), ANCHORS)
    with pytest.raises(TrustError, match="does not know"):
        draft(canonical(fields() | {"hours": "9-17"}))


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(TrustError, match="another version"):
        read_authorisation(signed(fields() | {"v": 2}), ANCHORS)
    outer = json.loads(GOOD) | {"v": 2}
    with pytest.raises(TrustError, match="another version"):
        read_document(json.dumps(outer).encode(), "It")


def test_only_canonical_json_is_read() -> None:
    spaced = json.dumps(fields())
    doubled = AUTHORISED.text.replace('"case":', '"case":"case 6","case":', 1)
    for text in (spaced, doubled, AUTHORISED.text + "\n", "[" * 100_000):
        with pytest.raises(TrustError, match="one form of JSON"):
            read_authorisation(sign(Document(text=text), MAGISTRATE).content, ANCHORS)


def test_a_signature_of_another_key_is_not_enough() -> None:
    stranger = sign(make_authorisation(TERMS), key("stranger"))
    with pytest.raises(AuthorityError, match="has 0 of the 1 signatures"):
        read_authorisation(stranger.content, ANCHORS)
    with pytest.raises(AuthorityError, match="has 0 of the 1 signatures"):
        read_timestamp(
            sign(Document(text=timestamp_document().text), key("x")).content, ANCHORS
        )
    both = sign(stranger, MAGISTRATE)
    assert read_authorisation(both.content, ANCHORS).terms == TERMS


def test_a_threshold_of_two_takes_two_different_keys() -> None:
    second = key("second magistrate")
    quorum = Quorum(keys=frozenset({MAGISTRATE.public, second.public}), threshold=2)
    anchors = replace(ANCHORS, authorisations=quorum)
    with pytest.raises(AuthorityError, match="has 1 of the 2"):
        read_authorisation(GOOD, anchors)
    (one,) = AUTHORISED.signatures
    twice = replace(AUTHORISED, signatures=(one, one))
    with pytest.raises(TrustError, match="two signatures of one key"):
        read_authorisation(twice.content, anchors)
    assert read_authorisation(sign(AUTHORISED, second).content, anchors).terms == TERMS


def test_signing_again_replaces_the_signature() -> None:
    assert len(sign(AUTHORISED, MAGISTRATE).signatures) == 1


def test_one_forged_signature_spoils_all() -> None:
    (one,) = AUTHORISED.signatures
    forged = replace(one, public=CLERK.public)
    odd = replace(one, public=b"x" * 33)
    for other in (forged, odd):
        document = replace(AUTHORISED, signatures=(one, other))
        with pytest.raises(TrustError, match="does not hold"):
            read_authorisation(document.content, ANCHORS)


def test_a_paper_without_signatures_or_too_large_is_none() -> None:
    with pytest.raises(TrustError, match="1 to 64 signatures"):
        read_document(make_authorisation(TERMS).content, "It")
    with pytest.raises(TrustError, match="no signed document"):
        read_document(GOOD + b" " * FILE_BYTES, "It")
    with pytest.raises(TrustError, match="has no document"):
        read_document(b'{"v":1,"document":1,"signatures":[]}', "It")
    with pytest.raises(TrustError, match="no base64"):
        read_document(
            b'{"v":1,"document":"{}","signatures":[{"public_key":"A","signature":"AA=="}]}',
            "It",
        )
    lone = (
        b'{"v":1,"document":"\\ud800","signatures":[{"public_key":"AA==","signature":"AA=="}]}'
    )
    with pytest.raises(TrustError, match="is not UTF-8"):
        read_request(lone)


def test_what_does_not_hold_together_is_not_made() -> None:
    with pytest.raises(TrustError, match="ends before it begins"):
        make_authorisation(replace(TERMS, not_after=TERMS.not_before))


@given(
    st.text(min_size=1, max_size=50).filter(str.isprintable),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive by contract
)
def test_whatever_is_made_is_read(name: str, at: datetime) -> None:
    not_after = at.replace(microsecond=at.microsecond // 1000 * 1000)
    terms = replace(
        TERMS, id=name, case=name, not_before=datetime(1999, 1, 1, tzinfo=UTC),
        not_after=not_after,
    )  # fmt: skip
    document = sign(make_authorisation(terms), MAGISTRATE)
    assert read_authorisation(document.content, ANCHORS).terms == terms


def test_operators_sign_in_any_order() -> None:
    paper = authorisation()
    one = request_document(paper, *OPERATORS)
    other = request_document(paper, *reversed(OPERATORS))
    assert read_request(one.content).signers == read_request(other.content).signers


def test_an_officer_drafts_terms_as_json() -> None:
    for document in (AUTHORISED, timestamp_document(), request_document(authorisation())):
        written = json.dumps(json.loads(document.text), indent=1).encode()
        assert draft(written).text == document.text
    without = {key: value for key, value in fields().items() if key != "v"}
    assert draft(json.dumps(without).encode()).text == AUTHORISED.text


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"kind":1}', b'{"kind":"warrant"}', b"[" * FILE_BYTES]
)
def test_what_is_no_draft_is_refused(content: bytes) -> None:
    with pytest.raises(TrustError, match="no JSON object whose 'kind'"):
        draft(content)


def test_a_draft_that_cannot_be_signed_is_refused() -> None:
    for changes in ({"v": 2}, {"case": ""}, {"case": "\ud800"}):
        with pytest.raises(TrustError):
            draft(json.dumps(fields() | changes).encode())
