"""What the person chose holds the next time; what makes no sense is said."""

import argparse
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.guard.choices import remembered


def given(
    *, lists: tuple[str, ...] = (), adult_filter: str | None = None
) -> argparse.Namespace:
    return argparse.Namespace(list=[Path(path) for path in lists], adult_filter=adult_filter)


def test_nothing_chosen_is_the_ordinary_guard(tmp_path: Path) -> None:
    options = remembered(given(), tmp_path / "settings.toml")
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
    assert remembered(given(), settings).list == [Path("/a.list"), Path("/b.list")]
    assert remembered(given(lists=("/c.list",)), settings).list == [Path("/c.list")]
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
