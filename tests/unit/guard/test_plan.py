"""Addresses, directories and the command lines of the guard's parts."""

import os
import socket
import stat
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.guard.plan import Plan, Rooms, address_of, answers, free, parts, text_of
from protech.settings import Places


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    return Rooms(runtime=tmp_path / "run", state=tmp_path / "state")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8899", ("127.0.0.1", 8899)),
        ("[::1]:1", ("::1", 1)),
        ("127.8.8.8:0", ("127.8.8.8", 0)),
    ],
)
def test_a_loopback_address_is_taken(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address
    assert text_of(address) == text


@pytest.mark.parametrize(
    "text", ["", "8899", "localhost:1", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="give"):
        address_of(text)


@pytest.mark.parametrize("text", ["0.0.0.0:8899", "192.168.1.2:8899", "[::]:8899"])
def test_an_address_that_others_reach_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="this machine only"):
        address_of(text)


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = "127.0.0.1", other.getsockname()[1]
        with pytest.raises(ConfigError) as told:
            free(address, option="--listen")
    message = str(told.value)
    assert f"Port {address[1]}" in message
    assert f"--listen 127.0.0.1:{address[1] + 1}" in message
    assert "ss -ltnp" in message


def test_an_address_of_no_interface_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        free(("192.0.2.1", 1), option=None)


def test_port_0_becomes_a_free_one() -> None:
    host, port = free(("127.0.0.1", 0), option=None)
    assert host == "127.0.0.1"
    assert port > 0
    assert not answers((host, port))


def test_a_listening_socket_answers(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    assert not answers(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        assert not answers(path)
        listener.listen()
        assert answers(path)


def test_the_directories_are_their_users_alone(rooms: Rooms) -> None:
    for _ in range(2):
        rooms.make()
    for directory in (rooms.runtime, rooms.state):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_directory_that_is_open_to_others_is_refused(rooms: Rooms) -> None:
    rooms.state.mkdir(mode=0o755)
    with pytest.raises(TrustError, match="chmod 700"):
        rooms.make()


def test_what_a_killed_page_left_is_cleared(rooms: Rooms) -> None:
    rooms.make()
    rooms.page.touch()
    rooms.make()
    assert not rooms.page.exists()


def test_the_rooms_of_a_user_are_in_their_places(tmp_path: Path) -> None:
    places = Places(
        config=tmp_path, state=tmp_path / "s", cache=tmp_path, runtime=tmp_path / "r"
    )
    assert Rooms.of(places) == Rooms(runtime=tmp_path / "r", state=tmp_path / "s" / "guard")


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        Rooms(runtime=tmp_path / "file" / "run", state=tmp_path).make()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_account_is_refused(rooms: Rooms) -> None:
    rooms.runtime.mkdir()
    os.chown(rooms.runtime, 65534, 65534)
    with pytest.raises(TrustError, match="not a directory of yours"):
        rooms.make()


def test_the_parts_start_in_order_and_import_nothing_from_where_one_stands(
    rooms: Rooms,
) -> None:
    found = parts(Plan(rooms=rooms, page_port=9))
    assert [part.name for part in found] == ["detector", "proxy", "page"]
    assert all(part.command[1:3] == ("-P", "-m") for part in found)
    assert not any(part.is_ready() for part in found)


def test_without_a_page_there_are_two(rooms: Rooms) -> None:
    assert [part.name for part in parts(Plan(rooms=rooms))] == ["detector", "proxy"]


def test_choices_reach_the_parts_that_carry_them_out(rooms: Rooms) -> None:
    plan = Plan(
        rooms=rooms,
        listen=("::1", 7),
        lists=("a", "b"),
        models="none",
        is_adult_filter_on=True,
        workers=3,
        overrides={"photos.example": ("127.0.0.1", 5)},
        roots=Path("roots.pem"),
    )
    detector, proxy = (" ".join(part.command) for part in parts(plan))
    assert "--list a --list b --models none --adult-filter --workers 3" in detector
    assert "--listen [::1]:7" in proxy
    assert "--override photos.example=127.0.0.1:5 --upstream-ca roots.pem" in proxy
    assert os.fspath(rooms.detector) in detector
    assert os.fspath(rooms.detector) in proxy
