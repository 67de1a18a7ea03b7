"""What the person chose holds the next time; what makes no sense is said."""

import argparse
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.guard.choices import remembered
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.lists.keys import make_device_key
from protech.lists.sync.flow import sync
from tests.repository import LIST, OTHER_LIST, Repository


def given(
    *, lists: tuple[str, ...] = (), adult_filter: str | None = None
) -> argparse.Namespace:
    return argparse.Namespace(list=list(lists), adult_filter=adult_filter)


def test_nothing_chosen_is_the_ordinary_guard(tmp_path: Path) -> None:
    nothing = DeviceLists(tmp_path / "lists")
    options = remembered(given(), tmp_path / "settings.toml", device=nothing)
    assert (options.list, options.adult_filter) == ([], "off")
    assert not (tmp_path / "settings.toml").exists()


def test_adult_filter_stays_on_until_it_is_switched_off(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    assert remembered(given(adult_filter="on"), settings).adult_filter == "on"
    assert remembered(given(), settings).adult_filter == "on"
    assert remembered(given(adult_filter="off"), settings).adult_filter == "off"
    assert remembered(given(), settings).adult_filter == "off"


def test_lists_of_the_settings_are_used_unless_others_are_given(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('# mine\nguard_lists = ["/a.list", "/b.list"]\n')
    settings.chmod(0o600)
    assert remembered(given(), settings).list == ["/a.list", "/b.list"]
    assert remembered(given(lists=("/c.list",)), settings).list == ["/c.list"]
    remembered(given(adult_filter="on"), settings)
    assert settings.read_text().startswith('# mine\nguard_lists = ["/a.list", "/b.list"]\n')


@pytest.mark.parametrize(
    "line", ['guard_lists = "/a"', "guard_lists = [1]", "guard_adult_filter = 'yes'"]
)
def test_a_setting_that_makes_no_sense_is_said(tmp_path: Path, line: str) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(line)
    settings.chmod(0o600)
    with pytest.raises(ConfigError, match="mend the file"):
        remembered(given(), settings)


def test_synced_lists_for_guards_are_used_where_none_is_named(tmp_path: Path) -> None:
    device = DeviceLists(tmp_path / "lists")
    repository = Repository(tmp_path / "r", recipients=[make_device_key(device.key)])
    repository.add(set())
    repository.add(set(), name=OTHER_LIST, uses=frozenset({Use.TRIAGE}))
    repository.publish()
    sync(device, str(repository.folder), root=repository.first_root)
    assert remembered(given(), tmp_path / "s.toml", device=device).list == [LIST]
    chosen = given(lists=("/c.list",))
    assert remembered(chosen, tmp_path / "s.toml", device=device).list == ["/c.list"]
