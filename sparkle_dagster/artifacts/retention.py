"""What a store no longer has to keep: policies over what is stored, and the reasons. Removes nothing: ``sweep`` does.

A key is ``<asset>/<production>``. Age is counted from the newest commit by the store's own clock. What is protected (a
hold, an approval, a run in flight) stays, whatever a policy says; a key's newest generation goes only with the key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.errors import ArtifactError
from contracts.tool_registry import RetentionSettings

NOT_RESULTS = frozenset({"hold", "ruling"})
"""First parts of keys that say something about a production and are nothing of it."""
MAX_CLOCK_SKEW_SECONDS = 3600.0


@dataclass(frozen=True)
class Generation:
    """One manifest, as much of it as retention needs."""

    key: str
    number: int
    blobs: tuple[str, ...]
    modified: float
    """Seconds since the epoch, by the store's clock."""

    @property
    def asset(self) -> str:
        return self.key.partition("/")[0]

    @property
    def production(self) -> str:
        return self.key.partition("/")[2]


@dataclass(frozen=True)
class Removal:
    """Generations of a key that go, all up to ``last``."""

    key: str
    last: int
    is_whole: bool
    why: str


@dataclass
class Inventory:
    """Everything that is committed, and the size in bytes of everything that is stored."""

    generations: list[Generation]
    blob_sizes: Mapping[str, int]
    by_key: dict[str, list[Generation]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_key = {}
        for generation in sorted(self.generations, key=lambda item: (item.key, item.number)):
            self.by_key.setdefault(generation.key, []).append(generation)

    def productions(self) -> dict[str, list[str]]:
        """Production -> its keys."""
        found: dict[str, list[str]] = {}
        for key in self.by_key:
            asset, _, production = key.partition("/")
            if production and asset not in NOT_RESULTS:
                found.setdefault(production, []).append(key)
        return found

    def bytes_used_by(self, generations: Iterable[Generation]) -> int:
        digests = {digest for generation in generations for digest in generation.blobs}
        return sum(self.blob_sizes.get(digest, 0) for digest in digests)


@dataclass(frozen=True)
class Policy:
    """What holds for one look at a store."""

    rules: RetentionSettings
    now: float
    free_bytes: int | None = None
    """Of the file system; None where it has no end."""
    protected: Mapping[str, str] = field(default_factory=dict[str, str])
    """Production -> why it stays."""
    remembered: frozenset[tuple[str, int]] = frozenset()
    """Key and generation that a memo entry within its age points to."""


def removals(inventory: Inventory, policy: Policy) -> list[Removal]:
    """What goes, oldest production first.

    Raises:
        ArtifactError: something was stored in the future: the clock cannot be trusted, so no age can.
    """
    _check_clock(inventory, policy.now)
    whole = _expired(inventory, policy)
    whole |= _too_many_bytes(inventory, policy, whole)
    removed = [
        Removal(key, generations[-1].number, True, whole[production])
        for production, keys in inventory.productions().items()
        if production in whole
        for key in keys
        if (generations := inventory.by_key[key])
    ]
    gone = {item.key for item in removed}
    for key, generations in inventory.by_key.items():
        if key not in gone and generations[0].production not in policy.protected:
            removed += _of_one_key(key, generations, policy)
    return removed


def _expired(inventory: Inventory, policy: Policy) -> dict[str, str]:
    age_s = policy.rules.age_s
    if age_s is None:
        return {}
    return {
        production: f"its newest result is {_days(policy.now - newest)} old, age_s keeps {_days(age_s)}"
        for production, newest in _newest(inventory).items()
        if policy.now - newest > age_s and production not in policy.protected
    }


def _too_many_bytes(inventory: Inventory, policy: Policy, gone: Mapping[str, str]) -> dict[str, str]:
    """Oldest productions first, until what is left fits; bytes that several productions share count once."""
    rules = policy.rules
    keys_of = inventory.productions()
    users: dict[str, set[str]] = {}
    for production, keys in keys_of.items():
        for key in keys if production not in gone else ():
            for generation in inventory.by_key[key]:
                for digest in generation.blobs:
                    users.setdefault(digest, set()).add(production)
    used = sum(inventory.blob_sizes.get(digest, 0) for digest in users)
    freed_already = sum(size for digest, size in inventory.blob_sizes.items() if digest not in users)
    excess = used - rules.max_bytes if rules.max_bytes is not None else 0
    lacking = 0
    if rules.min_free_bytes is not None and policy.free_bytes is not None:
        lacking = rules.min_free_bytes - policy.free_bytes - freed_already
    chosen: dict[str, str] = {}
    for production, _ in sorted(_newest(inventory).items(), key=lambda item: item[1]):
        if max(excess, lacking) <= 0:
            break
        if production in gone or production in policy.protected:
            continue
        freed = 0
        for digest, owners in users.items():
            if production in owners:
                owners.discard(production)
                freed += 0 if owners else inventory.blob_sizes.get(digest, 0)
        rule = (
            f"max_bytes keeps {rules.max_bytes}" if excess >= lacking else f"min_free_bytes is {rules.min_free_bytes}"
        )
        chosen[production] = f"it is the oldest and the store holds {used} bytes; {rule}"
        excess, lacking, used = excess - freed, lacking - freed, used - freed
    return chosen


def _of_one_key(key: str, generations: list[Generation], policy: Policy) -> list[Removal]:
    rule = policy.rules.assets.get(generations[0].asset)
    newest = generations[-1]
    if rule is not None and rule.age_s is not None and policy.now - newest.modified > rule.age_s:
        why = f"it is {_days(policy.now - newest.modified)} old, assets.{newest.asset}.age_s keeps {_days(rule.age_s)}"
        return [Removal(key, newest.number, True, why)]
    kept = rule.generations if rule is not None and rule.generations is not None else policy.rules.generations
    if kept is None:
        return []
    last = 0
    for generation in generations[:-kept]:  # up to the first that somebody remembers: numbers have no holes
        if (key, generation.number) in policy.remembered:
            break
        last = generation.number
    return [Removal(key, last, False, f"generations keeps the newest {kept}")] if last else []


def _newest(inventory: Inventory) -> dict[str, float]:
    """Production -> time of its newest commit."""
    return {
        production: max(inventory.by_key[key][-1].modified for key in keys)
        for production, keys in inventory.productions().items()
    }


def _check_clock(inventory: Inventory, now: float) -> None:
    ahead = max((generation.modified for generation in inventory.generations), default=now) - now
    if ahead > MAX_CLOCK_SKEW_SECONDS:
        raise ArtifactError(
            f"the store holds a result from {ahead:.0f} s in the future: expected this machine's clock to be right; "
            "nothing was removed. Set the clock, then run again"
        )


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days"
