"""What every command is built with."""

import pytest

from protech.cli import main, parser
from protech.cli.grammar import MOST_WORKERS


@pytest.mark.parametrize("number", [1, MOST_WORKERS])
def test_a_number_of_workers_is_taken(number: int) -> None:
    given = ["scan", "a", "--workers", str(number)]
    assert parser(given).parse_args(given).workers == number


@pytest.mark.parametrize("number", ["0", "-1", "x", str(MOST_WORKERS + 1)])
def test_any_other_number_of_workers_is_refused_in_words(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["scan", "a", "--workers", number])
    assert refused.value.code == 2
    assert f"give a number from 1 to {MOST_WORKERS}" in capsys.readouterr().err
