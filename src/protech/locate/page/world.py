"""The world as equal tiles, one a country, shaded by how many peers it has; pure.

A tile says "registered in this country" and no more. A point on a map would say where somebody
lives, which no database of addresses knows. Small countries and territories are as easy to see
and to choose as large ones.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from protech.locate.page.query import NO_COUNTRY
from protech.locate.page.ranking import Share

TILE = 30
GAP = 2
SHADES = 5
SEA = ".."

_LANGUAGES = ("en", "fr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One country of the map; ``shade`` is 0 where nobody was seen, ``SHADES`` at the most."""

    code: str
    name: str
    x: int
    y: int
    peers: int
    delivered: int
    shade: int
    is_inside: bool
    """Whether it is in the jurisdiction of the authorisation."""
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All tiles, the size of the drawing, and from how many peers on each shade begins."""

    tiles: tuple[Tile, ...]
    width: int
    height: int
    steps: tuple[int, ...]


def world(
    shares: Sequence[Share], *, language: str, jurisdiction: Collection[str], chosen: str = ""
) -> World:
    """Return the map of ``shares``; countries without a place of their own come last."""
    by_code = {share.key: share for share in shares}
    highest = max((share.peers for share in shares), default=0)
    steps = _steps(highest)
    grid, _ = _table()
    tiles = []
    for code, (column, row) in _placed(grid, by_code).items():
        share = by_code.get(code)
        peers = share.peers if share else 0
        tiles.append(
            Tile(
                code=code,
                name=country_name(code, language),
                x=column * TILE,
                y=row * TILE,
                peers=peers,
                delivered=share.delivered if share else 0,
                shade=sum(1 for step in steps if peers >= step),
                is_inside=code in jurisdiction,
                is_chosen=code == chosen,
            )
        )
    return World(
        tiles=tuple(tiles),
        width=len(grid[0]) * TILE,
        height=len(grid) * TILE,
        steps=steps,
    )


def country_name(code: str, language: str) -> str:
    """Return a country's name; its code where there is no name for it."""
    _, names = _table()
    return names[code][_LANGUAGES.index(language)] if code in names else code


def _placed(
    grid: Sequence[Sequence[str]], codes: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Return the column and row of each tile; what has none gets a free one of the last row."""
    placed = {
        code: (column, row)
        for row, line in enumerate(grid)
        for column, code in enumerate(line)
        if code != SEA
    }
    free = [column for column, code in enumerate(grid[-1]) if code == SEA]
    others = sorted(code for code in codes if code not in placed and code != NO_COUNTRY)
    return placed | {
        code: (column, len(grid) - 1) for code, column in zip(others, free, strict=False)
    }


def _steps(highest: int) -> tuple[int, ...]:
    """Return where each shade begins: 1, then each by the same factor, towards ``highest``."""
    if highest == 0:
        return ()
    steps: list[int] = []
    for shade in range(SHADES):
        step = round(highest ** (shade / SHADES))
        if step > (steps[-1] if steps else 0):
            steps.append(step)
    return tuple(steps)


@cache
def _table() -> tuple[list[list[str]], dict[str, tuple[str, str]]]:
    text = (files(__package__) / "world.json").read_text(encoding="utf-8")
    table = json.loads(text)
    names = {code: (english, french) for code, (english, french) in table["names"].items()}
    return [line.split() for line in table["grid"]], names
