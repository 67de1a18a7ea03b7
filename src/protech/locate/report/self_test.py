"""The self-test certificate of a build: what it got wrong in the hostile laboratory.

One JSON object: ``{"v":1, "date", "commit", "code", "seeds":[int,..], "levels":{"L3": RATE,
"L4": RATE}, "recall":{NAME: RATE}}``. A rate of a level is ``{"n", "true", "precision", "low",
"high"}``, one of recall ``{"n", "found", "recall", "low", "high"}``; ``low`` to ``high`` is a
95 % interval. The file ships only with measured numbers: without one a report says so.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources

from protech.errors import SourceError
from protech.locate.report.fields import Fields

FORMAT_VERSION = 1

SHIPPED = "self_test.json"

COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """``right`` of ``n``; ``low`` to ``high`` is the interval of the share at 95 %."""

    n: int
    right: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What was measured of a build, when, and with which seeds."""

    measured_on: date
    commit: str
    code: str
    """Of the code that was measured, as ``build.code_of_build`` gives it."""
    seeds: tuple[int, ...]
    levels: Mapping[int, Rate]
    recall: Mapping[str, Rate]
    content: str
    """The file as it was read; it is put into the report as it is."""

    def is_of(self, code: str) -> bool:
        """Return whether it was measured on this build, and on no other."""
        return bool(code) and self.code == code


def read(content: str) -> SelfTest:
    """Return the certificate in a file.

    Raises:
        SourceError: It is none that this version reads, or its numbers do not agree.
    """
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = None
    fields = Fields(parsed if isinstance(parsed, dict) else {}, "the self-test certificate")
    if fields.number("v") != FORMAT_VERSION:
        raise _refused("is in another version")
    commit = fields.text("commit")
    if not COMMIT.fullmatch(commit):
        raise _refused("names no commit")
    return SelfTest(
        measured_on=fields.moment("date").date()
        if "T" in fields.text("date")
        else _day(fields),
        commit=commit,
        code=(fields.digest_or_none("code") or b"").hex(),
        seeds=tuple(int(str(one)) for one in fields.items("seeds") if str(one).isdigit()),
        levels={
            int(name[1:]): _rate(fields.inner("levels").inner(name), "true", "precision")
            for name in fields.inner("levels").values
            if name in {"L3", "L4"}
        },
        recall={
            name: _rate(fields.inner("recall").inner(name), "found", "recall")
            for name in fields.inner("recall").values
        },
        content=content,
    )


def shipped() -> SelfTest | None:
    """Return the certificate that came with this build; None where none was measured.

    Raises:
        SourceError: It cannot be read.
    """
    file = resources.files("protech.locate.report").joinpath(SHIPPED)
    return read(file.read_text(encoding="utf-8")) if file.is_file() else None


def _day(fields: Fields) -> date:
    try:
        return date.fromisoformat(fields.text("date"))
    except ValueError:
        raise _refused("names no day") from None


def _rate(fields: Fields, right: str, share: str) -> Rate:
    rate = Rate(
        n=fields.number("n"),
        right=fields.number(right),
        share=_share(fields, share),
        low=_share(fields, "low"),
        high=_share(fields, "high"),
    )
    if not 0 <= rate.right <= rate.n or not rate.low <= rate.share <= rate.high:
        raise _refused("has numbers that do not agree")
    if rate.n and abs(rate.right / rate.n - rate.share) > 0.005:
        raise _refused("has a share that its counts do not give")
    return rate


def _share(fields: Fields, name: str) -> float:
    value = fields.amount_or_none(name)
    if value is None or not 0 <= value <= 1:
        raise _refused(f"has a '{name}' that is no share of 1")
    return value


def _refused(reason: str) -> SourceError:
    return SourceError(
        f"The self-test certificate cannot be used: it {reason}. Measure again with"
        " `dev.py bench locate`, or leave it out: the report then says that none was made."
    )
