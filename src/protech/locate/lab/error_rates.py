"""What was measured in hostile swarms, for docs/error-rates.md and the self-test certificate.

The results are one JSON object: ``{"v":1, "date", "commit", "code", "seeds":[int,..],
"kinds":{KIND: peers}, "score": Score.fields}``. The page keeps its text; only what stands
between its marks is written anew.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from protech.locate.lab.intervals import clopper_pearson, upper_bound
from protech.locate.lab.plan import HOLDERS, Kind
from protech.locate.lab.score import Score, Share, read_score

FORMAT_VERSION = 1

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

LEVELS: Mapping[str, str] = {
    "0": "0, mentioned",
    "1": "1, answers",
    "2": "2, handshake",
    "3": "3, claims",
    "4": "4, delivered",
}
TRANSPORTS: Mapping[str, str] = {
    "tcp": "TCP",
    "mse": "TCP, encrypted",
    "utp": "uTP",
    "utp_mse": "uTP, encrypted",
}


def results(
    score: Score,
    *,
    seeds: Iterable[int],
    kinds: Mapping[Kind, int],
    commit: str,
    code: str,
    on: date,
) -> dict[str, object]:
    """Return the results of some runs as JSON."""
    return {
        "v": FORMAT_VERSION,
        "date": on.isoformat(),
        "commit": commit,
        "code": code,
        "seeds": list(seeds),
        "kinds": {kind.value: count for kind, count in kinds.items()},
        "score": score.fields,
    }


def certificate(found: Mapping[str, Any]) -> dict[str, object]:
    """Return the self-test certificate that ``report.self_test`` reads."""
    score = read_score(found["score"])
    levels = {
        f"L{level}": _rate(score.precision[level], "true", "precision")
        for level in ("3", "4")
        if level in score.precision
    }
    recall = {
        f"L{level}": _rate(score.recall[level], "found", "recall")
        for level in ("3", "4")
        if level in score.recall
    }
    return {
        "v": 1,
        "date": found["date"],
        "commit": found["commit"],
        "code": found["code"],
        "seeds": found["seeds"],
        "levels": levels,
        "recall": recall,
    }


def _rate(share: Share, right: str, name: str) -> dict[str, object]:
    low, high = clopper_pearson(share.hits, share.of)
    return {
        "n": share.of,
        right: share.hits,
        name: share.value,
        "low": low,
        "high": high,
    }


def with_tables(page: str, found: Mapping[str, Any]) -> str:
    """Return the page with the tables of these results between its marks.

    Raises:
        ValueError: It has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no marks between which its tables stand")
    return before + BEGIN + tables(found) + END + after


def tables(found: Mapping[str, Any]) -> str:
    """Return the tables of some results, in Markdown."""
    score = read_score(found["score"])
    parts = (
        _opening(found, score),
        _precision(score),
        _proofs(score),
        _by_transport(score),
        _recall(score),
        _mistakes(score),
    )
    return "\n" + "\n".join(parts) + "\n"


def _opening(found: Mapping[str, Any], score: Score) -> str:
    kinds = {Kind(kind): count for kind, count in found["kinds"].items()}
    holding = sum(count for kind, count in kinds.items() if kind in HOLDERS)
    seeds = ", ".join(map(str, found["seeds"]))
    return (
        f"Measured on {found['date']} with commit `{found['commit']}`, in {len(found['seeds'])}"
        f" swarms of {holding} peers that hold pieces and {sum(kinds.values()) - holding}"
        f" that do not, {score.proofs.of:,} proofs in all. Seeds: {seeds}.\n"
    )


def _precision(score: Score) -> str:
    rows = [
        (LEVELS[level], *_cells(score.precision[level]))
        for level in LEVELS
        if level in score.precision
    ]
    return _table(("level", "findings", "true", "precision", "95 % interval"), rows)


def _proofs(score: Score) -> str:
    proofs = score.proofs
    if not proofs.of:
        return "No proof was asked for.\n"
    wrong = proofs.of - proofs.hits
    bound = upper_bound(wrong, proofs.of)
    return (
        f"Of {proofs.of:,} proofs {wrong} were wrong: the share of wrong ones is at most"
        f" {_percent(bound, digits=3)} with 95 % confidence (one-sided, Clopper and Pearson)."
        f" {score.relayed} of the proofs came from relays, which hold nothing themselves.\n"
    )


def _by_transport(score: Score) -> str:
    rows = [
        (LEVELS[level], name, *_cells(score.precision[f"{level}/{key}"]))
        for level in ("3", "4")
        for key, name in TRANSPORTS.items()
        if f"{level}/{key}" in score.precision
    ]
    head = ("level", "transport", "findings", "true", "precision", "95 % interval")
    return _table(head, rows)


def _recall(score: Score) -> str:
    rows = []
    for kind in HOLDERS:
        shares = [score.recall.get(f"{level}/{kind}") for level in ("3", "4")]
        if shares[0] is not None and shares[1] is not None:
            rows.append((_words(kind), str(shares[0].of), *map(_share, shares)))
    if "3" in score.recall:
        whole = [score.recall[level] for level in ("3", "4")]
        rows.append(("all", str(whole[0].of), *map(_share, whole)))
    head = ("true holders", "there", "found to claim (3)", "proved (4)")
    return _table(head, rows)


def _mistakes(score: Score) -> str:
    rows = [
        (_words(kind), *(str(score.mistakes.get(f"{level}/{kind}", 0)) for level in "234"))
        for kind in sorted({key.partition("/")[2] for key in score.mistakes if key[0] in "234"})
    ]
    return _table(("who was listed and holds nothing", "level 2", "level 3", "level 4"), rows)


def _cells(share: Share) -> tuple[str, str, str, str]:
    low, high = clopper_pearson(share.hits, share.of)
    interval = f"{_percent(low)} to {_percent(high)}"
    return f"{share.of:,}", f"{share.hits:,}", _share(share), interval


def _share(share: Share | None) -> str:
    return "-" if share is None or share.value is None else _percent(share.value)


def _percent(value: float, *, digits: int = 1) -> str:
    """Return a share in words; what is less than all never reads as all."""
    told = f"{100 * value:.{digits}f}"
    if value < 1 and told.startswith("100"):
        return _percent(value, digits=digits + 1)
    return f"{told} %"


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
