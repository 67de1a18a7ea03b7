"""Where a repository is: a web address or a directory, written in one way only.

Two devices that are given the same address in two spellings send the same requests.
"""

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from protech.errors import ConfigError

PORTS = {"http": 80, "https": 443}
"""The schemes, each with the port that is not written."""

WRITTEN = re.compile(r"[!-~]+")
"""What stands in an address; all else is percent-encoded, or xn-- in a host's name."""


def address_of(place: str) -> str:
    """Return the address of a repository with a slash at its end: a URL, or a directory's.

    Raises:
        ConfigError: It is neither.
    """
    try:
        parts = urlsplit(place)
        if parts.scheme in PORTS and parts.hostname:
            return _web_address(place, parts)
    except ValueError:
        raise ConfigError(
            "The address of the repository is none: a port is 1 to 65535, a bracket is closed,"
            " and letters other than those of ASCII are percent-encoded. Ask its authority."
        ) from None
    folder = Path(unquote(parts.path) if parts.scheme == "file" else place)
    if not folder.is_dir():
        raise ConfigError(
            f"{place} is neither a web address (https://...) nor a directory here; name where"
            " the repository is."
        )
    return f"{folder.resolve().as_uri()}/"


def _web_address(place: str, parts: SplitResult) -> str:
    if set(place) & set("?#") or "@" in parts.netloc:
        raise ConfigError(
            "The address of a repository has no user, no '?' and no '#': the request must"
            " be the same from every device."
        )
    if not WRITTEN.fullmatch(place) or parts.port == 0:
        raise ValueError
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}{parts.path.rstrip('/')}/"
