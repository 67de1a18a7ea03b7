"""From bytes to pixels: the door to every decoder.

Runs only inside a sandboxed worker. Whatever a hostile file does here ends as ``Undecodable``,
or it kills the worker, which costs that one item.
"""

from protech.salus import decode_jpeg, decode_pillow
from protech.salus.frames import Decoded, FrameForms, Pixels, Undecodable
from protech.salus.sniff import MediaType
from protech.types import Kind, Limits, Unscannable

__all__ = ["Decoded", "FrameForms", "Pixels", "Undecodable", "decode", "header", "preload"]

_ONLY_NAMED = frozenset({MediaType.JXL, MediaType.PSD})
"""Images that are told apart but that nothing here decodes; no browser at hand shows them."""


def preload() -> None:
    """Load every codec, so that a worker can lock itself and still decode."""
    decode_jpeg.preload()
    decode_pillow.preload()


def decode(
    data: bytes | memoryview,
    *,
    media_type: MediaType,
    limits: Limits,
    at_full_size: bool = False,
) -> Decoded:
    """Open an image; its frames are decoded as they are taken from ``forms``.

    An animation of more than ``limits.sampled_frames`` gives that many, spread evenly, the
    first and the last among them. A file that breaks off gives what could be decoded of it,
    then raises CORRUPT from ``forms``: what a browser would show of it is hashed and scored,
    and the item still counts as one that could not be judged. A large JPEG is decoded at a
    smaller scale unless ``at_full_size``.

    Raises:
        Undecodable: EMPTY, TOO_LARGE (decided from the header), CORRUPT, or UNKNOWN_TYPE.
    """
    _require_image(data, media_type, limits)
    if media_type is MediaType.JPEG:
        return decode_jpeg.decode(data, limits=limits, at_full_size=at_full_size)
    return decode_pillow.decode(data, media_type=media_type, limits=limits)


def header(
    data: bytes | memoryview, *, media_type: MediaType, limits: Limits
) -> tuple[int, int] | None:
    """Return width and height as displayed from the header alone; None if it is no image.

    Raises:
        Undecodable: As ``decode``.
    """
    if media_type.kind is not Kind.IMAGE or media_type in _ONLY_NAMED:
        return None
    _require_image(data, media_type, limits)
    if media_type is MediaType.JPEG:
        return decode_jpeg.header(data, limits=limits)
    return decode_pillow.header(data, media_type=media_type, limits=limits)


def _require_image(data: bytes | memoryview, media_type: MediaType, limits: Limits) -> None:
    size_bytes = memoryview(data).nbytes
    if size_bytes == 0:
        raise Undecodable(Unscannable.EMPTY)
    if size_bytes > limits.size_bytes:
        raise Undecodable(Unscannable.TOO_LARGE)
    if media_type.kind is not Kind.IMAGE or media_type in _ONLY_NAMED:
        raise Undecodable(Unscannable.UNKNOWN_TYPE)
