"""Content is in locked memory only, and gone from it afterwards."""

import ctypes
import hashlib
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate import buffers
from tests import searched

SIZE_BYTES = 1 << 16


def fill(memory: memoryview, seed: int) -> None:
    """Let another process write the content that ``seed`` gives into ``memory``."""
    code = (
        f"import os; from tests import searched as s; os.write(1, s.content({seed}, 1 << 16))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        filled = 0
        while count := os.readv(writer.stdout.fileno(), [memory[filled:]]):
            filled += count
    assert filled == SIZE_BYTES


def flags_at(address: int) -> set[str]:
    """Return the ``VmFlags`` of the mapping that an address lies in."""
    ranges = re.findall(
        r"^([0-9a-f]+)-([0-9a-f]+) r.*?^VmFlags: (.*?)$",
        Path("/proc/self/smaps").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return next(
        set(flags.split())
        for start, end, flags in ranges
        if int(start, 16) <= address < int(end, 16)
    )


def test_the_pages_are_locked_and_in_no_dump_and_no_child() -> None:
    with buffers.locked_buffer(100_000) as memory:
        assert len(memory) == 100_000
        assert not any(memory)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        assert {"lo", "dd", "dc"} <= flags_at(address)


def test_a_part_that_is_held_on_to_hides_no_error_and_is_wiped() -> None:
    held: list[memoryview] = []

    def hold() -> None:
        with buffers.locked_buffer(100) as memory:
            memory[:3] = b"abc"
            held.append(memory[:3])
            raise KeyError("cancelled")

    with pytest.raises(KeyError, match="cancelled"):
        hold()
    assert held[0] == bytes(3)


def test_what_was_in_it_is_nowhere_afterwards() -> None:
    seed = int.from_bytes(os.urandom(4))
    with buffers.locked_buffer(SIZE_BYTES) as memory:
        fill(memory, seed)
        during = searched.occurrences(os.getpid(), seed, SIZE_BYTES)
        assert buffers.distinct_bytes_of(memory) == 256
        buffers.sha1_of(memory)
        buffers.sha256_of(memory)
        assert searched.occurrences(os.getpid(), seed, SIZE_BYTES) == during
    assert during == len(range(0, SIZE_BYTES - searched.SLICE_BYTES, searched.STEP_BYTES))
    assert searched.occurrences(os.getpid(), seed, SIZE_BYTES) == 0


def test_what_is_in_it_is_gone_when_its_reader_fails() -> None:
    kept: list[memoryview] = []
    with suppress(RuntimeError), buffers.locked_buffer(10) as memory:
        kept.append(memory)
        raise RuntimeError("the reader failed")
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])


@given(st.binary(max_size=2000))
def test_digests_and_counts_are_those_of_the_bytes(data: bytes) -> None:
    memory = memoryview(bytearray(data))
    assert buffers.sha1_of(memory) == hashlib.sha1(data).digest()
    assert buffers.sha256_of(memory) == hashlib.sha256(data).digest()
    assert buffers.distinct_bytes_of(memory) == len(set(data))


def test_no_memory_at_all_can_be_asked_for() -> None:
    with buffers.locked_buffer(0) as memory:
        assert len(memory) == 0
        assert buffers.distinct_bytes_of(memory) == 0
