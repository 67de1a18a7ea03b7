"""One row for each item: the JSON object that ``protech scan`` prints.

The only writer of this format; docs/rows.md describes it. Every key is always there.
"""

import base64
import json
import os

from protech.types import Findings, Match, Scores, Verdict

FORMAT_VERSION = 1

BEGINNING = b'{"v": '
"""How every line begins."""

Row = dict[str, object]


def row(verdict: Verdict, path: str | bytes | os.PathLike[str]) -> Row:
    """Return the row of one item; ``path`` is shown, and given in base64 if it is not UTF-8."""
    findings = verdict.findings
    text, raw = _path(os.fsencode(path))
    return {
        "v": FORMAT_VERSION,
        "path": text,
        "path_bytes": raw,
        "kind": findings.kind.value,
        "size_bytes": findings.size_bytes,
        "sha256": findings.digests.sha256.hex() if findings.digests else None,
        "decision": verdict.decision.value,
        "reason": verdict.reason.value,
        "rule": verdict.rule,
        "policy": verdict.policy,
        "matches": [_match(match) for match in findings.matches],
        "excepted": [_match(match) for match in findings.excepted],
        "scores": _scores(findings),
        "unscannable": findings.unscannable.value if findings.unscannable else None,
    }


def line(verdict: Verdict, path: str | bytes | os.PathLike[str]) -> str:
    """Return the row as one line of ASCII: no name can move the cursor of a terminal."""
    return json.dumps(row(verdict, path), ensure_ascii=True, allow_nan=False) + "\n"


def _path(path: bytes) -> tuple[str, str | None]:
    try:
        return path.decode(), None
    except UnicodeDecodeError:
        return path.decode(errors="replace"), base64.b64encode(path).decode("ascii")


def _match(match: Match) -> Row:
    return {
        "list": match.source.name,
        "version": match.source.version,
        "stale": match.source.stale,
        "kind": match.kind.value,
        "entry": match.entry,
        "distance_bits": match.distance_bits,
        "quality": match.quality,
        "query_percent": match.query_percent,
        "known_percent": match.known_percent,
    }


def _scores(findings: Findings) -> Row | None:
    """Return the scores of the most explicit frame; None where no frame was scored."""
    scored = [frame.scores for frame in findings.frames if frame.scores is not None]
    if not scored:
        return None
    worst = max(scored, key=_explicitness)
    judged = [p.apparent_minor for p in worst.persons if p.apparent_minor is not None]
    return {
        "explicit": worst.explicit,
        "apparent_minor": max(judged, default=None),
        "persons": len(worst.persons),
        "persons_unjudged": len(worst.persons) - len(judged),
        "models": dict(findings.models),
    }


def _explicitness(scores: Scores) -> float:
    return -1.0 if scores.explicit is None else scores.explicit
