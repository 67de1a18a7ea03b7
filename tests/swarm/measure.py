"""Measure the error rates again, and write them where they are published.

    python -m tests.swarm.measure [FIRST_SEED [SEEDS [SECONDS]]]

It writes docs/error-rates.json, the tables of docs/error-rates.md, and the self-test
certificate that reports carry, anew after each seed: a run that is broken off loses nothing.
Only a tree without changes has a certificate: it names the commit.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime

from protech.locate.build import code_of_build
from protech.locate.lab.error_rates import certificate, results, with_tables
from protech.locate.lab.score import Score
from tests.bench.locate_swarm import precision_of
from tests.swarm.big import FULL
from tests.swarm.inside import ROOT

RESULTS = ROOT / "docs" / "error-rates.json"
PAGE = ROOT / "docs" / "error-rates.md"
CERTIFICATE = ROOT / "src" / "protech" / "locate" / "report" / "self_test.json"


def git(*arguments: str) -> str:
    """Return what git says."""
    shown = subprocess.run(
        ["git", *arguments], capture_output=True, check=True, cwd=ROOT, text=True
    )
    return shown.stdout.strip()


def main(first: int = 1, count: int = 25, seconds: int = 60) -> None:
    """Look once into each swarm, and write what was seen up to now after each."""
    commit = git("rev-parse", "--short=12", "HEAD")
    is_clean = not git("status", "--porcelain", "--", "src")
    total: Score | None = None
    for seed in range(first, first + count):
        score = precision_of(seed, seconds=seconds)
        total = score if total is None else total + score
        found = results(
            total,
            seeds=range(first, seed + 1),
            kinds=FULL,
            commit=commit if is_clean else f"{commit}, changed",
            code=code_of_build(),
            on=datetime.now(UTC).date(),
        )
        RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        PAGE.write_text(with_tables(PAGE.read_text(), found))
        if is_clean:
            CERTIFICATE.write_text(
                json.dumps(certificate(found), indent=1, sort_keys=True) + "\n"
            )
        print(
            seed, score.proofs, score.recall["4"], score.mistakes, file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
