import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists import kernel, seals
from protech.lists.kernel import BLOCK_BYTES
from protech.lists.parts import DiskFile, MemoryFile
from protech.lists.seals import MANIFEST, Part, Sealing, keys_of, open_sealed, sealed_of

KEYS = keys_of(b"seed")


def sealed(folder: Path, parts: dict[str, bytes]) -> Path:
    """Write and seal parts."""
    sealing = Sealing(lambda name: DiskFile(folder / name))
    for name, content in parts.items():
        sealing.part(name).write(content)
    sealing.finish({"said": 1}, entries=7)
    return folder


def test_keys_are_odd_and_those_of_their_seed() -> None:
    assert len(KEYS) == BLOCK_BYTES // 4
    assert (KEYS & np.uint64(1)).all()
    assert len(np.unique(KEYS)) == len(KEYS)
    expected = int.from_bytes(hashlib.shake_256(b"seed").digest(8), "little") | 1
    assert int(KEYS[0]) == expected
    assert keys_of(b"other")[0] != KEYS[0]


@settings(deadline=None, max_examples=50)
@given(
    pieces=st.lists(st.integers(0, 2 * BLOCK_BYTES + 7), max_size=6),
    seed=st.integers(0, 2**32),
)
def test_seals_do_not_depend_on_how_a_part_was_written(pieces: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    part = Part(MemoryFile(None), KEYS)
    written = [random.bytes(size) for size in pieces]
    for piece in written:
        part.write(piece)
    content = b"".join(written)
    assert part.size_bytes == len(content)
    assert part.finish().tolist() == kernel.seals(content, KEYS).tolist()
    assert part.view().tobytes() == content


@settings(deadline=None, max_examples=100)
@given(size=st.integers(1, 3 * BLOCK_BYTES), flips=st.lists(st.integers(0, 2**40), min_size=1))
def test_a_changed_byte_changes_its_blocks_seal(size: int, flips: list[int]) -> None:
    content = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    changed = content.copy()
    for flip in flips:
        changed[flip % size] ^= 1 + flip % 255
    blocks = -(-size // BLOCK_BYTES)
    padded = np.zeros((2, blocks * BLOCK_BYTES), np.uint8)
    padded[0, :size], padded[1, :size] = content, changed
    is_changed = (padded[0] != padded[1]).reshape(blocks, -1).any(axis=1)
    differs = kernel.seals(content, KEYS) != kernel.seals(changed, KEYS)
    assert differs.tolist() == is_changed.tolist()


def test_what_was_sealed_is_opened(tmp_path: Path) -> None:
    parts = {"one": os.urandom(100_000), "none": b"", "two": b"abc"}
    opened = open_sealed(sealed(tmp_path, parts))
    assert {name: part.tobytes() for name, part in opened.parts.items()} == parts
    assert (opened.entries, opened.about) == (7, {"said": 1})
    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sealed_of(contents).parts["two"].tobytes() == b"abc"


def test_two_indexes_of_the_same_parts_have_other_keys(tmp_path: Path) -> None:
    seeds = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        sealed(tmp_path / name, {"one": b"abc"})
        body = (tmp_path / name / MANIFEST).read_bytes().partition(b"\n")[2]
        seeds.append(json.loads(body)["seed"])
    assert seeds[0] != seeds[1]


def test_many_pieces_are_checked_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(tmp_path, {"one": os.urandom(300_000), "two": os.urandom(100)})
    monkeypatch.setattr(seals, "PIECE_BYTES", BLOCK_BYTES)
    open_sealed(tmp_path)
    content = bytearray((tmp_path / "one").read_bytes())
    content[299_999] ^= 128
    (tmp_path / "one").write_bytes(content)
    with pytest.raises(ListFormatError, match="cut or changed"):
        open_sealed(tmp_path)


def test_a_link_in_the_place_of_a_part_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    sealed(folder, {"one": b"abc"})
    (folder / "one").rename(tmp_path / "elsewhere")
    (folder / "one").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ListFormatError, match="cannot be read"):
        open_sealed(folder)
