from ipaddress import ip_address
from pathlib import Path

import pytest
from mmdb_writer import IPSet, MMDBWriter  # type: ignore[attr-defined] # its own argument

from protech.errors import ConfigError
from protech.locate.adapter import Endpoint
from protech.locate.choices import Choices, read_choices
from protech.locate.leases import Shard
from protech.locate.networks_listed import Flag


def database(path: Path, country: str) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-Country")
    writer.insert_network(IPSet(["198.18.0.0/15"]), {"country": {"iso_code": country}})
    writer.to_db_file(str(path))
    return path


def chosen(tmp_path: Path, text: str) -> Choices:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    path.chmod(0o600)
    return read_choices(path)


def test_nothing_need_be_chosen(tmp_path: Path) -> None:
    assert read_choices(tmp_path / "settings.toml") == Choices()
    assert chosen(tmp_path, 'guard_lists = ["mine.list"]') == Choices()


def test_all_that_can_be_chosen(tmp_path: Path) -> None:
    first = database(tmp_path / "first.mmdb", "FR")
    second = database(tmp_path / "second.mmdb", "DE")
    tor = tmp_path / "tor.txt"
    tor.write_text("# name: exits date: 2026-11-01\n198.18.9.9\n")
    found = chosen(
        tmp_path,
        f"""
        [locate]
        databases = ["{first}", "{second}"]
        tor_exit = "{tor}"
        name_servers = ["192.1.2.53"]
        dht_nodes = ["192.1.2.7:6881", "[2a00::7]:6881"]
        kad_contacts = ["192.1.2.8:4672"]
        source = "198.18.0.99"
        postgres = "service=protech"
        vantage = "2/4"
        """,
    )
    assert [one.name for one in found.databases] == ["first", "second"]
    assert found.databases[1].origin(ip_address("198.18.1.1")).country == "DE"
    assert [one.flag for one in found.networks] == [Flag.TOR_EXIT]
    assert found.vantage.source == ip_address("198.18.0.99")
    assert list(found.vantage.name_servers) == [
        Endpoint(address=ip_address("192.1.2.53"), port=53)
    ]
    assert [one.text for one in found.vantage.dht_nodes] == [
        "192.1.2.7:6881",
        "[2a00::7]:6881",
    ]
    assert [one.text for one in found.vantage.kad_contacts] == ["192.1.2.8:4672"]
    assert found.postgres == "service=protech"
    assert found.shard == Shard(index=1, count=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("locate = 1", "'locate' of .locate. is no table"),
        ("[locate]\nauthority = 'me'", "'authority' of .locate. is nothing that locate knows"),
        ("[locate]\nsource = 1", "'source' of .locate. is no text"),
        ("[locate]\nsource = 'home'", "'source' of .locate. has what is no address"),
        ("[locate]\ndatabases = 'one'", "'databases' of .locate. is no list of texts"),
        ("[locate]\nname_servers = ['dns.invalid']", "has what is no address"),
        ("[locate]\nvantage = '5/4'", "is no 'number/of how many'"),
        (f"[locate]\nvantage = '1/{'9' * 5000}'", "is no 'number/of how many'"),
        (f"[locate]\ndht_nodes = ['198.18.0.1:{'9' * 5000}']", "no address with a port"),
        ('[locate]\ndatabases = ["a\\u0000b"]', "has what is no file's path"),
        ("[locate]\nvpn = '~nobody-here/list'", "has what is no file's path"),
        (f"a = {'[' * 100_000}", "are not TOML"),
        ("[locate]\nname_servers = ['127.0.0.53']", "an address that is not public"),
        ("[locate]\ndht_nodes = ['192.168.1.1:6881']", "an address that is not public"),
        ("[locate]\ndht_nodes = ['198.18.0.1']", "no address with a port"),
        ("[locate]\ndht_nodes = ['198.18.0.1:99999']", "no address with a port"),
    ],
)
def test_what_cannot_be_chosen_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chosen(tmp_path, text)
