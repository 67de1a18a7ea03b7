"""The lab itself: up in a second, known in every detail, and gone without a trace."""

import asyncio
import socket
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.locate.lab.plan import HOLDERS, OF_LIBTORRENT, SMALL, Kind
from protech.locate.lab.swarm import Lab


def test_the_shipped_swarm_comes_up_as_planned_and_goes(tmp_path: Path) -> None:
    async def go() -> Lab:
        async with Lab.start(tmp_path, seed=11) as lab:
            held = await lab.held()
            holders = [one for one in lab.peers if one.kind in OF_LIBTORRENT]
            planned = [
                {part.torrent: list(part.pieces) for part in one.parts} for one in holders
            ]
            assert held == planned
            return lab

    lab = asyncio.run(go())
    assert all(one.returncode is not None for one in lab.processes)
    assert [number for one in lab.torrents for number in one.numbers] == list(range(5))
    assert len(lab.fetch_keys) == 5
    assert all(key.trackers == lab.trackers for key in lab.fetch_keys)  # type: ignore[union-attr]
    assert len(lab.dht_nodes) == 4
    assert {fact.kind for fact in lab.truth.facts} <= set(SMALL)
    assert any(fact.holds for fact in lab.truth.facts if fact.kind in HOLDERS)


def test_an_address_that_is_taken_is_an_error_to_repair(tmp_path: Path) -> None:
    async def go(seed: int) -> Lab:
        async with Lab.start(tmp_path, seed=seed, counts={Kind.SEED: 1}) as lab:
            return lab

    lab = asyncio.run(go(5))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(lab.grounds.tracker)
        taken.listen()
        with pytest.raises(ConfigError, match="another seed"):
            asyncio.run(go(5))


def test_what_lies_where_the_person_stands_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can put a module of any name into a folder that all may write to."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("asyncio", "argparse", "json", "random", "libtorrent"):
        (here / f"{name}.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(here)

    async def go() -> None:
        async with Lab.start(tmp_path / "swarm", seed=6, counts={Kind.SEED: 1}):
            pass

    asyncio.run(go())
