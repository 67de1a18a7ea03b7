"""What a database of ours is, whichever keeps it."""

from contextlib import closing
from pathlib import Path

from protech.db import Database, Row, Store
from protech.db.postgres import SharedDatabase


def doubled(store: Store) -> list[Row]:
    store.write("INSERT INTO numbers VALUES (?)", [(1,), (2,)])
    store.change("UPDATE numbers SET number = number * ?", (2,))
    return store.read("SELECT number FROM numbers ORDER BY number")


def test_a_file_is_a_store(tmp_path: Path) -> None:
    schema = ("CREATE TABLE numbers (number INTEGER) STRICT",)
    with closing(Database.open(tmp_path / "a", schema=schema, version=1)) as database:
        assert doubled(database) == [(2,), (4,)]


def test_a_shared_database_has_all_that_a_store_has() -> None:
    asked = {name for name in vars(Store) if not name.startswith("_")}
    assert asked == {"read", "write", "change", "close"}
    assert asked <= set(vars(SharedDatabase))
