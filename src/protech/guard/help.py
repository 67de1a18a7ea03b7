"""Services that help people who worry about their own thoughts or behaviour.

``last_verified`` is the day on which the number and the terms were read at ``source``. An entry
older than ``VERIFY_MONTHS`` fails a test: verify it at its source, then date it anew.
"""

from dataclasses import dataclass
from datetime import date

VERIFY_MONTHS = 12

READ_ON = date(2026, 11, 23)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service; ``country`` is ISO 3166-1 alpha-2, or None for everywhere.

    ``terms`` says what it costs and where its confidentiality ends, in the language that the
    service speaks first.
    """

    name: str
    country: str | None
    languages: tuple[str, ...]
    phone: str | None
    site: str
    terms: str
    source: str
    last_verified: date


SERVICES: tuple[Service, ...] = (
    Service(
        name="Stop It Now UK and Ireland",
        country="GB",
        languages=("en", "cy"),
        phone="0808 1000 900",
        site="www.stopitnow.org.uk",
        terms=(
            "Free from the UK. Confidential: you need not say who you are. If what you say"
            " identifies a child at risk or an offence, they pass it on."
        ),
        source="https://www.stopitnow.org.uk/helpline/",
        last_verified=READ_ON,
    ),
    Service(
        name="Stop It Now UK and Ireland",
        country="IE",
        languages=("en",),
        phone="+44 1372 847 161",
        site="www.stopitnow.org.uk",
        terms=(
            "Charged by your provider. Confidential: you need not say who you are. If what you"
            " say identifies a child at risk or an offence, they pass it on."
        ),
        source="https://www.stopitnow.org.uk/helpline/",
        last_verified=READ_ON,
    ),
    Service(
        name="Service téléphonique STOP",
        country="FR",
        languages=("fr",),
        phone="0 806 23 10 63",
        site="dispositifstop.fr",
        terms="Confidentiel, prix d'un appel local, orienté vers le centre de votre région.",
        source="https://dispositifstop.fr",
        last_verified=READ_ON,
    ),
    Service(
        name="Stop it Now Nederland",
        country="NL",
        languages=("nl",),
        phone="0800 266 64 36",
        site="www.stopitnow.nl",
        terms="Gratis en anoniem.",
        source="https://ecsa.lucyfaithfull.org/stop-it-now-nl",
        last_verified=READ_ON,
    ),
    Service(
        name="Stop it Now Vlaanderen",
        country="BE",
        languages=("nl",),
        phone=None,
        site="www.stopitnow.be",
        terms="Anoniem, ook per mail en chat; het nummer en de uren staan op de site.",
        source="https://www.onlinehulp-vlaanderen.be/stop-it-now-organiseert-chathulp/",
        last_verified=READ_ON,
    ),
    Service(
        name="Kein Täter werden",
        country="DE",
        languages=("de",),
        phone=None,
        site="kein-taeter-werden.de",
        terms="Kostenlos, unter Schweigepflicht; der erste Kontakt ist anonym möglich.",
        source="https://kein-taeter-werden.de",
        last_verified=READ_ON,
    ),
    Service(
        name="Troubled Desire",
        country=None,
        languages=("en", "de", "es", "fr", "pt", "tr", "mr"),
        phone=None,
        site="troubled-desire.com",
        terms="Free, anonymous self-help in your browser, from the Charité in Berlin.",
        source=(
            "https://kein-taeter-werden.de/pressemitteilungen/"
            "troubled-desire-feiert-zweijaehriges-bestehen"
        ),
        last_verified=READ_ON,
    ),
)


def services(*, country: str | None = None, language: str | None = None) -> list[Service]:
    """Return every service: those of ``country``, of ``language``, worldwide, the others."""

    def nearness(service: Service) -> tuple[bool, bool, bool]:
        return (
            country is None or service.country != country.upper(),
            language is None or language.lower() not in service.languages,
            service.country is not None,
        )

    return sorted(SERVICES, key=nearness)


def outdated(
    entries: tuple[Service, ...], *, today: date, months: int = VERIFY_MONTHS
) -> list[Service]:
    """Return the entries that were last verified more than ``months`` ago, or in the future."""
    return [
        entry
        for entry in entries
        if not 0 <= _months_between(entry.last_verified, today) < months
    ]


def _months_between(earlier: date, later: date) -> int:
    """Return how many whole months lie between; negative where ``earlier`` is later."""
    months = 12 * (later.year - earlier.year) + later.month - earlier.month
    return months - (later.day < earlier.day)
