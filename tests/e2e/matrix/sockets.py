"""The WebSocket deliveries: /ws/MODE/SET/COPY sends one picture and waits to be closed."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.e2e.matrix.pictures import Picture
from tests.e2e.matrix.transports import data_url

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def talk(
    album: dict[str, dict[str, Picture]], path: str, receive: Receive, send: Send
) -> None:
    """Send the picture that ``path`` names, in its mode; a text message ``end`` follows."""
    _, _, mode, group, copy = path.split("/")
    await receive()
    await send({"type": "websocket.accept"})
    for message in _messages(mode, album[group][copy]):
        key = "bytes" if isinstance(message, bytes) else "text"
        await send({"type": "websocket.send", key: message})
    await send({"type": "websocket.send", "text": "end"})
    await receive()


def _messages(mode: str, picture: Picture) -> list[bytes | str]:
    match mode:
        case "text":
            return [data_url(picture)]
        case "bare":
            return [data_url(picture).partition(",")[2]]
        case "split":
            middle = len(picture.content) // 2
            return [picture.content[:middle], picture.content[middle:]]
        case _:
            return [picture.content]
