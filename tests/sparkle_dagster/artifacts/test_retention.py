"""Which generations a policy lets go, and what it never touches."""

import pytest

from contracts.errors import ArtifactError
from contracts.tool_registry import KeepRule, RetentionSettings
from sparkle_dagster.artifacts.retention import Generation, Inventory, Policy, removals

DAY = 86400.0
NOW = 1_800_000_000.0


def generation(key: str, number: int, age_days: float, *blobs: str) -> Generation:
    return Generation(key, number, blobs, NOW - age_days * DAY)


def inventory(*generations: Generation, **sizes: int) -> Inventory:
    return Inventory(list(generations), sizes)


def gone(
    stock: Inventory, protected: dict[str, str] | None = None, free: int | None = None, **rules: object
) -> set[str]:
    policy = Policy(RetentionSettings.model_validate(rules), NOW, free, protected or {})
    return {removal.key if removal.is_whole else f"{removal.key}@{removal.last}" for removal in removals(stock, policy)}


STOCK = inventory(
    generation("upload/old", 1, 90, "a"),
    generation("video/old", 1, 90, "a", "b"),
    generation("video/old", 2, 40, "c"),
    generation("upload/new", 1, 50, "a"),
    generation("video/new", 1, 1, "d"),
    a=100, b=10, c=20, d=30,
)  # fmt: skip


def test_without_a_rule_nothing_goes() -> None:
    assert gone(STOCK) == set()


def test_age_counts_from_the_newest_commit_of_the_production() -> None:
    assert gone(STOCK, age_s=30 * DAY) == {"upload/old", "video/old"}
    assert gone(STOCK, age_s=41 * DAY) == set()


@pytest.mark.requirement("S38")
def test_what_is_protected_stays() -> None:
    assert gone(STOCK, {"old": "held"}, age_s=1, generations=1, max_bytes=1) == {"upload/new", "video/new"}


def test_generations_keeps_the_newest() -> None:
    assert gone(STOCK, generations=1) == {"video/old@1"}
    assert gone(STOCK, generations=2) == set()


def test_an_asset_has_a_rule_of_its_own() -> None:
    assert gone(STOCK, assets={"video": KeepRule(age_s=30 * DAY).model_dump()}) == {"video/old"}
    assert gone(STOCK, generations=1, assets={"video": {"generations": 5}}) == set()


def test_what_is_remembered_keeps_its_generation_and_all_later_ones() -> None:
    policy = Policy(RetentionSettings(generations=1), NOW, remembered=frozenset({("video/old", 1)}))
    assert removals(STOCK, policy) == []


def test_above_its_bytes_the_oldest_productions_go_and_shared_bytes_count_once() -> None:
    assert gone(STOCK, max_bytes=160) == set()
    assert gone(STOCK, max_bytes=159) == {"upload/old", "video/old"}
    assert gone(STOCK, max_bytes=129) == {"upload/old", "video/old", "upload/new", "video/new"}


def test_below_its_free_space_the_oldest_productions_go() -> None:
    assert gone(STOCK, free=100, min_free_bytes=100) == set()
    assert gone(STOCK, free=100, min_free_bytes=101) == {"upload/old", "video/old"}


def test_a_clock_that_went_backwards_removes_nothing() -> None:
    ahead = inventory(generation("upload/a", 1, -1))
    with pytest.raises(ArtifactError, match="in the future"):
        gone(ahead, age_s=1)
