"""Many writers at once: processes, as in production, on one store."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TypeVar

import pytest

from contracts.artifacts import ArtifactRef
from contracts.errors import ArtifactConflict
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.sparkle_dagster.artifacts.cases import BODY, KEY, flipped
from tests.sparkle_dagster.artifacts.inspecting import visible_damage

Result = TypeVar("Result")
WRITERS = 8
COMMITS_EACH = 6


_start: list[Barrier] = []
"""In a writer's process: where all wait for each other before each task."""


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    context = get_context("forkserver")
    barrier = context.Barrier(WRITERS, timeout=60)
    with ProcessPoolExecutor(WRITERS, mp_context=context, initializer=_join, initargs=(barrier,)) as pool:
        yield pool


def _join(barrier: Barrier) -> None:
    _start.append(barrier)


def in_each(pool: ProcessPoolExecutor, run: Callable[[int], Result]) -> list[Result]:
    """``run`` in every process at once."""
    return list(pool.map(partial(_together, run), range(WRITERS)))


def _together(run: Callable[[int], Result], writer: int) -> Result:
    _start[0].wait()
    return run(writer)


def commit_many(store: LocalArtifactStore, writer: int) -> list[int]:
    return [
        store.commit(KEY, {"writer": writer, "n": n}, attempt_id=f"{writer}-{n}").generation
        for n in range(COMMITS_EACH)
    ]


def commit_first(store: LocalArtifactStore, writer: int) -> int | None:
    try:
        store.commit(KEY, {"writer": writer}, attempt_id=str(writer), expect_generation=1)
    except ArtifactConflict:
        return None
    return writer


def commit_same(store: LocalArtifactStore, writer: int) -> int:
    return store.commit(KEY, {"same": True}, attempt_id="one attempt, sent twice").generation


def put_and_read(store: LocalArtifactStore, writer: int) -> tuple[ArtifactRef, bytes]:
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    with store.open(ref) as stream:
        return ref, stream.read()


def test_writers_of_one_key_make_generations_without_gaps(
    processes: ProcessPoolExecutor, store: LocalArtifactStore
) -> None:
    made = in_each(processes, partial(commit_many, store))
    assert sorted(chain(*made)) == list(range(1, WRITERS * COMMITS_EACH + 1))
    for writer, generations in enumerate(made):
        assert generations == sorted(generations), "a writer's own commits keep their order"
        assert [store.read(KEY, number).document["writer"] for number in generations] == [writer] * COMMITS_EACH
    assert visible_damage(store) == []


def test_threads_of_one_store_do_the_same(store: LocalArtifactStore) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        made = list(pool.map(partial(commit_many, store), range(WRITERS)))
    assert sorted(chain(*made)) == list(range(1, WRITERS * COMMITS_EACH + 1))


def test_one_of_many_wins_an_expected_generation(processes: ProcessPoolExecutor, store: LocalArtifactStore) -> None:
    winners = [writer for writer in in_each(processes, partial(commit_first, store)) if writer is not None]
    assert [store.read(KEY).document["writer"]] == winners
    assert store.generations(KEY) == (1,)


def test_one_attempt_sent_by_many_commits_once(processes: ProcessPoolExecutor, store: LocalArtifactStore) -> None:
    assert in_each(processes, partial(commit_same, store)) == [1] * WRITERS


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_same_bytes_from_many_are_stored_once_and_whole(
    processes: ProcessPoolExecutor, store: LocalArtifactStore, is_damaged: bool
) -> None:
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    path = store.root / "ws/main" / ref.path
    path.unlink()
    if is_damaged:
        path.write_bytes(flipped(BODY))
    results = in_each(processes, partial(put_and_read, store))
    assert results == [(ref, BODY)] * WRITERS
    blobs: list[Path] = [found for found in (store.root / "ws/main/cas").rglob("*") if found.is_file()]
    assert blobs == [path]
    assert len(list((store.root / "ws/main/quarantine").iterdir())) == int(is_damaged)
