"""A sync from the address to the lists that are in place."""

from protech.lists.sync.taking import State
from tests.repository import LIST, lines
from tests.unit.lists.sync.conftest import ENTRIES, Stage


def test_a_list_comes_whole_and_stays_current(stage: Stage) -> None:
    done = stage.synced()
    assert [(one.name, one.state, one.version) for one in done.outcomes] == [
        (LIST, State.TAKEN, 1)
    ]
    assert stage.has(1)
    assert [one.state for one in stage.synced().outcomes] == [State.CURRENT]


def test_a_delta_brings_it_up_to_date(stage: Stage) -> None:
    stage.synced()
    stage.repository.add(ENTRIES | lines(2, 3), version=2, base=1)
    stage.repository.publish()
    stage.forget_requests()
    assert [one.state for one in stage.synced().outcomes] == [State.PATCHED]
    assert stage.has(2)
    assert sum(".delta.age" in path for path in stage.server.asked()) == 1
    assert not any(".list.age" in path for path in stage.server.asked())
