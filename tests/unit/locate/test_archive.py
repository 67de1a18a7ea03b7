"""Sightings as sealed files."""

import stat
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.evidence.log import Log
from protech.locate.archive import COLUMNS, Archive, row_of
from protech.locate.vault import Vault
from protech.signing import Key
from tests.unit.locate.sightings import record, records


def archive(path: Path, *, key: bytes = bytes(32)) -> Archive:
    return Archive(path / "sightings", vault=Vault(key, purpose="sightings"))


def files(path: Path) -> list[Path]:
    return sorted((path / "sightings").iterdir())


def test_what_was_added_is_one_table(tmp_path: Path) -> None:
    one = archive(tmp_path)
    one.add(0, 500, records(400))
    one.add(500, 900, [{"kind": "run"}, *records(300, seed=2)])
    assert archive(tmp_path).covered == 900
    with archive(tmp_path).table() as table:
        assert table.rows("SELECT count(*), max(level) FROM sightings") == [(700, 4)]


def test_an_archive_follows_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protech.locate.archive.RECORDS_MOST", 40)
    one = archive(tmp_path)
    signer, key = Key.generate(), bytes(32)
    with Log.create(tmp_path / "log", origin="lab/case", signer=signer, data_key=key) as log:
        log.append([{"kind": "run"}, *records(99)])
        assert one.follow(log, least=101) == 0
        assert one.follow(log, least=100) == 100
        assert len(files(tmp_path)) == 3
        assert one.follow(log, least=1) == 0
        log.append(records(7, seed=2))
        assert one.follow(log, least=1) == 7
    with one.table() as table:
        assert table.rows("SELECT count(*) FROM sightings") == [(106,)]


def test_a_row_says_what_the_record_says() -> None:
    row = row_of(record(level=4))
    assert list(row) == list(COLUMNS)
    assert (row["address"], row["port"], row["pseudonym"]) == ("198.18.0.1", 6881, None)
    assert (row["country"], row["asn"], row["flags"]) == ("XA", 64496, "vpn,hosting")
    assert (row["listed_held"], row["listed_total"], row["lasted_ms"]) == (2, 4, 0)
    below = row_of({**record(level=2), "place": None, "claims": None})
    assert (below["address"], below["pseudonym"]) == (None, "of 198.18.0.1")
    assert (below["country"], below["listed_held"], below["flags"]) == (None, None, "")


def test_the_files_are_ciphertext_of_this_user_alone(tmp_path: Path) -> None:
    archive(tmp_path).add(0, 300, records(300))
    [path] = files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    content = path.read_bytes()
    for clear in (b"PAR1", b"198.18.", b"DuckDB", b"entry", b"Lab network"):
        assert clear not in content


def test_a_file_that_was_changed_moved_or_is_of_another_case_is_refused(
    tmp_path: Path,
) -> None:
    archive(tmp_path).add(0, 10, records(10))
    with pytest.raises(TrustError):
        archive(tmp_path, key=bytes(31) + b"\1").table()
    [path] = files(tmp_path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 101):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(TrustError):
            archive(tmp_path).table()
    path.write_bytes(whole)
    path.rename(path.with_name(path.name.replace("0010", "0011")))
    with pytest.raises(TrustError):
        archive(tmp_path).table()


def test_an_archive_goes_on_where_it_ends(tmp_path: Path) -> None:
    one = archive(tmp_path)
    one.add(0, 10, records(10))
    for start, end in ((0, 10), (11, 12), (10, 10)):
        with pytest.raises(ValueError, match="another record"):
            one.add(start, end, records(1))


def test_a_gap_an_emptiness_and_too_much_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = archive(tmp_path)
    with pytest.raises(ConfigError, match="is empty"):
        one.table()
    for start in range(0, 30, 10):
        one.add(start, start + 10, records(10))
    size = sum(path.stat().st_size for path in files(tmp_path))
    monkeypatch.setattr("protech.locate.archive.ARCHIVE_BYTES", size)
    one.table().close()
    monkeypatch.setattr("protech.locate.archive.ARCHIVE_BYTES", size - 1)
    with pytest.raises(ConfigError, match="larger"):
        one.table()
    files(tmp_path)[1].unlink()
    with pytest.raises(ConfigError, match="gap"):
        one.table()


def test_a_file_that_was_left_half_written_is_not_seen(tmp_path: Path) -> None:
    one = archive(tmp_path)
    one.add(0, 10, records(10))
    (tmp_path / "sightings" / f"{10:012d}-{20:012d}.parquet.new").write_bytes(b"half")
    assert one.covered == 10
    one.add(10, 20, records(10))
    one.table().close()


def test_a_directory_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sightings").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be written"):
        archive(tmp_path)


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    one = archive(tmp_path)
    (tmp_path / "sightings" / f"{0:012d}-{10:012d}.parquet.new").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match="No space left"):
        one.add(0, 10, records(10))
    assert one.covered == 0
