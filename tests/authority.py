"""A small authority: two owners, three officers, two witnesses and a repository, all real."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from protech.lists import witness
from protech.lists.entries import Category, LegalClass, ListHeader, Use
from protech.lists.formats.own import header_line
from protech.lists.keys import PublicKey, make_key
from protech.lists.publish import release
from protech.lists.publish.place import Repository
from protech.lists.publish.setup import Plan, new
from protech.lists.publish.sign import papers, sign
from protech.lists.publish.stage import Staged, stage
from protech.lists.repository.changes import Signers
from protech.lists.repository.documents import Documents
from protech.signing import Key

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)

HEADER = ListHeader(
    name="baseline",
    version=1,
    category=Category.CSAM,
    uses=frozenset({Use.GUARD, Use.TRIAGE}),
    created_at=NOW,
    expires_at=NOW + timedelta(days=90),
    issuer="A hotline",
    legal_basis="Law 1, section 2",
    legal_class=LegalClass.BASELINE,
    quality_floor=50,
)


def entry(number: int) -> bytes:
    """Return the line of an entry that is of nothing: a counted digest."""
    return b'{"sha256":"%064x"}\n' % number


def write_list(path: Path, entries: Iterable[int], header: ListHeader = HEADER) -> Path:
    """Write a list of counted digests, in the order that they are given."""
    lines = [entry(number) for number in entries]
    path.write_bytes(header_line(replace(header, count=len(lines))) + b"".join(lines))
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A repository and everybody's keys, by file."""

    folder: Path
    repository: Repository

    @classmethod
    def new(
        cls, folder: Path, *, lists: Iterable[str] = ("baseline",), now: datetime = NOW
    ) -> "Authority":
        """Make one in a new folder; its first documents wait for signatures."""
        folder.mkdir(parents=True, exist_ok=True)

        def key(name: str) -> PublicKey:
            return make_key(folder / f"{name}.key", name=name)

        plan = Plan(
            origin="lists.example/log",
            owners=Signers(keys=(key("olga"), key("omar")), threshold=2),
            authority="hotline",
            officers=Signers(keys=(key("alice"), key("bob"), key("carol")), threshold=2),
            lists=tuple(lists),
            witnesses=(key("w1"), key("w2")),
            quorum=2,
        )
        new(folder / "repository", plan, now)
        return cls(folder=folder, repository=Repository(folder / "repository"))

    def key(self, name: str) -> Key:
        """Return somebody's secret key."""
        return Key.load(self.folder / f"{name}.key")

    def sign(self, *names: str) -> None:
        """Let people sign what is staged."""
        for name in names:
            staged = self.repository.staged
            sign(staged, self.key(name), papers(staged))

    def cosign(self, *names: str, now: datetime = NOW) -> None:
        """Let witnesses cosign the checkpoint that waits."""
        staged = self.repository.staged
        for name in names:
            witness.sign(
                staged,
                staged / "checkpoint",
                pinned=Documents.read(staged).extension,
                key=self.key(name),
                state=self.folder / f"{name}.state",
                now=now,
                may_begin=True,
            )

    def stage(
        self,
        entries: Iterable[int],
        recipients: Mapping[str, str] | None = None,
        *,
        header: ListHeader = HEADER,
        now: datetime = NOW,
    ) -> Staged:
        """Stage a version of a list."""
        path = write_list(self.folder / "source.list", entries, header)
        return stage(self.repository, path, now, recipients=recipients)

    def publish(self, *, now: datetime = NOW) -> release.Released:
        """Publish what is signed, with both witnesses' help."""
        release.enter(self.repository, now)
        if self.repository.checkpoint.exists():
            self.cosign("w1", "w2", now=now)
        return release.publish(self.repository, now)
