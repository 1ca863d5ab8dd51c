"""The log of what a provider printed: short ones whole, long ones with their beginning and end."""

from pathlib import Path

from sparkle_dagster.registry._bounded_log import LOG_HEAD_BYTES, LOG_TAIL_BYTES, BoundedLog


def written(path: Path, *chunks: bytes) -> bytes:
    log = BoundedLog(path)
    for chunk in chunks:
        log.write(chunk)
    log.close()
    return path.read_bytes()


def test_short_log_is_kept_as_it_is(tmp_path: Path) -> None:
    assert written(tmp_path / "log", b"one\n", b"two\n") == b"one\ntwo\n"


def test_log_just_past_its_head_is_kept_whole(tmp_path: Path) -> None:
    chunks = [b"x" * 1000] * (LOG_HEAD_BYTES // 1000 + 2)
    assert written(tmp_path / "log", *chunks) == b"".join(chunks)


def test_long_log_keeps_both_ends_and_counts_the_rest(tmp_path: Path) -> None:
    lines = [b"line %07d\n" % number for number in range(100_000)]
    found = written(tmp_path / "log", *(b"".join(lines[at : at + 100]) for at in range(0, len(lines), 100)))
    assert found.startswith(lines[0])
    assert found.endswith(lines[-1])
    assert len(found) < LOG_HEAD_BYTES + LOG_TAIL_BYTES + 100
    left_out = int(found.split(b"... ")[1].split(b" ")[0])
    kept = len(found) - len(b"\n... %d bytes left out ...\n" % left_out)
    assert kept + left_out == sum(map(len, lines))
