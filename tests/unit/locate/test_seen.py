"""What a case has seen once, nothing older takes the place of."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.locate.seen import NAME, Seen, SeenFile
from protech.locate.vault import Vault

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
VAULT = Vault(bytes(32), purpose="seen")


def opened(folder: Path, logged_at: datetime | None = None) -> SeenFile:
    return SeenFile(folder / "seen", vault=VAULT, logged_at=logged_at)


def test_a_new_case_has_seen_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path).seen == Seen()
    assert list(tmp_path.iterdir()) == []


def test_the_newest_stays(tmp_path: Path) -> None:
    file = opened(tmp_path)
    for at in (NOW, NOW + HOUR, NOW - HOUR):
        file.note_timestamp(at)
    for version in (3, 4, 2):
        file.note_list("targets", version)
    assert file.seen == Seen(timestamp_at=NOW + HOUR, versions={"targets": 4})
    assert opened(tmp_path, NOW + 9 * HOUR).seen == file.seen


def test_where_it_is_gone_the_log_says_the_least(tmp_path: Path) -> None:
    file = opened(tmp_path, NOW)
    assert file.seen.timestamp_at == NOW
    file.note_timestamp(NOW - HOUR)
    assert opened(tmp_path).seen.timestamp_at == NOW


def test_nothing_of_it_is_in_clear_and_a_change_is_found(tmp_path: Path) -> None:
    opened(tmp_path).note_list("targets", 3)
    content = (tmp_path / "seen").read_bytes()
    assert b"targets" not in content
    (tmp_path / "seen").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(TrustError):
        opened(tmp_path)


@pytest.mark.parametrize(
    "told", [{}, {"timestamp_at": 3, "versions": {}}, {"timestamp_at": None, "versions": []}]
)
def test_what_has_another_form_is_refused(tmp_path: Path, told: dict[str, object]) -> None:
    (tmp_path / "seen").write_bytes(VAULT.seal(told, NAME))
    with pytest.raises(TrustError, match="another form"):
        opened(tmp_path)
