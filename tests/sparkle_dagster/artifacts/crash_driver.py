"""Run as a program: kills a writer at every system call of a put and a commit, and checks the store after each.

Prints one JSON line: how many kills, and what was wrong. Usage: ``crash_driver.py DIRECTORY MOMENT``.
"""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from contracts.artifacts import ArtifactRef
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.sparkle_dagster.artifacts.faults import KILLED, KillAt, as_usual, watched
from tests.sparkle_dagster.artifacts.inspecting import visible_damage

KEY = "script/a-1"
OLD, NEW = b"old" * 1000, b"new" * 1000


def _unheard(step: str) -> None:
    """Nobody waits for the acknowledgement."""


def work(store: LocalArtifactStore, acknowledge: Callable[[str], object] = _unheard) -> None:
    """What is interrupted; ``acknowledge`` hears of each step when it is promised."""
    ref = store.put(io.BytesIO(NEW), "text/plain")
    acknowledge("p")
    store.commit(KEY, {"ref": ref.model_dump(mode="json")}, attempt_id="new")
    acknowledge("c")
    store.name("faces/x", ref)
    acknowledge("n")


def kill_at(root: Path, number: int, moment: str) -> tuple[bool, str]:
    """Whether it was killed, and which steps were acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with watched(KillAt(number, moment)):
            work(LocalArtifactStore(root), lambda step: os.write(writer, step.encode()))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        acknowledged = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, KILLED}, status
    return status == KILLED, acknowledged


def check(root: Path, old: ArtifactRef, acknowledged: str) -> list[str]:
    """What is wrong after a kill, and after doing the work again."""
    store = LocalArtifactStore(root)
    wrong = visible_damage(store)
    store.verify(old)
    generations = store.generations(KEY)
    if "c" in acknowledged and generations != (1, 2):
        wrong.append(f"an acknowledged commit is gone: {generations}")
    if "n" in acknowledged and store.named("faces/x") is None:
        wrong.append("an acknowledged name is gone")
    work(store)
    if store.generations(KEY) != (1, 2):
        wrong.append(f"doing it again does not converge: {store.generations(KEY)}")
    return wrong + visible_damage(store)


def main(directory: Path, moment: str) -> None:
    number, wrong = 0, []
    while True:
        number += 1
        root = directory / str(number)
        store = LocalArtifactStore(root)
        old = store.put(io.BytesIO(OLD), "text/plain")
        store.commit(KEY, {"ref": old.model_dump(mode="json")}, attempt_id="old")
        killed, acknowledged = kill_at(root, number, moment)
        wrong += [f"{moment} call {number}: {line}" for line in check(root, old, acknowledged)]
        shutil.rmtree(root)
        if not killed:
            break
    print(json.dumps({"kills": number - 1, "wrong": wrong}))


if __name__ == "__main__":
    with watched(as_usual):
        main(Path(sys.argv[1]), sys.argv[2])
