"""What waits for signatures, as the person who signs must see it: every key in full."""

from pathlib import Path

from protech.lists.keys import fingerprint
from protech.lists.publish.sign import Paper
from protech.lists.root import RootExtension
from protech.lists.trust import ListTarget
from protech.salus.walk import shown


def show_paper(paper: Paper) -> None:
    """Print one document: who will sign, what is pinned, which lists it offers."""
    one = paper.progress
    print(
        f"{one.role} {one.version}: {len(one.signed)} signatures, {one.missing} more needed;"
        f" until {one.expires_at:%Y-%m-%d}"
    )
    for name, role in paper.roles.items():
        print(f"  {name}: {role.threshold} of {len(role.keys)} keys must sign")
        for public in role.keys.values():
            print(f"    {fingerprint(bytes.fromhex(public))}")
    if paper.pinned is not None:
        _show_pinned(paper.pinned)
    for name, lists in paper.lists.items():
        print(f"  {name} publishes {', '.join(lists)}")
    for target in paper.targets:
        _show_target(target)


def _show_pinned(pinned: RootExtension) -> None:
    print(f"  log {shown(Path(pinned.log_origin))}\n    {fingerprint(pinned.log_key)}")
    print(f"  witnesses: {pinned.quorum} of {len(pinned.witnesses)} must cosign")
    for one in pinned.witnesses:
        print(f"    {fingerprint(one.key)}  {shown(Path(one.name))}")


def _show_target(target: ListTarget) -> None:
    step = "" if target.base is None else f" from {target.base}"
    legal = f" ({target.legal_class})" if target.legal_class else ""
    floor = "" if target.quality_floor is None else f", quality from {target.quality_floor}"
    sealed = ", sealed" if target.is_sealed else ""
    until = f", until {target.expires_at:%Y-%m-%d}" if target.expires_at else ""
    print(
        f"  {target.name} {target.version}{step}: {target.kind}, {target.category}{legal},"
        f" {target.entries:,} entries, for {', '.join(sorted(target.uses))}{floor}{sealed}"
        f"{until}; {target.others.get('recipients')} recipients"
    )
    print(f"    {shown(Path(target.issuer))}: {shown(Path(target.legal_basis))}")
    print(f"    sha256 of the plain list {target.sha256.hex()}")
