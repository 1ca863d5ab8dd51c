"""Threads between the stages: order, short queues, errors and ends."""

import threading
from collections.abc import Iterator

import pytest

from providers._media.stages import WriteBehind, in_order, read_ahead


def test_items_come_in_order_from_another_thread() -> None:
    makers: set[int] = set()

    def numbers() -> Iterator[int]:
        for number in range(50):
            makers.add(threading.get_ident())
            yield number

    assert list(read_ahead(numbers(), 3)) == list(range(50))
    assert makers
    assert threading.get_ident() not in makers


def test_no_more_are_made_than_the_queue_holds() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    for place, _ in enumerate(read_ahead(numbers(), 4)):
        assert len(made) <= place + 4 + 2  # those in the queue, the one in hand and the one that waits for a place
        if place == 100:
            break


def test_an_error_while_reading_is_raised_after_what_came_before() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    seen: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        seen.extend(read_ahead(failing(), 2))
    assert seen == [1]


def test_stopping_early_closes_what_is_read_and_leaves_no_thread() -> None:
    closed: list[bool] = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    before = threading.active_count()
    items = read_ahead(endless(), 2)
    next(items)
    items.close()
    assert closed == [True]
    assert threading.active_count() == before


def test_all_is_written_in_order_when_the_block_ends() -> None:
    written: list[int] = []
    with WriteBehind(written.append, 2) as writer:
        for number in range(40):
            writer.put(number)
    assert written == list(range(40))


def put_all(writer: WriteBehind[int], count: int) -> None:
    for number in range(count):
        writer.put(number)


def test_an_error_while_writing_is_raised_where_items_are_put() -> None:
    def refuse(number: int) -> None:
        if number == 3:
            raise ValueError("disk full")

    before = threading.active_count()
    with pytest.raises(ValueError, match="disk full"), WriteBehind(refuse, 2) as writer:
        put_all(writer, 1000)
    with pytest.raises(ValueError, match="disk full"), WriteBehind(refuse, 9) as writer:
        writer.put(3)
    assert threading.active_count() == before


def test_an_error_of_the_block_itself_writes_no_more() -> None:
    written: list[int] = []
    gate = threading.Event()

    def slowly(number: int) -> None:
        gate.wait()
        written.append(number)

    def fail(writer: WriteBehind[int]) -> None:
        put_all(writer, 4)
        gate.set()
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"), WriteBehind(slowly, 8) as writer:
        fail(writer)
    assert len(written) < 5
    assert threading.active_count() >= 1


def test_work_is_shared_by_threads_and_given_in_order() -> None:
    together = threading.Barrier(2, timeout=60)

    def work(number: int) -> int:
        together.wait()  # passes only while two are at it
        return 10 * number

    assert list(in_order(work, range(6), 2)) == [0, 10, 20, 30, 40, 50]


@pytest.mark.requirement("X3")
def test_no_more_is_begun_than_the_workers_can_take() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    made = in_order(lambda number: number, items(), 2)
    assert next(made) == 0
    assert max(taken) <= 2
    made.close()
    assert max(taken) <= 2


def test_an_error_of_the_work_is_raised_after_what_came_before_and_leaves_no_thread() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("no mouth")
        return number

    before = threading.active_count()
    made: list[int] = []
    with pytest.raises(ValueError, match="no mouth"):
        made.extend(in_order(work, range(10), 2))
    assert threading.active_count() == before
