"""Keys hold together; what of a list's lines is none is tried in ``test_fetch_keys``."""

import hashlib
import json

import pytest

from protech.lists.fetch_key import (
    BLOCK_BYTES,
    FetchKey,
    NoFetchKey,
    TorrentFile,
    TorrentTree,
    parse_key,
    tree_root,
)
from protech.lists.fetch_keys import key_line
from tests.unit.lists.test_fetch_keys import ALL_KINDS, TORRENT, TREE


@pytest.mark.parametrize("key", ALL_KINDS)
def test_a_key_is_what_its_line_says(key: FetchKey) -> None:
    assert parse_key(json.loads(key_line(key))) == key


def test_an_object_that_is_no_key_is_named() -> None:
    with pytest.raises(NoFetchKey, match="'kind' is none of"):
        parse_key({})


def test_pieces_are_counted_in_the_torrent() -> None:
    assert isinstance(TORRENT, TorrentFile)
    assert isinstance(TREE, TorrentTree)
    assert (TORRENT.first_piece, TORRENT.torrent_pieces) == (0, 2)


def test_a_layer_leads_to_the_root_of_all_blocks() -> None:
    blocks = [hashlib.sha256(bytes([i])).digest() for i in range(11)] + [bytes(32)] * 5
    level = blocks
    levels = [level]
    while len(level) > 1:
        level = [
            hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)
        ]
        levels.append(level)
    for height, layer in enumerate(levels[:3]):
        held = layer[: -(-11 // (1 << height))]
        assert tree_root(held, piece_bytes=BLOCK_BYTES << height) == levels[-1][0]
