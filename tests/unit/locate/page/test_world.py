import pytest

from protech.locate.page.ranking import Share
from protech.locate.page.world import TILE, country_name, world


def share(code: str, peers: int, delivered: int = 0) -> Share:
    return Share(key=code, name=code, country=code, peers=peers, delivered=delivered)


def test_every_country_has_one_tile_of_one_size() -> None:
    drawn = world([], language="en", jurisdiction=())
    places = {(tile.x, tile.y) for tile in drawn.tiles}
    assert len(places) == len(drawn.tiles) == len({tile.code for tile in drawn.tiles}) == 245
    assert all(x % TILE == y % TILE == 0 for x, y in places)
    assert all(x < drawn.width and y < drawn.height for x, y in places)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_tile_has_a_name(language: str) -> None:
    for tile in world([], language=language, jurisdiction=()).tiles:
        assert len(tile.name) > 2, tile.code


def test_a_tile_shows_how_many_peers_and_whether_it_is_inside() -> None:
    drawn = world(
        [share("FR", 1000, 7), share("BE", 1)],
        language="fr",
        jurisdiction=("FR",),
        chosen="BE",
    )
    tiles = {tile.code: tile for tile in drawn.tiles}
    france, belgium, nobody = tiles["FR"], tiles["BE"], tiles["DE"]
    assert (france.peers, france.delivered, france.shade, france.is_inside) == (
        1000,
        7,
        5,
        True,
    )
    assert (belgium.shade, belgium.is_inside, belgium.is_chosen) == (1, False, True)
    assert (nobody.peers, nobody.shade) == (0, 0)


@pytest.mark.parametrize(
    ("highest", "steps"),
    [(0, ()), (1, (1,)), (2, (1, 2)), (1000, (1, 4, 16, 63, 251))],
)
def test_shades_begin_further_and_further_apart(highest: int, steps: tuple[int, ...]) -> None:
    shares = [share("FR", highest)] if highest else []
    drawn = world(shares, language="en", jurisdiction=())
    assert drawn.steps == steps


def test_a_country_without_a_place_of_its_own_comes_last() -> None:
    drawn = world([share("XA", 3), share("none", 2)], language="en", jurisdiction=())
    tile = next(tile for tile in drawn.tiles if tile.code == "XA")
    assert (tile.peers, tile.y, tile.name) == (3, drawn.height - TILE, "Laboratory country A")
    assert "none" not in {tile.code for tile in drawn.tiles}


def test_a_code_without_a_name_is_its_own() -> None:
    assert country_name("FR", "fr") == "France"
    assert country_name("QQ", "fr") == "QQ"
