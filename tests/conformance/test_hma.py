"""Files between ThreatExchange's own package and ours: what one writes the other reads.

Reference: the package threatexchange at the version of the lock. Its vPDQ extension loads the
package vpdq for hashing videos; only its text and JSON functions are used here.
"""

import io
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from threatexchange.exchanges.impl.file_api import (
    FileCollaborationConfig,
    LocalFileSignalExchangeAPI,
)
from threatexchange.signal_type.md5 import VideoMD5Signal
from threatexchange.signal_type.pdq.signal import PdqSignal
from threatexchange.signal_type.sha256 import VideoSHA256Signal

from protech.lists.entries import OWN_USES, Category, Entry, ListHeader
from protech.lists.formats import hma
from protech.lists.formats.writers import Export, write

HEADER = ListHeader(
    name="mine",
    version=1,
    category=Category.OWN,
    uses=OWN_USES,
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)


def entries() -> list[Entry]:
    source = random.Random(5)
    hashes = tuple(source.randbytes(32) for _ in range(6))
    image = Entry(md5=source.randbytes(16), sha256=source.randbytes(32), pdq=hashes[:2])
    video = Entry(md5=source.randbytes(16), sha256=source.randbytes(32), vpdq=hashes[2:])
    return [image, video]


@pytest.fixture
def vpdq_text(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return threatexchange's module of vPDQ's text forms."""
    if "vpdq" not in sys.modules:
        absent = ModuleType("vpdq")
        absent.VpdqFeature = object  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "vpdq", absent)
    from threatexchange.extensions.vpdq import vpdq_util

    return vpdq_util


def read_by_threatexchange(path: Path) -> set[tuple[str, str]]:
    config = FileCollaborationConfig(name="x", api="local_file", filename=str(path))
    [delta] = LocalFileSignalExchangeAPI(config).fetch_iter([], None)
    return set(delta.updates)


def test_threatexchange_reads_what_we_write(tmp_path: Path, vpdq_text: Any) -> None:
    with (tmp_path / "list").open("wb") as out:
        write(Export.HMA, HEADER, entries(), out)
    image, video = entries()
    read = read_by_threatexchange(tmp_path / "list")
    names = {one.get_name(): one for one in (PdqSignal, VideoMD5Signal, VideoSHA256Signal)}
    valid = {
        (kind, names[kind].validate_signal_str(value)) for kind, value in read if kind in names
    }
    assert video.md5
    assert video.sha256
    assert valid == {
        *(("pdq", one.hex()) for one in image.pdq),
        ("video_md5", video.md5.hex()),
        ("video_sha256", video.sha256.hex()),
    }
    [frames] = [vpdq_text.json_to_vpdq(value) for kind, value in read if kind == "vpdq"]
    assert [one.pdq_hex for one in frames] == [one.hex() for one in video.vpdq]
    assert all(one.quality >= vpdq_text.VPDQ_QUALITY_THRESHOLD for one in frames)


def test_we_read_what_threatexchange_writes(vpdq_text: Any) -> None:
    source = random.Random(6)
    feature = vpdq_text.VpdqCompactFeature
    frames = [
        feature(source.randbytes(32).hex(), source.randrange(101), at / 3) for at in range(200)
    ]
    text = f"pdq {PdqSignal.get_random_signal()}\nvpdq {vpdq_text.vpdq_to_json(frames)}\n"
    _, video = hma.read(io.BytesIO(text.encode()))
    good = vpdq_text.quality_filter(frames, vpdq_text.VPDQ_QUALITY_THRESHOLD)
    assert isinstance(video, Entry)
    assert [one.hex() for one in video.vpdq] == [one.pdq_hex for one in good]


def test_the_bound_of_quality_is_theirs(vpdq_text: Any) -> None:
    assert hma.QUALITY == vpdq_text.VPDQ_QUALITY_THRESHOLD == PdqSignal.QUALITY_THRESHOLD


@pytest.mark.parametrize("signal", [PdqSignal, VideoMD5Signal, VideoSHA256Signal])
def test_every_hash_that_threatexchange_gives_as_an_example_is_read(signal: Any) -> None:
    examples = signal.get_examples()
    lines = "".join(f"{signal.get_name()} {one}\n" for one in examples)
    found = list(hma.read(io.BytesIO(lines.encode())))
    assert len(found) == len(examples)
    assert all(isinstance(one, Entry) for one in found)
