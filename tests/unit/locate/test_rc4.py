"""RC4 is RC4: the vectors of RFC 6229."""

import pytest

from protech.locate.rc4 import Rc4

KEY = bytes.fromhex("0102030405")


@pytest.mark.parametrize(
    ("discard_bytes", "stream"),
    [
        (0, "b2396305f03dc027ccc3524a0a1118a8"),
        (16, "6982944f18fc82d589c403a47a0d0919"),
        (1024, "30abbcc7c20b01609f23ee2d5f6bb7df"),
    ],
)
def test_the_stream_is_the_published_one(discard_bytes: int, stream: str) -> None:
    assert Rc4(KEY, discard_bytes=discard_bytes).applied(bytes(16)).hex() == stream


def test_memory_is_decrypted_where_it_is() -> None:
    memory = bytearray(b"before" + bytes(16) + b"after")
    with memoryview(memory) as whole, whole[6:22] as middle:
        Rc4(KEY).apply(middle)
    assert memory.hex() == b"before".hex() + "b2396305f03dc027ccc3524a0a1118a8" + b"after".hex()


def test_its_repr_shows_nothing() -> None:
    assert repr(Rc4(KEY)) == "Rc4()"
