"""The shared database, as far as no server is needed; the rest is in e2e/test_locate_scale."""

from pathlib import Path

import pytest

from protech.db.postgres import SharedDatabase, _complete, _ours
from protech.errors import ConfigError


def test_a_server_that_is_not_there_is_an_error_that_names_no_place(tmp_path: Path) -> None:
    where = f"host={tmp_path} dbname=secret password=hidden"
    with pytest.raises(ConfigError, match="cannot be used") as refused:
        SharedDatabase.open(where, name="a", schema=(), version=1)
    shown = f"{refused.value} {refused.value.__cause__}"
    assert not any(one in shown for one in (str(tmp_path), "secret", "hidden"))


def test_what_libpq_cannot_read_is_an_error_that_does_not_quote_it() -> None:
    with pytest.raises(ConfigError, match="libpq") as refused:
        SharedDatabase.open("password hidden", name="a", schema=(), version=1)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", 'a"b', "a" * 64])
def test_a_name_that_would_need_quotes_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="another name"):
        SharedDatabase.open("host=/tmp", name=name, schema=(), version=1)


def test_a_server_far_away_must_show_who_it_is() -> None:
    for where in (
        "host=db.example sslmode=disable",
        "service=protech",  # whose host stands in a file of libpq's
        "hostaddr=198.18.0.1",
        "host=/run/postgresql,db.example",
        "dbname=a",  # the host may stand in PGHOST
        "host=/run/postgresql",
    ):
        assert "sslmode=verify-full" in _complete(where)
        assert "gssencmode=disable" in _complete(where)


def test_placeholders_are_those_of_psycopg() -> None:
    assert _ours("SELECT a % 2 WHERE b = ?") == b"SELECT a %% 2 WHERE b = %s"
