from pathlib import Path

import pytest

from protech.errors import SourceError
from protech.evidence.log import Log
from protech.evidence.stamp import Stamps
from protech.locate.adapter import Level
from protech.locate.report.gather import delivered, of_log, packs_of
from protech.signing import Key
from tests.locate_case import BEGUN_AT, REPORTED_AT, CaseMaker, small_case

KEY = bytes(range(32))


def logged(directory: Path, made: CaseMaker) -> Log:
    log = Log.create(directory, origin="lab", signer=Key.of_seed(KEY), data_key=KEY)
    log.append(made.records)
    return log


def test_a_report_is_made_from_the_log_itself(tmp_path: Path) -> None:
    made, _ = small_case()
    with logged(tmp_path / "log", made) as log:
        log.checkpoint(BEGUN_AT)
        material = of_log(log, Stamps(tmp_path / "stamps"), at=REPORTED_AT)
        assert material.log_key == log.about.key.text
        (state,) = material.checkpoints
        assert (state.size, state.root) == (len(made.records), log.root)
        assert state.stamped_at is None
    assert material.case.records == len(made.records)
    assert len(material.peers) == 5


def test_a_log_that_nobody_signed_yet_is_reported_without_a_checkpoint(tmp_path: Path) -> None:
    with logged(tmp_path / "log", CaseMaker()) as log:
        assert of_log(log, None, at=REPORTED_AT).checkpoints == ()


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    with logged(tmp_path / "log", CaseMaker()) as log:
        log.append([["no", "record"]])  # type: ignore[list-item]
        with pytest.raises(SourceError, match="record 1 of the log"):
            of_log(log, None, at=REPORTED_AT)


def test_packs_are_named_after_their_sightings(tmp_path: Path) -> None:
    made = CaseMaker()
    made.entries()
    made.request()
    first, second = made.sighting(), made.sighting()
    with logged(tmp_path / "log", made) as log:
        log.checkpoint(BEGUN_AT)
        packs = packs_of(log, None, [second, first, first])
        assert list(packs) == [f"sighting-{first}.json", f"sighting-{second}.json"]
        assert all(pack.startswith(b"{") for pack in packs.values())
        with pytest.raises(SourceError):
            packs_of(log, None, [0])


def test_what_was_delivered_is_found(tmp_path: Path) -> None:
    made = CaseMaker()
    made.sighting(Level.CLAIMS)
    made.sighting(Level.DELIVERED)
    with logged(tmp_path / "log", made) as log:
        assert delivered(log) == [len(made.records) - 1]
