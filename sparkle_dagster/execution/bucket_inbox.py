"""Uploads that arrive in a bucket: new objects are fetched into the local inbox, where every upload is treated alike.

An object is known by its name and generation; what was fetched is in a ledger beside the inbox. A tick reads on where
the last one stopped and ends with its budget, however many objects are listed and however large one is; a file that is
half fetched goes on with the next tick. Fetched twice (a crash between the move and the ledger) is admitted once: the
inbox knows a production by its content. The bucket is only read.
"""

import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import ArtifactError
from sparkle_dagster.artifacts.bucket_errors import typed_bucket_errors
from sparkle_dagster.artifacts.gcs import BucketPlace
from sparkle_dagster.execution.inbox import ROLE_BY_SUFFIX

if TYPE_CHECKING:
    from sparkle_dagster.artifacts._bucket import Bucket, ObjectFacts

_PIECE_BYTES = 8 * 2**20
_MAX_NAME_BYTES = 200
_TABLES = """
create table if not exists seen (name text primary key, generation integer not null) without rowid;
create table if not exists place (one integer primary key check (one = 1), after text not null);
"""


@dataclass
class Fetched:
    """What one tick did."""

    names: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    is_complete: bool = False
    """Every object that was listed has been looked at since the walk began."""


class BucketInbox:
    """A folder of a bucket that is watched.

    Args:
        inbox: the local folder that files are fetched into.
        budget_seconds: a tick ends soon after this; it always reads at least one page.
        page_size: objects of one listing request, at most 1000.
    """

    def __init__(
        self, place: BucketPlace, inbox: Path, *, max_bytes: int, budget_seconds: float, page_size: int = 1000
    ) -> None:
        self._place = place
        self._inbox = inbox
        self._own = inbox / ".bucket"
        self._max_bytes = max_bytes
        self._budget_seconds = budget_seconds
        self._page_size = page_size

    def fetch_new(self) -> Fetched:
        """Walk on through the bucket and fetch what is new. Raises: ArtifactError: it cannot be reached."""
        end = time.monotonic() + self._budget_seconds
        fetched = Fetched()
        self._own.mkdir(parents=True, exist_ok=True)
        with self._ledger() as ledger, typed_bucket_errors("look for uploads", str(self._place)):
            bucket = self._place.below("")
            after = _position(ledger)
            for page in bucket.pages("", after=after, page_size=self._page_size):
                for facts in page:
                    if not self._look_at(bucket, facts, ledger, fetched, end):
                        return fetched  # half fetched: it goes on with this one
                    after = facts.name
                _remember_position(ledger, after)
                if page and time.monotonic() >= end:  # behind the last one comes an empty page: the walk begins anew
                    return fetched
            _remember_position(ledger, "")
        fetched.is_complete = True
        return fetched

    def _look_at(
        self, source: "Bucket", facts: "ObjectFacts", ledger: sqlite3.Connection, fetched: Fetched, end: float
    ) -> bool:
        """False when the budget ended before it was fetched. What was not fetched is in the ledger with its page."""
        row = ledger.execute("select generation from seen where name = ?", (facts.name,)).fetchone()
        if row is not None and row[0] == facts.generation:
            return True
        problem = self._why_not(facts)
        if problem is None:
            ledger.commit()  # it is not held while a file is fetched
            try:
                if not self._fetch(source, facts, end):
                    return False
            except FileNotFoundError:
                return True  # removed or replaced meanwhile: the next walk finds what is there then
            fetched.names.append(facts.name)
        elif problem:
            fetched.problems.append(problem)
        ledger.execute("insert or replace into seen values (?, ?)", (facts.name, facts.generation))
        if problem is None:
            ledger.commit()
        return True

    def _why_not(self, facts: "ObjectFacts") -> str | None:
        """Why an object is not fetched; empty where nobody expects it to be."""
        name = facts.name
        if not name or name.startswith(".") or Path(name).suffix.lower() not in ROLE_BY_SUFFIX:
            return ""
        if "/" in name or not name.isprintable() or len(name.encode()) > _MAX_NAME_BYTES:
            return f"{name[:80]!r}: expected a name of at most {_MAX_NAME_BYTES} printable bytes; rename it"
        if facts.size_bytes > self._max_bytes:
            return f"{name}: expected at most {self._max_bytes} bytes, got {facts.size_bytes}"
        return None

    def _fetch(self, source: "Bucket", facts: "ObjectFacts", end: float) -> bool:
        """In pieces, each kept; whole and compared it appears in the inbox. False when the budget ended before."""
        from sparkle_dagster.artifacts._bucket import crc32c_text, extended

        part = self._own / f"{facts.generation}.part"
        with part.open("ab") as stream:
            while stream.tell() < facts.size_bytes:
                stream.write(source.read_range(facts, stream.tell(), _PIECE_BYTES))
                if time.monotonic() >= end and stream.tell() < facts.size_bytes:
                    return False
        crc32c = 0
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                crc32c = extended(crc32c, block)
        if not facts.holds(part.stat().st_size, crc32c_text(crc32c)):
            part.unlink()
            raise ArtifactError(f"{facts.name}: it was damaged on its way; it is fetched again")
        part.touch()
        part.replace(self._inbox / facts.name)
        return True

    @contextmanager
    def _ledger(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._own / "ledger.sqlite", timeout=30)) as ledger:
            ledger.executescript(_TABLES)
            yield ledger


def _position(ledger: sqlite3.Connection) -> str:
    row = ledger.execute("select after from place").fetchone()
    return str(row[0]) if row else ""


def _remember_position(ledger: sqlite3.Connection, after: str) -> None:
    with ledger:
        ledger.execute("insert or replace into place values (1, ?)", (after,))
