"""Targets of random keys, for tests that speak to no network."""

import hashlib

from protech.lists.fetch_key import Ed2kFile, FetchKey, TorrentFile
from protech.locate.adapter import ListName, Target

LIST = ListName(name="lab", version=1, sha256=bytes(32))


def info_hash(number: int) -> bytes:
    return hashlib.sha1(number.to_bytes(4)).digest()


def torrent(number: int, *, torrent: int | None = None, file_index: int = 0) -> Target:
    key = TorrentFile(
        info_hash=info_hash(number if torrent is None else torrent),
        file_index=file_index,
        first_byte=0,
        size_bytes=1 << 16,
        piece_bytes=1 << 16,
        torrent_bytes=1 << 20,
        pieces=(bytes(20),),
    )
    return of(key, number)


def of(key: FetchKey, number: int) -> Target:
    return Target(entry=f"lab-entry-{number}", number=number, list_name=LIST, key=key)


def ed2k(number: int) -> Target:
    return of(
        Ed2kFile(md4=info_hash(number)[:16], aich=info_hash(number), size_bytes=1), number
    )
