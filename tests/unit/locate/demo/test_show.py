from dataclasses import replace
from pathlib import Path

from protech.locate.demo.show import Shown, table
from protech.locate.lab.score import Score, Share

SCORE = Score(
    precision={"3": Share(hits=9, of=10), "4": Share(hits=8, of=8)},
    recall={"4": Share(hits=8, of=9)},
    proofs=Share(hits=8, of=8),
    relayed=1,
    mistakes={},
)


def shown(score: Score = SCORE, disagreeing: int = 0) -> Shown:
    return Shown(
        seed=7,
        reason="one round was asked for",
        score=score,
        disagreeing=disagreeing,
        folder=Path("lab"),
    )


def test_a_demonstration_is_sound_where_every_proof_is_right_and_every_pack_agrees() -> None:
    assert shown().is_sound
    assert not shown(disagreeing=1).is_sound
    wrong = Score(
        precision={}, recall={}, proofs=Share(hits=7, of=8), relayed=0, mistakes={"4/liar": 1}
    )
    assert not shown(wrong).is_sound


def test_as_json_it_scores_no_level_that_names_nobody() -> None:
    four = Share(hits=8, of=8)
    score = replace(SCORE, precision={"1": four, "4": four}, mistakes={"2/echo": 1})
    told = shown(score).fields["score"]
    assert isinstance(told, dict)
    assert (set(told["precision"]), told["mistakes"]) == ({"4"}, {})


def test_the_table_says_what_was_said_and_what_is_so() -> None:
    text = table(shown())
    assert "L3 claims pieces" in text
    assert "0.90" in text
    assert "8 of 9" in text
    assert "1 by peers that fetched it from another one" in text
    bare = Score(precision={}, recall={}, proofs=Share(), relayed=0, mistakes={})
    assert "none was there" in table(shown(bare))


def test_it_names_no_directory_that_is_gone() -> None:
    assert "lab/report" in table(shown())
    gone = replace(shown(), folder=None)
    assert "run --lab DIR" in table(gone)
    assert gone.fields["folder"] is None
