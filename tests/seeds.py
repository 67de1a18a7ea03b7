"""Torrents of random bytes, and real clients in processes of their own that share them.

Run as a program it is a libtorrent session: see ``seed``.
"""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import libtorrent as lt

from protech.lists.fetch_key import TorrentFile, TorrentTree
from protech.locate.adapter import Candidate, Endpoint, ListName, Source, Target

BLOCK = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A torrent on disk and what a list would hold of one of its files."""

    torrent: Path
    folder: Path
    target: Target


def share(
    folder: Path,
    *,
    version: int,
    size_bytes: int = 1 << 20,
    piece_bytes: int = 1 << 16,
    seed: int = 1,
    neighbours: Sequence[int] = (),
    is_hybrid: bool = False,
) -> Shared:
    """Write a file of random bytes, with files of other sizes around it, and its torrent.

    ``neighbours`` are sizes of files; the listed one stands after the first of them. A hybrid
    is of both versions, and ``version`` says which of its two keys is listed.
    """
    # A torrent of one file has no folder in it.
    prefix = "files/" if neighbours else ""
    inside = folder / prefix
    inside.mkdir(parents=True)
    names = [f"{number:02d}.bin" for number in range(1 + len(neighbours))]
    listed = min(1, len(neighbours))
    sizes = [*neighbours[:listed], size_bytes, *neighbours[listed:]]
    for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
        content_seed = seed if number == listed else seed + 1000 + number
        (inside / name).write_bytes(random.Random(content_seed).randbytes(size))
    files = [
        lt.create_file_entry(prefix + name, size)
        for name, size in zip(names, sizes, strict=True)
    ]
    flag = lt.create_torrent.v1_only if version == 1 else lt.create_torrent.v2_only
    flag = 0 if is_hybrid else flag
    made = lt.create_torrent(files, piece_size=piece_bytes, flags=flag)
    lt.set_piece_hashes(made, str(folder))
    torrent = folder / "files.torrent"
    torrent.write_bytes(lt.bencode(made.generate()))
    return described(folder, version=version, listed=listed)


def share_elsewhere(folder: Path, *, version: int, seed: int, size_bytes: int) -> Shared:
    """Do as ``share`` in another process, so that this one never holds the content."""
    setting = {"share": str(folder), "version": version, "seed": seed, "size_bytes": size_bytes}
    subprocess.run([sys.executable, __file__, json.dumps(setting)], check=True)
    return described(folder, version=version)


def described(folder: Path, *, version: int, listed: int = 0) -> Shared:
    """Return what ``share`` has put into a folder."""
    torrent = folder / "files.torrent"
    info = lt.torrent_info(str(torrent))
    key = _file_key(info, listed) if version == 1 else _tree_key(torrent, info, listed)
    target = Target(
        entry="entry-1",
        number=0,
        list_name=ListName(name="lab", version=1, sha256=bytes(32)),
        key=key,
    )
    return Shared(torrent=torrent, folder=folder, target=target)


def _file_key(info: lt.torrent_info, listed: int) -> TorrentFile:
    layout = info.layout()
    first, size, piece = (
        layout.file_offset(listed),
        layout.file_size(listed),
        info.piece_length(),
    )
    places = range(first // piece, (first + size - 1) // piece + 1)
    return TorrentFile(
        info_hash=info.info_hashes().v1.to_bytes(),
        file_index=listed,
        first_byte=first,
        size_bytes=size,
        piece_bytes=piece,
        torrent_bytes=info.total_size(),
        pieces=tuple(info.hash_for_piece(place) for place in places),
    )


def _tree_key(torrent: Path, info: lt.torrent_info, listed: int) -> TorrentTree:
    layout = info.layout()
    root = layout.root(listed).to_bytes()
    whole: Any = lt.bdecode(torrent.read_bytes())
    layer: bytes = whole[b"piece layers"].get(root, b"")
    return TorrentTree(
        info_hash=info.info_hashes().v2.to_bytes(),
        file_index=listed,
        first_piece=layout.file_offset(listed) // info.piece_length(),
        torrent_pieces=info.num_pieces(),
        root=root,
        size_bytes=layout.file_size(listed),
        piece_bytes=info.piece_length(),
        layer=tuple(layer[at : at + 32] for at in range(0, len(layer), 32)),
    )


def candidate(address: str, port: int) -> Candidate:
    return Candidate(
        endpoint=Endpoint(address=ip_address(address), port=port), source=Source.TRACKER
    )


@contextmanager
def seed(shared: Shared, address: str, **options: object) -> Iterator[Candidate]:
    """Give a libtorrent session, in another process, that has ``shared``.

    Options: ``encryption`` ("plain", "forced"), ``transports`` ("tcp", "utp", "both"),
    ``pieces`` (a list of those it has), ``upload_slots``.
    """
    setting = json.dumps(
        {
            "torrent": str(shared.torrent),
            "folder": str(shared.folder),
            "address": address,
            **options,
        }
    )
    with subprocess.Popen(
        [sys.executable, __file__, setting],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline())
        try:
            yield candidate(address, port)
        finally:
            process.stdin.close()


def _run(setting: dict[str, Any]) -> None:
    encryption, transports = (
        setting.get("encryption", "plain"),
        setting.get("transports", "both"),
    )
    policy = lt.enc_policy.pe_forced if encryption == "forced" else lt.enc_policy.pe_enabled
    settings: Any = {
        "listen_interfaces": f"{_bracketed(str(setting['address']))}:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_tcp": transports != "utp",
        "enable_incoming_utp": transports != "tcp",
        "in_enc_policy": policy,
        "out_enc_policy": policy,
        "allowed_enc_level": lt.enc_level.rc4,
        "allow_multiple_connections_per_ip": True,
        "unchoke_slots_limit": setting.get("upload_slots", 8),
        "alert_mask": lt.alert.category_t.all_categories if setting.get("log") else 0,
    }
    session = lt.session(settings)
    added = lt.add_torrent_params()
    added.ti = lt.torrent_info(str(setting["torrent"]))
    added.save_path = str(setting["folder"])
    pieces = setting.get("pieces")
    if pieces is not None:
        added.have_pieces = [number in pieces for number in range(added.ti.num_pieces())]
        added.flags |= lt.torrent_flags.upload_mode
    handle = session.add_torrent(added)
    while handle.status().state in {
        lt.torrent_status.checking_files,
        lt.torrent_status.checking_resume_data,
    } or (pieces is None and not handle.status().is_seeding):
        session.wait_for_alert(50)
    print(session.listen_port(), flush=True)
    if setting.get("log"):
        while True:
            session.wait_for_alert(100)
            for one in session.pop_alerts():
                if "log" in type(one).__name__:
                    print(one.message(), file=sys.stderr, flush=True)
    sys.stdin.read()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if "share" in given:
        share(Path(given.pop("share")), **given)
    else:
        _run(given)
