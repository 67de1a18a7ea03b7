"""What a run is made of is opened in order, and closed again; a refusal leaves nothing open."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from protech.errors import AuthorityError, ConfigError, SourceError, TrustError
from protech.locate.adapter import Network
from protech.locate.case import Case
from protech.locate.documents import make_authorisation, read_authorisation, sign
from protech.locate.equipment import Order, equipped
from protech.locate.run import run
from tests.unit.locate.test_run import Made, made

__all__ = ["made"]


def opening(case: Case, order: Order) -> list[str]:
    """Open all of it and close it again; return what it is made of."""

    async def carry_out() -> list[str]:
        async with equipped(case, order) as outfit:
            assert outfit.log.size == 0
            assert set(outfit.adapters) == {Network.BITTORRENT}
            assert outfit.clearance.is_lab
            return [one.entry for one in outfit.watch.targets]

    return asyncio.run(carry_out())


def test_it_is_opened_and_closed_as_often_as_one_likes(made: Made) -> None:
    assert len(opening(made.case, made.order)) == 1
    assert len(opening(made.case, made.order)) == 1


def test_one_run_has_the_case_at_a_time(made: Made) -> None:
    async def carry_out() -> None:
        async with equipped(made.case, made.order):
            with pytest.raises(ConfigError, match="Another process"):
                async with equipped(made.case, made.order):
                    pass

    asyncio.run(carry_out())
    assert opening(made.case, made.order)


def unlisted(made: Made) -> Made:
    return replace(made, order=replace(made.order, list_name="others"))


def of_another_case(made: Made) -> Made:
    path = made.case.papers / "authorisation.json"
    terms = read_authorisation(path.read_bytes(), made.order.anchors).terms
    document = sign(make_authorisation(replace(terms, case="C-8")), made.people.magistrate)
    path.write_bytes(document.content)
    return made


def without_papers(made: Made) -> Made:
    (made.case.papers / "authorisation.json").unlink()
    return made


def half_written(made: Made) -> Made:
    path = made.case.papers / "timestamp.json"
    path.write_bytes(path.read_bytes()[:100])
    return made


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (unlisted, SourceError, "lists sync"),
        (of_another_case, AuthorityError, "for another case"),
        (without_papers, AuthorityError, "cannot be read"),
        (half_written, TrustError, "no signed document"),
    ],
)
def test_what_does_not_hold_is_refused_and_leaves_the_log_to_others(
    made: Made, change: Callable[[Made], Made], error: type[Exception], told: str
) -> None:
    changed = change(made)
    with pytest.raises(error, match=told):
        opening(changed.case, changed.order)
    with made.case.open_log(for_writing=True) as log:
        assert log.size == 0


def test_a_run_of_nothing_ends_and_says_what_it_stood_on(made: Made) -> None:
    async def carry_out() -> str:
        stop = asyncio.Event()
        stop.set()
        async with equipped(made.case, made.order) as outfit:
            return (await run(outfit, stop)).reason

    assert asyncio.run(carry_out()) == "it was told to stop"
    assert [one["kind"] for one in made.records()][:1] == ["run"]
    assert datetime.fromisoformat(made.records()[0]["at"]) <= datetime.now(UTC)
