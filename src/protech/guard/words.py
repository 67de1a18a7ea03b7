"""What the guard says about itself, in plain words; pure."""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from protech.guard.help import Service
from protech.guard.record import Count
from protech.guard.running import Running

LABEL = 15
"""Columns of the labels on the left."""

WIDTH = 96

PROTECTED = "Every picture this browser loads: in pages, styles, scripts, data: and WebSockets."
HIDDEN_TOO = "Video, which is not judged yet, and whatever could not be judged in time."
HOW_TO_IMPORT = (
    "Chromium: chrome://certificate-manager, Custom. Firefox: Settings, Certificates,"
    " Authorities. It was made on this device and is of use on this device only."
)
NOT_PROTECTED = (
    "Other browsers and programs, files on disk, pages that decrypt pictures themselves"
    " (encrypted web messengers), WebRTC calls."
)


def line(label: str, text: str) -> str:
    """Return one labelled line, indented."""
    return f"  {label:<{LABEL}} {text}"


def lists(state: Mapping[str, Any]) -> str:
    """Return the known lists of the detector's state."""
    found = state.get("lists", ())
    if not found:
        return "none: only the classifier protects you" if state.get("models") else "none"
    return "; ".join(_list(item) for item in found)


def models(state: Mapping[str, Any]) -> str:
    """Return the models of the detector's state."""
    found = state.get("models", {})
    return ", ".join(found) if found else "none: only what is on a known list is found"


def sandbox(state: Mapping[str, Any]) -> str:
    """Return whether what parses hostile media is locked away."""
    workers = state.get("workers", 0)
    processes = f"{workers} process" if workers == 1 else f"{workers} processes"
    if state.get("sandboxed"):
        return f"in {processes} that the kernel has locked"
    return f"in {processes} that are NOT locked; `protech doctor` says what this kernel lacks"


def adult_filter(state: Mapping[str, Any]) -> str:
    """Return whether the person wants everything explicit hidden."""
    if not state.get("adult_filter"):
        return "off; `protech guard --adult-filter on` hides everything explicit"
    return "on" if state.get("models") else "on, but without a model it finds nothing"


def warnings(state: Mapping[str, Any]) -> list[str]:
    """Return what a person must know before they rely on the guard."""
    found = []
    if not state.get("lists") and not state.get("models"):
        found.append(
            "There is no known list and no model: nothing is recognised. Give a list with"
            " --list FILE, or install the models."
        )
    if any(item.get("stale") for item in state.get("lists", ())):
        found.append("A known list has expired. It stays in use; get a newer one.")
    return found


def started(running: Running, state: Mapping[str, Any], *, page: str | None) -> str:
    """Return what is said once the guard protects."""
    host, _, port = running.listen.rpartition(":")
    paragraphs = [
        "The guard is on.",
        "\n".join(
            [
                line("Browser", f"Set its proxy for HTTP and HTTPS to {host}, port {port}."),
                line("", f"For Chromium: chromium --proxy-server={running.listen}"),
                line("Certificate", "Once, import this file as an authority for web sites:"),
                line("", running.certificate),
                *_wrapped("", HOW_TO_IMPORT),
            ]
        ),
        "\n".join(
            [
                *_wrapped("Protected", PROTECTED),
                *_wrapped("Hidden too", HIDDEN_TOO),
                *_wrapped("Not protected", NOT_PROTECTED),
            ]
        ),
        "\n".join(
            [
                line("Known lists", lists(state)),
                line("Models", models(state)),
                line("Adult filter", adult_filter(state)),
                line("Decoding", sandbox(state)),
            ]
        ),
    ]
    paragraphs += ["\n".join(_wrapped("Note", warning)) for warning in warnings(state)]
    if page is not None:
        paragraphs.append(line("Your page", page))
    paragraphs.append(
        "  Ctrl-C ends the guard. The browser then loads nothing until you take the proxy out\n"
        "  of its settings."
    )
    return "\n\n".join(paragraphs)


def status(
    running: Running,
    state: Mapping[str, Any] | None,
    counts: Sequence[Count],
    *,
    paused_until: datetime | None,
    page: str | None,
) -> str:
    """Return what ``protech guard status`` prints; ``counts`` are those of today."""
    since = datetime.fromisoformat(running.started_at).astimezone()
    lines = [f"The guard is {'paused' if paused_until else 'on'} since {since:%d %B, %H:%M}."]
    if paused_until:
        lines[0] = f"The guard is paused until {paused_until.astimezone():%H:%M}."
    lines += ["", line("Proxy", running.listen), line("Certificate", running.certificate)]
    if state is None:
        lines.append(line("Detector", "does not answer: every picture is hidden meanwhile"))
    else:
        lines += [
            line("Known lists", lists(state)),
            line("Models", models(state)),
            line("Adult filter", adult_filter(state)),
            line("Decoding", sandbox(state)),
        ]
    lines += [line("Hidden today", hidden(counts)), *_wrapped("Not protected", NOT_PROTECTED)]
    if state is not None:
        for warning in warnings(state):
            lines += _wrapped("Note", warning)
    if page is not None:
        lines.append(line("Your page", page))
    return "\n".join(lines)


def hidden(counts: Sequence[Count]) -> str:
    """Return how many items were hidden and why, in words."""
    by_reason: dict[str, int] = {}
    for row in counts:
        by_reason[row.reason.value] = by_reason.get(row.reason.value, 0) + row.count
    total = sum(by_reason.values())
    if not total:
        return "nothing"
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(by_reason.items()))
    return f"{total} ({reasons})"


def help_lines(services: Sequence[Service]) -> str:
    """Return the help services, one paragraph each."""
    paragraphs = [
        "Worried about your own thoughts or behaviour? These people listen, and help.",
    ]
    for service in services:
        place = service.country or "everywhere"
        terms = textwrap.fill(service.terms, WIDTH - 4)
        reach = " · ".join(filter(None, (service.phone, service.site)))
        verified = f"verified {service.last_verified:%d %B %Y}"
        details = textwrap.indent(f"{reach}\n{terms}\n{verified}", "    ")
        paragraphs.append(f"  {service.name} ({place})\n{details}")
    return "\n\n".join(paragraphs)


def not_running(state: Path) -> str:
    """Return what ``status`` says where no guard runs."""
    return (
        "The guard is off; start it with `protech guard`. A browser that is set to its proxy\n"
        f"loads nothing meanwhile. Its certificate and counts are in {state}."
    )


def _list(item: Mapping[str, Any]) -> str:
    count = item.get("count")
    entries = "" if count is None else f", {count:,} {'entry' if count == 1 else 'entries'}"
    return f"{item['name']}, version {item['version']}{entries}" + (
        ", EXPIRED" if item.get("stale") else ""
    )


def _wrapped(label: str, text: str) -> list[str]:
    parts = textwrap.wrap(text, WIDTH - LABEL - 3)
    return [line(label if i == 0 else "", part) for i, part in enumerate(parts)]
