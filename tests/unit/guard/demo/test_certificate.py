"""The demo's certificate and the pin by which a browser knows it."""

import base64
import ssl
from datetime import UTC, datetime

from protech.guard.demo.certificate import pin, site_pair

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_each_demo_has_an_authority_of_its_own() -> None:
    one, other = site_pair("a.example", now=NOW), site_pair("a.example", now=NOW)
    assert one.authority != other.authority
    assert one.key != other.key
    assert one.chain.endswith(one.authority)
    assert ssl.PEM_cert_to_DER_cert(one.authority.decode())


def test_a_pin_is_of_the_key() -> None:
    pair = site_pair("a.example", now=NOW)
    assert len(base64.b64decode(pin(pair.chain))) == 32
    assert pin(pair.chain) == pin(pair.chain)
    assert pin(pair.chain) != pin(pair.authority)


def test_the_key_is_in_no_repr() -> None:
    assert "PRIVATE" not in repr(site_pair("a.example", now=NOW))
