"""Addresses of repositories: one way to write each, and nothing that tells a device."""

from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.lists.sync.address import address_of


@pytest.mark.parametrize(
    "place",
    [
        "https://example.org/lists?device=1",
        "https://example.org/lists?",
        "https://device:1@example.org/lists",
        "https://@example.org/lists",
        "https://example.org/lists#device",
        "https://example.org/lists#",
        "ftp://example.org/lists",
        "https://",
        "nothing-here",
    ],
)
def test_an_address_that_could_tell_devices_apart_or_is_none_is_refused(place: str) -> None:
    with pytest.raises(ConfigError):
        address_of(place)


@pytest.mark.parametrize(
    "place",
    [
        "http://[::1",
        "http://::1]/",
        "http://[nothing]/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org:port/",
        "http://example.org/a b",
        "http://example.org/\r\nX-Device: 1",
        "http://\u00e9xample.org/",
        "http://example.org/\udcff",
    ],
)
def test_an_address_that_cannot_be_is_said_before_anything_is_asked(place: str) -> None:
    with pytest.raises(ConfigError, match="Ask its authority"):
        address_of(place)


@pytest.mark.parametrize(
    ("place", "address"),
    [
        ("https://example.org", "https://example.org/"),
        ("https://example.org/lists", "https://example.org/lists/"),
        ("https://example.org/lists/", "https://example.org/lists/"),
        ("https://example.org/lists//", "https://example.org/lists/"),
        ("HTTPS://Example.ORG:443/Lists", "https://example.org/Lists/"),
        ("http://example.org:80/", "http://example.org/"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("http://[::1]:8000/a", "http://[::1]:8000/a/"),
    ],
)
def test_an_address_is_written_in_one_way(place: str, address: str) -> None:
    assert address_of(place) == address
    assert address_of(address) == address


def test_a_directory_is_an_address_too(tmp_path: Path) -> None:
    folder = tmp_path / "a list?"
    folder.mkdir()
    address = address_of(str(folder))
    assert address == f"{folder.as_uri()}/"
    assert address_of(address) == address
