"""``protech scan``: its options reach the order."""

from pathlib import Path

import pytest

from protech import cli
from protech.cli import scan as command
from protech.triage.scan import Order


def ordered(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Order:
    """Return what would be scanned."""
    taken: list[Order] = []

    def scan(order: Order, **_: object) -> int:
        taken.append(order)
        return 0

    monkeypatch.setattr("protech.triage.scan.scan", scan)
    monkeypatch.setattr("protech.sandbox.harden_process", lambda: None)
    options = cli.parser(["scan"]).parse_args(["scan", *arguments])
    assert options.run is command._scan
    assert options.run(options) == 0
    return taken[0]


def test_without_options_every_synced_list_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ordered(monkeypatch, "a", "b") == Order(
        paths=[Path("a"), Path("b")], lists=None, exceptions=[]
    )


def test_options_reach_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    order = ordered(
        monkeypatch, "a", "--list", "x", "--list", "y", "--exceptions", "z", "--models", "m",
        "--jsonl", "rows", "--workers", "3", "--fast", "--borders", "--mirrored",
    )  # fmt: skip
    assert order == Order(
        paths=[Path("a")],
        lists=["x", "y"],
        exceptions=["z"],
        models=Path("m"),
        rows="rows",
        workers=3,
        is_fast=True,
        borders=True,
        mirrored=True,
    )
