"""Words given times without listening: in proportion to their length, over the stretches where somebody speaks.

What is left when forced alignment cannot be had. Not here: how sure that is; callers say so.
"""

from collections.abc import Sequence

from contracts.artifacts import Span


def spread(texts: Sequence[str], spans: Sequence[Span]) -> list[Span]:
    """One span per text, in order, inside ``spans`` and never across a gap between them.

    A word that would straddle a gap goes to the side where more of it lies.
    """
    usable = [span for span in spans if span.duration_seconds > 0]
    total_seconds = sum(span.duration_seconds for span in usable)
    weights = [len(text.strip()) + 1 for text in texts]
    if not usable:
        at = spans[0].start_seconds if spans else 0.0
        return [Span(start_seconds=at, end_seconds_exclusive=at) for _ in texts]
    homes = _homes(weights, usable, total_seconds)
    placed: list[Span] = []
    for index, span in enumerate(usable):
        mine = [weight for weight, home in zip(weights, homes, strict=True) if home == index]
        placed += _divide(mine, span)
    return placed


def _homes(weights: Sequence[int], spans: Sequence[Span], total_seconds: float) -> list[int]:
    """For each weight, the index of the span in which its middle falls."""
    ends: list[float] = []
    for span in spans:
        ends.append((ends[-1] if ends else 0.0) + span.duration_seconds)
    homes: list[int] = []
    before, per_weight = 0.0, total_seconds / max(1, sum(weights))
    for weight in weights:
        middle = (before + weight / 2) * per_weight
        homes.append(next((index for index, end in enumerate(ends) if middle < end), len(ends) - 1))
        before += weight
    return homes


def _divide(weights: Sequence[int], span: Span) -> list[Span]:
    per_weight = span.duration_seconds / max(1, sum(weights))
    parts: list[Span] = []
    at = span.start_seconds
    for weight in weights:
        end = min(at + weight * per_weight, span.end_seconds_exclusive)
        parts.append(Span(start_seconds=round(at, 3), end_seconds_exclusive=round(end, 3)))
        at = end
    return parts
