"""What peers say of themselves and others is bounded and says nothing that it may not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.bittorrent import bencode, extensions
from protech.locate.bittorrent.messages import Malformed


def test_a_peer_introduces_itself() -> None:
    said = extensions.parse_introduction(
        bencode.encode(
            {
                b"m": {b"ut_pex": 1, b"ut_metadata": 2, b"lt_donthave": 0, b"other": 9},
                b"v": "Client \N{GREEK SMALL LETTER ALPHA} 1\n\x1b[2J".encode(),
                b"upload_only": 1,
                b"metadata_size": 250,
            }
        )
    )
    assert said.name == "Client \N{GREEK SMALL LETTER ALPHA} 1[2J"
    assert said.extensions == ("ut_metadata", "ut_pex")
    assert said.is_upload_only
    assert (said.metadata_number, said.metadata_bytes) == (2, 250)


def test_a_name_ends_at_the_limit() -> None:
    said = extensions.parse_introduction(bencode.encode({b"v": b"x" * 1000}))
    assert said.name == "x" * extensions.NAME_LETTERS


@pytest.mark.parametrize(
    "fields", [{}, {b"m": 1, b"v": 2, b"metadata_size": 9, b"upload_only": b""}]
)
def test_a_peer_may_say_nothing_of_use(fields: dict[bytes, bencode.Bencoded]) -> None:
    said = extensions.parse_introduction(bencode.encode(fields))
    assert said == extensions.Introduction()


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda rest: b"d1:v" + rest))
def test_whatever_it_is_it_is_read_or_malformed(content: bytes) -> None:
    with suppress(Malformed):
        name = extensions.parse_introduction(content).name
        assert name is None or name.isprintable()
    with suppress(Malformed):
        assert len(extensions.parse_pex(content)) <= extensions.LEARNT


def test_peers_are_learnt_up_to_the_limit() -> None:
    one = bytes((198, 18, 0, 1, 0x1A, 0xE1))
    six = bytes(15) + b"\1\0\1"
    content = bencode.encode({b"added": one * 3 + one[:4] + b"\0\0", b"added6": six})
    texts = [peer.endpoint.text for peer in extensions.parse_pex(content)]
    assert texts == ["198.18.0.1:6881"] * 3 + ["[::1]:1"]
    many = bencode.encode({b"added": one * 1000, b"added6": six * 1000})
    assert len(extensions.parse_pex(many)) == extensions.LEARNT


def test_peers_that_are_none_are_left_out() -> None:
    content = bencode.encode({b"added": b"12345", b"added6": 7})
    assert extensions.parse_pex(content) == ()
    with pytest.raises(Malformed):
        extensions.parse_pex(b"no dictionary")


def test_we_say_that_we_hear_of_peers_and_name_no_client() -> None:
    said = bencode.decode(extensions.OUR_INTRODUCTION[6:])
    assert said == {
        b"m": {b"ut_metadata": extensions.OUR_METADATA, b"ut_pex": extensions.OUR_PEX}
    }
