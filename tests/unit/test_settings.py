"""Directories that only the person can enter, and settings that survive a careless hand."""

import fcntl
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ConfigError, TrustError
from protech.settings import (
    NEW,
    SETTINGS_BYTES,
    Places,
    change_settings,
    private_directory,
    read_settings,
    replacing,
    write_once,
    write_private,
)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(
        config=tmp_path / "config",
        state=tmp_path / "state",
        cache=tmp_path / "cache",
        runtime=tmp_path / "run" / "protech",
    )


def test_places_follow_the_person_s_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONFIG_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path / name))
    places = Places.of_user()
    assert places == Places(
        config=tmp_path / "CONFIG_HOME" / "protech",
        state=tmp_path / "STATE_HOME" / "protech",
        cache=tmp_path / "CACHE_HOME" / "protech",
        runtime=tmp_path / "RUNTIME_DIR" / "protech",
    )
    assert places.settings_file == places.config / "settings.toml"


def test_without_a_session_there_is_still_a_runtime_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert Places.of_user().runtime.name == "protech"


def test_the_runtime_directory_is_made_for_its_owner_alone(places: Places) -> None:
    assert places.make_runtime() == places.runtime
    assert places.make_runtime().is_dir()
    assert mode(places.runtime) == 0o700


def test_a_runtime_directory_that_others_could_replace_is_refused(places: Places) -> None:
    places.make_runtime()
    places.runtime.parent.chmod(0o777)
    with pytest.raises(TrustError, match="XDG_RUNTIME_DIR"):
        places.make_runtime()
    places.runtime.parent.chmod(0o1777)
    places.make_runtime()


def test_a_directory_that_is_not_private_is_refused(tmp_path: Path) -> None:
    private_directory(tmp_path / "mine").chmod(0o750)
    with pytest.raises(TrustError, match="chmod 700"):
        private_directory(tmp_path / "mine")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(TrustError, match="not a directory of yours"):
        private_directory(tmp_path / "link")


def test_a_directory_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private_directory(tmp_path / "mine")
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(TrustError, match="not a directory of yours"):
        private_directory(tmp_path / "mine")


def test_a_directory_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be made.*name another place"):
        private_directory(tmp_path / "file" / "below")


def test_no_settings_are_no_settings(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none.toml") == {}


def test_a_change_leaves_all_else_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('# mine\nadult = true  # chosen\n[later]\nwhen = 2026-01-02\n"?" = [1]\n')
    path.chmod(0o600)
    change_settings(path, {"adult": False, "language": "nl"})
    text = path.read_text()
    assert "# mine" in text
    assert "# chosen" in text
    settings = read_settings(path)
    assert settings["adult"] is False
    assert settings["language"] == "nl"
    assert settings["later"]["?"] == [1]
    change_settings(path, {"language": None, "never": None})
    assert set(read_settings(path)) == {"adult", "later"}
    assert mode(path) == 0o600


def test_the_first_setting_makes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "config" / "settings.toml"
    change_settings(path, {"adult": True})
    assert read_settings(path) == {"adult": True}
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert list(path.parent.iterdir()) == [path]


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=9).filter(lambda text: text.isprintable()),
        st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.lists(st.text()),
    )
)
def test_what_is_written_is_toml_that_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("settings") / "s.toml"
    change_settings(path, changes)
    assert tomllib.loads(path.read_text()) == read_settings(path) == changes


@pytest.mark.parametrize("content", [b"a = ", b"\xff = 1", b"# " + b"a" * SETTINGS_BYTES])
def test_settings_that_are_not_toml_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.toml"
    write_private(path, content)
    with pytest.raises(ConfigError, match="are not TOML"):
        read_settings(path)
    with pytest.raises(ConfigError, match="are not TOML"):
        change_settings(path, {"a": 1})
    assert path.read_bytes() == content


def test_settings_that_others_can_write_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.touch()
    path.chmod(0o622)
    with pytest.raises(TrustError, match="chmod 600"):
        read_settings(path)


def test_settings_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(tmp_path)


def test_what_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_private(tmp_path / "taken", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_what_a_killed_process_left_is_swept_and_what_a_live_one_holds_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.list"
    write_private(path, b"old")
    killed = (
        "import os, signal, sys; from pathlib import Path\n"
        "from protech.settings import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:"
        " file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", killed, path], check=False)
    assert path.read_bytes() == b"old"
    (left,) = set(tmp_path.iterdir()) - {path}
    others = [tmp_path / ".mine.list-notes", tmp_path / f".other-1{NEW}"]
    for other in others:
        other.touch()
    with replacing(path) as live:
        live.write(b"new")
        assert not left.exists()
        write_private(path, b"meanwhile")
        assert len(list(tmp_path.iterdir())) == 4
    assert path.read_bytes() == b"new"
    assert set(tmp_path.iterdir()) == {path, *others}


def test_a_file_that_was_swept_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    swept: list[Path] = []

    def flock(descriptor: int, operation: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    write_private(tmp_path / "a", b"new")
    assert len(swept) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new"}


def test_a_link_or_pipe_of_such_a_name_does_no_harm(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f".a-pipe{NEW}")
    (tmp_path / f".a-link{NEW}").symlink_to("b")
    (tmp_path / "b").touch()
    write_private(tmp_path / "a", b"new")
    assert (tmp_path / "b").exists()
    assert (tmp_path / f".a-link{NEW}").is_symlink()


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"


def test_where_no_directory_can_be_made_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="make room, or make the directory yours"):
        write_private(tmp_path / "file" / "below" / "a", b"new")


def test_what_is_to_be_new_replaces_nothing(tmp_path: Path) -> None:
    place = tmp_path / "tokens.json"
    write_once(place, b"first")
    with pytest.raises(ConfigError, match="already"):
        write_once(place, b"second")
    assert place.read_bytes() == b"first"
