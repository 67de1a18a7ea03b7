"""Those that run give leave in the way that ``observe`` asks for it."""

import inspect

import pytest

from protech.locate.clearance import Clearance
from protech.locate.courtesy import Courtesy
from protech.locate.leave import Mandate, Manners


@pytest.mark.parametrize(("asked", "gives"), [(Mandate, Clearance), (Manners, Courtesy)])
def test_who_runs_is_asked_as_it_answers(asked: type, gives: type) -> None:
    names = [name for name in vars(asked) if not name.startswith("_")]
    assert names
    for name in names:
        wanted = inspect.signature(getattr(asked, name)).parameters
        given = inspect.signature(getattr(gives, name)).parameters
        assert list(given) == list(wanted)
