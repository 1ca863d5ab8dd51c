"""Random operations of one workspace's client, beside a neighbour whose every byte, key and name is known to it.

An escape is: a neighbour's bytes come out, anything of the neighbour's changes, or a file appears outside the client's
own folder. Runs as long as it is told to: `python -m tests.sparkle_dagster.artifacts.isolation 1000000`.
"""

import hashlib
import io
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.artifacts import ArtifactRef
from contracts.errors import SparkleError
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.uses import BlobUse, NameUse

NEIGHBOUR, OWN = "neighbour", "own"
SECRET = b"the neighbour's voice"
KEY, NAME = "upload/secret-0123456789abcdef", "faces/secret"
_TELL_OF_ITSELF = {"read", "keys", "ref_entries", "commit", "another"}
"""Their answers hold texts that the attacker wrote or named itself; the neighbour's bytes are looked for at the end."""
PIECES = (
    "..", ".", "", "/", "ws", NEIGHBOUR, OWN, "refs", "cas", "sha256", "names", "@1", "@gone1", "upload",
    "secret-0123456789abcdef", "%2e%2e", "%2f", "..%2f", "\\", "\x00", "~", "main", "\u202e", "file:", "a" * 300,
)  # fmt: skip


class World:
    """Two workspaces below one root; the attacker holds a client of ``own`` and all that it could know."""

    def __init__(self, root: Path, dice: random.Random) -> None:
        self.root = root
        self.dice = dice
        neighbour = LocalArtifactStore(root, NEIGHBOUR)
        self.secret = neighbour.put(io.BytesIO(SECRET), "audio/wav")
        neighbour.commit(KEY, {"secret": self.secret.model_dump(mode="json")}, attempt_id="a")
        neighbour.name(NAME, self.secret)
        self.own = LocalArtifactStore(root, OWN)
        self.mine = self.own.put(io.BytesIO(b"mine"), "text/plain")
        self.own.commit("upload/mine-0123456789abcdef", {"mine": self.mine.model_dump(mode="json")}, attempt_id="a")
        self.before = self.photograph()
        self.scratch = root / "ws" / OWN / "scratch"
        self.scratch.mkdir()
        (self.scratch / "link").symlink_to(neighbour.layout.blob(self.secret.digest))
        (self.scratch / "folder").symlink_to(root / "ws" / NEIGHBOUR)

    def photograph(self) -> dict[str, tuple[int, str]]:
        """Everything outside the client's own folder."""
        return {
            str(path.relative_to(self.root)): (path.lstat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in self.root.rglob("*")
            if path.is_file() and not path.is_relative_to(self.root / "ws" / OWN)
        }

    def text(self) -> str:
        if self.dice.random() < 0.3:
            return self.dice.choice((KEY, NAME, f"../{NEIGHBOUR}/{KEY}", f"ws/{NEIGHBOUR}/refs/{KEY}", str(self.root)))
        return "/".join(self.dice.choice(PIECES) for _ in range(self.dice.randint(1, 5)))

    def ref(self) -> ArtifactRef:
        """The neighbour's, as it is, or bent to look like one of its own."""
        path = self.dice.choice((self.secret.path, self.mine.path, f"x/{self.secret.path}"))
        changes = self.dice.choice(({}, {"path": path}, {"path": self.text()}, {"checksum": self.mine.checksum}))
        return self.secret.model_copy(update=changes)

    def operation(self) -> tuple[str, Callable[[], Any]]:
        own, ref, text, digest = self.own, self.ref(), self.text(), self.dice.choice((self.secret.digest, self.text()))
        document = {"x": ref.model_dump(mode="json")}
        path = self.dice.choice((self.scratch / "link", self.scratch / "folder" / ref.path, self.scratch / text))
        scoped = own.scoped([ref] if self.dice.random() < 0.5 else [], self.scratch)
        operations: dict[str, Callable[[], Any]] = {
            "open": lambda: own.open(ref),
            "fetch": lambda: own.fetch(ref),
            "fetch_into": lambda: own.fetch_into(ref, self.scratch),
            "exists": lambda: own.exists(ref),
            "verify": lambda: own.verify(ref),
            "put": lambda: own.put(path, "text/plain"),
            "named": lambda: own.named(text),
            "name": lambda: own.name(text, ref),
            "derived_from": lambda: own.derived_from(digest),
            "commit": lambda: own.commit(text, document, attempt_id="x"),
            "read": lambda: own.read(text, self.dice.choice((None, 1))),
            "generations": lambda: own.generations(text),
            "keys": lambda: own.keys(text),
            "ref_entries": lambda: list(own.ref_entries(text)),
            "ref_bytes": lambda: own.ref_bytes(text, self.dice.choice(("@1", self.text()))),
            "adopt_ref": lambda: own.adopt_ref(text, "@7", SECRET, [digest]),
            "has_bytes": lambda: own.has_bytes(digest),
            "check_bytes": lambda: own.check_bytes(digest),
            "take": lambda: own.take(own, digest),
            "bury": lambda: own.bury(text, 1, {}),
            "remove_blobs": lambda: own.remove_blobs([BlobUse(digest, 1, 0, (0, 0))]),
            "forget": lambda: own.forget(NameUse(text, digest, 0, (0, 0))),
            "scoped open": lambda: scoped.open(ref),
            "scoped fetch": lambda: scoped.fetch(ref),
            "scoped named": lambda: scoped.named(text),
            "scoped name": lambda: scoped.name(text, ref),
            "scoped exists": lambda: scoped.exists(ref),
            "another": lambda: LocalArtifactStore(self.root, text).keys(""),
        }
        return self.dice.choice(list(operations.items()))

    def escapes(self, answer: object) -> bool:
        """Whether an answer tells something of the neighbour."""
        if hasattr(answer, "read"):
            with answer:  # type: ignore[attr-defined]
                answer = answer.read()  # type: ignore[attr-defined]
        if isinstance(answer, Path):
            answer = answer.read_bytes()
        return SECRET in answer if isinstance(answer, bytes) else "secret" in str(answer)


def escapes_of(root: Path, count: int, seed: int = 1, *, look_every: int = 5000) -> list[str]:
    """What ``count`` random operations got out or changed."""
    world = World(root, random.Random(seed))
    found: list[str] = []
    for number in range(count):
        name, act = world.operation()
        try:
            answer = act()
        except (SparkleError, ValueError, OSError):
            answer = None
        if name not in _TELL_OF_ITSELF and world.escapes(answer):
            found.append(f"{number} {name}: {answer!r}"[:300])
        is_time = (number + 1) % look_every == 0 or number + 1 == count
        if is_time and (world.photograph() != world.before or world.own.has_bytes(world.secret.digest)):
            found.append(f"up to {number}: something of the neighbour changed, or came over")
            break
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        escapes = escapes_of(Path(folder), int(sys.argv[1]))
    print(f"{sys.argv[1]} operations, {len(escapes)} escapes", *escapes[:10], sep="\n")
    raise SystemExit(bool(escapes))
