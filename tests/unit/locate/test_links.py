"""What carries a conversation has the calls of a link, and peers are waited for long enough."""

from protech.locate.bittorrent.mse import Encrypted
from protech.locate.bittorrent.utp import Utp
from protech.locate.connections import Stream
from protech.locate.links import Limits, Link


def test_every_transport_is_a_link() -> None:
    calls = {name for name in vars(Link) if not name.startswith("_")}
    for transport in (Stream, Encrypted, Utp):
        assert all(hasattr(transport, name) for name in calls)


def test_the_parts_fit_into_the_whole() -> None:
    limits = Limits()
    assert limits.utp_after_s < limits.connect_s
    assert limits.settle_s < limits.claim_s < limits.answer_s
