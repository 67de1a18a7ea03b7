import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.lists.entries import Use
from protech.lists.trust import TargetKind
from protech.locate.demo.office import LIST, publish_list
from protech.locate.identify import read_watch
from tests.unit.lists.test_fetch_keys import ALL_KINDS


def test_a_list_is_published_synced_and_read_as_targets(tmp_path: Path) -> None:
    office = publish_list(tmp_path / "office", ALL_KINDS, datetime.now(UTC))
    kind = TargetKind.FETCH_KEYS
    with (
        office.device.opened(LIST, Use.LOCATE, kind=kind) as (held, descriptor),
        os.fdopen(os.dup(descriptor), "rb") as file,
    ):
        watch = read_watch(file, sha256=held.target.sha256)
    assert [target.key for target in watch.targets] == ALL_KINDS


@pytest.mark.parametrize("use", [Use.GUARD, Use.TRIAGE, Use.MESSAGING])
def test_it_serves_no_other_use(tmp_path: Path, use: Use) -> None:
    office = publish_list(tmp_path / "office", ALL_KINDS, datetime.now(UTC))
    with pytest.raises(TrustError):
        office.device.find(LIST, use, kind=TargetKind.FETCH_KEYS)
